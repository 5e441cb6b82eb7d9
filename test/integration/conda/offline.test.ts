// Offline: what is in the caches and in files does, nobody is asked, and what is missing is said at once.
import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fetchPackages } from '../../../src/conda/fetch.ts';
import { AppError } from '../../../src/system/app-error.ts';
import { serveChannel } from '../../channel/serve-channel.ts';
import { writeRepodata } from '../../channel/write-repodata.ts';
import { writeShards } from './shard-repodata.ts';
import { record, solve, tempDir } from './solve-channel.ts';

let dir: string;
let cache: string;
let watcher: Server;
let connections = 0;
beforeEach(async () => {
  [dir, cache] = [await tempDir(), await tempDir()];
});
afterEach(async () => {
  await rm(dir, { recursive: true });
  await rm(cache, { recursive: true });
});

const access = { channels: [], logins: [], offline: true };

/** Fills the cache from a channel; then counts who connects to where it was. */
async function whenFilled<T>(fill: (url: string) => Promise<unknown>, then: (url: string) => Promise<T>): Promise<T> {
  const server = await serveChannel(dir);
  const port = Number(new URL(server.url).port);
  try {
    await fill(server.url);
  } finally {
    await server.close();
  }
  connections = 0;
  watcher = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  const listening = Promise.withResolvers<undefined>();
  watcher.listen(port, '127.0.0.1', () => {
    listening.resolve(undefined);
  });
  await listening.promise;
  expect((watcher.address() as AddressInfo).port).toBe(port);
  try {
    return await then(server.url);
  } finally {
    watcher.close();
  }
}

async function failure(work: Promise<unknown>): Promise<AppError> {
  const error: unknown = await work.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof AppError)) throw error;
  return error;
}

test.each(['whole', 'in shards'])('solves from repodata that is cached %s, without a connection', async (form) => {
  await writeRepodata(path.join(dir, 'main'), [record('a', '1', ['b']), record('b', '1')]);
  if (form === 'in shards')
    for (const subdir of ['linux-64', 'noarch']) await writeShards(path.join(dir, 'main', subdir));
  const asked = (url: string) => ({ specs: ['a'], channels: [`${url}/main`], repodataCacheDir: cache });

  const [before, after] = await whenFilled(
    (url) => solve(asked(url)),
    async (url) => [await solve({ ...asked(url), access }), await solve({ ...asked(url), access })],
  );

  expect(after).toEqual(before);
  expect(connections).toBe(0);
});

test('remembers that a channel has nothing for the platform', async () => {
  await writeRepodata(path.join(dir, 'main'), [record('a', '1', [], { subdir: 'noarch' })]);
  await rm(path.join(dir, 'main/linux-64'), { recursive: true });
  const asked = (url: string) => ({ specs: ['a'], channels: [`${url}/main`], repodataCacheDir: cache });

  const lock = await whenFilled(
    (url) => solve(asked(url)),
    (url) => solve({ ...asked(url), access }),
  );

  expect(lock.packages).toHaveLength(1);
  expect(connections).toBe(0);
});

test('says of every channel at once that it is not cached, and what to do', async () => {
  const error = await whenFilled(
    () => Promise.resolve(),
    (url) => failure(solve({ specs: ['a'], channels: [`${url}/one`, `${url}/two`], access })),
  );

  expect(error.problems.map(({ code }) => code)).toEqual(['CHANNEL_NOT_CACHED', 'CHANNEL_NOT_CACHED']);
  expect(error.problems[0]?.hint).toContain('--offline');
  expect(connections).toBe(0);
});

test('says which shards are not cached, and keeps the index', async () => {
  await writeRepodata(path.join(dir, 'main'), [record('a', '1'), record('b', '1', ['c']), record('c', '1')]);
  for (const subdir of ['linux-64', 'noarch']) await writeShards(path.join(dir, 'main', subdir));
  const asked = (url: string, specs: string[]) => ({ specs, channels: [`${url}/main`], repodataCacheDir: cache });

  const error = await whenFilled(
    (url) => solve(asked(url, ['a'])),
    async (url) => {
      const missing = await failure(solve({ ...asked(url, ['b']), access }));
      expect((await solve({ ...asked(url, ['a']), access })).packages).toHaveLength(1);
      return missing;
    },
  );

  expect(error.message).toContain('is not in the cache');
  expect(error.problems[0]?.hint).toContain('--offline');
  expect(connections).toBe(0);
});

test('reads channels and mirrors that are files', async () => {
  await writeRepodata(path.join(dir, 'main'), [record('a', '1')]);
  const here = pathToFileURL(path.join(dir, 'main')).href;
  const mirrors = [{ of: 'https://conda.example/main', by: [{ url: here, publicUrl: here }] }];

  expect((await solve({ specs: ['a'], channels: [here], access })).packages).toHaveLength(1);
  const mirrored = await solve({
    specs: ['a'],
    channels: ['https://conda.example/main'],
    access: { ...access, mirrors },
  });
  expect(mirrored.packages[0]?.url).toBe('https://conda.example/main/linux-64/a-1-0.conda');
});

test('packages come from the cache and from files; those that are missing are listed together', async () => {
  const wanted = (name: string, url: string) => ({
    name,
    url: `${url}/linux-64/${name}-1-0.conda`,
    sha256: createHash('sha256').update(name).digest('hex'),
    sizeBytes: name.length,
  });
  await mkdir(path.join(dir, 'linux-64'));
  for (const name of ['a', 'b', 'c', 'd']) await writeFile(path.join(dir, `linux-64/${name}-1-0.conda`), name);
  const fetch = (packages: ReturnType<typeof wanted>[], more: object = {}) =>
    fetchPackages({ packages, cacheDir: cache, report: () => undefined, ...more });

  const error = await whenFilled(
    (url) => fetch([wanted('a', url)]),
    async (url) => {
      const file = wanted('d', pathToFileURL(dir).href);
      expect((await fetch([wanted('a', url), file], { access })).size).toBe(2);
      return await failure(fetch([wanted('a', url), wanted('b', url), wanted('c', url), file], { access }));
    },
  );

  expect(error.problems).toMatchObject([{ code: 'PACKAGE_NOT_CACHED' }]);
  expect(error.message).toContain('2 packages');
  expect(error.message).toContain('b-1-0.conda');
  expect(error.message).toContain('c-1-0.conda');
  expect(error.message).not.toContain('a-1-0.conda');
  expect(connections).toBe(0);
});
