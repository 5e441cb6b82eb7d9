// What condense asks of a batch system, as pure data: command lines to run, and what their answers mean.

/** What is submitted: one job, or an array of as many tasks as there are. */
export interface Submission {
  /** A job's name of this submission alone: letters, digits and dashes. */
  readonly name: string;
  readonly tasks: number;
  /** How many of them may run at the same time. Default: as many as the batch system lets. */
  readonly atOnce?: number | undefined;
  /** The site's own words, before condense's. */
  readonly options: readonly string[];
  readonly script: string;
  /** The directory that the job starts in. */
  readonly dir: string;
  /** Where the batch system's own messages go: the path for a task, given the system's word for its number. */
  readonly log: (index: string) => string;
}

/** A program and its arguments. */
export interface Words {
  readonly program: string;
  readonly args: readonly string[];
  /** Exit codes that are an answer. Default: 0 only. */
  readonly okExitCodes?: readonly number[];
}

/** What the batch system says of one task. */
export type TaskState =
  | { readonly state: 'waiting'; readonly why: string }
  | { readonly state: 'running'; readonly where: string }
  | { readonly state: 'ended'; readonly how: Ending; readonly said: string };

/** Why a task ended, as far as the batch system says: `itself` is by its own exit. */
export type Ending = 'itself' | 'walltime' | 'memory' | 'cancelled' | 'node' | 'unknown';

export interface BatchSystem {
  readonly name: 'Slurm' | 'PBS';
  readonly planSubmit: (submission: Submission) => Words;
  /** @returns undefined where the answer of the submission is none */
  readonly parseJobId: (stdout: string) => string | undefined;
  readonly planQuery: (job: string) => Words;
  /** @returns by the number of the task; one that is not in it is not known to the batch system any more */
  readonly parseStates: (stdout: string) => ReadonlyMap<number, TaskState>;
  readonly planCancel: (job: string) => Words;
  /** What the log that the batch system writes for a task says of its end. */
  readonly parseLog: (text: string) => Ending | undefined;
}
