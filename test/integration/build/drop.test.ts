import { mkdir, mkdtemp, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { removeDropped } from '../../../src/build/drop.ts';
import { writeImage } from '../../../src/build/pack.ts';
import type { DropRules } from '../../../src/config/site-config.ts';

const inside = '/opt/conda/a-1';
let dir: string;
let prefix: string;
let notes: string[];

const record = {
  name: 'z',
  files: ['lib/libz.a', 'lib/libz.so', 'share/doc/z/README'],
  paths_data: {
    paths: [{ _path: 'lib/libz.a', sha256: 'x' }, { _path: 'lib/libz.so' }, { _path: 'share/doc/z/README' }],
    paths_version: 1,
  },
  url: 'https://example.org/z',
};

beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-drop-'));
  prefix = path.join(dir, 'root', inside);
  notes = [];
  const files = {
    'bin/z': 'z',
    'lib/libz.a': 'x'.repeat(1000),
    'lib/libz.so': '',
    'share/doc/z/README': 'text',
    'conda-meta/z-1-0.json': JSON.stringify(record),
    'conda-meta/y-1-0.json': JSON.stringify({ name: 'y', files: [] }),
  };
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(prefix, name)), { recursive: true });
    await writeFile(path.join(prefix, name), text);
    await utimes(path.join(prefix, name), 1000, 1000);
  }
  await symlink(`${inside}/lib/libz.a`, path.join(prefix, 'lib/libz-static.a'));
  await symlink(`${inside}/share/doc/z/README`, path.join(prefix, 'bin/readme'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const drop = async (rules: Partial<DropRules>, commands: readonly string[] = ['z']) =>
  await removeDropped({
    prefixOnDisk: prefix,
    prefixInside: inside,
    rules: { staticLibraries: false, tests: false, patterns: [], keep: [], ...rules },
    commands,
    outside: [],
    report: (event) => {
      if (event.type === 'note') notes.push(event.text);
    },
  });

const listImage = async (): Promise<string> => {
  const { file } = await writeImage(path.join(dir, 'root'), path.join(dir, 'a.sqsh'), {
    ...{ compression: 'zstd', level: 3, blockSizeBytes: 131072, order: 'none' },
  });
  return (await execa('unsquashfs', ['-ls', file])).stdout;
};

it('leaves out of the image what the rules say, and tells how much', async () => {
  const report = await drop({
    staticLibraries: true,
    patterns: [
      { text: 'share', at: 'c.yaml:3:4' },
      { text: 'man', at: 'c.yaml:3:9' },
    ],
  });

  const listed = await listImage();
  expect(listed).not.toMatch(/share|libz\.a|libz-static|readme/);
  expect(listed).toContain('lib/libz.so');
  expect(report).toEqual([
    { rule: 'static_libraries', files: 2, bytes: 1000 },
    { rule: 'share', files: 2, bytes: 4 },
  ]);
  expect(notes).toEqual([
    `drop: 'man' matches nothing (c.yaml:3:9)`,
    'dropped 2 files, 1 kB: static_libraries',
    'dropped 2 files, 1 kB: share',
  ]);
});

it('takes what went out of the records of conda, and leaves everything else in them, their times too', async () => {
  const untouched = await readFile(path.join(prefix, 'conda-meta/y-1-0.json'), 'utf8');

  await drop({ staticLibraries: true });

  const file = path.join(prefix, 'conda-meta/z-1-0.json');
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
    ...record,
    files: record.files.slice(1),
    paths_data: { ...record.paths_data, paths: record.paths_data.paths.slice(1) },
  });
  expect((await stat(file)).mtimeMs).toBe(1_000_000);
  expect(await readFile(path.join(prefix, 'conda-meta/y-1-0.json'), 'utf8')).toBe(untouched);
});

it('removes nothing at all when one pattern would take what a command leads to, and says where it is written', async () => {
  const before = await listImage();
  const patterns = [
    { text: 'lib', at: 'c.yaml:3:4' },
    { text: 'share/doc', at: 'c.yaml:3:9' },
  ];

  await expect(drop({ patterns }, ['z', 'readme'])).rejects.toThrow(
    /c\.yaml:3:9: the pattern 'share\/doc' would drop share\/doc\/z\/README, which the command readme needs/,
  );
  expect(await listImage()).toBe(before);
});

it('touches nothing where there are no rules', async () => {
  const before = await listImage();

  expect(await drop({})).toEqual([]);
  expect(await listImage()).toBe(before);
});
