import { link, mkdir, mkdtemp, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeImage } from '../../../src/build/pack.ts';

const profile = { compression: 'zstd', level: 3, blockSizeBytes: 131072, order: 'none' } as const;
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-pack-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function makeTree(name: string): Promise<string> {
  const root = path.join(dir, name);
  await mkdir(path.join(root, 'opt/conda/a-1/bin'), { recursive: true });
  await writeFile(path.join(root, 'opt/conda/a-1/bin/run'), 'x'.repeat(200_000), { mode: 0o755 });
  await utimes(path.join(root, 'opt/conda/a-1/bin/run'), 1000, 1000);
  await symlink('run', path.join(root, 'opt/conda/a-1/bin/walk'));
  return root;
}

it('gives the same bytes for the same tree, whenever its directories were made', async () => {
  const first = await writeImage(await makeTree('one'), path.join(dir, 'one.sqsh'), profile);
  await new Promise((resolve) => setTimeout(resolve, 1100)); // squashfs counts whole seconds
  const second = await writeImage(await makeTree('two'), path.join(dir, 'two.sqsh'), profile);

  expect(second.sha256).toBe(first.sha256);
  expect(first.inodes).toBe(7);
});

it('counts a file with two names once, as squashfs does', async () => {
  const root = await makeTree('one');
  await link(path.join(root, 'opt/conda/a-1/bin/run'), path.join(root, 'opt/conda/a-1/bin/again'));

  expect((await writeImage(root, path.join(dir, 'one.sqsh'), profile)).inodes).toBe(7);
});

it('keeps both names of a hard link, and says how many files have the content of another', async () => {
  const root = await makeTree('one');
  const run = path.join(root, 'opt/conda/a-1/bin/run');
  await link(run, path.join(root, 'opt/conda/a-1/bin/again'));
  await writeFile(path.join(root, 'opt/conda/a-1/bin/copy'), await readFile(run));

  const { file, duplicateFiles } = await writeImage(root, path.join(dir, 'one.sqsh'), profile);

  await execa('unsquashfs', ['-q', '-n', '-d', path.join(dir, 'out'), file]);
  const [first, second] = await Promise.all(
    ['run', 'again'].map((name) => stat(path.join(dir, 'out/opt/conda/a-1/bin', name))),
  );
  expect(second?.ino).toBe(first?.ino);
  expect(duplicateFiles).toBe(1);
});

it('lays out first what is used first, whatever characters are in its name', async () => {
  const root = await makeTree('one');
  const names = ['a', 'b', 'c d', 'e\\ f', '#g'];
  const content = (name: string): string => `<${name}>`.repeat(40_000);
  for (const name of names) await writeFile(path.join(root, 'opt', name), content(name));
  const pack = async (image: string, first: readonly string[]) =>
    await writeImage(root, path.join(dir, image), { ...profile, compression: 'none' }, undefined, first);
  const used = ['e\\ f', 'c d', '#g', 'b'].map((name) => `opt/${name}`);

  const { file, sha256 } = await pack('one.sqsh', used);

  const bytes = await readFile(file, 'latin1');
  const laidOut = names.toSorted(
    (a, b) => bytes.indexOf(content(a).slice(0, 999)) - bytes.indexOf(content(b).slice(0, 999)),
  );
  expect(laidOut.join()).toBe('e\\ f,c d,#g,b,a');
  expect((await pack('two.sqsh', used)).sha256).toBe(sha256);
  expect((await pack('three.sqsh', [])).sha256).not.toBe(sha256);
});

it('keeps the time of every file', async () => {
  const { file } = await writeImage(await makeTree('one'), path.join(dir, 'one.sqsh'), profile);

  const { stdout } = await execa('unsquashfs', ['-lln', '-UTC', file]);
  expect(stdout).toMatch(/0\/0 +200000 1970-01-01 00:16 squashfs-root\/opt\/conda\/a-1\/bin\/run/);
});

it('replaces what a killed build left at the place of the image', async () => {
  await writeFile(path.join(dir, 'one.sqsh'), 'half');

  await writeImage(await makeTree('one'), path.join(dir, 'one.sqsh'), profile);

  await execa('unsquashfs', ['-s', path.join(dir, 'one.sqsh')]);
});

it('fails with what mksquashfs said when there is nothing to pack', async () => {
  await expect(writeImage(path.join(dir, 'missing'), path.join(dir, 'one.sqsh'), profile)).rejects.toThrow();
});
