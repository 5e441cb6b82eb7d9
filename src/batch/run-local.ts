// Tasks as processes of this machine, some at a time.
import pLimit from 'p-limit';
import { runCommand } from '../system/run-command.ts';
import type { Task } from './job-script.ts';
import { describeStatus, type OnLine, type TaskOutcome } from './task-outcome.ts';

export interface LocalRun {
  readonly tasks: readonly Task[];
  readonly atOnce: number;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly onLine: OnLine;
  readonly signal: AbortSignal;
}

/** How long a task may clean up once it is told to end. */
const CLEAN_UP_MS = 60_000;
const ANY_STATUS = Array.from({ length: 256 }, (_, status) => status);

/**
 * Every task runs, whatever becomes of the others.
 * @throws the signal's reason, once every task has ended
 */
export async function runLocalTasks({ tasks, atOnce, cwd, env, onLine, signal }: LocalRun): Promise<TaskOutcome[]> {
  const limit = pLimit(atOnce);
  const run = async ({ name, words: [program = '', ...args] }: Task): Promise<TaskOutcome> => {
    if (signal.aborted) return { name, exit: 130 };
    const { exitCode } = await runCommand({
      ...{ program, args, cwd, env, signal },
      onLine: (line, from) => {
        onLine(name, line, from);
      },
      okExitCodes: ANY_STATUS,
      signalAsStatus: true,
      ownGroup: true,
      killAfterMs: CLEAN_UP_MS,
    });
    return describeStatus(name, exitCode, undefined);
  };
  const settled = await Promise.allSettled(tasks.map((task) => limit(() => run(task))));
  signal.throwIfAborted();
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}
