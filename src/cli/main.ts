// The command line: reads argv, runs one command, and is the only place that ends the process.
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { AppError } from '../system/app-error.ts';
import { EXIT, type ExitCode } from '../system/exit-codes.ts';
import product from '../../package.json' with { type: 'json' };
import type { AdoptOptions } from './adopt.ts';
import { addConfigCommands } from './config.ts';
import type { DoctorUserOptions } from './doctor-user.ts';
import type { BuildCommand, InstallOptions } from './install.ts';
import { Output } from './output.ts';
import type { LockOptions } from './lock.ts';
import type { ReportOptions } from './report.ts';
import type { SbomOptions } from './sbom.ts';
import type { VerifyCommandOptions } from './verify.ts';
import { SPREAD_COMMANDS, TASK_COMMANDS } from '../config/task-commands.ts';
import { readTaskCommand } from './task-command.ts';
import type { TaskOptions } from './tasks.ts';
import { parseWait } from './wait-time.ts';
import { openSession, type GlobalOptions, type Session } from './session.ts';

const EXIT_STATUS = `
Exit status:
  0 done, or nothing to do    1 a bug of condense          2 wrong usage
  3 configuration invalid     4 site not ready             5 build failed
  6 gate failed               7 publish failed, old live   8 published, follow-up failed
  11 locked by somebody       130, 143 interrupted, cleaned up`;

const interrupts = new AbortController();
let exit: ExitCode = EXIT.done;

function openOutput(options: Partial<GlobalOptions>): Output {
  return new Output(
    { stdout: process.stdout, stderr: process.stderr, env: process.env },
    { json: options.json ?? false, debug: options.debug ?? false },
  );
}

/** Wraps a command: opens the session, runs it, keeps its exit code. */
function action<A extends unknown[]>(run: (session: Session, ...rest: A) => Promise<ExitCode> | Promise<void>) {
  return async function (this: Command, ...rest: A): Promise<void> {
    const options = this.optsWithGlobals<GlobalOptions>();
    const session = await openSession(options, openOutput(options), interrupts.signal);
    const tasks = this.opts<TaskOptions>();
    const result =
      tasks.on === undefined && tasks.jobs === undefined
        ? await run(session, ...rest)
        : await (await import('./tasks.ts')).runTasks(session, readTaskCommand(this), tasks);
    exit = typeof result === 'number' ? result : EXIT.done;
  };
}

function parseCount(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('it must be a whole number from 1.');
  return Number(text);
}

/** The text itself: a task that runs elsewhere is given it again. */
function checkWait(text: string): string {
  if (parseWait(text) === undefined)
    throw new InvalidArgumentError(`it must be a time such as '30 minutes' or '2 hours'.`);
  return text;
}

/** Where a command runs, and for how many environments at the same time. */
function addTaskOptions(command: Command): void {
  if (TASK_COMMANDS.some((name) => name === command.name()))
    command.addOption(
      new Option('--on <where>', 'run it as a job of a batch system').choices(['local', 'slurm', 'pbs']),
    );
  if (SPREAD_COMMANDS.some((name) => name === command.name()))
    command.option('--jobs <count>', 'so many environments at the same time', parseCount);
}

const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];

