// Two ranks of MPI that know each other: mpi4py and mpirun of one environment must be of one MPI.
import { describeEnd, type CommandEnd } from '../system/run-command.ts';
import type { InsideCommand } from './gate-container.ts';
import type { RawResult } from './raw-result.ts';

const NAME = 'MPI hello on two ranks';
const HELLO = `from mpi4py import MPI
c = MPI.COMM_WORLD
print('condense', c.rank, c.size, c.allreduce(c.rank + 1), flush=True)`;

export function planMpiHello(condaPrefix: string, timeoutMs: number): InsideCommand {
  return {
    program: `${condaPrefix}/bin/mpirun`,
    args: ['-n', '2', `${condaPrefix}/bin/python3`, '-c', HELLO],
    timeoutMs,
    // Open MPI 4 and 5 (PRRTE) count processors and refuse root unless told; others do not know these variables.
    env: {
      OMPI_MCA_rmaps_base_oversubscribe: '1',
      PRTE_MCA_rmaps_default_mapping_policy: ':oversubscribe',
      OMPI_ALLOW_RUN_AS_ROOT: '1',
      OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1',
      PRTE_ALLOW_RUN_AS_ROOT: '1',
      PRTE_ALLOW_RUN_AS_ROOT_CONFIRM: '1',
    },
  };
}

export function readMpiHello(end: CommandEnd, seconds: number, timeoutMs: number): RawResult {
  const said = end.stdout.toString('utf8');
  const ranks = said
    .split('\n')
    .filter((line) => line.startsWith('condense '))
    .sort();
  const tail = `${said}${end.stderr}`.trimEnd().split('\n').slice(-20).join('\n');
  const fail = (why: string): RawResult => ({ name: NAME, seconds, failure: `${why}\n${tail}`.trimEnd() });
  if (end.timedOut || end.exitCode !== 0) return fail(`mpirun ${describeEnd(end, timeoutMs)}`);
  if (ranks.join() === 'condense 0 2 3,condense 1 2 3') return { name: NAME, seconds };
  if (ranks.every((line) => line === 'condense 0 1 1') && ranks.length === 2)
    return fail('each of the two ranks is alone: mpi4py belongs to another MPI than mpirun');
  return fail('mpirun ended with status 0, but its ranks did not add up');
}
