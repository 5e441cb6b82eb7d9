// Locks that say who, where and since when. A dead owner on this host is cleared; another host's only where Slurm knows that
// its job has ended.
import { randomBytes } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasJobSurelyEnded } from '../site/scheduler.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { makeSharedDir, rename, removeTree, writeNewFile } from '../system/files.ts';
import { removeDayOldFiles } from '../system/streamed-files.ts';
import { describeOwner, isAbandonedClaim, readClaims, readLockOwner, type Claim } from './lock-claim.ts';

export interface LockOptions {
  /** How long to wait for a lock that is held; 0, the default, refuses at once. */
  readonly waitMs?: number | undefined;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
  /** Told once, before it waits for long. */
  readonly onWait?: ((text: string) => void) | undefined;
}

/** Publishing holds its lock for milliseconds: whoever meets it waits. */
export const PUBLISH_WAIT_MS = 30_000;
/** Building a base takes seconds, copying Node to a slow disk some more: who meets that, or wants it to wait, waits. */
export const STORE_WAIT_MS = 300_000;
/** The first pauses are short, since two may have met by chance; who waits for a build looks ever less often. */
const POLL_MS = { first: 100, last: 1000 };

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
  const claim = await waitForLock(file, JSON.stringify(await readLockOwner(purpose)), options);
  try {
    await removeDayOldFiles(path.dirname(file), isAbandonedClaim);
    return await work();
  } finally {
    await removeTree(claim);
  }
}

/** The batch system is asked no more often. */
const ASK_MS = 30_000;

/** Two that claim at the same moment both step back; after a random pause one of them is first. */
const CLAIMS = 5;

/** @returns the file that stands for this process until it is removed */
async function waitForLock(
  file: string,
  content: string,
  { waitMs = 0, signal, onWait }: LockOptions,
): Promise<string> {
  const until = performance.now() + waitMs;
  const asked = new Map<string, number>();
  for (let claims = 1; ; claims++) {
    signal?.throwIfAborted();
    try {
      return await claimLock(file, content, asked);
    } catch (error) {
      if (!(error instanceof AppError) || (claims >= CLAIMS && performance.now() >= until)) throw error;
      if (claims === CLAIMS) onWait?.(`waits, since ${error.message}`);
    }
    const pauseMs = claims < CLAIMS * 4 ? POLL_MS.first : POLL_MS.last;
    await sleep(pauseMs * Math.random(), undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}

/**
 * Every claim is a file of its own name, so clearing a dead one can never hit one that is alive: first the claim is
 * made, then the others are looked at. Whoever sees nobody else holds the lock.
 * @param asked when the batch system was asked about which claim
 */
async function claimLock(file: string, content: string, asked: Map<string, number>): Promise<string> {
  const claim = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await writeNewFile(`${claim}.tmp`, content);
    await rename(`${claim}.tmp`, claim);
    for (const other of await readClaims(path.dirname(file), path.basename(file))) {
      if (other.file === claim) continue;
      if (other.state !== 'dead' && !(await isOfEndedJob(other, asked))) throw lockHeld(other);
      await removeTree(other.file);
    }
  } catch (error) {
    await removeTree(`${claim}.tmp`);
    await removeTree(claim);
    throw error;
  }
  return claim;
}

async function isOfEndedJob({ file, owner, state }: Claim, asked: Map<string, number>): Promise<boolean> {
  const now = performance.now();
  if (!owner || state !== 'unknown' || now - (asked.get(file) ?? Number.NEGATIVE_INFINITY) < ASK_MS) return false;
  asked.set(file, now);
  return await hasJobSurelyEnded(owner);
}

function lockHeld({ file, owner, state }: Claim): AppError {
  const name = path.basename(file);
  const look = !owner
    ? `cat ${file}`
    : owner.host === os.hostname()
      ? 'it is in another container of this host'
      : `${describeQuestion(owner.job)}ssh ${owner.host} ps -p ${owner.pid}`;
  return new AppError(EXIT.locked, {
    code: 'LOCK_HELD',
    message: `is held by ${describeOwner(owner)}`,
    at: file,
    hint:
      state === 'unknown'
        ? `wait; if its process is gone (${look}): condense unlock ${name}`
        : 'wait for it to finish, then run the command again',
  });
}

/** What a person asks first of a lock of a job. */
function describeQuestion(job = ''): string {
  const [, system, id = ''] = /^(Slurm|PBS) job (.+)$/.exec(job) ?? [];
  return system === undefined ? '' : `${system === 'Slurm' ? `squeue -j ${id}` : `qstat -x '${id}'`}; `;
}
