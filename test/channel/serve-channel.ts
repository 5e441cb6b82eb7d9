// Serves a channel directory over http on the loopback, for tests: ETag, Last-Modified, 304 and ranges as real channels have them.
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

export interface ServedChannel {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly url: string;
  /** `GET /noarch/repodata.json` for each request so far, in order. */
  readonly requests: string[];
  /** Stops at once, open connections too. */
  close(): Promise<void>;
}

/** Serves `dir` on a free port of 127.0.0.1. Nothing outside `dir` is ever sent, through links neither. */
export async function serveChannel(dir: string): Promise<ServedChannel> {
  const root = await realpath(dir);
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    answer(root, request, response).catch((error: unknown) => {
      // The client went away, or we failed: either way this connection is over, and the client sees that.
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  const { promise: listening, resolve, reject } = Promise.withResolvers<undefined>();
  server.once('error', reject);
  server.listen(0, '127.0.0.1', () => {
    resolve(undefined);
  });
  await listening;
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    close: async () => {
      const { promise: closed, resolve: done } = Promise.withResolvers<undefined>();
      server.close(() => {
        done(undefined);
      });
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  const found = await findFile(root, request.url ?? '/');
  if (!found) {
    response.writeHead(404).end();
    return;
  }
  const headers = {
    etag: `"${found.size.toString(16)}-${Math.trunc(found.mtimeMs).toString(16)}"`,
    'last-modified': new Date(found.mtimeMs).toUTCString(),
    'content-type': found.file.endsWith('.json')
      ? 'application/json'
      : found.file.endsWith('.html')
        ? 'text/html'
        : 'application/octet-stream',
    'accept-ranges': 'bytes',
  };
  const asked = request.headers;
  // RFC 9110 13.1.3: If-Modified-Since counts only where there is no If-None-Match.
  const unchanged =
    asked['if-none-match'] === undefined
      ? asked['if-modified-since'] === headers['last-modified']
      : asked['if-none-match'] === headers.etag;
  if (unchanged) {
    response.writeHead(304, headers).end();
    return;
  }
  const from = Number(/^bytes=(\d+)-$/.exec(asked.range ?? '')?.[1] ?? 0);
  if (from > 0 && from >= found.size) {
    response.writeHead(416, { 'content-range': `bytes */${found.size}` }).end();
    return;
  }
  response.writeHead(from > 0 ? 206 : 200, {
    ...headers,
    'content-length': found.size - from,
    ...(from > 0 ? { 'content-range': `bytes ${from}-${found.size - 1}/${found.size}` } : {}),
  });
  if (request.method === 'HEAD') response.end();
  else await pipeline(createReadStream(found.file, { start: from }), response);
}

async function findFile(
  root: string,
  requested: string,
): Promise<{ file: string; size: number; mtimeMs: number } | undefined> {
  try {
    // Not `new URL`: it would fold `..` away, and a test of a hostile name would test nothing.
    const name = decodeURIComponent(requested.split('?')[0] ?? '');
    const file = await realpath(path.join(root, name.endsWith('/') ? `${name}index.html` : name));
    if (!file.startsWith(`${root}/`)) return undefined;
    const at = await stat(file);
    return at.isFile() ? { file, size: at.size, mtimeMs: at.mtimeMs } : undefined;
  } catch (error) {
    if (error instanceof URIError || ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      return undefined;
    }
    throw error;
  }
}
