import { spawn } from 'node:child_process';
import { access, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
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

it('does not mistake a later process with the same pid for the owner', async () => {
  await withLock(lock, 'first', async () => {
    const held = JSON.parse(await readFile(lock, 'utf8')) as { started: string };
    await rm(lock);
    await writeFile(lock, JSON.stringify({ ...held, started: '1' }));
  });
  await writeFile(
    lock,
    JSON.stringify({ user: 'u', host: os.hostname(), pid: process.pid, started: '1', purpose: 'p', since: 's' }),
  );

  expect(await withLock(lock, 'second', () => Promise.resolve('done'))).toBe('done');
});

it('never clears the lock of another host', async () => {
  await withLock(lock, 'make the directory', () => Promise.resolve());
  await writeFile(
    lock,
    JSON.stringify({ user: 'u', host: 'elsewhere', pid: 1, started: '1', purpose: 'p', since: 's' }),
  );

  await expect(withLock(lock, 'mine', () => Promise.resolve())).rejects.toThrow(/u on elsewhere/);
  await access(lock);
});

it('counts a lock that it cannot read as held', async () => {
  await withLock(lock, 'make the directory', () => Promise.resolve());
  await writeFile(lock, 'half');

  await expect(withLock(lock, 'mine', () => Promise.resolve())).rejects.toThrow(/somebody who left no name/);
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
  for (const name of ['a.lock.0123456789ab', 'b.lock.0123456789ab', 'a.lock.0123456789ab.dead', 'b.lock'])
    await writeFile(path.join(path.dirname(lock), name), '{}');
  const yesterday = Date.now() / 1000 - 25 * 60 * 60;
  for (const name of ['a.lock.0123456789ab', 'a.lock.0123456789ab.dead', 'b.lock'])
    await utimes(path.join(path.dirname(lock), name), yesterday, yesterday);

  await withLock(lock, 'mine', () => Promise.resolve());

  expect((await readdir(path.dirname(lock))).sort()).toEqual(['b.lock', 'b.lock.0123456789ab']);
});

it('lets one of many through when all see the lock of a dead owner', async () => {
  const dead = startHolder('process.kill(process.pid, "SIGKILL");');
  await dead.ended;
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setTimeout(resolve, 20));
    inside--;
  };

  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => withLock(lock, 'race', work)));

  expect(most).toBe(1);
  expect(outcomes.some((outcome) => outcome.status === 'fulfilled')).toBe(true);
});
