// Downloads into the content-addressed cache: what is verified, what is kept, and what a bad server can do.
import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { cachedPackageFile, fetchPackages, type FetchRequest } from '../../../src/conda/fetch.ts';
import { AppError } from '../../../src/system/app-error.ts';
import type { WorkEvent } from '../../../src/system/events.ts';
import { serve, tempDir, type Server } from './solve-channel.ts';
import { asRoot } from '../../as-root.ts';

const content = Buffer.alloc(300_000, 'conda package ');
const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');

let cacheDir: string;
let server: Server | undefined;
beforeEach(async () => {
  cacheDir = await tempDir();
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await rm(cacheDir, { recursive: true });
});

function wanted(url: string, bytes: string | Buffer = content): FetchRequest['packages'][number] {
  return { name: 'a', url, sha256: sha256(bytes), sizeBytes: bytes.length };
}

async function serving(answer: (times: number, response: ServerResponse, url: string) => void): Promise<string> {
  const seen = new Map<string, number>();
  server = await serve((url, response) => {
    seen.set(url, (seen.get(url) ?? 0) + 1);
    answer(seen.get(url) ?? 0, response, url);
  });
  return server.url;
}

const fetchInto = (packages: FetchRequest['packages'], more: Partial<FetchRequest> = {}, events: WorkEvent[] = []) =>
  fetchPackages({ packages, cacheDir, report: (event) => events.push(event), ...more });

async function failure(work: Promise<unknown>): Promise<AppError> {
  const error: unknown = await work.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof AppError)) throw error;
  return error;
}

const filesInCache = async () =>
  (await readdir(cacheDir, { recursive: true, withFileTypes: true }))
    .filter((at) => at.isFile())
    .map(({ name }) => name);

test('stores packages by their digest, over http and file, and reports the bytes', async () => {
  const url = await serving((_, response) => response.writeHead(200).end(content));
  const source = path.join(cacheDir, 'b-1-0.tar.bz2');
  await writeFile(source, 'other');
  const packages = [wanted(`${url}/a-1-0.conda`), wanted(pathToFileURL(source).href, 'other')];
  const events: WorkEvent[] = [];

  const files = await fetchInto(packages, {}, events);

  const expected = path.join(cacheDir, sha256(content).slice(0, 2), `${sha256(content)}.conda`);
  expect(files.get(sha256(content))).toBe(expected);
  expect(await readFile(expected)).toEqual(content);
  expect(files.get(sha256('other'))).toMatch(/\.tar\.bz2$/);
  expect(events.at(-1)).toEqual({
    type: 'progress',
    stage: 'fetch',
    done: content.length + 5,
    total: content.length + 5,
    unit: 'bytes',
  });
});

test('asks for nothing that the cache has, and again for what has another size there', async () => {
  const url = await serving((_, response) => response.writeHead(200).end(content));
  const packages = [wanted(`${url}/a-1-0.conda`)];
  const files = await fetchInto(packages);
  await fetchInto(packages);
  const asked = server?.requests.length;
  await writeFile(files.get(sha256(content)) ?? '', 'cut');
  await fetchInto(packages);

  expect(asked).toBe(1);
  expect(await readFile(files.get(sha256(content)) ?? '')).toEqual(content);
});

test('asks again after 500 and after an answer that was cut short', async () => {
  const url = await serving((times, response) => {
    if (times === 1) response.writeHead(503).end();
    else if (times === 2) {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000));
      setTimeout(() => response.destroy(), 20);
    } else response.writeHead(200).end(content);
  });
  const events: WorkEvent[] = [];

  await fetchInto([wanted(`${url}/a-1-0.conda`)], {}, events);

  expect(await filesInCache()).toEqual([`${sha256(content)}.conda`]);
  expect(events.at(-1)).toMatchObject({ done: content.length, total: content.length });
});

test('asks once more when the content is wrong', async () => {
  const url = await serving((times, response) => response.writeHead(200).end(times === 1 ? 'stale' : content));

  const files = await fetchInto([wanted(`${url}/a-1-0.conda`)]);

  expect(await readFile(files.get(sha256(content)) ?? '')).toEqual(content);
});

test('keeps nothing whose digest stays wrong, and says what it expected and what it got', async () => {
  const url = await serving((_, response) => response.writeHead(200).end('evil'));

  const error = await failure(fetchInto([wanted(`${url}/a-1-0.conda`)]));

  expect(error.exit).toBe(5);
  expect(error.problems).toMatchObject([{ code: 'PACKAGE_HASH_MISMATCH' }]);
  for (const part of [`${url}/a-1-0.conda`, sha256(content), sha256('evil')]) expect(error.message).toContain(part);
  expect(await filesInCache()).toEqual([]);
  expect(server?.requests).toHaveLength(2);
});

