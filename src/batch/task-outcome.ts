// How a task ended, wherever it ran, and what to tell of those that did not do what they should.
import { EXIT, type ExitCode } from '../system/exit-codes.ts';
import type { Problem } from '../system/app-error.ts';

/** What a task prints, as it comes. */
export type OnLine = (task: string, line: string, from: 'stdout' | 'stderr') => void;

export interface TaskOutcome {
  readonly name: string;
  /** Its own exit status; for what never came to one, that of its problem. */
  readonly exit: ExitCode;
  /** What it could not say itself. */
  readonly problem?: Problem | undefined;
}

const KNOWN: readonly number[] = Object.values(EXIT);

/** @param status as a shell has it: 128 and the number of the signal that ended it */
export function describeStatus(name: string, status: number, log: string | undefined): TaskOutcome {
  if (KNOWN.includes(status)) return { name, exit: status as ExitCode };
  const problem = {
    code: 'TASK_KILLED',
    message:
      status > 128
        ? `${name} was killed by signal ${status - 128}${status === 137 ? ', perhaps because it used too much memory' : ''}`
        : `${name} ended with status ${status}, which is none of condense`,
    at: log,
    hint: 'nothing that users see has changed by half; run the same command again',
  };
  return { name, exit: EXIT.buildFailed, problem };
}
