// Locks that say who, where and since when. A dead owner on this host is cleared; another host's lock never is.
import { randomBytes } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { readAccountName } from '../system/account.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { makeSharedDir, readdir, readText, rename, removeTree, writeNewFile } from '../system/files.ts';
import { readStartTime } from '../system/process-identity.ts';
import { removeDayOldFiles } from '../system/streamed-files.ts';

const LockOwner = z.object({
  user: z.string(),
  host: z.string(),
  pid: z.int(),
  /** Boot and start time of that process: tell it from a later one with the same pid. */
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
const POLL_MS = 100;

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
  await makeSharedDir(path.dirname(file));
  const mine: LockOwner = {
    user: readAccountName(),
    host: os.hostname(),
    pid: process.pid,
    started: (await readStartTime(process.pid)) ?? '',
    purpose,
    since: new Date().toISOString(),
  };
  const claim = await waitForLock(file, JSON.stringify(mine), options);
  try {
    await removeDayOldFiles(path.dirname(file), isAbandonedClaim);
    return await work();
  } finally {
    await removeTree(claim);
  }
}

/** Two that claim at the same moment both step back; after a random pause one of them is first. */
const CLAIMS = 5;

/** @returns the file that stands for this process until it is removed */
async function waitForLock(file: string, content: string, { waitMs = 0, signal }: LockOptions): Promise<string> {
  const until = performance.now() + waitMs;
  for (let claims = 1; ; claims++) {
    signal?.throwIfAborted();
    try {
      return await claimLock(file, content);
    } catch (error) {
      if (!(error instanceof AppError) || (claims >= CLAIMS && performance.now() >= until)) throw error;
    }
    await sleep(POLL_MS * Math.random());
  }
}

/**
 * Every claim is a file of its own name, so clearing a dead one can never hit one that is alive: first the claim is
 * made, then the others are looked at. Whoever sees nobody else holds the lock.
 */
async function claimLock(file: string, content: string): Promise<string> {
  const claim = `${file}.${randomBytes(6).toString('hex')}`;
  await writeNewFile(`${claim}.tmp`, content);
  await rename(`${claim}.tmp`, claim);
  try {
    for (const other of await readClaims(file)) if (other !== claim) await removeDeadClaim(other);
  } catch (error) {
    await removeTree(claim);
    throw error;
  }
  return claim;
}

async function readClaims(file: string): Promise<string[]> {
  const dir = path.dirname(file);
  const prefix = `${path.basename(file)}.`;
  const names = (await readdir(dir)).filter(
    (name) => name.startsWith(prefix) && /^[0-9a-f]{12}$/.test(name.slice(prefix.length)),
  );
  return names.map((name) => path.join(dir, name));
}

/** What a process leaves that is killed while it makes a claim. */
const isAbandonedClaim = (name: string): boolean => /\.lock\.[0-9a-f]{12}\.tmp$/.test(name);

/** Clears the claim of a process of this host that is gone. @throws AppError LOCK_HELD when it is not */
async function removeDeadClaim(claim: string): Promise<void> {
  const text = await readIfThere(claim);
  if (text === undefined) return;
  const owner = parseOwner(text);
  if (owner?.host !== os.hostname() || (await readStartTime(owner.pid)) === owner.started) throw lockHeld(claim, owner);
  await removeTree(claim);
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
