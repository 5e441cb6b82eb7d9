// Repodata over http: what is asked for, what is kept, and what happens when a channel does not answer.
import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { renderLock } from '../../../src/conda/lock.ts';
import { AppError } from '../../../src/system/app-error.ts';
import { serveChannel, type ServedChannel } from '../../channel/serve-channel.ts';
import { renderRepodata, writeRepodata } from '../../channel/write-repodata.ts';
import { record, serve, solve, tempDir, type Asked, type Server } from './solve-channel.ts';

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

async function served(...records: Parameters<typeof writeRepodata>[1]): Promise<ServedChannel> {
  await writeRepodata(path.join(dir, 'main'), records);
  const server = await serveChannel(dir);
  open.push(server);
  return server;
}

async function answering(...how: Parameters<typeof serve>): Promise<Server> {
  const server = await serve(...how);
  open.push(server);
  return server;
}

async function failure(asked: Asked): Promise<AppError> {
  const error: unknown = await solve(asked).then(
    () => new Error('it was solved'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof AppError)) throw error;
  return error;
}

const repodata = { noarch: renderRepodata('noarch', []), linux: renderRepodata('linux-64', [record('a', '1')]) };
const bodyOf = (url: string): string | undefined =>
  url.endsWith('/linux-64/repodata.json')
    ? repodata.linux
    : url.endsWith('/noarch/repodata.json')
      ? repodata.noarch
      : undefined;

test('finds a bare name below the alias, takes zstd, and asks only whether it changed the second time', async () => {
  const server = await served(record('a', '1'));

  const lock = await solve({ specs: ['a'], channels: ['main'], channelAlias: server.url, repodataCacheDir: cache });
  const files = (await readdir(cache)).sort();
  const again = await solve({ specs: ['a'], channels: [`${server.url}/main/linux-64/`], repodataCacheDir: cache });

  expect(lock.channels).toEqual([`${server.url}/main`]);
  expect(renderLock(again)).toBe(renderLock(lock));
  // Shards are looked for once, not with every solve.
  expect(server.requests.filter((request) => request.endsWith('/repodata_shards.msgpack.zst'))).toHaveLength(2);
  expect(server.requests.filter((request) => request.endsWith('/repodata.json.zst'))).toHaveLength(4);
  expect(server.requests).toHaveLength(6);
  expect((await readdir(cache)).sort()).toEqual(files);
});

test('sees what a channel has added since', async () => {
  const server = await served(record('a', '1'));
  const asked = { specs: ['a'], channels: [`${server.url}/main`], repodataCacheDir: cache };
  await solve(asked);
  await writeRepodata(path.join(dir, 'main'), [record('a', '1'), record('a', '2')]);

  expect((await solve(asked)).packages).toMatchObject([{ version: '2' }]);
});

test('removes an old copy only when it is a day old, since another build may be reading it', async () => {
  const server = await served(record('a', '1'));
  const asked = { specs: ['a'], channels: [`${server.url}/main`], repodataCacheDir: cache };
  const data = async () => (await readdir(cache)).filter((name) => name.endsWith('.json.zst'));
  await solve(asked);
  const old = await data();
  await writeRepodata(path.join(dir, 'main'), [record('a', '2')]);
  await solve(asked);
  const both = await data();
  for (const name of old) await utimes(path.join(cache, name), 0, 0);
  await writeRepodata(path.join(dir, 'main'), [record('a', '3')]);
  await solve(asked);

  expect(both).toEqual(expect.arrayContaining(old));
  // linux-64 changed twice, noarch never did: the first linux-64 is gone, and noarch stays however old.
  const kept = await data();
  expect(old.filter((name) => kept.includes(name))).toHaveLength(1);
});

test('an empty answer with 304 counts only for a copy that is there', async () => {
  const server = await served(record('a', '1'));
  const asked = { specs: ['a'], channels: [`${server.url}/main`], repodataCacheDir: cache };
  await solve(asked);
  for (const name of await readdir(cache)) if (name.endsWith('.zst')) await rm(path.join(cache, name));

  expect((await solve(asked)).packages).toHaveLength(1);
});

