// Tiny channels for the solver's tests: records without archives, and a server that can be told to fail.
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import type { PackageIndex, PackageRecord } from '../../channel/conda-package.ts';
import type { WorkEvent } from '../../../src/system/events.ts';
import { solveEnvironment, type SolveRequest } from '../../../src/conda/solve.ts';

/** `numpy 2.1.0` with what it depends on; build `0`, linux-64, .conda, unless said otherwise. */
export function record(
  name: string,
  version: string,
  depends: readonly string[] = [],
  more: Partial<PackageIndex> = {},
  format: 'conda' | 'tar.bz2' = 'conda',
): PackageRecord {
  const index = { name, version, build: '0', build_number: 0, subdir: 'linux-64', depends, ...more };
  const stem = `${name}-${version}-${index.build}`;
  const digest = (algorithm: string) => createHash(algorithm).update(`${index.subdir}/${stem}.${format}`).digest('hex');
  return { fileName: `${stem}.${format}`, index, md5: digest('md5'), sha256: digest('sha256'), size: 1000 };
}

export const tempDir = (): Promise<string> => mkdtemp(path.join(os.tmpdir(), 'condense-solve-'));

export interface Asked extends Partial<Omit<SolveRequest, 'specs' | 'pinned'>> {
  readonly specs: readonly string[];
  /** They stand on line 7 and following of install_config.yaml. */
  readonly pinned?: readonly string[];
}

/** A solve of specs that stand on line 4 and following of environment.yml. */
export async function solve(asked: Asked, events: WorkEvent[] = []) {
  const cache = await tempDir();
  try {
    return await solveEnvironment({
      channels: [],
      channelAlias: 'http://127.0.0.1:1',
      platform: 'linux-64',
      virtualPackages: { __archspec: 'x86_64_v3', __glibc: '2.36', __linux: '6.1', __unix: '0' },
      repodataCacheDir: cache,
      report: (event) => events.push(event),
      ...asked,
      specs: asked.specs.map((text, index) => ({ text, at: `environment.yml:${index + 4}:5` })),
      pinned: asked.pinned?.map((text, index) => ({ text, at: `install_config.yaml:${index + 7}:5` })),
    });
  } finally {
    await rm(cache, { recursive: true });
  }
}

export interface Server {
  readonly url: string;
  readonly requests: { readonly path: string; readonly headers: IncomingMessage['headers'] }[];
  close(): Promise<void>;
}

/** Answers as `answer` says: for what a well-behaved channel server never does. */
export async function serve(
  answer: (path: string, response: ServerResponse, request: IncomingMessage) => void,
): Promise<Server> {
  const requests: Server['requests'] = [];
  const server = createServer((request, response) => {
    requests.push({ path: request.url ?? '', headers: request.headers });
    answer(request.url ?? '', response, request);
  });
  const listening = Promise.withResolvers<undefined>();
  server.listen(0, '127.0.0.1', () => {
    listening.resolve(undefined);
  });
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    close: async () => {
      const closed = Promise.withResolvers<undefined>();
      server.close(() => {
        closed.resolve(undefined);
      });
      server.closeAllConnections();
      await closed.promise;
    },
  };
}
