// Slurm's commands and answers: sbatch(1), squeue(1), scancel(1). 22.05 was tried.
import type { BatchSystem, Ending, TaskState } from './batch-system.ts';

/** squeue(1), JOB STATE CODES; what is in none of these lists waits. */
const ENDINGS: Readonly<Record<string, Ending>> = {
  COMPLETED: 'itself',
  FAILED: 'itself',
  TIMEOUT: 'walltime',
  DEADLINE: 'walltime',
  OUT_OF_MEMORY: 'memory',
  CANCELLED: 'cancelled',
  REVOKED: 'cancelled',
  NODE_FAIL: 'node',
  BOOT_FAIL: 'node',
  PREEMPTED: 'node',
};
const RUNNING = ['RUNNING', 'COMPLETING', 'SUSPENDED', 'STOPPED', 'SIGNALING', 'STAGE_OUT'];

export const slurm: BatchSystem = {
  name: 'Slurm',
  // Of an option that stands twice sbatch takes the last one: condense's own hold.
  planSubmit: ({ name, tasks, atOnce, options, script, dir, log }) => ({
    program: 'sbatch',
    args: [
      ...options,
      '--parsable',
      `--job-name=${name}`,
      `--array=1-${tasks}${atOnce === undefined ? '' : `%${atOnce}`}`,
      `--chdir=${dir}`,
      // sbatch(1), "filename pattern": %a is the number of the task.
      ...['output', 'error'].map((stream) => `--${stream}=${log('\0').replaceAll('%', '%%').replace('\0', '%a')}`),
      script,
    ],
  }),
  // `4711`, or `4711;cluster`
  parseJobId: (stdout) => /^(\d+)(;\S+)?$/.exec(stdout.trim())?.[1],
  planQuery: (job) => ({
    program: 'squeue',
    // Ended jobs are listed for MinJobAge, 300 s by default; then it is an "Invalid job id specified" with status 1.
    args: ['--noheader', '--array', '--states=all', '--format=%K|%T|%r|%N', `--jobs=${job}`],
  }),
  parseStates: (stdout) => {
    const states = new Map<number, TaskState>();
    for (const line of stdout.split('\n')) {
      const [index = '', state = '', why = '', where = ''] = line.trim().split('|');
      if (!/^\d+$/.test(index)) continue;
      const how = ENDINGS[state];
      if (how) states.set(Number(index), { state: 'ended', how, said: why === 'None' ? state : `${state}, ${why}` });
      else if (RUNNING.includes(state)) states.set(Number(index), { state: 'running', where });
      else states.set(Number(index), { state: 'waiting', why });
    }
    return states;
  },
  planCancel: (job) => ({ program: 'scancel', args: [job] }),
  // slurmstepd: error: *** JOB 12 ON node1 CANCELLED AT 2026-11-21T12:00:00 DUE TO TIME LIMIT ***
  parseLog: (text) =>
    text.includes('DUE TO TIME LIMIT')
      ? 'walltime'
      : /oom.kill event|out-of-memory handler/i.test(text)
        ? 'memory'
        : undefined,
};
