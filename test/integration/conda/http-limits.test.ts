// Answers that never come, never end, lead elsewhere or are larger than they say: what a request does with them.
import { createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { requestChannel, type Request } from '../../../src/conda/http.ts';
import { serve, type Server } from './solve-channel.ts';

const open: Server[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function answering(...how: Parameters<typeof serve>): Promise<Server> {
  const server = await serve(...how);
  open.push(server);
  return server;
}

const pace = { idleMs: 60_000, windowMs: 60_000, minBytes: 1 };
/** For servers that hang, which never end by themselves. */
const impatient = { ...pace, idleMs: 300 };

async function read(url: string, more: Partial<Request> = {}): Promise<string> {
  return await requestChannel({ url, tries: 1, pace, ...more }, async (_, body) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  });
}

test('gives up a server that takes the request and says nothing', async () => {
  const server = await answering(() => undefined);

  await expect(read(server.url, { pace: impatient })).rejects.toThrow('no answer came for 0.3 s');
});

test('gives up a server that stops in the middle of the body, and asks again', async () => {
  const server = await answering((_, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('half');
  });

  await expect(read(server.url, { tries: 2, pace: impatient })).rejects.toThrow('nothing came for 0.3 s (2 tries)');
  expect(server.requests).toHaveLength(2);
});

test('gives up a server that sends a byte now and then for ever', async () => {
  const server = await answering((_, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write('.'), 20);
    response.on('close', () => {
      clearInterval(timer);
    });
  });

  await expect(read(server.url, { pace: { idleMs: 60_000, windowMs: 200, minBytes: 1_000_000 } })).rejects.toThrow(
    /only \d+ bytes came/,
  );
});

test('refuses a redirect to a file, to another scheme, and to what is no URL, and asks once', async () => {
  for (const [location, why] of [
    ['file:///etc/passwd', 'redirects to a file: URL'],
    ['ftp://example.org/x', 'redirects to a ftp: URL'],
    ['data:text/plain,x', 'redirects to a data: URL'],
    ['http://[', 'something that is no URL'],
  ] as const) {
    const server = await answering((_, response) => response.writeHead(302, { location }).end());

    await expect(read(server.url, { tries: 4 })).rejects.toThrow(why);
    expect(server.requests).toHaveLength(1);
  }
});

test('ends a loop of redirects, and does not begin it again', async () => {
  const server = await answering((url, response) =>
    response.writeHead(302, { location: url === '/a' ? '/b' : '/a' }).end(),
  );

  await expect(read(`${server.url}/a`, { tries: 4 })).rejects.toThrow('more than 10 redirects');
  expect(server.requests).toHaveLength(11);
});

test('sends credentials on within the host, and to no other, however written', async () => {
  const other = await answering((_, response) => response.end('other'));
  const server = await answering((url, response) => {
    if (url === '/same') response.writeHead(307, { location: '/end' }).end();
    else if (url === '/other') response.writeHead(307, { location: other.url }).end();
    else response.end('end');
  });
  const headers = { authorization: 'Bearer s3cret' };

  await read(`${server.url}/same`, { headers });
  await read(`${server.url}/other`, { headers });
  await read(`${server.url.replace('://', '://me:s3cret@')}/other`);

  expect(server.requests.map((request) => request.headers.authorization)).toEqual([
    'Bearer s3cret',
    'Bearer s3cret',
    'Bearer s3cret',
    `Basic ${Buffer.from('me:s3cret').toString('base64')}`,
  ]);
  expect(other.requests.map((request) => request.headers.authorization)).toEqual([undefined, undefined]);
  expect(JSON.stringify(other.requests)).not.toContain('s3cret');
});

test('stops an answer that is larger than what is taken, also where an encoding hides how large', async () => {
  const server = await answering((url, response) => {
    if (url === '/plain') response.end(Buffer.alloc(2_000_000));
    else response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(50_000_000)));
  });

  await expect(read(`${server.url}/plain`, { maxBytes: 1_000_000 })).rejects.toThrow('larger than 1000000 bytes');
  await expect(read(`${server.url}/gzip`, { maxBytes: 1_000_000 })).rejects.toThrow('larger than 1000000 bytes');
});

test('takes no answer for whole whose length is not the one it was announced with', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\nshort'));
  });
  const listening = Promise.withResolvers<undefined>();
  server.listen(0, '127.0.0.1', () => {
    listening.resolve(undefined);
  });
  await listening.promise;
  try {
    const { port } = server.address() as { port: number };
    await expect(read(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  } finally {
    server.close();
  }
});
