// What Slurm says of jobs, where the site has it: when the oldest that runs was submitted, and whether one has surely ended.
import type { CollectRules } from '../config/site-config.ts';
import { errorMessage } from '../system/app-error.ts';
import { findProgram } from '../system/find-program.ts';
import { minimalEnvironment, runCommand } from '../system/run-command.ts';

export type OldestJob =
  | { readonly state: 'none' }
  | { readonly state: 'known'; readonly submittedMs: number; readonly job: string }
  /** There is a scheduler, and it did not answer. */
  | { readonly state: 'unknown'; readonly why: string };

/**
 * The time of submission counts, not that of the start: sbatch takes the environment along, and with it the pin.
 * @param which as `gc: scheduler`
 */
export async function readOldestJob(which: CollectRules['scheduler']): Promise<OldestJob> {
  if (which === 'none') return { state: 'none' };
  if (which === 'auto' && (await findProgram('squeue')) === undefined) return { state: 'none' };
  try {
    // squeue(1): %V is the time of submission, in the zone of TZ. Pending jobs have not loaded anything that could go.
    const states = '--states=RUNNING,SUSPENDED,COMPLETING,CONFIGURING';
    return parseOldestJob(await askSlurm('squeue', '--noheader', '--all', states, '--format=%V %i'));
  } catch (error) {
    return { state: 'unknown', why: errorMessage(error).split('\n')[0] ?? '' };
  }
}

/** @param text lines of `2026-11-21T13:00:00 4711`, UTC */
export function parseOldestJob(text: string): OldestJob {
  let oldest: OldestJob = { state: 'none' };
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    const [, time = '', job = ''] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d) (\S+)\s*$/.exec(line) ?? [];
    const submittedMs = Date.parse(`${time}Z`);
    if (Number.isNaN(submittedMs)) return { state: 'unknown', why: `squeue says ${JSON.stringify(line)}` };
    if (oldest.state !== 'known' || submittedMs < oldest.submittedMs) oldest = { state: 'known', submittedMs, job };
  }
  return oldest;
}

/** A job of a batch system as a lock names it. */
export interface NamedJob {
  /** `Slurm job 4711` */
  readonly job?: string | undefined;
  /** Slurm's ClusterName, of what the script of a job started. */
  readonly cluster?: string | undefined;
}

/**
 * Whether no process of that job can be at work any more: Slurm of this host says that it ended, and its node answers Slurm,
 * which would have had it kill what it still ran (slurmctld, validate_jobs_on_node). A node that failed may be at work,
 * unseen. Not known any more (MinJobAge, 300 s by default), no answer, another cluster, PBS: nobody can tell.
 */
export async function hasJobSurelyEnded({ job, cluster }: NamedJob): Promise<boolean> {
  const id = /^Slurm job (\d+)$/.exec(job ?? '')?.[1];
  if (id === undefined || !cluster || (await findProgram('squeue')) === undefined) return false;
  try {
    const config = await askSlurm('scontrol', 'show', 'config');
    if (/^ClusterName\s*= (\S+)$/m.exec(config)?.[1] !== cluster) return false;
    const [state = '', nodes = ''] = (
      await askSlurm('squeue', '--noheader', '--states=all', '--format=%T|%N', `--jobs=${id}`)
    )
      .trim()
      .split('|');
    if (!ENDED.includes(state)) return false;
    if (nodes === '') return true; // it never had one
    const answers = (await askSlurm('sinfo', '--noheader', `--nodes=${nodes}`, '--format=%T')).split('\n');
    return answers.every((one) => one.trim() === '' || ANSWERS.includes(one.trim()));
  } catch {
    return false; // an answer that did not come is none: the lock counts as held
  }
}

/** squeue(1), JOB STATE CODES: the ends that the node itself has reported. */
const ENDED = ['COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT', 'DEADLINE', 'OUT_OF_MEMORY', 'PREEMPTED'];
/** sinfo(1), NODE STATE CODES: without the `*` of a node that does not answer. */
const ANSWERS = ['idle', 'allocated', 'mixed', 'completing', 'draining', 'drained', 'reserved', 'planned'];

async function askSlurm(program: string, ...args: readonly string[]): Promise<string> {
  const conf = process.env['SLURM_CONF'];
  const env = { ...minimalEnvironment(), TZ: 'UTC', ...(conf === undefined ? {} : { SLURM_CONF: conf }) };
  const { stdout } = await runCommand({ program, args, env, timeoutMs: 30_000 });
  return stdout.toString('utf8');
}
