// A mirror of an environment with a pip section: a second site that has nothing but the mirror installs the same files.
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureTestChannel } from '../channel/make-channel.ts';
import { serveChannel } from '../channel/serve-channel.ts';
import { makeWheel } from '../pip/distributions.ts';
import { PipIndex } from '../pip/pip-index.ts';
import { TestSite } from './test-site.ts';

let site: TestSite;
let other: TestSite;
beforeAll(async () => {
  site = await TestSite.make();
  other = await TestSite.make();
});
afterAll(async () => {
  await site.remove();
  await other.remove();
});

async function build(of: TestSite, channel: string, index: string): Promise<unknown> {
  await of.writeConfig(`  p: { version: '1', stable: '1', gate: { imports: [greet] } }\n`);
  await of.writeSpec('p', [channel], ['python=3.11', 'pip'], `  - pip:\n    - --index-url ${index}\n    - greet\n`);
  await of.condenseOk('install', 'p');
  const release = (await of.liveRelease('p-1')) ?? '';
  const file = path.join(of.prefix, 'apps/condense/releases/p-1', release, 'manifest.json');
  return (JSON.parse(await readFile(file, 'utf8')) as { packages: unknown }).packages;
}

it('has the wheels in a simple index, from which pip takes the same ones', async () => {
  const index = await PipIndex.start();
  index.add(
    await makeWheel({
      ...{ name: 'greet', version: '1.0', files: { 'greet/__init__.py': 'import helper\n' } },
      metadata: ['Requires-Dist: helper'],
    }),
    await makeWheel({ name: 'helper', version: '2.0', files: { 'helper.py': '' } }),
  );
  const installed = await build(site, pathToFileURL((await ensureTestChannel()).dir).href, index.url);
  const mirror = path.join(site.dir, 'mirror');
  expect(await site.condenseOk('mirror', mirror)).toMatch(/\d+ packages and 2 distributions of 1 locks/);
  await index.stop();
  await rm(path.join(site.dir, 'admin/cache'), { recursive: true });
  const again = await site.condenseOk('--json', 'mirror', mirror);
  const { channels, changed } = JSON.parse(again.split('\n').at(-1) ?? '') as {
    channels: { path: string }[];
    changed: boolean;
  };
  expect(changed).toBe(false);

  const served = await serveChannel(mirror);
  const mirrored = await build(other, `${served.url}/${channels[0]?.path ?? ''}`, `${served.url}/pip/simple/`);
  await served.close();

  expect(mirrored).toEqual(installed);
});
