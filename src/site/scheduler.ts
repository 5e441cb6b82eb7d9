// When the oldest job that runs now was submitted, where the site has Slurm.
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
  const conf = process.env['SLURM_CONF'];
  try {
    const { stdout } = await runCommand({
      program: 'squeue',
      // squeue(1): %V is the time of submission, in the zone of TZ. Pending jobs have not loaded anything that could go.
      args: ['--noheader', '--all', '--states=RUNNING,SUSPENDED,COMPLETING,CONFIGURING', '--format=%V %i'],
      env: { ...minimalEnvironment(), TZ: 'UTC', ...(conf === undefined ? {} : { SLURM_CONF: conf }) },
      timeoutMs: 30_000,
    });
    return parseOldestJob(stdout.toString('utf8'));
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
