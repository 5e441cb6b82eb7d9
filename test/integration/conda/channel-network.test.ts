// Ways to a channel that is not reached directly: through proxies, and where a site's own authority signs.
import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createProxy, request as forward } from 'node:http';
import { createServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fetchPackages } from '../../../src/conda/fetch.ts';
import { AppError } from '../../../src/system/app-error.ts';
import { useNetworkSettings } from '../../../src/system/network.ts';
import { certificate, privateKey } from './self-signed.ts';
import { serve, tempDir, type Server } from './solve-channel.ts';

const content = 'package';
const sha256 = createHash('sha256').update(content).digest('hex');

let dir: string;
const cleanUp: (() => unknown)[] = [];
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
  await rm(dir, { recursive: true });
});

const portOf = (address: AddressInfo | string | null): number => (address as AddressInfo).port;

async function channel(): Promise<Server> {
  const server = await serve((_, response) => response.end(content));
  cleanUp.push(() => server.close());
  return server;
}

/** @returns its port */
async function channelOverTls(): Promise<number> {
  const server = createServer({ cert: certificate, key: privateKey }, (_, response) => response.end(content));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  cleanUp.push(
    () => server.close(),
    () => {
      server.closeAllConnections();
    },
  );
  return portOf(server.address());
}

/** A proxy as squid is one, to whose eyes every host is 127.0.0.1. Keeps what it was asked for. */
async function proxy(): Promise<{ readonly url: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const server = createProxy((request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''} ${request.headers['proxy-authorization'] ?? ''}`.trim());
    const url = new URL(request.url ?? '');
    // An agent of its own: the global one goes through this very proxy.
    forward({ host: '127.0.0.1', port: url.port, path: url.pathname, agent: false }, (answer) =>
      answer.pipe(response),
    ).end();
  });
  server.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url ?? ''}`);
    const upstream = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(upstream).pipe(socket);
    });
    const end = (): void => {
      socket.destroy();
      upstream.destroy();
    };
    upstream.on('error', end).on('close', end);
    socket.on('error', end).on('close', end);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  cleanUp.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${portOf(server.address())}`, asked };
}

async function use(env: Readonly<Record<string, string>>): Promise<void> {
  cleanUp.push(await useNetworkSettings(env));
}

async function authorities(text: string): Promise<string> {
  const file = path.join(dir, 'authorities.pem');
  await writeFile(file, text);
  return file;
}

async function download(base: string): Promise<string> {
  const files = await fetchPackages({
    packages: [{ name: 'a', url: `${base}/c/noarch/a-1-0.conda`, sha256, sizeBytes: content.length }],
    cacheDir: path.join(dir, 'cache'),
    report: () => undefined,
  });
  return await readFile(files.get(sha256) ?? '', 'utf8');
}

const failureOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

test('http goes through HTTP_PROXY, whose password it is told', async () => {
  const [server, via] = [await channel(), await proxy()];
  await use({ HTTP_PROXY: via.url.replace('://', '://me:pw@') });
  const port = new URL(server.url).port;

  expect(await download(`http://channel.test:${port}`)).toBe(content);
  expect(via.asked).toEqual([
    `GET http://channel.test:${port}/c/noarch/a-1-0.conda Basic ${Buffer.from('me:pw').toString('base64')}`,
  ]);
});

test('https goes through https_proxy in a tunnel, and what NO_PROXY lists does not', async () => {
  const [port, via, near] = [await channelOverTls(), await proxy(), await channel()];
  await use({
    https_proxy: via.url,
    http_proxy: via.url,
    NO_PROXY: 'localhost,127.0.0.1',
    SSL_CERT_FILE: await authorities(certificate),
  });

  expect(await download(near.url)).toBe(content);
  expect(via.asked).toEqual([]);
  await rm(path.join(dir, 'cache'), { recursive: true });
  const error = await failureOf(download(`https://channel.test:${port}`));

  // The certificate is for 127.0.0.1 only: that it was seen shows that the tunnel led there.
  expect(via.asked).toEqual([`CONNECT channel.test:${port}`]);
  expect(error).toMatchObject({
    problems: [{ message: expect.stringContaining(`certificate of channel.test:${port} is not trusted`) as string }],
  });
});

test.each(['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'])(
  'trusts an authority of the site that %s names',
  async (variable) => {
    const port = await channelOverTls();
    await use({ [variable]: await authorities(`# of the site\n${certificate}`) });

    expect(await download(`https://127.0.0.1:${port}`)).toBe(content);
  },
);

test('a certificate that nobody vouches for ends it at once, naming the host and what to set', async () => {
  const port = await channelOverTls();

  const error = await failureOf(download(`https://127.0.0.1:${port}`));

  expect(error).toBeInstanceOf(AppError);
  expect((error as AppError).problems).toMatchObject([
    {
      code: 'PACKAGE_UNREACHABLE',
      message: expect.stringMatching(
        new RegExp(`certificate of 127.0.0.1:${port} is not trusted.*SELF_SIGNED`),
      ) as string,
      hint: expect.stringContaining('SSL_CERT_FILE=') as string,
    },
  ]);
  expect((error as AppError).message).not.toContain('tries');
});

test.each([
  ['is not there', undefined],
  ['has no certificate', 'nothing'],
  ['has a damaged one', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
])('says so where the file of authorities %s', async (_, text) => {
  const file = text === undefined ? path.join(dir, 'none.pem') : await authorities(text);

  expect(await failureOf(useNetworkSettings({ SSL_CERT_FILE: file }))).toMatchObject({
    exit: 4,
    problems: [{ code: 'CA_INVALID', at: file }],
  });
});
