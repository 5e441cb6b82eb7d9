// `condense mirror` of a live site, and a second site that has nothing but the mirror.
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseLock } from '../../src/conda/lock.ts';
import { serveChannel } from '../channel/serve-channel.ts';
import { writeHelloChannel } from './hello-channel.ts';
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

async function packagesOf(of: TestSite): Promise<string[]> {
  const release = (await of.liveRelease('a-1')) ?? '';
  const file = path.join(of.prefix, 'apps/condense/releases/a-1', release, 'environment.lock.yml');
  return parseLock(await readFile(file, 'utf8'), file).packages.map(({ url, sha256 }) => `${url} ${sha256}`);
}

it('gives another site the same packages when the channel is gone', async () => {
  const channel = await writeHelloChannel(site.dir);
  await site.writeConfig(`  a: { version: '1', stable: '1' }\n`);
  await site.writeSpec('a', [channel], ['hello=1.0']);
  expect((await site.condense('mirror', 'mirror')).stderr).toContain('nothing is live');
  await site.condenseOk('install', 'a');
  const release = (await site.liveRelease('a-1')) ?? '';

  expect(await site.condenseOk('mirror', '--dry-run', 'mirror')).toContain('1 packages of 1 locks');
  expect(await site.condenseOk('mirror', 'mirror', 'a')).toContain('1 packages of 1 locks; 1 came now');
  expect(await site.condenseOk('mirror', 'mirror', `a-1/${release}`)).toContain('nothing to do');
  await rm(path.join(site.dir, 'channel'), { recursive: true });
  const answer = JSON.parse((await site.condenseOk('--json', 'mirror', 'mirror')).split('\n').at(-1) ?? '') as {
    channels: { path: string }[];
    locks: string[];
    changed: boolean;
  };
  expect(answer).toMatchObject({ changed: false, locks: [`a-1-${release}`] });

  const served = await serveChannel(path.join(site.dir, 'mirror'));
  const mirrored = `${served.url}/${answer.channels[0]?.path ?? ''}`;
  // The spec names the channel, which is gone; the site knows a mirror of it.
  await other.writeConfig(
    `  a: { version: '1', stable: '1' }\n`,
    `channels: { mirrors: { '${channel}': ['${mirrored}'] } }\n`,
  );
  await other.writeSpec('a', [channel], ['hello=1.0']);
  await other.condenseOk('install', 'a');

  expect(await packagesOf(other)).toEqual(await packagesOf(site));
  // A lock file of the mirror can be mirrored again, by whoever has the mirror alone.
  const lock = path.join(site.dir, 'mirror/locks', `a-1-${release}.lock.yml`);
  await expect(other.condenseOk('mirror', path.join(other.dir, 'copy'), lock)).resolves.toContain('1 came now');
  await served.close();
  expect(await readFile(path.join(other.dir, 'copy/index.html'), 'utf8')).toContain(pathToFileURL(site.dir).href);
});
