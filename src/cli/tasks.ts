// `--on` and `--jobs`: runs a command as tasks, one for each environment, on this machine or as a job of a batch system.
import { randomBytes } from 'node:crypto';
import process from 'node:process';
import type { BatchSystem, Submission } from '../batch/batch-system.ts';
import { renderJobScript, type Task } from '../batch/job-script.ts';
import { pbs } from '../batch/pbs.ts';
import { runJob } from '../batch/run-job.ts';
import { runLocalTasks } from '../batch/run-local.ts';
import { slurm } from '../batch/slurm.ts';
import type { TaskOutcome } from '../batch/task-outcome.ts';
import { planEnvironment } from '../build/build-plan.ts';
import type { SiteConfig } from '../config/site-config.ts';
import { SPREAD_COMMANDS } from '../config/task-commands.ts';
import type { JobLayout } from '../site/layout.ts';
import { describePlatform } from '../site/platform.ts';
import { checkBuilder, checkOwner } from '../site/permissions.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT, type ExitCode } from '../system/exit-codes.ts';
import { makePrivateDir, makeSharedDir, removeTree, writeNewFile } from '../system/files.ts';
import { describeCommand, wholeEnvironment } from '../system/run-command.ts';
import { chooseEnvironments } from './choose-environments.ts';
import type { Session } from './session.ts';
import type { TaskCommand } from './task-command.ts';
import { readLargestFirst } from './task-order.ts';
import { chooseTested } from './test.ts';