test('stops a download that brings more than was locked', async () => {
  const url = await serving((_, response) => {
    response.writeHead(200);
    const more = () => {
      while (!response.destroyed && response.write(content));
    };
    response.on('drain', more);
    more();
  });

  const error = await failure(fetchInto([wanted(`${url}/a-1-0.conda`)]));

  expect(error.message).toContain('got more');
  expect(await filesInCache()).toEqual([]);
});

test('reports every package that failed, and keeps those that came', async () => {
  const url = await serving((_, response, asked) => {
    if (asked.startsWith('/good')) response.writeHead(200).end(content);
    else response.writeHead(404).end();
  });

  const error = await failure(
    fetchInto([
      wanted(`${url}/gone-1-0.conda`, 'x'),
      wanted(`${url}/good-1-0.conda`),
      wanted(`${url}/lost-1-0.conda`, 'y'),
    ]),
  );

  expect(error.problems.map(({ code }) => code)).toEqual(['PACKAGE_UNREACHABLE', 'PACKAGE_UNREACHABLE']);
  expect(error.problems[0]).toMatchObject({
    message: `${url}/gone-1-0.conda cannot be downloaded: the server answered 404 Not Found`,
    hint: `curl -fsSIL ${url}/gone-1-0.conda`,
  });
  expect(await filesInCache()).toEqual([`${sha256(content)}.conda`]);
});

test('follows redirects', async () => {
  const url = await serving((_, response, asked) => {
    if (asked.startsWith('/a')) response.writeHead(301, { location: '/b-1-0.conda' }).end();
    else response.writeHead(200).end(content);
  });

  expect((await fetchInto([wanted(`${url}/a-1-0.conda`)])).size).toBe(1);
});

test('is not disturbed by another process that fetches the same', async () => {
  const url = await serving((_, response) => {
    response.writeHead(200);
    response.write(content.subarray(0, 1000));
    setTimeout(() => response.end(content.subarray(1000)), 30);
  });
  const packages = [wanted(`${url}/a-1-0.conda`)];

  await Promise.all([fetchInto(packages), fetchInto(packages), fetchInto(packages)]);

  expect(server?.requests).toHaveLength(3);
  expect(await filesInCache()).toEqual([`${sha256(content)}.conda`]);
});

test('removes what a killed download left a day ago, and not what one writes now', async () => {
  const url = await serving((_, response) => response.writeHead(200).end(content));
  const dir = path.dirname(cachedPackageFile(cacheDir, wanted('x.conda')));
  await mkdir(dir, { recursive: true });
  const [old, now] = ['.0123456789abcdef01.tmp', '.abcdef0123456789ab.tmp'];
  for (const name of [old, now]) await writeFile(path.join(dir, name), 'part');
  await utimes(path.join(dir, old), 0, 0);

  await fetchInto([wanted(`${url}/a-1-0.conda`)]);

  expect((await filesInCache()).sort()).toEqual([now, `${sha256(content)}.conda`].sort());
});

/** Another process downloads, and is killed when so many bytes are in the cache. @returns the file it leaves */
async function killDownload(url: string, bytes: number): Promise<string> {
  const module = JSON.stringify(path.resolve(import.meta.dirname, '../../../src/conda/fetch.ts'));
  const request = JSON.stringify({ packages: [wanted(url)], cacheDir });
  const code = `import { fetchPackages } from ${module};
    await fetchPackages({ ...${request}, report: ({ done }) => console.log(done) });`;
  const child = execa(process.execPath, ['--input-type=module', '-e', code], { reject: false });
  const dir = path.dirname(cachedPackageFile(cacheDir, wanted(url)));
  const left = async () => (await readdir(dir).catch(() => [])).map((name) => path.join(dir, name));
  await vi.waitFor(async () => {
    const [file = ''] = await left();
    expect((await stat(file)).size).toBe(bytes);
  }, 30_000);
  child.kill('SIGKILL');
  await child;
  const [file = ''] = await left();
  return file;
}

