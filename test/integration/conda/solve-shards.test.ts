// Sharded repodata (CEP 16): the same locks as from the whole, with only what a solve reaches, and nothing believed unseen.
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { renderLock } from '../../../src/conda/lock.ts';
import { AppError } from '../../../src/system/app-error.ts';
import type { WorkEvent } from '../../../src/system/events.ts';
import { serveChannel, type ServedChannel } from '../../channel/serve-channel.ts';
import { writeRepodata } from '../../channel/write-repodata.ts';
import { renderShardIndex, writeShards, type ShardOptions } from './shard-repodata.ts';
import { record, serve, solve, tempDir, type Asked, type Server } from './solve-channel.ts';
import { asRoot } from '../../as-root.ts';

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

const RECORDS = [
  record('app', '2', ['lib >=1', 'data', '__glibc'], { constrains: ['unused <1'] }),
  record('app', '1', ['old']),
  record('lib', '1', ['deep'], {}, 'tar.bz2'),
  record('lib', '2', ['deep']),
  record('deep', '1'),
  record('old', '1'),
  record('data', '1', [], { subdir: 'noarch', noarch: 'generic' }),
  record('unused', '2', ['further']),
  record('further', '1'),
];

async function served(name = 'main', options: ShardOptions = {}, records = RECORDS): Promise<ServedChannel> {
  await writeRepodata(path.join(dir, name), records);
  for (const subdir of ['linux-64', 'noarch']) await writeShards(path.join(dir, name, subdir), options);
  const server = await serveChannel(dir);
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

const shardsOf = (server: ServedChannel): string[] =>
  server.requests.filter((request) => request.includes('/shards/')).map((request) => path.basename(request));

test('gives the very lock that the whole repodata gives, and asks for the names that are reached only', async () => {
  const server = await served();
  await cp(path.join(dir, 'main'), path.join(dir, 'whole'), { recursive: true });
  for (const subdir of ['linux-64', 'noarch']) await rm(path.join(dir, 'whole', subdir, 'repodata_shards.msgpack.zst'));
  const asked = { specs: ['app'], pinned: ['lib <2'] };

  const sharded = await solve({ ...asked, channels: [`${server.url}/main`] });
  const whole = await solve({ ...asked, channels: [`${server.url}/whole`] });

  expect(sharded.packages.map(({ name, version }) => `${name} ${version}`)).toEqual([
    'app 2',
    'data 1',
    'deep 1',
    'lib 1',
  ]);
  const places = (text: string) => text.replaceAll('/whole', '/main').replace(/^inputsDigest.*$/m, '');
  expect(places(renderLock(sharded))).toBe(places(renderLock(whole)));
  // app, lib, deep, old, data: neither what nothing depends on, nor what is only constrained.
  expect(new Set(shardsOf(server)).size).toBe(5);
  expect(server.requests.filter((request) => request.includes('/main/') && request.includes('.json'))).toEqual([]);
});

test('keeps shards for ever: the second solve asks whether the index has changed, and for what is new in it', async () => {
  const server = await served();
  const asked = { specs: ['app'], channels: [`${server.url}/main`], repodataCacheDir: cache };
  await solve(asked);
  const first = server.requests.length;
  await solve(asked);
  const second = server.requests.slice(first);
  await served('main', {}, [...RECORDS, record('lib', '3')]);
  const third = await solve({ ...asked, channels: [`${open[1]?.url ?? ''}/main`] });

  expect(second).toHaveLength(2);
  expect(second.every((request) => request.endsWith('/repodata_shards.msgpack.zst'))).toBe(true);
  expect(third.packages.find(({ name }) => name === 'lib')?.version).toBe('3');
  expect(shardsOf(open[1] as ServedChannel)).toHaveLength(1);
});

test('strict priority and channel::name hold between sharded and whole channels', async () => {
  const server = await served('main');
  await writeRepodata(path.join(dir, 'second'), [record('lib', '9'), record('extra', '1', ['lib'])]);

  const lock = await solve({ specs: ['app', 'extra'], channels: [`${server.url}/main`, `${server.url}/second`] });
  const pinned = await solve({
    specs: ['app', `${server.url}/second::lib`],
    channels: [`${server.url}/main`, `${server.url}/second`],
  });

  expect(lock.packages.find(({ name }) => name === 'lib')).toMatchObject({
    version: '2',
    channel: `${server.url}/main`,
  });
  expect(pinned.packages.find(({ name }) => name === 'lib')).toMatchObject({ version: '9' });
});

test('names what is written alike, from the index', async () => {
  const server = await served();

  const error = await failure({ specs: ['furthr'], channels: [`${server.url}/main`] });

  expect(error.problems[0]).toMatchObject({ code: 'PACKAGE_NOT_FOUND' });
  expect(JSON.stringify(error.problems)).toContain('further');
});

test.each(['./shards', 'shards/', '../elsewhere/', 'absolute'])(
  'finds shards below %s, and packages below base_url',
  async (base) => {
    const files = await serve((url, response) => {
      readFile(path.join(dir, 'files', path.basename(url))).then(
        (bytes) => response.end(bytes),
        () => response.writeHead(404).end(),
      );
    });
    open.push(files);
    const server = await served('main', {
      baseUrl: 'https://packages.example/of/main',
      shardsBaseUrl: base === 'absolute' ? `${files.url}/s` : base,
    });
    for (const subdir of ['linux-64', 'noarch']) {
      await cp(path.join(dir, 'main', subdir, 'shards'), path.join(dir, 'files'), { recursive: true });
      if (base === '../elsewhere/')
        await cp(path.join(dir, 'main', subdir, 'shards'), path.join(dir, 'main/elsewhere'), { recursive: true });
    }

    const lock = await solve({ specs: ['deep'], channels: [`${server.url}/main`] });

    expect(lock.packages).toMatchObject([{ url: 'https://packages.example/of/main/deep-1-0.conda' }]);
  },
);

test('takes the whole repodata where a web server answers a page for what it does not have', async () => {
  const server = await served();
  await writeFile(path.join(dir, 'main/linux-64/repodata_shards.msgpack.zst'), '<html>not found</html>');
  await writeFile(path.join(dir, 'main/noarch/repodata_shards.msgpack.zst'), '');

  const lock = await solve({ specs: ['app'], channels: [`${server.url}/main`] });

  expect(lock.packages).toHaveLength(4);
});

test('a shard that the disk has changed is fetched again', async () => {
  const server = await served();
  const asked = { specs: ['app'], channels: [`${server.url}/main`], repodataCacheDir: cache };
  const before = await solve(asked);
  for (const entry of await readdir(path.join(cache, 'shards'), { recursive: true, withFileTypes: true }))
    if (entry.isFile()) await writeFile(path.join(entry.parentPath, entry.name), 'changed');

  expect(await solve(asked)).toEqual(before);
});

test('a cache that cannot be written is named, and not the channel', async () => {
  const server = await served();
  const shards = path.join(cache, 'shards');
  await mkdir(shards);
  await execa(...asRoot('mount', '-t', 'tmpfs', '-o', 'ro', 'none', shards));
  const asked = { specs: ['app'], channels: [`${server.url}/main`], repodataCacheDir: cache };
  const error = await failure(asked).finally(() => execa(...asRoot('umount', shards)));

  expect(error).toMatchObject({ exit: 5, problems: [{ code: 'FILE_SYSTEM_READ_ONLY' }] });
});

test('an index from before, whose shards the channel has dropped, is asked for again in the same run', async () => {
  const page = new Map<string, Buffer | undefined>();
  const server = await serve((url, response) => {
    const body = page.get(url);
    if (body) response.writeHead(200, { 'cache-control': 'max-age=3600' }).end(body);
    else response.writeHead(404).end();
  });
  open.push(server);
  const publish = (version: string, subdir: string, names: readonly string[]): void => {
    const digests: Record<string, Buffer> = {};
    for (const name of names) {
      const { fileName, index, sha256 } = record(name, version, name === 'a' ? ['b'] : []);
      const shard = zstdCompressSync(encode({ 'packages.conda': { [fileName]: { ...index, sha256 } } }));
      digests[name] = createHash('sha256').update(shard).digest();
      page.set(`/main/${subdir}/${digests[name].toString('hex')}.msgpack.zst`, shard);
    }
    page.set(`/main/${subdir}/repodata_shards.msgpack.zst`, renderShardIndex({ shards_base_url: '' }, digests));
  };
  publish('1', 'noarch', []);
  publish('1', 'linux-64', ['a', 'b']);
  const asked = { channels: [`${server.url}/main`], repodataCacheDir: cache };
  await solve({ ...asked, specs: ['b'] });
  page.clear();
  publish('2', 'noarch', []);
  publish('2', 'linux-64', ['a', 'b']);
  const events: WorkEvent[] = [];

  const lock = await solve({ ...asked, specs: ['a'] }, events);

  expect(lock.packages.map(({ version }) => version)).toEqual(['2', '2']);
  expect(events).toMatchObject([{ type: 'warning', text: expect.stringContaining('asked for again') as string }]);
});

describe('shards that the index names and the channel does not have', () => {
  test('are done without: its repodata.json is read, with the same lock, and a warning', async () => {
    const server = await served();
    const asked = { specs: ['app'], channels: [`${server.url}/main`], repodataCacheDir: cache };
    const lock = await solve(asked);
    await rm(cache, { recursive: true });
    await rm(path.join(dir, 'main/linux-64/shards'), { recursive: true });
    const events: WorkEvent[] = [];

    expect(renderLock(await solve(asked, events))).toBe(renderLock(lock));

    const text = expect.stringMatching(
      /linux-64 .* 1 shards .* cannot be had.*: its repodata\.json is read instead$/s,
    ) as string;
    expect(events).toMatchObject([{ type: 'warning', text }]);
    expect(server.requests.filter((request) => request.includes('/noarch/repodata.json'))).toEqual([]);
  });

  test('end the solve where there is nothing else, and both are said', async () => {
    const server = await served();
    await rm(path.join(dir, 'main/linux-64/shards'), { recursive: true });
    await removeWhole();

    const error = await failure({ specs: ['app'], channels: [`${server.url}/main`], repodataCacheDir: cache });

    expect(error.problems.map(({ code }) => code)).toEqual(['CHANNEL_CORRUPT', 'CHANNEL_UNREACHABLE']);
    expect(error.message).toMatch(/shards of its index cannot be had[^]*it has shards alone, no repodata\.json/);
  });

  test('are taken again once the channel has them', async () => {
    const server = await served();
    const asked = { specs: ['app'], channels: [`${server.url}/main`], repodataCacheDir: cache };
    await cp(path.join(dir, 'main/linux-64/shards'), path.join(dir, 'kept'), { recursive: true });
    await rm(path.join(dir, 'main/linux-64/shards'), { recursive: true });
    await solve(asked);
    await cp(path.join(dir, 'kept'), path.join(dir, 'main/linux-64/shards'), { recursive: true });
    server.requests.length = 0;
    const events: WorkEvent[] = [];

    await solve(asked, events);

    expect(events).toEqual([]);
    expect(shardsOf(server).length).toBeGreaterThan(0);
  });
});

/** Channels that have shards alone. */
async function removeWhole(): Promise<void> {
  for (const subdir of ['linux-64', 'noarch']) {
    for (const name of ['repodata.json', 'repodata.json.zst'])
      await rm(path.join(dir, 'main', subdir, name), { force: true });
  }
}

describe('a hostile channel', () => {
  /** `deep`'s shard is this, under its right digest. */
  async function servingShard(shard: Buffer, digest = createHash('sha256').update(shard).digest()): Promise<string> {
    const server = await served();
    const info = { base_url: '', shards_base_url: '' };
    await writeFile(
      path.join(dir, 'main/linux-64/repodata_shards.msgpack.zst'),
      renderShardIndex(info, { deep: digest }),
    );
    await writeFile(path.join(dir, `main/linux-64/${digest.toString('hex')}.msgpack.zst`), shard);
    await removeWhole();
    return `${server.url}/main`;
  }

  test.each([
    ['of another digest', zstdCompressSync(encode({})), Buffer.alloc(32, 1), /not what its name says/],
    ['that is a bomb', zstdCompressSync(Buffer.alloc(200_000_000)), undefined, /the shard of deep/],
    ['that is larger than any', Buffer.alloc(2 ** 24 + 1), undefined, /larger than/],
    ['that is no zstd', Buffer.from('text'), undefined, /the shard of deep/],
    ['that is no msgpack', zstdCompressSync(Buffer.from('{"packages":{}}')), undefined, /the shard of deep/],
    ['with a list for records', zstdCompressSync(encode({ packages: [] })), undefined, /packages is not a map/],
    [
      'with records of another package',
      zstdCompressSync(encode({ packages: { 'python-9-0.conda': { name: 'python' } } })),
      undefined,
      /it has "python-9-0.conda"/,
    ],
  ])('with a shard %s ends the solve with its name', async (_, shard, digest, why) => {
    const error = await failure({ specs: ['deep'], channels: [await servingShard(shard, digest)] });

    expect(error.problems).toMatchObject([{ code: 'CHANNEL_CORRUPT' }, { code: 'CHANNEL_UNREACHABLE' }]);
    expect(error.message).toMatch(why);
  });

  test('whose records are of wrong types has them left out', async () => {
    const good = { ...record('deep', '1').index, sha256: Buffer.alloc(32) };
    const channel = await servingShard(
      zstdCompressSync(
        encode({
          'packages.conda': {
            'deep-1-0.conda': good,
            'deep-2-0.conda': { ...good, version: '2', depends: 'python' },
            'deep-3-0.conda': { ...good, version: '3', build_number: 'x' },
            'deep-4-0.conda': 4,
            '../deep-5-0.conda': { ...good, version: '5' },
          },
        }),
      ),
    );
    const events: WorkEvent[] = [];

    const lock = await solve({ specs: ['deep'], channels: [channel] }, events);

    expect(lock.packages).toMatchObject([{ version: '1' }]);
    expect(events).toMatchObject([{ type: 'warning', text: expect.stringContaining('4 records') as string }]);
  });

  test.each(['file:///etc/', 'ftp://example.org/', 'https://me:secret@example.org/', 'https://example.org/?a='])(
    'with shards at %s is refused',
    async (base) => {
      const server = await served('main', { shardsBaseUrl: base });
      await removeWhole();

      const error = await failure({ specs: ['deep'], channels: [`${server.url}/main`] });

      expect(error.problems).toMatchObject([{ code: 'CHANNEL_CORRUPT' }, { code: 'CHANNEL_UNREACHABLE' }]);
      expect(error.message).not.toContain('secret');
    },
  );

  test('with an index that is a bomb, or not one, is refused', async () => {
    const server = await served();
    await removeWhole();
    for (const index of [zstdCompressSync(Buffer.alloc(300_000_000)), zstdCompressSync(encode({ version: 7 }))]) {
      await mkdir(path.join(dir, 'main/linux-64'), { recursive: true });
      await writeFile(path.join(dir, 'main/linux-64/repodata_shards.msgpack.zst'), index);

      const error = await failure({ specs: ['deep'], channels: [`${server.url}/main`] });

      expect(error.problems).toMatchObject([{ code: 'CHANNEL_CORRUPT' }, { code: 'CHANNEL_UNREACHABLE' }]);
    }
  });
});
