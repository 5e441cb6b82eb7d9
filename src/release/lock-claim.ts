// The claims of locks as they are on disk: one file for each process that holds a lock or asks for it, saying who that is.
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { readAccountName } from '../system/account.ts';
import { pathExists, readdir, readLinkIfThere, readText } from '../system/files.ts';
import { readStartTime } from '../system/process-identity.ts';

const LockOwner = z.object({
  user: z.string(),
  host: z.string(),
  pid: z.int(),
  /** Boot and start time of that process: tell it from a later one with the same pid. */
  started: z.string(),
  /** Where that pid means something: a container on the same host counts its own processes (pid_namespaces(7)). */
  pidNamespace: z.string().optional(),
  /** The job that it runs in, e.g. `Slurm job 1234`. */
  job: z.string().optional(),
  /** Of Slurm, and only where the job's script started it: then it ends with its job. Jobs of other clusters have the same numbers. */
  cluster: z.string().optional(),
  purpose: z.string(),
  since: z.string(),
});
export type LockOwner = z.infer<typeof LockOwner>;

export interface Claim {
  readonly file: string;
  /** Absent where the file is damaged. */
  readonly owner?: LockOwner | undefined;
  /**
   * Whether its process is at work: `alive` and `dead` are known, `unknown` is what nobody can tell from here, since it
   * is on another host or in another container.
   */
  readonly state: 'alive' | 'dead' | 'unknown';
}

/** `analysis3-26.11.lock.0123456789ab` */
const CLAIM = /^(.+\.lock)\.[0-9a-f]{12}$/;

/** @returns the lock's file name, of what is the name of a claim */
export const lockOfClaim = (name: string): string | undefined => CLAIM.exec(name)?.[1];

/** What a process leaves that is killed while it makes a claim. */
export const isAbandonedClaim = (name: string): boolean => /\.lock\.[0-9a-f]{12}\.tmp$/.test(name);

/** What this process writes into its claims. */
export async function readLockOwner(purpose: string): Promise<LockOwner> {
  const job = describeJob(process.env);
  const pidNamespace = await readLinkIfThere(PID_NAMESPACE);
  return {
    user: readAccountName(),
    host: os.hostname(),
    pid: process.pid,
    started: (await readStartTime(process.pid)) ?? '',
    ...(pidNamespace === undefined ? {} : { pidNamespace }),
    ...(job === undefined ? {} : { job, cluster: process.env['CONDENSE_JOB_CLUSTER'] }),
    purpose,
    since: new Date().toISOString(),
  };
}

const PID_NAMESPACE = '/proc/self/ns/pid';

/** sbatch(1) and qsub(1B) set these for what they run. */
export function describeJob(env: Readonly<Record<string, string | undefined>>): string | undefined {
  for (const [name, scheduler] of [
    ['SLURM_JOB_ID', 'Slurm'],
    ['PBS_JOBID', 'PBS'],
  ] as const) {
    const id = env[name];
    if (id !== undefined && /^[\w.[\]-]{1,100}$/.test(id)) return `${scheduler} job ${id}`;
  }
  return undefined;
}

/** The claims in a directory of locks, by name; with `lock` (its file name) only those of that one. */
export async function readClaims(dir: string, lock?: string): Promise<Claim[]> {
  if (!(await pathExists(dir))) return [];
  const claims: Claim[] = [];
  for (const name of (await readdir(dir)).sort()) {
    const of = lockOfClaim(name);
    if (of === undefined || (lock !== undefined && of !== lock)) continue;
    const claim = await readClaim(path.join(dir, name));
    if (claim) claims.push(claim);
  }
  return claims;
}

/** @returns undefined where it has gone meanwhile */
async function readClaim(file: string): Promise<Claim | undefined> {
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  const owner = parseOwner(text);
  return { file, owner, state: owner ? await probeOwner(owner) : 'unknown' };
}

async function probeOwner(owner: LockOwner): Promise<Claim['state']> {
  if (owner.host !== os.hostname()) return 'unknown';
  if (owner.pidNamespace !== undefined && owner.pidNamespace !== (await readLinkIfThere(PID_NAMESPACE)))
    return 'unknown';
  return (await readStartTime(owner.pid)) === owner.started ? 'alive' : 'dead';
}

/** `anna on build1 (pid 4711, Slurm job 1234) since 2026-11-21T03:33:06.000Z, for: build of analysis3-26.11` */
export function describeOwner(owner: LockOwner | undefined): string {
  if (!owner) return 'somebody who left no name';
  const job = owner.job === undefined ? '' : `, ${owner.job}`;
  return `${owner.user} on ${owner.host} (pid ${owner.pid}${job}) since ${owner.since}, for: ${owner.purpose}`;
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