test.each([
  { what: 'has ranges', answersRanges: true, untouched: true },
  { what: 'has none', answersRanges: false, untouched: true },
  { what: 'has ranges, and the disk has spoilt what there was', answersRanges: true, untouched: false },
])('goes on with what a killed process has left where the server $what', async ({ answersRanges, untouched }) => {
  const ranges: (string | undefined)[] = [];
  server = await serve((_, response, { headers: { range } }) => {
    ranges.push(range);
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    if (ranges.length === 1) response.writeHead(200).write(content.subarray(0, 100_000));
    else if (from > 0 && answersRanges)
      response
        .writeHead(206, { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` })
        .end(content.subarray(from));
    else response.writeHead(200).end(content);
  });
  const url = `${server.url}/a-1-0.conda`;
  const file = await killDownload(url, 100_000);
  if (!untouched) await writeFile(file, Buffer.alloc(100_000, 'x'));
  await utimes(file, new Date('2040-01-01'), new Date('2040-01-01')); // its clock was ahead
  const events: WorkEvent[] = [];

  const files = await fetchInto([wanted(url)], {}, events);

  expect(await readFile(files.get(sha256(content)) ?? '')).toEqual(content);
  expect(await filesInCache()).toEqual([`${sha256(content)}.conda`]);
  expect(ranges).toEqual([undefined, 'bytes=100000-', ...(untouched ? [] : [undefined])]);
  expect(events.at(-1)).toMatchObject({ done: content.length, total: content.length });
});

test('begins anew where what was left belongs to another account, which alone may go on with it', async () => {
  const ranges: (string | undefined)[] = [];
  server = await serve((_, response, { headers: { range } }) => {
    ranges.push(range);
    if (ranges.length === 1) response.writeHead(200).write(content.subarray(0, 100_000));
    else response.writeHead(200).end(content);
  });
  const url = `${server.url}/a-1-0.conda`;
  const file = await killDownload(url, 100_000);
  await execa(...asRoot('chown', '12345', file));

  await fetchInto([wanted(url)]);

  expect(ranges).toEqual([undefined, undefined]);
  expect(await filesInCache()).toEqual([`${sha256(content)}.conda`]);
});

test('leaves alone what a process of this host writes, whatever the clock says of it', async () => {
  const { promise: finish, resolve } = Promise.withResolvers<undefined>();
  const url = await serving((times, response) => {
    response.writeHead(200).write(content.subarray(0, 1000));
    if (times > 1) response.end(content.subarray(1000));
    else void finish.then(() => response.end(content.subarray(1000)));
  });
  const dir = path.dirname(cachedPackageFile(cacheDir, wanted(url)));
  const first = fetchInto([wanted(`${url}/a-1-0.conda`)]);
  await vi.waitFor(async () => {
    const [name = ''] = await readdir(dir);
    expect((await stat(path.join(dir, name))).size).toBe(1000);
    await utimes(path.join(dir, name), 0, 0); // the clock was at the start of 1970 when it began
  }, 30_000);

  await fetchInto([wanted(`${url}/a-1-0.conda`)]);
  resolve(undefined);

  expect((await first).size).toBe(1);
  expect(await filesInCache()).toEqual([`${sha256(content)}.conda`]);
});

test('stops in the middle of a download when it is interrupted, and leaves nothing', async () => {
  const stop = new AbortController();
  const url = await serving((_, response) => {
    response.writeHead(200);
    response.write(content.subarray(0, 1000));
    setTimeout(() => {
      stop.abort();
    }, 20);
  });

  const error = await failure(fetchInto([wanted(`${url}/a-1-0.conda`)], { signal: stop.signal }));

  expect(error.exit).toBe(130);
  expect(await filesInCache()).toEqual([]);
});

test('a cache that cannot be written to is named', async () => {
  const url = await serving((_, response) => response.writeHead(200).end(content));
  const dir = path.dirname(cachedPackageFile(cacheDir, wanted('x.conda')));
  // A file where the directory should be: holds for root too, whom modes do not stop.
  await writeFile(dir, '');
  await chmod(dir, 0o444);

  const error = await failure(fetchInto([wanted(`${url}/a-1-0.conda`)]));

  expect(error.problems).toMatchObject([{ code: 'CACHE_NOT_WRITABLE', at: expect.stringContaining(dir) as string }]);
});

test('a local package that is gone is named', async () => {
  const url = pathToFileURL(path.join(cacheDir, 'gone-1-0.conda')).href;

  const error = await failure(fetchInto([wanted(url)]));

  expect(error.problems).toMatchObject([{ code: 'PACKAGE_UNREACHABLE', hint: `ls -l ${cacheDir}/gone-1-0.conda` }]);
});
