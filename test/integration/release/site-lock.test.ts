import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeJob } from '../../../src/release/lock-claim.ts';
import { withLock } from '../../../src/release/site-lock.ts';
import type { AppError } from '../../../src/system/app-error.ts';

let dir: string;
let lock: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-lock-'));
  lock = path.join(dir, 'locks/a.lock');
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const lockSource = new URL('../../../src/release/site-lock.ts', import.meta.url).href;

/** Another process that takes the lock, says so, and then does as told. */
function startHolder(then: string): {
  ready: Promise<void>;
  ended: Promise<void>;
  kill: (signal: NodeJS.Signals) => void;
} {
  const code = `import { withLock } from ${JSON.stringify(lockSource)};
    await withLock(${JSON.stringify(lock)}, 'a test', async () => { process.stdout.write('held'); ${then} });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  return {
    ready: new Promise((resolve) =>
      child.stdout.once('data', () => {
        resolve();
      }),
    ),
    ended: new Promise((resolve) =>
      child.once('exit', () => {
        resolve();
      }),
    ),
    kill: (signal) => child.kill(signal),
  };
}

it('says who holds the lock, where, since when and what for', async () => {
  const holder = startHolder('await new Promise((resolve) => setTimeout(resolve, 60000));');
  await holder.ready;

  const refused = withLock(lock, 'mine', () => Promise.resolve('never'));

  await expect(refused).rejects.toMatchObject({ exit: 11 });
  const error = await refused.catch((thrown: unknown) => thrown);
  expect((error as AppError).message).toMatch(
    new RegExp(`${os.userInfo().username} on ${os.hostname()} \\(pid \\d+\\) since \\d{4}-.*Z, for: a test`),
  );
  holder.kill('SIGKILL');
  await holder.ended;
});

it('takes over from an owner that was killed', async () => {
  const holder = startHolder('await new Promise((resolve) => setTimeout(resolve, 60000));');
  await holder.ready;
  holder.kill('SIGKILL');
  await holder.ended;

  expect(await withLock(lock, 'mine', () => Promise.resolve('done'))).toBe('done');
});

/** A claim as another process would have left it. */
async function writeClaim(text: string): Promise<string> {
  await mkdir(path.dirname(lock), { recursive: true });
  const claim = `${lock}.0123456789ab`;
  await writeFile(claim, text);
  return claim;
}
const owner = { user: 'u', host: os.hostname(), pid: process.pid, started: 'another boot 1', purpose: 'p', since: 's' };

it('does not mistake a later process with the same pid for the owner', async () => {
  await writeClaim(JSON.stringify(owner));

  expect(await withLock(lock, 'second', () => Promise.resolve('done'))).toBe('done');
  expect(await readdir(path.dirname(lock))).toEqual([]);
});

it('never clears the lock of another host', async () => {
  const claim = await writeClaim(JSON.stringify({ ...owner, host: 'elsewhere', pid: 1 }));

  await expect(withLock(lock, 'mine', () => Promise.resolve())).rejects.toThrow(/u on elsewhere/);
  expect(await readdir(path.dirname(lock))).toEqual([path.basename(claim)]);
});

it('never clears the lock of another container on the same host, whose process it cannot see', async () => {
  const claim = await writeClaim(JSON.stringify({ ...owner, pidNamespace: 'pid:[1]' }));

  const refused = withLock(lock, 'mine', () => Promise.resolve());

  await expect(refused).rejects.toMatchObject({
    problems: [
      { code: 'LOCK_HELD', hint: expect.stringContaining(`condense unlock ${path.basename(claim)}`) as string },
    ],
  });
  expect(await readdir(path.dirname(lock))).toEqual([path.basename(claim)]);
});

it('says which job of a scheduler its owner is', async () => {
  await writeClaim(JSON.stringify({ ...owner, host: 'node7', job: describeJob({ SLURM_JOB_ID: '4711' }) }));

  await expect(withLock(lock, 'mine', () => Promise.resolve())).rejects.toThrow(/on node7 \(pid \d+, Slurm job 4711\)/);
  expect(describeJob({ PBS_JOBID: '17[3].pbs-1' })).toBe('PBS job 17[3].pbs-1');
  expect(describeJob({ PBS_JOBID: 'two\nlines' })).toBeUndefined();
});

it('counts a lock that it cannot read as held', async () => {
  await writeClaim('half');

  await expect(withLock(lock, 'mine', () => Promise.resolve())).rejects.toThrow(/somebody who left no name/);
});

it('does not take the lock of another name for its own', async () => {
  const other = path.join(path.dirname(lock), 'a.lock.b.lock');

  expect(await withLock(other, 'outer', () => withLock(lock, 'inner', () => Promise.resolve('both')))).toBe('both');
});

it('is free again after the work has failed', async () => {
  await expect(withLock(lock, 'mine', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');

  expect(await withLock(lock, 'mine', () => Promise.resolve('done'))).toBe('done');
});

it('waits for a lock when told to, and gets it as soon as it is free', async () => {
  const order: string[] = [];
  let second: Promise<unknown> = Promise.resolve();
  await withLock(lock, 'first', async () => {
    second = withLock(lock, 'second', () => Promise.resolve(order.push('second')), { waitMs: 60_000 });
    await expect(withLock(lock, 'third', () => Promise.resolve())).rejects.toMatchObject({ exit: 11 });
    order.push('first');
  });

  await second;

  expect(order).toEqual(['first', 'second']);
});

it('gives up waiting when the time is over, or when it is interrupted', async () => {
  await withLock(lock, 'first', async () => {
    const patient = withLock(lock, 'second', () => Promise.resolve(), { waitMs: 100 });
    await expect(patient).rejects.toMatchObject({ exit: 11 });
    const interrupts = new AbortController();
    const third = withLock(lock, 'third', () => Promise.resolve(), { waitMs: 60_000, signal: interrupts.signal });
    interrupts.abort(new Error('interrupted'));
    await expect(third).rejects.toThrow('interrupted');
  });
});

it('clears away what was left a day ago by a process that was killed while it took the lock', async () => {
  await withLock(lock, 'make the directory', () => Promise.resolve());
  const tmp = (name: string): string => path.join(path.dirname(lock), `${name}.lock.0123456789ab.tmp`);
  const other = path.join(path.dirname(lock), 'b.lock.0123456789ab');
  for (const file of [tmp('a'), tmp('b'), other]) await writeFile(file, '{}');
  const yesterday = Date.now() / 1000 - 25 * 60 * 60;
  for (const file of [tmp('a'), other]) await utimes(file, yesterday, yesterday);

  await withLock(lock, 'mine', () => Promise.resolve());

  expect((await readdir(path.dirname(lock))).sort()).toEqual([other, tmp('b')].map((file) => path.basename(file)));
});

it('lets one at a time through, and in the end all that wait, when all see the lock of a dead owner', async () => {
  await writeClaim(JSON.stringify(owner));
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setTimeout(resolve, 5));
    inside--;
  };

  await Promise.all(Array.from({ length: 12 }, () => withLock(lock, 'race', work, { waitMs: 30_000 })));

  expect(most).toBe(1);
});

it('lets somebody through when many claim at the same moment and nobody waits', async () => {
  const hold = (): Promise<string> => new Promise((resolve) => setTimeout(resolve, 500, 'done'));

  const outcomes = await Promise.allSettled(Array.from({ length: 4 }, () => withLock(lock, 'race', hold)));

  expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
});

it('says once whom it waits for, and goes on when that has ended', async () => {
  const holder = startHolder('await new Promise((resolve) => setTimeout(resolve, 60000));');
  await holder.ready;
  const said: string[] = [];

  const waiting = withLock(lock, 'mine', () => Promise.resolve('mine'), {
    waitMs: 60_000,
    onWait: (text) => {
      said.push(text);
      holder.kill('SIGKILL');
    },
  });

  expect(await waiting).toBe('mine');
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/^waits, since .*a\.lock\.\w+: is held by .*, for: a test$/);
});
