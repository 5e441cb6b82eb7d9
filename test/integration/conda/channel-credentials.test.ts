// Channels that ask for credentials, from the solve to the conda-meta of the prefix: they get them, and nobody else does.
import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readChannelAccess } from '../../../src/conda/channel-access.ts';
import { fetchPackages } from '../../../src/conda/fetch.ts';
import { renderLock } from '../../../src/conda/lock.ts';
import { nativeInstaller } from '../../../src/conda/native-installer.ts';
import { listChannels } from '../../../src/conda/solve.ts';
import { AppError } from '../../../src/system/app-error.ts';
import type { WorkEvent } from '../../../src/system/events.ts';
import { writeCondaPackage } from '../../channel/conda-package.ts';
import { writeRepodata } from '../../channel/write-repodata.ts';
import { serve, solve, tempDir, type Server } from './solve-channel.ts';

const SECRET = 's3cret';
let dir: string;
const open: Server[] = [];
beforeEach(async () => {
  dir = await tempDir();
  const index = { name: 'a', version: '1', build: '0', build_number: 0, subdir: 'linux-64', depends: [] };
  const files = [{ type: 'file' as const, path: 'share/a', data: Buffer.from('a') }];
  const record = await writeCondaPackage({ dir: path.join(dir, 'main'), format: 'conda', index, files });
  await writeRepodata(path.join(dir, 'main'), [record]);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
  await rm(dir, { recursive: true });
});

/** Serves `dir` below `base` to those whose authorization is `wanted`. */
async function guarded(wanted: string | undefined, base = ''): Promise<Server> {
  const answer = async (url: string, response: ServerResponse, request: IncomingMessage): Promise<void> => {
    if (request.headers.authorization !== wanted) return void response.writeHead(401).end();
    if (!url.startsWith(`${base}/`)) return void response.writeHead(404).end();
    const file = await readFile(path.join(dir, url.slice(base.length))).catch(() => undefined);
    response.writeHead(file ? 200 : 404).end(file);
  };
  const server = await serve((...args) => void answer(...args));
  open.push(server);
  return server;
}

const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;