// Commands are imported when they run: loading all of them takes longer than most commands do.
function buildProgram(): Command {
  const program = new Command('condense')
    .description('Turns a conda environment.yml into one squashfs image that HPC users can module load.')
    .version(product.version)
    .option('-c, --config <file>', 'the site configuration', 'install_config.yaml')
    .option('--json', 'print JSON lines on stdout, for machines')
    .option('--debug', 'print the stack of an error as well')
    .showHelpAfterError('(condense --help lists the commands)')
    .addHelpText('after', EXIT_STATUS)
    .exitOverride();
  const sub = (nameAndArguments: string, description: string): Command =>
    program.command(nameAndArguments).description(description).addHelpText('after', EXIT_STATUS);

  sub('install [environment...]', 'build, gate and publish environments')
    .option('--all', 'every environment of the configuration')
    .option('--wait <time>', 'how long to wait for another build of the same version: "2 hours"', checkWait)
    .option('--artifacts <directory>', 'copies there of each manifest, lock and gate report')
    .option('--dry-run', 'say what would be built and written, and do nothing')
    .option('--offline', 'ask no channel: use what is in the caches and in files')
    .option('--rebuild', 'build even where a release of the same inputs is there, such as a damaged one')
    .option('--stable', 'also where that replaces what is stable and protected (protect_stable)')
    .action(
      action(async (session, names: string[], options: InstallOptions) =>
        (await import('./install.ts')).runInstall(session, names, options),
      ),
    );
  sub('plan [environment...]', 'what would be built and why, what it would write to, and how much')
    .option('--out <file>', 'keep it, for condense build --plan')
    .option('--offline', 'ask no channel: use what is in the caches and in files')
    .action(
      action(async (session, names: string[], options: { out?: string; offline?: boolean }) =>
        (await import('./plan.ts')).runPlan(session, names, options),
      ),
    );
  sub('build [environment...]', 'build and gate environments, publish nothing')
    .option('--all', 'every environment of the configuration')
    .option('--wait <time>', 'how long to wait for another build of the same version: "2 hours"', checkWait)
    .option('--artifacts <directory>', 'copies there of each manifest, lock and gate report')
    .option('--plan <file>', 'what a stored plan says, if nothing changed since')
    .option('--dry-run', 'say what would be built and written, and do nothing')
    .option('--offline', 'ask no channel: use what is in the caches and in files')
    .option('--rebuild', 'build even where a release of the same inputs is there, such as a damaged one')
    .option('--waive <check>', 'let that check of the gate fail; can be given several times', collect, [])
    .option('--reason <text>', 'why, for the manifest')
    .action(
      action(async (session, names: string[], options: BuildCommand) =>
        (await import('./install.ts')).runBuild(session, names, options),
      ),
    );
  sub('test [what...]', 'run the gate again: on what is live of an environment or version, or on a release')
    .option('--all', 'on everything that is live')
    .action(
      action(async (session, what: string[], options: { all?: boolean }) =>
        (await import('./test.ts')).runTest(session, what, options),
      ),
    );
  sub('lock [environment...]', 'write, check or compare the lock beside the spec, which builds install')
    .option('--check', 'only say whether it fits; asks no network')
    .option('--update [package...]', 'move everything, or these packages only')
    .option('--diff [revision or file]', 'what changed since then (default: HEAD of git)')
    .option('--platform <platform...>', 'only these, of those that the environment is for')
    .option('--from <file>', 'take over a conda-lock.yml or an @EXPLICIT file that fits the spec')
    .addOption(new Option('--export <format>', 'print it for others to read').choices(['conda-lock', 'explicit']))
    .option('--exclude-newer <when>', 'leave out what is newer: a date, a time, or an age such as "7 days"')
    .option('--dry-run', 'say what would change, and write nothing')
    .option('--offline', 'ask no channel: use what is in the caches and in files')
    .action(
      action(async (session, names: string[], options: LockOptions) =>
        options.from === undefined && options.export === undefined
          ? (await import('./lock.ts')).runLock(session, names, options)
          : (await import('./foreign-lock.ts')).runForeignLock(session, names, options),
      ),
    );
  sub('publish <release...>', 'show users gated releases, <full name>/<release id>, in one step')
    .option('--promote <alias=version>', 'move an alias in the same step; can be given several times', collect, [])
    .option('--stable', 'also where that replaces what is stable and protected (protect_stable)')
    .option('--dry-run', 'print every path that would be touched, and do nothing')
    .action(
      action(
        async (
          session,
          releases: string[],
          options: { promote: readonly string[]; stable?: boolean; dryRun?: boolean },
        ) => (await import('./publish.ts')).runPublish(session, releases, options),
      ),
    );
  sub('promote <what...>', 'move aliases: <alias>=<version>, or an environment to have them as configured')
    .option('--dry-run', 'print every path that would be touched, and do nothing')
    .action(
      action(async (session, what: string[], options: { dryRun?: boolean }) =>
        (await import('./promote.ts')).runPromote(session, what, options),
      ),
    );
  sub('remove <name...>', 'take versions and aliases away from users; releases stay on disk')
    .option('--stable', 'also what is stable')
    .option('--dry-run', 'print every path that would be touched, and do nothing')
    .action(
      action(async (session, names: string[], options: { stable?: boolean; dryRun?: boolean }) =>
        (await import('./remove.ts')).runRemove(session, names, options),
      ),
    );
  sub('rollback [environment]', 'show users what they saw before: everything, or one environment')
    .option('--to <generation>', 'that generation instead of the one before', parseCount)
    .option('--dry-run', 'print every path that would be touched, and do nothing')
    .action(
      action(async (session, environment: string | undefined, options: { to?: number; dryRun?: boolean }) =>
        (await import('./rollback.ts')).runRollback(session, environment, options),
      ),
    );
  sub('list', 'what is live')
    .option('--releases', 'every release on disk')
    .action(
      action(async (session, options: { releases?: boolean }) => (await import('./list.ts')).runList(session, options)),
    );
  sub('status', 'what is live since when and by whom, what goes on, what is wrong').action(
    action(async (session) => {
      await (await import('./status.ts')).runStatus(session);
    }),
  );
  sub('history', 'who changed what users see, when, and what changed: newest first')
    .option('--last <count>', 'how many generations (default: 20)', parseCount)
    .option('--all', 'all of them')
    .action(
      action(async (session, options: { last?: number; all?: boolean }) =>
        (await import('./history.ts')).runHistory(session, options),
      ),
    );
  sub('diff <a> <b>', 'what differs between releases, live versions, numbers of generations, or live').action(
    action(async (session, a: string, b: string) => (await import('./diff.ts')).runDiff(session, a, b)),
  );
  sub('verify [what]', 'compare what is live, or one environment or release, with its manifest')
    .option('--quick', 'sizes, modes and links only: read no digests')
    .option('--rebuild', 'instead: build a release again, aside, and compare the images byte for byte')
    .action(
      action(async (session, what: string | undefined, options: VerifyCommandOptions) =>
        (await import('./verify.ts')).runVerify(session, what, options),
      ),
    );
  sub('report', 'the catalogue of the site as static pages: what there is, how to load it, what changed')
    .requiredOption('--out <directory>', 'where the pages go: a new or empty directory, or an earlier report')
    .option('--dry-run', 'say which pages would be written and removed, and do nothing')
    .action(
      action(async (session, options: ReportOptions) => {
        await (await import('./report.ts')).runReport(session, options);
      }),
    );
  sub('sbom <what>', 'what is in a release, as SPDX 2.3 or CycloneDX 1.6: packages, digests, licences')
    .addOption(new Option('--format <format>', 'of the document').choices(['spdx', 'cyclonedx']).default('spdx'))
    .option('--licences', 'instead: the licence of each package, and which a person has to look at')
    .action(
      action(async (session, what: string, options: SbomOptions) => {
        await (await import('./sbom.ts')).runSbom(session, what, options);
      }),
    );
  sub('layer <name> <directory> <pip-argument...>', 'packages of your own over a live version, as one image')
    .addHelpText('after', '\nOptions of pip come after --: condense layer analysis3 mine -- -r requirements.txt')
    .action(
      action(async (session, name: string, directory: string, pip: readonly string[]) => {
        await (await import('./layer.ts')).runLayer(session, name, directory, pip);
      }),
    );
  sub('adopt <environment> <source>', 'make a release of a conda prefix, an image or an hh5-style tree that is there')
    .option('--leave', 'go on without what no package brings: files changed or added by hand')
    .option('--offline', 'ask no channel: use what is in the caches and in files')
    .option('--dry-run', 'say what was found, and build nothing')
    .action(
      action(async (session, name: string, source: string, options: AdoptOptions) =>
        (await import('./adopt.ts')).runAdopt(session, name, source, options),
      ),
    );
  sub('sign <release>', 'sign the manifest of a release, with the key of the configuration').action(
    action(async (session, release: string) => (await import('./sign.ts')).runSign(session, release)),
  );
  sub('mirror <directory> [lock...]', 'copy what locks need into channels that any web server can serve')
    .option('--prune', 'remove what none of these locks needs')
    .option('--dry-run', 'say what would be fetched, written and removed, and do nothing')
    .action(
      action(async (session, directory: string, locks: string[], options: { prune?: boolean; dryRun?: boolean }) => {
        await (await import('./mirror.ts')).runMirror(session, directory, locks, options);
      }),
    );
  sub('gc', 'remove what nothing needs any more')
    .option('--dry-run', 'say why each release, base and generation stays or would go, and do nothing')
    .action(
      action(async (session, options: { dryRun?: boolean }) => (await import('./gc.ts')).runGc(session, options)),
    );
  sub('unlock [lock]', 'who holds which lock; with its name, remove one whose process is gone')
    .option('--dry-run', 'say whose lock would be removed, and do nothing')
    .action(
      action(async (session, lock: string | undefined, options: { dryRun?: boolean }) =>
        (await import('./unlock.ts')).runUnlock(session, lock, options),
      ),
    );
  const doctor = sub('doctor', 'what this machine lacks, and how to mend it').action(
    action(async (session) => (await import('./doctor.ts')).runDoctor(session)),
  );
  doctor
    .command('user')
    .description('what in your own files slows logins down or breaks environments; needs no configuration')
    .argument('[directory...]', 'where venvs are looked for besides the home directory')
    .option('--site <prefix>', 'the site whose packages are compared (default: that of the module that is loaded)')
    .option('--fix', 'mend start-up files and .condarc; a copy of each stays beside it')
    .addHelpText('after', EXIT_STATUS)
    .action(async (directories: string[], options: DoctorUserOptions, self: Command) => {
      const output = openOutput(self.optsWithGlobals());
      const { runDoctorUser } = await import('./doctor-user.ts');
      exit = await runDoctorUser({ output, signal: interrupts.signal }, directories, options);
    });
  for (const command of program.commands) addTaskOptions(command);
  addConfigCommands(sub('config', 'check and show the configuration'), (command) =>
    openOutput(command.optsWithGlobals()),
  );
  return program;
}

