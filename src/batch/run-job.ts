// Runs tasks as one job of a batch system: submits it, tells what it prints while it runs, ends it when condense is ended.
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobLayout } from '../site/layout.ts';
import { AppError, errorMessage, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, readText } from '../system/files.ts';
import { runCommand } from '../system/run-command.ts';
import type { BatchSystem, Ending, Submission, TaskState, Words } from './batch-system.ts';
import { FollowedFile } from './follow-file.ts';
import type { Task } from './job-script.ts';
import { describeStatus, type OnLine, type TaskOutcome } from './task-outcome.ts';

export interface JobRun {
  readonly system: BatchSystem;
  readonly submission: Submission;
  readonly job: JobLayout;
  readonly tasks: readonly Task[];
  readonly env: Readonly<Record<string, string>>;
  readonly onLine: OnLine;
  readonly note: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Files are looked at so often; the batch system is asked after a second, then ever less often. */
const LOOK_MS = 500;
const ASK_MS = { first: 1000, last: 30_000 };
/** What a job may take to clean up after it is told to end: Slurm's KillWait is 30 s by default, kill_delay of PBS 10 s. */
const CANCEL_MS = 90_000;
/** How long a status may need to arrive from the node after the batch system calls the task ended: nfs(5), acdirmax. */
const ARRIVAL_MS = 60_000;
/** The same where the batch system says that it was the one who ended the task: only the last lines are awaited. */
const LAST_LINES_MS = 5000;

/**
 * Every task runs, whatever becomes of the others. The script must be in its place.
 * @throws AppError JOB_NOT_SUBMITTED (exit 4); the signal's reason, once the job is told to end and has ended
 */
export async function runJob(run: JobRun): Promise<TaskOutcome[]> {
  const { system, tasks, note, signal, job } = run;
  signal.throwIfAborted();
  const id = await submit(run);
  const names = tasks.map(({ name }) => name).join(', ');
  note(`${system.name} job ${id} is submitted: ${names}; its files are in ${job.dir}`);
  const watched = tasks.map((task, at) => new WatchedTask(run, task, at + 1));
  let cancelled: number | undefined;
  let asked = performance.now();
  let askMs = ASK_MS.first;
  for (;;) {
    for (const task of watched) await task.look();
    if (watched.every((task) => task.outcome)) break;
    const now = performance.now();
    if (signal.aborted && cancelled === undefined) {
      cancelled = now;
      note(`${system.name} job ${id} is told to end`);
      await ask(system.planCancel(id), run).catch((error: unknown) => {
        note(`that failed, so end it by hand (${describe(system.planCancel(id))}): ${errorMessage(error)}`);
      });
      askMs = ASK_MS.first;
    }
    if (cancelled !== undefined && now - cancelled > CANCEL_MS) {
      note(`${system.name} job ${id} has not ended yet: look with ${describe(system.planQuery(id))}`);
      break;
    }
    if (now - asked > (watched.some((task) => task.wantsAnswer) ? ASK_MS.first : askMs)) {
      await askAll(run, id, watched);
      asked = performance.now();
      askMs = Math.min(askMs * 2, ASK_MS.last);
    }
    await sleep(LOOK_MS, undefined, cancelled === undefined ? { signal } : {}).catch(() => undefined);
  }
  signal.throwIfAborted();
  return watched.map(({ outcome, task }) => outcome ?? { name: task.name, exit: EXIT.buildFailed });
}

async function submit(run: JobRun): Promise<string> {
  const { system, submission } = run;
  const words = system.planSubmit(submission);
  // Not ended by ^C: then nobody would know the number of the job that it may have made.
  const { stdout } = await runCommand({
    ...words,
    cwd: submission.dir,
    env: run.env,
    ownGroup: true,
    timeoutMs: 120_000,
    failureExit: EXIT.siteNotReady,
    failureHint: `see that ${words.program} works here; scheduler.options of the configuration has the site's options`,
  });
  const id = system.parseJobId(stdout.toString('utf8'));
  if (id !== undefined) return id;
  throw new AppError(EXIT.siteNotReady, {
    code: 'JOB_NOT_SUBMITTED',
    message: `${words.program} did not say the number of the job, but: ${stdout.toString('utf8').trim().slice(0, 500)}`,
    hint: `look whether there is a job called ${submission.name}`,
  });
}

async function ask(words: Words, run: JobRun): Promise<string> {
  const { stdout } = await runCommand({ ...words, env: run.env, ownGroup: true, timeoutMs: 60_000 });
  return stdout.toString('utf8');
}

async function askAll(run: JobRun, id: string, watched: readonly WatchedTask[]): Promise<void> {
  let states: ReadonlyMap<number, TaskState>;
  try {
    states = run.system.parseStates(await ask(run.system.planQuery(id), run));
  } catch (error) {
    const text = errorMessage(error);
    // squeue(1) of a job that ended long ago. Anything else is a server that does not answer: the job goes on without it.
    if (!/Invalid job id/i.test(text)) {
      for (const task of watched) task.noAnswer(text.split('\n').at(-1) ?? '');
      return;
    }
    states = new Map();
  }
  for (const task of watched)
    task.hear(states.get(task.index) ?? { state: 'ended', how: 'unknown', said: 'it is not known any more' });
}

const describe = ({ program, args }: Words): string => [program, ...args].join(' ');

/** One task: what it printed, what the batch system says of it, and at last how it ended. */
class WatchedTask {
  readonly index: number;
  readonly task: Task;
  readonly #run: JobRun;
  readonly #streams: readonly { readonly from: 'stdout' | 'stderr'; readonly file: FollowedFile }[];
  #told = '';
  #status: number | undefined;
  #ended: { readonly how: Ending; readonly said: string; readonly since: number } | undefined;
  outcome: TaskOutcome | undefined;