export interface TaskOptions {
  readonly on?: 'local' | 'slurm' | 'pbs' | undefined;
  /** How many run at the same time. */
  readonly jobs?: number | undefined;
  readonly all?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

/** What a job on another node reads of its caller's environment: where programs are, the network, logins (docs/admin.md). */
const PASSED =
  /^(PATH|NETRC|RATTLER_AUTH_FILE|BINSTAR_CONFIG_DIR|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS|CONDA_OVERRIDE_[A-Z0-9_]+|https?_proxy|no_proxy)$/i;

/**
 * @returns the exit status of the first task, in the order of the command line, that failed
 * @throws AppError with that status, where several tasks are to be told of or one could not say itself why it ended
 */
export async function runTasks(session: Session, command: TaskCommand, options: TaskOptions): Promise<ExitCode> {
  const tasks = await readTasks(session, command, options);
  const { on = 'local', jobs } = options;
  if (on !== 'local') return await runAsJob(session, command, tasks, on === 'slurm' ? slurm : pbs, options);
  const { signal } = session;
  const env = wholeEnvironment();
  const onLine = planLines(session, tasks);
  const run = { tasks, atOnce: jobs ?? 1, cwd: process.cwd(), env, onLine, signal };
  return finish(session, tasks, await runLocalTasks(run));
}

interface NamedTask extends Task {
  /** In the order of the command line, or of the configuration. */
  readonly place: number;
}

/** In the order in which they begin. @throws AppError ENVIRONMENT_UNKNOWN, USAGE_INVALID */
async function readTasks(session: Session, command: TaskCommand, { all }: TaskOptions): Promise<readonly NamedTask[]> {
  const { name, operands, options } = command;
  const { config, layout, output } = session;
  const global = ['--config', config.file, ...(output.json ? ['--json'] : []), ...(output.debug ? ['--debug'] : [])];
  const words = (rest: readonly string[]): string[] => [
    ...[process.execPath, process.argv[1] ?? ''],
    ...[...global, name, ...options, '--', ...rest],
  ];
  const names = SPREAD_COMMANDS.some((one) => one === name) ? await readNames(session, command, all) : [];
  // A stored plan names its environments itself.
  if (names.length === 0) return [{ name, words: words(operands), place: 0 }];
  const task = (one: string): NamedTask => ({ name: one, words: words([one]), place: names.indexOf(one) });
  // What is tested is on disk, and the configuration may not have it any more.
  if (name === 'test') return names.map(task);
  const environments = names.map((one) => planEnvironment(config, one));
  const ordered = await readLargestFirst(layout, environments, describePlatform(process.arch));
  return ordered.map((environment) => task(environment.name));
}

async function readNames(
  { config, layout }: Session,
  { name, operands }: TaskCommand,
  all: boolean | undefined,
): Promise<readonly string[]> {
  return name === 'test' ? await chooseTested(layout, operands, all) : chooseEnvironments(config, name, operands, all);
}

async function runAsJob(
  session: Session,
  { name }: TaskCommand,
  tasks: readonly NamedTask[],
  system: BatchSystem,
  { jobs, dryRun }: TaskOptions,
): Promise<ExitCode> {
  const { config, layout, output, signal } = session;
  const job = layout.job(`${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}-${randomBytes(4).toString('hex')}`);
  const env = wholeEnvironment();
  const script = renderJobScript(
    {
      title: `Written by condense: ${name} of ${tasks.map((task) => task.name).join(', ')}`,
      tasks,
      cwd: process.cwd(),
      env: Object.fromEntries(Object.entries(env).filter(([key]) => PASSED.test(key))),
      scratch: config.scheduler.scratch,
    },
    job,
  );
  const submission = planSubmission(config, name, tasks.length, jobs, job);
  if (dryRun) {
    const command = system.planSubmit(submission);
    output.result({ command: [command.program, ...command.args], script }, [describeCommand(command), '', script]);
    return EXIT.done;
  }
  await checkOwner(config, layout);
  await checkBuilder(config);
  await makeSharedDir(layout.jobs);
  await makePrivateDir(job.dir);
  await writeNewFile(job.script, script, 0o700);
  const note = (text: string): void => {
    output.report({ type: 'note', text });
  };
  const onLine = planLines(session, tasks);
  const outcomes = await runJob({ system, submission, job, tasks, env, onLine, note, signal });
  if (outcomes.every(({ exit }) => exit === EXIT.done)) await removeTree(job.dir);
  else note(`what the job printed stays in ${job.dir}`);
  return finish(session, tasks, outcomes);
}

function planSubmission(
  config: SiteConfig,
  command: string,
  tasks: number,
  atOnce: number | undefined,
  job: JobLayout,
): Submission {
  return {
    name: `condense-${command}`,
    ...{ tasks, atOnce },
    options: [...config.scheduler.options, ...(config.scheduler.commands[command] ?? [])],
    script: job.script,
    dir: job.dir,
    log: (index) => job.systemLog(index),
  };
}

function planLines({ output }: Session, tasks: readonly Task[]) {
  return (task: string, line: string, from: 'stdout' | 'stderr'): void => {
    output.taskLine(tasks.length > 1 ? task : undefined, line, from);
  };
}

/** @throws AppError with the status of the first that failed, unless it was the only task and has told why itself */
function finish({ output }: Session, tasks: readonly NamedTask[], results: readonly TaskOutcome[]): ExitCode {
  const outcomes = tasks
    .map(({ place }, at) => ({ place, outcome: results[at] }))
    .toSorted((a, b) => a.place - b.place)
    .flatMap(({ outcome }) => outcome ?? []);
  const [first, ...others] = outcomes.filter(({ exit }) => exit !== EXIT.done);
  if (!first) return EXIT.done;
  if (outcomes.length === 1 && !first.problem) return first.exit;
  const problems: Problem[] = [first, ...others].map(
    ({ name, exit, problem }) =>
      problem ?? {
        code: 'TASK_FAILED',
        message: `${name} ended with status ${exit}: what it said is above`,
        hint: 'the others were not touched by it; mend it, then run the same command again',
      },
  );
  const done = outcomes.filter(({ exit }) => exit === EXIT.done).map(({ name }) => name);
  if (done.length > 0) output.report({ type: 'note', text: `done: ${done.join(', ')}` });
  throw new AppError(first.exit, problems);
}
