// `condense unlock`: whose lock it is is shown; it is removed only by its full name, and never from a process at work.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withLock } from '../../src/release/site-lock.ts';
import { TestSite } from './test-site.ts';

let site: TestSite;
let locks: string;
beforeAll(async () => {
  site = await TestSite.make();
  await site.writeConfig(`  a: { version: '1' }\n`);
  locks = path.join(site.admin, 'locks');
  await mkdir(locks, { recursive: true });
});
afterAll(async () => {
  await site.remove();
});

const owner = {
  user: 'anna',
  host: 'node7',
  pid: 4711,
  started: 'boot 1',
  job: 'Slurm job 12',
  purpose: 'build of a-1',
};
const CLAIM = 'a-1.lock.0123456789ab';

it('says that nothing is locked, and then who holds what, since when and what for', async () => {
  expect(await site.condenseOk('unlock')).toBe('nothing is locked');
  await writeFile(path.join(locks, CLAIM), JSON.stringify({ ...owner, since: '2026-11-21T03:00:00Z' }));

  expect(await site.condenseOk('unlock')).toBe(
    `${CLAIM}\n  held by anna on node7 (pid 4711, Slurm job 12) since 2026-11-21T03:00:00Z, for: build of a-1\n` +
      '  whether its process is at work cannot be seen from here',
  );
  expect(JSON.parse(await site.condenseOk('--json', 'unlock'))).toMatchObject({
    locks: [{ lock: 'a-1.lock', claim: CLAIM, state: 'unknown', owner }],
  });
});

it('removes no lock by another name than that of its claim', async () => {
  for (const name of ['a-1', 'a-1.lock', 'a-1.lock.ba9876543210', '../journal.ndjson', `./${CLAIM}`]) {
    const { exitCode, stderr } = await site.condense('unlock', name);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(CLAIM);
  }
  expect(await readdir(locks)).toEqual([CLAIM]);
});

it('removes the lock of another host by its name, and the journal says who did', async () => {
  expect(await site.condenseOk('unlock', '--dry-run', CLAIM)).toContain(`would remove ${CLAIM}`);
  expect(await readdir(locks)).toEqual([CLAIM]);

  await site.condenseOk('unlock', CLAIM);

  expect(await readdir(locks)).toEqual([]);
  const line = JSON.parse(await readFile(path.join(site.admin, 'journal.ndjson'), 'utf8')) as object;
  expect(line).toMatchObject({ action: 'unlock', host: os.hostname(), user: os.userInfo().username });
  expect(JSON.stringify(line)).toContain('anna on node7 (pid 4711');
});

it('refuses to take a lock from a process that is at work', async () => {
  await withLock(path.join(locks, 'a-1.lock'), 'a test', async () => {
    const [claim = ''] = await readdir(locks);
    const { exitCode, stderr } = await site.condense('unlock', claim);

    expect(exitCode).toBe(11);
    expect(stderr).toContain('LOCK_OWNER_ALIVE');
    expect(stderr).toContain(`kill ${process.pid}`);
    expect(await readdir(locks)).toEqual([claim]);
  });
});