test('asks again after 500, and after an answer that was cut short', async () => {
  const seen = new Map<string, number>();
  const server = await answering((url, response) => {
    const body = bodyOf(url);
    const times = (seen.get(url) ?? 0) + 1;
    seen.set(url, times);
    if (body === undefined) response.writeHead(404).end();
    else if (times === 1) response.writeHead(500).end('busy');
    else if (times === 2) {
      response.writeHead(200, { 'content-length': body.length });
      response.write(body.slice(0, 20));
      setImmediate(() => response.destroy());
    } else response.writeHead(200).end(body);
  });

  const lock = await solve({ specs: ['a'], channels: [server.url], repodataCacheDir: cache });

  expect(lock.packages).toHaveLength(1);
  expect((await readdir(cache)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('follows redirects, and locks the URL of the channel that was named', async () => {
  const server = await answering((url, response) => {
    const body = url.startsWith('/mirror/') ? bodyOf(url) : undefined;
    if (url.startsWith('/main/')) response.writeHead(302, { location: url.replace('/main/', '/mirror/') }).end();
    else if (body === undefined) response.writeHead(404).end();
    else response.writeHead(200).end(body);
  });

  const lock = await solve({ specs: ['a'], channels: [`${server.url}/main`] });

  expect(lock.packages).toMatchObject([{ url: `${server.url}/main/linux-64/a-1-0.conda` }]);
});

test('takes downloads from base_url where the repodata gives one', async () => {
  const server = await answering((url, response) => {
    const body = bodyOf(url)?.replace('"subdir": "linux-64"', '"subdir": "linux-64", "base_url": "../files/x"');
    if (body === undefined) response.writeHead(404).end();
    else response.writeHead(200).end(body);
  });

  const lock = await solve({ specs: ['a'], channels: [`${server.url}/main`] });

  expect(lock.packages).toMatchObject([
    { url: `${server.url}/main/files/x/a-1-0.conda`, channel: `${server.url}/main` },
  ]);
});

test.each(['file:///etc/', 'ftp://example.org/', 'https://example.org/?a='])('refuses %s as base_url', async (base) => {
  const server = await answering((url, response) => {
    const body = bodyOf(url)?.replace('"subdir": "linux-64"', `"subdir": "linux-64", "base_url": "${base}"`);
    if (body === undefined) response.writeHead(404).end();
    else response.writeHead(200).end(body);
  });

  expect((await failure({ specs: ['a'], channels: [server.url] })).problems).toMatchObject([
    { code: 'CHANNEL_CORRUPT' },
  ]);
});

test('sends credentials, and keeps them out of the lock, the cache and the errors', async () => {
  const server = await answering((url, response, request) => {
    const isKnown = request.headers.authorization === `Basic ${Buffer.from('me:s3cret').toString('base64')}`;
    const body = isKnown && url.startsWith('/t/tk-s3cret/') ? bodyOf(url) : undefined;
    if (body === undefined) response.writeHead(404).end();
    else response.writeHead(200).end(body);
  });
  const host = server.url.slice('http://'.length);
  const channels = [`http://me:s3cret@${host}/t/tk-s3cret/main`];

  const lock = await solve({ specs: ['a'], channels, repodataCacheDir: cache });
  const unknown = await failure({ specs: ['zzz'], channels });
  const refused = await failure({ specs: ['a'], channels: [`http://me:s3cret@${host}/t/tk-s3cret-old/main`] });

  expect(lock.packages).toMatchObject([{ url: `${server.url}/main/linux-64/a-1-0.conda` }]);
  expect(refused.problems[0]?.code).toBe('CHANNEL_UNREACHABLE');
  const texts = [
    renderLock(lock),
    JSON.stringify([unknown.problems, refused.problems]),
    unknown.message,
    refused.message,
  ];
  for (const name of await readdir(cache)) texts.push(name, await readFile(path.join(cache, name), 'utf8'));
  expect(texts.join('\n')).not.toContain('s3cret');
});

describe('a channel that does not answer', () => {
  test('ends the solve, naming every such channel and why', async () => {
    const server = await served(record('a', '1'));
    const gone = await serve(() => undefined);
    await gone.close();

    const error = await failure({
      specs: ['a'],
      channels: [`${server.url}/main`, `${gone.url}/x`, `${server.url}/nothing-here`],
    });

    expect(error.exit).toBe(5);
    expect(error.problems.map(({ code }) => code)).toEqual(['CHANNEL_UNREACHABLE', 'CHANNEL_UNREACHABLE']);
    expect(error.message).toContain(`${gone.url}/x`);
    expect(error.message).toContain('ECONNREFUSED');
    expect(error.message).toContain(`${server.url}/nothing-here`);
    expect(error.problems.at(-1)?.hint).toBe(`curl -fsSIL ${server.url}/nothing-here/noarch/repodata.json`);
  });

  test('is not replaced by the copy of an earlier day', async () => {
    const server = await served(record('a', '1'));
    const asked = { specs: ['a'], channels: [`${server.url}/main`], repodataCacheDir: cache };
    await solve(asked);
    await server.close();
    open.length = 0;

    expect((await failure(asked)).problems[0]?.code).toBe('CHANNEL_UNREACHABLE');
  });
});

test('forgets a copy that cannot be read, so that the next run is whole again', async () => {
  let body: Buffer | string = 'not zstd at all';
  const server = await answering((url, response) => {
    if (url.endsWith('/linux-64/repodata.json.zst')) response.writeHead(200, { etag: '"same"' }).end(body);
    else if (url.endsWith('/noarch/repodata.json')) response.writeHead(200).end(repodata.noarch);
    else response.writeHead(404).end();
  });
  const asked = { specs: ['a'], channels: [server.url], repodataCacheDir: cache };
  const error = await failure(asked);
  body = zstdCompressSync(repodata.linux);

  expect(error.problems).toMatchObject([{ code: 'CHANNEL_CORRUPT' }]);
  expect((await solve(asked)).packages).toHaveLength(1);
});

test('a cache state that is damaged only costs a download', async () => {
  const server = await served(record('a', '1'));
  const asked = { specs: ['a'], channels: [`${server.url}/main`], repodataCacheDir: cache };
  await solve(asked);
  for (const name of await readdir(cache))
    if (name.endsWith('.state.json')) await writeFile(path.join(cache, name), '{"dataFile":"../../etc/passwd"');

  expect((await solve(asked)).packages).toHaveLength(1);
});
