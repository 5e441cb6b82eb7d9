// Locks that say who, where and since when. A dead owner on this host is cleared; another host's lock never is.
import { randomBytes } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { link, makeDir, readText, rename, removeTree, writeNewFile } from '../system/files.ts';
import { removeDayOldFiles } from '../system/streamed-files.ts';

const LockOwner = z.object({
  user: z.string(),
  host: z.string(),
  pid: z.int(),
  /** Start time of that process in clock ticks after boot: tells it from a later one with the same pid (proc_pid_stat(5), field 22). */
  started: z.string(),
  purpose: z.string(),
  since: z.string(),
});
export type LockOwner = z.infer<typeof LockOwner>;

export interface LockOptions {
  /** How long to wait for a lock that is held; 0, the default, refuses at once. */
  readonly waitMs?: number | undefined;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** Publishing holds its lock for milliseconds: whoever meets it waits. */
export const PUBLISH_WAIT_MS = 30_000;
const POLL_MS = 50;

/**
 * Runs `work` while holding the lock; releases it however the work ends.
 * @param file the lock, e.g. `<admin>/locks/analysis3-26.11.lock`
 * @throws AppError LOCK_HELD (exit 11), the signal's reason, or what the work throws
 */
export async function withLock<T>(
  file: string,
  purpose: string,
  work: () => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  await makeDir(path.dirname(file));
  const mine: LockOwner = {
    user: os.userInfo().username,
    host: os.hostname(),
    pid: process.pid,
    started: (await readStartTime(process.pid)) ?? '',
    purpose,
    since: new Date().toISOString(),
  };
  await waitForLock(file, JSON.stringify(mine), options);
  try {
    await removeDayOldFiles(path.dirname(file), isAbandonedLock);
    return await work();
  } finally {
    await removeTree(file);
  }
}

async function waitForLock(file: string, content: string, { waitMs = 0, signal }: LockOptions): Promise<void> {
  const until = performance.now() + waitMs;
  for (;;) {
    signal?.throwIfAborted();
    try {
      await takeLock(file, content);
      return;
    } catch (error) {
      if (!(error instanceof AppError) || performance.now() >= until) throw error;
    }
    await sleep(POLL_MS);
  }
}

/** What a process leaves that is killed while it takes or clears a lock. */
const isAbandonedLock = (name: string): boolean => /\.lock\.[0-9a-f]{12}(\.dead)?$/.test(name);

async function takeLock(file: string, content: string): Promise<void> {
  const aside = `${file}.${randomBytes(6).toString('hex')}`;
  await writeNewFile(aside, content);
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        await link(aside, file); // whole or not at all, and only if nobody holds it
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      await removeDeadLock(file);
    }
    throw lockHeld(file, undefined);
  } finally {
    await removeTree(aside);
  }
}

/** Clears a lock whose owner is a process of this host that is gone. @throws AppError LOCK_HELD when it is not */
async function removeDeadLock(file: string): Promise<void> {
  const seen = await readIfThere(file);
  if (seen === undefined) return;
  const owner = parseOwner(seen);
  if (owner?.host !== os.hostname() || (await readStartTime(owner.pid)) === owner.started) {
    throw lockHeld(file, owner);
  }
  const grave = `${file}.${randomBytes(6).toString('hex')}.dead`;
  try {
    await rename(file, grave); // only one of several that saw the dead lock gets it
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const taken = await readText(grave);
  // Somebody took over between our look and our rename: theirs is alive, so it goes back.
  if (taken !== seen) await link(grave, file);
  await removeTree(grave);
  if (taken !== seen) throw lockHeld(file, parseOwner(taken));
}

function lockHeld(file: string, owner: LockOwner | undefined): AppError {
  const who = owner
    ? `${owner.user} on ${owner.host} (pid ${owner.pid}) since ${owner.since}, for: ${owner.purpose}`
    : 'somebody who left no name';
  return new AppError(EXIT.locked, {
    code: 'LOCK_HELD',
    message: `is held by ${who}`,
    at: file,
    hint:
      owner && owner.host !== os.hostname()
        ? `wait; if that process is gone (ssh ${owner.host} ps -p ${owner.pid}), remove ${file}`
        : 'wait for it to finish, then run the command again',
  });
}

function parseOwner(text: string): LockOwner | undefined {
  try {
    return LockOwner.parse(JSON.parse(text));
  } catch {
    return undefined; // not ours to judge: it counts as held
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readText(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** `undefined` when there is no such process. The command name may hold blanks and brackets, so count from the last `)`. */
async function readStartTime(pid: number): Promise<string | undefined> {
  const stat = await readIfThere(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
