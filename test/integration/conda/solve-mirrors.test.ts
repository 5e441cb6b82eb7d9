// Mirrors: who is asked in which order, when the next one is, and that none of them can give another package.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseMirrors, planSources, type MirroredUrl } from '../../../src/conda/channel-sources.ts';
import { fetchPackages, type FetchRequest } from '../../../src/conda/fetch.ts';
import { renderLock } from '../../../src/conda/lock.ts';
import { AppError } from '../../../src/system/app-error.ts';
import type { WorkEvent } from '../../../src/system/events.ts';
import { serveChannel, type ServedChannel } from '../../channel/serve-channel.ts';
import { writeRepodata } from '../../channel/write-repodata.ts';
import { writeShards } from './shard-repodata.ts';
import { record, serve, solve, tempDir, type Asked, type Server } from './solve-channel.ts';

const CANONICAL = 'https://conda.example/main';
let dir: string;
let cache: string;
const open: (Server | ServedChannel)[] = [];
beforeEach(async () => {
  [dir, cache] = [await tempDir(), await tempDir()];
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
  await rm(dir, { recursive: true });
  await rm(cache, { recursive: true });
});

async function mirror(name: string, ...records: Parameters<typeof writeRepodata>[1]): Promise<string> {
  await writeRepodata(path.join(dir, name), records);
  const server = await serveChannel(dir);
  open.push(server);
  return `${server.url}/${name}`;
}

async function broken(...how: Parameters<typeof serve>): Promise<string> {
  const server = await serve(...how);
  open.push(server);
  return `${server.url}/main`;
}

const by = (...urls: readonly string[]): { access: { channels: []; logins: []; mirrors: readonly MirroredUrl[] } } => ({
  access: { channels: [], logins: [], mirrors: parseMirrors({ [CANONICAL]: urls }, 'https://conda.example') },
});

async function failure(work: Promise<unknown>): Promise<AppError> {
  const error: unknown = await work.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof AppError)) throw error;
  return error;
}

const from = (more: Pick<Asked, 'access'>, events: WorkEvent[] = []) =>
  solve({ specs: ['a'], channels: [CANONICAL], repodataCacheDir: cache, ...more }, events);

test('the longest beginning counts, and the channel is asked only if it is one of them', () => {
  const mirrors = parseMirrors(
    { 'https://conda.example': ['https://m.example/all'], main: ['file:///m/main', CANONICAL] },
    'https://conda.example',
  );
  const ask = (url: string) => planSources({ url, publicUrl: url }, mirrors).map(({ publicUrl }) => publicUrl);

  expect(ask(`${CANONICAL}/linux-64/a-1-0.conda`)).toEqual([
    'file:///m/main/linux-64/a-1-0.conda',
    `${CANONICAL}/linux-64/a-1-0.conda`,
  ]);
  expect(ask('https://conda.example/mainly')).toEqual(['https://m.example/all/mainly']);
  expect(ask('https://conda.example.org/main')).toEqual(['https://conda.example.org/main']);
});

