// The one error type for what a person can mend: what is wrong, where, and what to do. Anything else that is thrown is our bug.
import type { ExitCode } from './exit-codes.ts';

export interface Problem {
  /** `NOUN_PROBLEM`, stable, e.g. `CONFIG_INVALID`. */
  readonly code: string;
  readonly message: string;
  /** `file:line:column` or a path. */
  readonly at?: string | undefined;
  /** What to do now, pasteable where possible. */
  readonly hint?: string | undefined;
}

export class AppError extends Error {
  override readonly name = 'AppError';
  readonly exit: ExitCode;
  readonly problems: readonly Problem[];

  /** @param problems at least one; all problems of a file are reported together. */
  constructor(exit: ExitCode, problems: Problem | readonly Problem[], options?: ErrorOptions) {
    const list = Array.isArray(problems) ? (problems as readonly Problem[]) : [problems as Problem];
    super(
      list.map((problem) => (problem.at ? `${problem.at}: ${problem.message}` : problem.message)).join('\n'),
      options,
    );
    this.exit = exit;
    this.problems = list;
  }
}

/** The message of anything that was thrown (the solver throws strings). */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