  constructor(run: JobRun, task: Task, index: number) {
    this.#run = run;
    this.task = task;
    this.index = index;
    this.#streams = [
      { from: 'stderr', file: new FollowedFile(run.job.taskFile(index, 'err')) },
      { from: 'stdout', file: new FollowedFile(run.job.taskFile(index, 'out')) },
    ];
  }

  /** A status of a signal: was that the batch system, and why? */
  get wantsAnswer(): boolean {
    return !this.outcome && this.#status !== undefined && this.#ended === undefined;
  }

  /** Tells what is new, and notices the end. */
  async look(): Promise<void> {
    if (this.outcome) return;
    this.#status ??= await this.#readStatus();
    await this.#tell(false);
    const status = this.#status;
    if (status === undefined) {
      if (this.#ended && performance.now() - this.#ended.since > this.#patienceMs(this.#ended.how))
        await this.#end(undefined);
    } else if (status < 128 || this.#ended) await this.#end(status);
  }

  #patienceMs(how: Ending): number {
    if (this.#run.signal.aborted) return 0;
    return how === 'itself' || how === 'unknown' ? ARRIVAL_MS : LAST_LINES_MS;
  }

  hear(state: TaskState): void {
    if (this.outcome) return;
    const { name } = this.task;
    if (state.state === 'ended') {
      const { how, said } = state;
      this.#ended ??= { how, said, since: performance.now() };
      return;
    }
    // It was put back into the queue, or ends: a status of a signal may be that of an earlier run.
    this.#ended = undefined;
    if ((this.#status ?? 0) >= 128) this.#status = undefined;
    const text =
      state.state === 'waiting'
        ? `${name} waits for a node${state.why === '' || state.why === 'None' ? '' : ` (${state.why})`}`
        : `${name} runs${state.where === '' ? '' : ` on ${state.where}`}`;
    this.#note(text);
  }

  noAnswer(why: string): void {
    if (!this.outcome)
      this.#note(`${this.task.name}: ${this.#run.system.name} does not answer, the job goes on: ${why}`);
  }

  #note(text: string): void {
    if (text !== this.#told) this.#run.note(text);
    this.#told = text;
  }

  async #tell(atEnd: boolean): Promise<void> {
    for (const { from, file } of this.#streams)
      for (const line of await file.readNewLines(atEnd)) this.#run.onLine(this.task.name, line, from);
  }

  async #readStatus(): Promise<number | undefined> {
    const file = this.#run.job.taskFile(this.index, 'status');
    if (!(await lstatIfThere(file))) return undefined;
    const status = Number(await readText(file));
    return Number.isInteger(status) ? status : undefined;
  }

  async #end(status: number | undefined): Promise<void> {
    await this.#tell(true);
    const log = this.#run.job.systemLog(this.index);
    const text = (await lstatIfThere(log)) ? await readText(log) : '';
    const how = this.#run.system.parseLog(text) ?? this.#ended?.how ?? 'unknown';
    const { name } = this.task;
    const isOwn = status !== undefined && (status < 128 || how === 'itself' || how === 'unknown');
    this.outcome = isOwn
      ? describeStatus(name, status, log)
      : { name, exit: EXIT.buildFailed, problem: this.#describe(how, log, text) };
  }

  #describe(how: Ending, log: string, text: string): Problem {
    const { name } = this.task;
    const { system } = this.#run;
    const said = this.#ended?.said ?? '';
    const what: Readonly<Record<Ending, readonly [code: string, message: string, hint: string]>> = {
      walltime: [
        'JOB_WALLTIME',
        `${name} did not end in the time that its job has`,
        'ask for more (--time or -l walltime in scheduler.options of the configuration), then run the same command again',
      ],
      memory: [
        'JOB_MEMORY',
        `${name} used more memory than its job has`,
        'ask for more (--mem or -l mem in scheduler.options), or set squashfs.memory_mib; then run the same command again',
      ],
      cancelled: ['JOB_CANCELLED', `somebody cancelled the job of ${name}`, 'run the same command again'],
      node: ['JOB_NODE_FAILED', `${system.name} lost the node of ${name} (${said})`, 'run the same command again'],
      itself: ['JOB_LOST', `${name} ended, and left no exit status (${said})`, `cat ${log}`],
      unknown: ['JOB_LOST', `${name} ended, and left no exit status (${said})`, `cat ${log}`],
    };
    const [code, message, hint] = what[how];
    const tail = text.trimEnd().split('\n').slice(-10).join('\n');
    return { code, message: tail === '' ? message : `${message}\n${tail}`, at: log, hint };
  }
}
