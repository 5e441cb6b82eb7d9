// Repodata that is huge, broken or deep: solved or refused, in a memory that has bounds.
import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AppError } from '../../../src/system/app-error.ts';
import type { WorkEvent } from '../../../src/system/events.ts';
import { renderRepodata } from '../../channel/write-repodata.ts';
import { serve, solve, tempDir, type Server } from './solve-channel.ts';

let cache: string;
let server: Server;
let send: (write: (text: string) => Promise<void>) => Promise<void>;
beforeEach(async () => {
  cache = await tempDir();
  server = await serve((url, response) => {
    response.setMaxListeners(0); // one for each time that the client is slower
    const write = async (text: string): Promise<void> => {
      if (response.write(text) || response.destroyed) return;
      const drained = Promise.withResolvers<undefined>();
      for (const event of ['drain', 'close'])
        response.once(event, () => {
          drained.resolve(undefined);
        });
      await drained.promise;
    };
    if (url.endsWith('/noarch/repodata.json')) response.end(renderRepodata('noarch', []));
    else if (url.endsWith('/linux-64/repodata.json')) void send(write).then(() => response.end());
    else response.writeHead(404).end();
  });
});
afterEach(async () => {
  await server.close();
  await rm(cache, { recursive: true });
});

const one = JSON.stringify({ name: 'a', version: '1', build: '0', build_number: 0, sha256: 'a'.repeat(64) });

async function attempt(text: string): Promise<{ error?: AppError; versions?: string[]; events: WorkEvent[] }> {
  send = (write) => write(text);
  const events: WorkEvent[] = [];
  try {
    const lock = await solve({ specs: ['a'], channels: [server.url], repodataCacheDir: cache }, events);
    return { versions: lock.packages.map(({ version }) => version), events };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { error, events };
  }
}

test('200 MB of repodata are solved within 1 GiB', async () => {
  const filler = JSON.stringify({ name: 'x', version: '1', build: '0', depends: ['y '.repeat(400)], license: 'z' });
  send = async (write) => {
    await write('{"packages.conda": {');
    for (let n = 0, bytes = 0; bytes < 200_000_000; n += 100) {
      const text = Array.from({ length: 100 }, (_, k) => `"x${(n + k) % 20_000}-${n + k}-0.conda": ${filler},`).join(
        '',
      );
      bytes += text.length;
      await write(text);
    }
    await write(`"a-1-0.conda": ${one}}}`);
  };
  const script = `
    import { solveEnvironment } from ${JSON.stringify(pathToFileURL(path.resolve('src/conda/solve.ts')).href)};
    const lock = await solveEnvironment({
      specs: [{ text: 'a', at: 'environment.yml:4:5' }], channels: [${JSON.stringify(server.url)}], channelAlias: 'http://x',
      platform: 'linux-64', virtualPackages: {}, repodataCacheDir: ${JSON.stringify(cache)}, report: () => undefined,
    });
    console.log(JSON.stringify({ names: lock.packages.map(({ name }) => name), kib: process.resourceUsage().maxRSS }));`;

  // A process of its own, since that is what has a peak.
  await writeFile(path.join(cache, 'solve.mjs'), script);
  const { stdout } = await promisify(execFile)(process.execPath, [path.join(cache, 'solve.mjs')]);

  const said = JSON.parse(stdout) as { names: string[]; kib: number };
  expect(said.names).toEqual(['a']);
  expect(said.kib).toBeLessThan(2 ** 20);
}, 120_000);

test.each([
  ['a page', '<html></html>'],
  ['nothing', ''],
  ['half of it', `{"packages.conda": {"a-1-0.conda": ${one}`],
  ['a list', '[]'],
  ['a record that is no JSON', '{"packages.conda": {"a-1-0.conda": {"name": nope}}}'],
  ['a million brackets that are not closed', '['.repeat(1_000_000)],
  ['a million objects in a record that are not closed', `{"packages": {"a-1-0.conda": ${'{"a":'.repeat(1_000_000)}`],
])('%s instead of repodata ends the solve with the name of the channel', async (_, text) => {
  const { error } = await attempt(text);

  expect(error?.problems).toMatchObject([{ code: 'CHANNEL_CORRUPT' }]);
  expect(error?.message).toContain(server.url);
});

test.each([
  ['a record that is a million lists deep', `"a-2-0.conda": ${'['.repeat(1e6)}${']'.repeat(1e6)}`],
  [
    'depends that are',
    `"a-2-0.conda": {"name":"a","version":"2","build":"0","depends":${'['.repeat(1e6)}${']'.repeat(1e6)}}`,
  ],
  [
    'a record that is itself',
    '"a-2-0.conda": {"name":"a","version":"2","build":"0","depends":["a >=3"],"build_number":-1}',
  ],
])('%s costs the record, and not the solve', async (_, member) => {
  const { versions, events } = await attempt(`{"packages.conda": {${member}, "a-1-0.conda": ${one}}}`);

  expect(versions).toEqual(['1']);
  expect(JSON.stringify(events)).toContain('1 records of the channels were left out');
});

test('info of any depth is no harm', async () => {
  const { versions } = await attempt(
    `{"info": ${'['.repeat(1e5)}${']'.repeat(1e5)}, "packages.conda": {"a-1-0.conda": ${one}}}`,
  );

  expect(versions).toEqual(['1']);
});