/** The first signal ends the work in order; a second one ends the process at once. */
function watchSignals(): void {
  for (const [signal, code] of [
    ['SIGINT', EXIT.interrupted],
    ['SIGTERM', EXIT.terminated],
  ] as const) {
    process.on(signal, () => {
      if (interrupts.signal.aborted) process.exit(code);
      interrupts.abort(
        new AppError(code, {
          code: 'INTERRUPTED',
          message: `interrupted by ${signal}; what was begun is cleaned up`,
          hint: 'run the same command again',
        }),
      );
    });
  }
}

/**
 * Where nobody reads any more (`condense install a | head`) the work goes on, and the exit code says how it ended; where
 * the result cannot be written, it is no result.
 */
function watchOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || interrupts.signal.aborted) return;
    interrupts.abort(error);
    process.exitCode = openOutput({}).error(error);
  });
  process.stderr.on('error', () => {
    // Narration, and there is no place left to say so.
  });
}

/** commander has told people on stderr; machines read stdout. */
function describeUsageError(error: CommanderError, options: Partial<GlobalOptions>): ExitCode {
  if (error.exitCode === 0) return EXIT.done; // --help, --version
  if (!options.json) return EXIT.usage;
  const message = error.code === 'commander.help' ? 'no command was given' : error.message.replace(/^error: /, '');
  return openOutput(options).error(
    new AppError(EXIT.usage, { code: 'USAGE_INVALID', message, hint: 'condense --help' }),
  );
}

async function main(argv: readonly string[]): Promise<void> {
  watchSignals();
  watchOutput();
  const program = buildProgram();
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) exit = describeUsageError(error, program.opts());
    else if (process.exitCode === undefined)
      exit = openOutput(program.opts()).error(interrupts.signal.aborted ? interrupts.signal.reason : error);
  }
  process.exitCode ??= exit;
}

await main(process.argv);
