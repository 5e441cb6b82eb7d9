// The commands and answers of PBS Pro and OpenPBS: qsub(1B), qstat(1B), qdel(1B). Written from their manuals; Torque differs.
import type { BatchSystem, TaskState } from './batch-system.ts';

/** qstat(1B), "Job's state". */
const ENDED = ['F', 'X', 'M'];
const RUNNING = ['R', 'E', 'S', 'U'];

/** `1234[2].server name user 00:00:01 R queue`; what is too long for its column ends in `*`. */
const LINE = /^(\d+)(?:\[(\d*)\])?\S*\s+\S+\s+\S+\s+\S+\s+([A-Z])\s+\S+\s*$/;

export const pbs: BatchSystem = {
  name: 'PBS',
  planSubmit: ({ name, tasks, atOnce, options, script, log }) => ({
    program: 'qsub',
    args: [
      ...options,
      // Otherwise it is the login shell of the account, which may be csh.
      ...['-S', '/bin/bash', '-N', name],
      // An array needs two numbers: one task is no array.
      ...(tasks > 1 ? ['-J', `1-${tasks}${atOnce === undefined ? '' : `%${atOnce}`}`] : []),
      ...['-j', 'oe', '-o', log(tasks > 1 ? '^array_index^' : '1')],
      script,
    ],
  }),
  // `1234.server`, or `1234[].server` of an array
  parseJobId: (stdout) => /^\d+(\[\])?(\.[\w.-]+)?$/.exec(stdout.trim())?.[0],
  planQuery: (job) => ({
    program: 'qstat',
    args: ['-x', '-t', job],
    // "Job has finished" where the server keeps no history, "Unknown Job Id"
    okExitCodes: [0, 35, 153],
  }),
  parseStates: (stdout) => {
    const states = new Map<number, TaskState>();
    for (const line of stdout.split('\n')) {
      const [, , index, state = ''] = LINE.exec(line) ?? [];
      if (state === '' || index === '') continue; // a heading, or the array as a whole
      const task = Number(index ?? '1');
      if (ENDED.includes(state)) states.set(task, { state: 'ended', how: 'unknown', said: `state ${state}` });
      else if (RUNNING.includes(state)) states.set(task, { state: 'running', where: '' });
      else states.set(task, { state: 'waiting', why: state === 'H' ? 'held' : 'queued' });
    }
    return states;
  },
  planCancel: (job) => ({ program: 'qdel', args: [job] }),
  // =>> PBS: job killed: walltime 3611 exceeded limit 3600
  parseLog: (text) => {
    const [, what] = /PBS: job killed: (walltime|p?v?mem)\b/.exec(text) ?? [];
    return what === undefined ? undefined : what === 'walltime' ? 'walltime' : 'memory';
  },
};
