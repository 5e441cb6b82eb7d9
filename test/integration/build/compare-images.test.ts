// Real images, unpacked and compared.
import { chmod, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { compareImages, type ImageDifference } from '../../../src/build/compare-images.ts';
import { runCommand } from '../../../src/system/run-command.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-compare-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** An image of a prefix with some files, after a change. */
async function writeTestImage(name: string, change: (prefix: string) => Promise<unknown>): Promise<string> {
  const root = path.join(dir, name);
  const prefix = path.join(root, 'opt/conda/a-1');
  await mkdir(prefix, { recursive: true });
  for (const file of ['bytes', 'gone', 'mode', 'size', 'time']) {
    await writeFile(path.join(prefix, file), `the ${file}`);
    await utimes(path.join(prefix, file), 1000, 1000);
  }
  await symlink('bytes', path.join(prefix, 'link'));
  await change(prefix);
  for (const file of ['bytes', 'mode', 'size']) await utimes(path.join(prefix, file), 1000, 1000);
  const image = `${root}.sqsh`;
  await runCommand({
    program: 'mksquashfs',
    args: [root, image, '-quiet', '-no-progress', '-all-root'],
    timeoutMs: 60_000,
  });
  return image;
}

async function compare(change: (prefix: string) => Promise<unknown>, most = 10): Promise<ImageDifference[]> {
  const released = await writeTestImage('released', () => Promise.resolve());
  const rebuilt = await writeTestImage('rebuilt', change);
  const scratch = path.join(dir, 'scratch');
  await mkdir(scratch);
  return await compareImages({ released, rebuilt, scratch, most, signal: AbortSignal.timeout(60_000) });
}

const damage = async (prefix: string): Promise<void> => {
  await writeFile(path.join(prefix, 'bytes'), 'THE bytes');
  await rm(path.join(prefix, 'gone'));
  await rm(path.join(prefix, 'link'));
  await symlink('mode', path.join(prefix, 'link'));
  await chmod(path.join(prefix, 'mode'), 0o755);
  await writeFile(path.join(prefix, 'new\nname'), '');
  await writeFile(path.join(prefix, 'size'), 'longer than it was');
  await utimes(path.join(prefix, 'time'), 2000, 2000);
};

it('names the files that differ and how, in the order of their paths', async () => {
  const found = await compare(damage);
  expect(found.map(({ path: at, what }) => `${at.replace('/opt/conda/a-1/', '')} ${what}`)).toEqual([
    'bytes has other bytes',
    'gone is in the release only',
    'link leads to bytes in the release, then to mode',
    'mode has mode 644 in the release, then 755',
    'new\nname is in the rebuilt image only',
    'size has 8 bytes in the release, then 18',
    'time was modified 1970-01-01T00:16:40.000Z in the release, then 1970-01-01T00:33:20.000Z',
  ]);
});

it('stops when it has found enough, and finds nothing in images of the same files', async () => {
  expect(await compare(damage, 2)).toHaveLength(2);
  await rm(dir, { recursive: true });
  await mkdir(dir);
  expect(await compare(() => Promise.resolve())).toEqual([]);
});