describe('repodata', () => {
  test('comes from the mirror, and the lock names the channel', async () => {
    const lock = await from(by(await mirror('copy', record('a', '1'))));

    expect(lock.channels).toEqual([CANONICAL]);
    expect(lock.packages).toMatchObject([{ channel: CANONICAL, url: `${CANONICAL}/linux-64/a-1-0.conda` }]);
    expect(renderLock(lock)).not.toContain('127.0.0.1');
  });

  test('comes from a mirror in a directory', async () => {
    await writeRepodata(path.join(dir, 'copy'), [record('a', '1')]);

    expect((await from(by(pathToFileURL(path.join(dir, 'copy')).href))).packages).toHaveLength(1);
  });

  test('comes from the next mirror, both subdirs of it, where one is down, ill, not whole or no channel', async () => {
    const down = await broken(() => undefined);
    await open.pop()?.close();
    const ill = await broken((_, response) => response.writeHead(503).end());
    const empty = await broken((_, response) => response.writeHead(404).end());
    const noarchOnly = await mirror('half', record('a', '0', [], { subdir: 'noarch' }));
    await rm(path.join(dir, 'half/linux-64'), { recursive: true });
    const good = await mirror('copy', record('a', '1'));
    const events: WorkEvent[] = [];

    const lock = await from(by(down, ill, empty, noarchOnly, good), events);

    expect(lock.packages).toMatchObject([{ version: '1' }]);
    const warnings = events.filter(({ type }) => type === 'warning').map((event) => JSON.stringify(event));
    expect(warnings).toHaveLength(4);
    for (const url of [down, ill, empty, noarchOnly]) expect(warnings.join('\n')).toContain(`its mirror ${url}`);
  });

  test('that cannot be read is asked of the next mirror', async () => {
    const bad = await mirror('bad', record('a', '9'));
    await writeFile(path.join(dir, 'bad/linux-64/repodata.json.zst'), zstdCompressSync('{"packages": ['));
    const good = await mirror('copy', record('a', '1'));

    expect((await from(by(bad, good))).packages).toMatchObject([{ version: '1' }]);
  });

  test('whose shards a mirror does not have, or has changed, comes with those of the next', async () => {
    const first = await mirror('first', record('a', '1', ['b']), record('b', '1'));
    const shards = await writeShards(path.join(dir, 'first/linux-64'));
    await writeShards(path.join(dir, 'first/noarch'));
    const second = await mirror('second', record('a', '1', ['b']), record('b', '1'));
    await writeShards(path.join(dir, 'second/linux-64'));
    await writeShards(path.join(dir, 'second/noarch'));
    await writeFile(path.join(dir, 'first/linux-64', shards.get('a') ?? ''), 'changed');
    await rm(path.join(dir, 'first/linux-64', shards.get('b') ?? ''));

    const lock = await from(by(first, second));

    expect(lock.packages.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test('that nobody gives is an error with what is wrong with each', async () => {
    const down = await broken(() => undefined);
    await open.pop()?.close();
    const empty = await broken((_, response) => response.writeHead(404).end());

    const error = await failure(from(by(down, empty)));

    expect(error.problems.map(({ code }) => code)).toEqual(['CHANNEL_UNREACHABLE', 'CHANNEL_UNREACHABLE']);
    expect(error.message).toContain(`its mirror ${down}`);
    expect(error.message).toContain(`its mirror ${empty}`);
    expect(error.message).toContain('not a conda channel');
  });

  test('without the platform is not believed where another mirror could not be asked', async () => {
    const down = await broken(() => undefined);
    await open.pop()?.close();
    const half = await mirror('half', record('a', '0', [], { subdir: 'noarch' }));
    await rm(path.join(dir, 'half/linux-64'), { recursive: true });

    expect((await failure(from(by(half, down)))).message).toContain(`its mirror ${half} has no linux-64`);
    expect((await from(by(half))).packages).toHaveLength(1);
  });
});

describe('packages', () => {
  const content = 'the package';
  const wanted = {
    name: 'a',
    url: `${CANONICAL}/linux-64/a-1-0.conda`,
    sha256: createHash('sha256').update(content).digest('hex'),
    sizeBytes: content.length,
  };
  const fetch = (access: FetchRequest['access'], packages: FetchRequest['packages'] = [wanted]) =>
    fetchPackages({ packages, cacheDir: cache, access, report: () => undefined });

  test('come from the first mirror that has them whole: one that lies changes nothing', async () => {
    const missing = await broken((_, response) => response.writeHead(404).end());
    const lying = await broken((_, response) => response.end('the packagE'));
    const longer = await broken((_, response) => response.end(`${content} and more`));
    const cut = await broken((_, response) => response.end('the'));
    const good = await broken((url, response) => {
      if (url === '/main/linux-64/a-1-0.conda') response.end(content);
      else response.writeHead(404).end();
    });

    const files = await fetch(by(missing, lying, longer, cut, good).access);

    expect(await readFile(files.get(wanted.sha256) ?? '', 'utf8')).toBe(content);
  });

  test('come from a mirror in a directory, and from the next where it has none', async () => {
    await mkdir(path.join(dir, 'copy/linux-64'), { recursive: true });
    await writeFile(path.join(dir, 'copy/linux-64/a-1-0.conda'), content);
    const here = pathToFileURL(path.join(dir, 'copy')).href;

    const files = await fetch(by('file:///nothing/here', here).access);

    expect(await readFile(files.get(wanted.sha256) ?? '', 'utf8')).toBe(content);
  });

  test('that no mirror has as they were locked are an error that names each mirror and why', async () => {
    const missing = await broken((_, response) => response.writeHead(404).end());
    const lying = await broken((_, response) => response.end('the packagE'));

    const error = await failure(fetch(by(missing, lying).access));

    expect(error.problems.map(({ code }) => code)).toEqual(['PACKAGE_UNREACHABLE', 'PACKAGE_HASH_MISMATCH']);
    expect(error.message).toContain(`${missing}/linux-64/a-1-0.conda (mirror of ${wanted.url})`);
    expect(error.message).toContain('404');
  });

  test('are asked of a mirror that is down for the first ones only', async () => {
    const ill = await serve((_, response) => response.writeHead(503).end());
    open.push(ill);
    const packages = Array.from({ length: 12 }, (_, n) => {
      const text = `package ${n}`;
      return { name: `p${n}`, url: `${CANONICAL}/noarch/p${n}-1-0.conda`, text };
    });
    const many = await broken((url, response) =>
      response.end(packages.find(({ url: at }) => at.endsWith(path.basename(url)))?.text),
    );

    await fetchPackages({
      packages: packages.map(({ name, url, text }) => ({
        name,
        url,
        sha256: createHash('sha256').update(text).digest('hex'),
      })),
      cacheDir: cache,
      access: by(`${ill.url}/main`, many).access,
      report: () => undefined,
      concurrency: 1,
    });

    expect(new Set(ill.requests.map(({ path: asked }) => asked)).size).toBe(3);
  });

  test('of a mirror that is of another state than its repodata are never another package', async () => {
    const repodata = await mirror('copy', { ...record('a', '1'), sha256: wanted.sha256, size: wanted.sizeBytes });
    await writeFile(path.join(dir, 'copy/linux-64/a-1-0.conda'), 'built anew!');
    const lock = await from(by(repodata));

    const error = await failure(fetch(by(repodata).access, lock.packages));

    expect(error.problems).toMatchObject([{ code: 'PACKAGE_HASH_MISMATCH' }]);
  });
});

test('the credentials of a mirror go to it alone, and are shown nowhere', async () => {
  const server = await serve((_, response) => response.writeHead(401).end());
  const other = await serve((_, response) => response.writeHead(404).end());
  open.push(server, other);

  const error = await failure(from(by(`${server.url.replace('://', '://me:s3cret@')}/main`, `${other.url}/main`)));

  expect(server.requests[0]?.headers.authorization).toBe(`Basic ${Buffer.from('me:s3cret').toString('base64')}`);
  expect(other.requests.map(({ headers }) => headers.authorization).filter(Boolean)).toEqual([]);
  expect(JSON.stringify(error.problems)).not.toContain('s3cret');
});
