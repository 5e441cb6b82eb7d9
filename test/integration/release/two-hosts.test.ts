// Two hosts that publish to one store: two processes, each with a host name of its own (uts_namespaces(7)).
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readClaims } from '../../../src/release/lock-claim.ts';
import { readGenerations } from '../../../src/release/site-state.ts';
import type { Layout } from '../../../src/site/layout.ts';
import { makeLayout } from '../../unit/make-layout.ts';
import { writeGatedFiles } from './gated-files.ts';
import { asRoot } from '../../as-root.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const HOSTS = ['left', 'right'];
const idOf = (host: string): string => `2026112${HOSTS.indexOf(host) + 1}T000000Z-00000000`;

let prefix: string;
let layout: Layout;
beforeEach(async () => {
  prefix = await mkdtemp(path.join(os.tmpdir(), 'condense-hosts-'));
  layout = makeLayout(prefix);
  for (const host of HOSTS) {
    await writeGatedFiles(layout.release(`${host}-1`, idOf(host)), `${host}-1`, idOf(host));
  }
});
afterEach(async () => {
  await rm(prefix, { recursive: true, force: true });
});

/** Runs code on a host of that name; `publish` in it publishes that host's release, beside what the other has. */
function runOn(host: string, code: string) {
  const file = (name: string): string => JSON.stringify(path.join(root, name));
  const script = `
    import { publishFace } from ${file('src/release/publish.ts')};
    import { withLock } from ${file('src/release/site-lock.ts')};
    import { readCurrentGeneration } from ${file('src/release/site-state.ts')};
    import { makeLayout } from ${file('test/unit/make-layout.ts')};
    const layout = makeLayout(${JSON.stringify(prefix)});
    const entry = { action: 'publish', subject: '${host}', user: 'u', host: '${host}' };
    const publish = async () => {
      const face = (await readCurrentGeneration(layout)) ?? { versions: new Map(), aliases: new Map() };
      await publishFace(layout, { ...face, versions: new Map(face.versions).set('${host}-1', '${idOf(host)}') }, entry);
    };
    const lock = layout.lockFile('publish');
    ${code}`;
  const inner = [
    '-c',
    'hostname "$1" && shift && exec "$@"',
    'sh',
    host,
    process.execPath,
    '--input-type=module',
    '-e',
  ];
  return execa(...asRoot('unshare', '--uts', '--', 'sh', ...inner, script), { reject: false });
}

it('publishes from both in turn: no generation is lost, and each has what both had published by then', async () => {
  const cycles = `for (let n = 0; n < 10; n++) await withLock(lock, 'publishing', publish, { waitMs: 60_000 });`;

  const ran = await Promise.all(HOSTS.map((host) => runOn(host, cycles)));

  expect(ran.map(({ stderr }) => stderr)).toEqual(['', '']);
  const generations = await readGenerations(layout);
  expect(generations.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  for (const [index, { versions }] of generations.entries())
    for (const name of generations[index - 1]?.versions.keys() ?? []) expect([...versions.keys()]).toContain(name);
  expect(generations.at(-1)?.versions.size).toBe(2);
  expect(await readdir(layout.locks)).toEqual([]);
});

it('leaves the lock of a host that died alone, and tells the other one what to look at and to type', async () => {
  await runOn('left', `await withLock(lock, 'publishing', async () => process.kill(process.pid, 'SIGKILL'));`);

  const refused = await runOn(
    'right',
    `await withLock(lock, 'publishing', publish).catch((error) => console.log(JSON.stringify(error.problems)));`,
  );

  const [claim] = await readClaims(layout.locks);
  expect(claim).toMatchObject({ state: 'unknown', owner: { host: 'left' } });
  const [problem] = JSON.parse(refused.stdout) as { code: string; message: string; hint: string }[];
  expect(problem?.code).toBe('LOCK_HELD');
  expect(problem?.message).toMatch(/on left \(pid \d+\) since/);
  expect(problem?.hint).toContain(`ssh left ps -p ${claim?.owner?.pid ?? ''}`);
  expect(problem?.hint).toContain(`condense unlock ${path.basename(claim?.file ?? '')}`);
  expect(await readGenerations(layout)).toEqual([]);
});