/** Solves and installs `a`. @returns everything that was written, shown or thrown */
async function install(channel: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const events: WorkEvent[] = [];
  const work = path.join(dir, 'work');
  await mkdir(path.join(work, 'prefix'), { recursive: true });
  const channels = [channel];
  const inputs = { specs: [{ text: 'a', at: 'environment.yml:4:5' }], channels, channelAlias: 'http://127.0.0.1:1' };
  const access = await readChannelAccess(listChannels(inputs), { HOME: work, ...env });
  const lock = await solve({ specs: ['a'], channels, access, repodataCacheDir: path.join(work, 'repodata') }, events);
  await nativeInstaller.install({
    lock,
    access,
    requestedSpecs: ['a'],
    prefixOnDisk: path.join(work, 'prefix'),
    prefixInside: '/opt/conda/a-1',
    cacheDir: path.join(work, 'packages'),
    runInside: () => Promise.reject(new Error('nothing is run')),
    report: (event) => events.push(event),
  });
  const texts = [renderLock(lock), JSON.stringify(events)];
  for (const entry of await readdir(work, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    texts.push(file, entry.isFile() ? await readFile(file, 'latin1') : '');
  }
  expect(await readFile(path.join(work, 'prefix/share/a'), 'utf8')).toBe('a');
  return texts.join('\n');
}

test('user and password of the URL reach the index and the packages, and are written nowhere', async () => {
  const server = await guarded(basic(`me:${SECRET}%`));

  const written = await install(`${server.url.replace('://', `://me:${SECRET}%@`)}/main`);

  expect(written).toContain(`${server.url}/main/linux-64/a-1-0.conda`);
  expect(written).not.toContain(SECRET);
  expect(written).not.toContain(basic(`me:${SECRET}%`).slice('Basic '.length));
});

test("conda's token reaches the index and the packages, and is written nowhere", async () => {
  const server = await guarded(undefined, `/t/${SECRET}`);

  const written = await install(`${server.url}/t/${SECRET}/main`);

  expect(server.requests.some(({ path: asked }) => asked === `/t/${SECRET}/main/linux-64/a-1-0.conda`)).toBe(true);
  expect(written).not.toContain(SECRET);
});

test('netrc gives what the URL does not', async () => {
  const server = await guarded(basic(`me:${SECRET}`));
  const netrc = path.join(dir, 'netrc');
  await writeFile(netrc, `machine 127.0.0.1\nlogin me\npassword ${SECRET}\n`);

  const written = await install(`${server.url}/main`, { NETRC: netrc });

  expect(written).not.toContain(SECRET);
});

test('finds .netrc in the home directory, and says so where NETRC names nothing', async () => {
  await writeFile(path.join(dir, '.netrc'), 'machine h login a password b');

  expect((await readChannelAccess([], { HOME: dir })).logins).toHaveLength(1);
  await expect(readChannelAccess([], { HOME: dir, NETRC: `${dir}/none` })).rejects.toMatchObject({
    problems: [{ code: 'NETRC_MISSING', at: `${dir}/none` }],
  });
});

test('a redirect to another host does not carry them', async () => {
  const content = 'package';
  const elsewhere = await serve((_, response) => response.end(content));
  const server = await serve((url, response) => response.writeHead(302, { location: elsewhere.url + url }).end());
  open.push(elsewhere, server);
  const channel = { url: server.url.replace('://', `://me:${SECRET}@`), publicUrl: server.url };

  await fetchPackages({
    packages: [
      {
        name: 'a',
        url: `${server.url}/linux-64/a-1-0.conda`,
        sha256: createHash('sha256').update(content).digest('hex'),
        sizeBytes: content.length,
      },
    ],
    access: { channels: [channel], logins: [] },
    cacheDir: dir,
    report: () => undefined,
  });

  expect(server.requests[0]?.headers.authorization).toBe(basic(`me:${SECRET}`));
  expect(elsewhere.requests).toHaveLength(1);
  expect(JSON.stringify(elsewhere.requests)).not.toMatch(/authorization|s3cret/);
});

test('credentials that are refused are asked for once, and named by their host alone', async () => {
  const server = await guarded(basic('nobody:knows'));

  const error: unknown = await install(`${server.url.replace('://', `://me:${SECRET}@`)}/main`).catch(
    (thrown: unknown) => thrown,
  );

  expect(error).toBeInstanceOf(AppError);
  expect((error as AppError).problems).toMatchObject([
    { code: 'CHANNEL_UNREACHABLE', hint: expect.stringContaining('machine 127.0.0.1 login') as string },
  ]);
  expect(String((error as AppError).stack) + JSON.stringify(error)).not.toContain(SECRET);
  expect(server.requests).toHaveLength(2);
});

test.each([
  ['a bearer token', { BearerToken: SECRET }, `Bearer ${SECRET}`, ''],
  ['a token of conda', { CondaToken: SECRET }, undefined, `/t/${SECRET}`],
  ['a login', { BasicHTTP: { username: 'me', password: SECRET } }, basic(`me:${SECRET}`), ''],
])("rattler's file gives %s, which is written nowhere", async (_, entry, authorization, base) => {
  const server = await guarded(authorization, base);
  const file = path.join(dir, 'credentials.json');
  await writeFile(file, JSON.stringify({ '127.0.0.1': entry }), { mode: 0o600 });

  const written = await install(`${server.url}/main`, { RATTLER_AUTH_FILE: file });

  expect(written).not.toContain(SECRET);
  expect(written).not.toContain(basic(`me:${SECRET}`).slice('Basic '.length));
});

test("anaconda-client's token is sent to the server that it is for, and written nowhere", async () => {
  const server = await guarded(undefined, `/t/${SECRET}`);
  await mkdir(path.join(dir, 'binstar/data'), { recursive: true });
  const file = path.join(dir, 'binstar/data', `${encodeURIComponent(server.url)}.token`);
  await writeFile(file, SECRET, { mode: 0o600 });

  const written = await install(`${server.url}/main`, { BINSTAR_CONFIG_DIR: path.join(dir, 'binstar') });

  expect(written).not.toContain(SECRET);
});

test('warns of credentials that others can read, without showing them', async () => {
  await mkdir(path.join(dir, '.rattler'));
  await mkdir(path.join(dir, '.config/binstar'), { recursive: true });
  const files = ['.netrc', '.rattler/credentials.json', '.config/binstar/https%3A%2F%2Fapi.anaconda.org.token'];
  const texts = [`machine h login a password ${SECRET}`, JSON.stringify({ h: { BearerToken: SECRET } }), SECRET];
  for (const [n, file] of files.entries()) {
    await writeFile(path.join(dir, file), texts[n] ?? '');
    await chmod(path.join(dir, file), n === 0 ? 0o640 : 0o604);
  }
  const events: WorkEvent[] = [];

  await readChannelAccess([], { HOME: dir }, { report: (event) => events.push(event) });
  for (const file of files) await chmod(path.join(dir, file), 0o600);
  await readChannelAccess([], { HOME: dir }, { report: (event) => events.push(event) });

  const said = JSON.stringify(events);
  expect(events).toHaveLength(3);
  for (const file of files) expect(said).toContain(`chmod 600 ${path.join(dir, file)}`);
  expect(said).not.toContain(SECRET);
});

test('says so where RATTLER_AUTH_FILE names nothing', async () => {
  await expect(readChannelAccess([], { HOME: dir, RATTLER_AUTH_FILE: `${dir}/none` })).rejects.toMatchObject({
    problems: [{ code: 'CREDENTIALS_MISSING', at: `${dir}/none` }],
  });
});
