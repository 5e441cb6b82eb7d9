// A package that the disk changed after it was verified: the right size, other bytes.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cachedPackageFile } from '../../../src/conda/fetch.ts';
import type { InstalledPrefix } from '../../../src/conda/installer.ts';
import type { EnvironmentLock } from '../../../src/conda/lock.ts';
import { nativeInstaller } from '../../../src/conda/native-installer.ts';
import type { WorkEvent } from '../../../src/system/events.ts';
import { serveChannel, type ServedChannel } from '../../channel/serve-channel.ts';
import { writeCondaPackage } from '../../channel/conda-package.ts';
import { writeRepodata } from '../../channel/write-repodata.ts';
import { solve, tempDir } from './solve-channel.ts';

let dir: string;
let server: ServedChannel;
let lock: EnvironmentLock;
let events: WorkEvent[];
beforeEach(async () => {
  dir = await tempDir();
  events = [];
  const records = [];
  for (const name of ['a', 'b', 'c']) {
    const index = { name, version: '1', build: '0', build_number: 0, subdir: 'linux-64', depends: [] };
    const files = [{ type: 'file' as const, path: `share/${name}`, data: name }];
    records.push(await writeCondaPackage({ dir: path.join(dir, 'main'), format: 'conda', index, files }));
  }
  await writeRepodata(path.join(dir, 'main'), records);
  server = await serveChannel(dir);
  lock = await solve({ specs: ['a', 'b', 'c'], channels: [`${server.url}/main`] });
});
afterEach(async () => {
  await server.close();
  await rm(dir, { recursive: true });
});

/** Into a new prefix, with the cache of the install before. */
async function install(): Promise<InstalledPrefix> {
  await rm(path.join(dir, 'prefix'), { recursive: true, force: true });
  await mkdir(path.join(dir, 'prefix'));
  server.requests.length = 0;
  return await nativeInstaller.install({
    lock,
    requestedSpecs: ['a'],
    prefixOnDisk: path.join(dir, 'prefix'),
    prefixInside: '/opt/conda/a-1',
    cacheDir: path.join(dir, 'cache'),
    runInside: () => Promise.reject(new Error('nothing is run')),
    report: (event) => events.push(event),
  });
}

/** @returns the cached file, whose bytes are no archive now */
async function damage(name: string): Promise<string> {
  const locked = lock.packages.find((one) => one.name === name);
  if (!locked) throw new Error(`${name} is not locked`);
  const file = cachedPackageFile(path.join(dir, 'cache'), locked);
  await writeFile(file, Buffer.alloc(locked.sizeBytes ?? 0, 'x'));
  return file;
}

test('is removed and fetched again, every one of them, and the install goes on', async () => {
  await install();
  const damaged = [await damage('a'), await damage('c')];

  const installed = await install();

  expect(installed.packages).toBe(3);
  for (const name of ['a', 'b', 'c']) expect(await readFile(path.join(dir, 'prefix/share', name), 'utf8')).toBe(name);
  expect(server.requests).toHaveLength(2);
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.text] : []));
  expect(warnings).toEqual(damaged.map((file) => `${file} is damaged: it is removed and fetched again`));
});

test('is an error where the channel no longer has it whole', async () => {
  await install();
  const file = await damage('a');
  await rm(path.join(dir, 'main/linux-64/a-1-0.conda'));

  await expect(install()).rejects.toMatchObject({ problems: [{ code: 'PACKAGE_UNREACHABLE' }] });
  await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
});
