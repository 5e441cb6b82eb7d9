// How long repodata is used unasked: what the channel says, and never longer, whatever the clocks say.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { renderRepodata } from '../../channel/write-repodata.ts';
import { record, serve, solve, tempDir, type Server } from './solve-channel.ts';

let cache: string;
let server: Server;
let headers: Record<string, string>;
let version: string;
let etag: string | undefined;
beforeEach(async () => {
  cache = await tempDir();
  version = '1';
  etag = undefined;
  server = await serve((url, response, request) => {
    const subdir = ['noarch', 'linux-64'].find((name) => url === `/main/${name}/repodata.json`);
    if (subdir === undefined) response.writeHead(404).end();
    else if (etag !== undefined && request.headers['if-none-match'] === etag)
      response.writeHead(304, { ...headers, etag }).end();
    else
      response
        .writeHead(200, { ...headers, ...(etag === undefined ? {} : { etag }) })
        .end(renderRepodata(subdir, subdir === 'noarch' ? [] : [record('a', version)]));
  });
});
afterEach(async () => {
  await server.close();
  await rm(cache, { recursive: true });
});

const ask = async (): Promise<string | undefined> =>
  (await solve({ specs: ['a'], channels: [`${server.url}/main`], repodataCacheDir: cache })).packages[0]?.version;

/** The second solve of two, between which the channel changes: what it sees, and how often it asks. */
async function askTwice(between: () => Promise<void> = () => Promise.resolve()): Promise<[string | undefined, number]> {
  await ask();
  await between();
  version = '2';
  const before = server.requests.length;
  return [await ask(), server.requests.length - before];
}

async function editStates(edit: (state: Record<string, unknown>) => void): Promise<void> {
  for (const name of await readdir(cache)) {
    if (!name.endsWith('.state.json')) continue;
    const state = JSON.parse(await readFile(path.join(cache, name), 'utf8')) as Record<string, unknown>;
    edit(state);
    await writeFile(path.join(cache, name), JSON.stringify(state));
  }
}

test('asks nobody within max-age', async () => {
  headers = { 'cache-control': 'public, max-age=600' };

  expect(await askTwice()).toEqual(['1', 0]);
});

test.each([
  [{}],
  [{ 'cache-control': 'max-age=600, no-cache' }],
  [{ 'cache-control': 'no-store' }],
  [{ 'cache-control': 'immutable' }],
  [{ 'cache-control': 'max-age=600', age: '601' }],
  [{ 'cache-control': 'max-age=600', date: 'Sat, 01 Jan 2000 00:00:00 GMT' }],
])('asks again with %j', async (given: Record<string, string>) => {
  headers = given;

  expect((await askTwice())[0]).toBe('2');
});

test('asks again when the time is over, and when a clock was set back', async () => {
  headers = { 'cache-control': 'max-age=600' };
  const hour = 3_600_000;

  expect((await askTwice(() => editStates((state) => (state['receivedAtMs'] = Date.now() - hour))))[0]).toBe('2');
  await editStates((state) => {
    Object.assign(state, {
      receivedAtMs: Date.now() + 1000 * hour,
      freshMs: 1e15,
      noShardsAtMs: Date.now() + 1000 * hour,
    });
  });
  version = '3';
  expect(await ask()).toBe('3');
  expect(server.requests.filter(({ path: asked }) => asked.endsWith('msgpack.zst'))).toHaveLength(4);
});

test('an answer 304 begins the time anew', async () => {
  headers = { 'cache-control': 'max-age=600' };
  etag = '"same"';
  await ask();
  await editStates((state) => (state['receivedAtMs'] = 0));
  await ask();
  const asked = server.requests.length;
  await ask();

  expect(server.requests).toHaveLength(asked);
});

test('keeps nothing of what is not to be stored that another solve could use', async () => {
  headers = { 'cache-control': 'no-store' };
  etag = '"same"';
  await ask();
  await ask();

  expect(server.requests.map((request) => request.headers['if-none-match']).filter(Boolean)).toEqual([]);
  expect((await readdir(cache)).filter((name) => name.endsWith('.state.json'))).toEqual([]);
});

test('an ETag that lies costs the news, and no wrong package', async () => {
  headers = {};
  etag = '"same"';

  expect((await askTwice())[0]).toBe('1');
});
