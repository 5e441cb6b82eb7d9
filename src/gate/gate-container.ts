// The container of a staged release, started once by its real launcher, which the gate's checks then enter.
import type { ReleaseLayout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { readLinkIfThere } from '../system/files.ts';
import { killMarked } from '../system/marked-processes.ts';
import { describeEnd, runToEnd, type CommandEnd } from '../system/run-command.ts';

export interface InsideCommand {
  /** Absolute, as the container shows it. */
  readonly program: string;
  readonly args: readonly string[];
  readonly timeoutMs: number;
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

export interface Inside {
  /** The environment's own, by its path in the image. */
  readonly python: string;
  readonly run: (command: InsideCommand) => Promise<CommandEnd>;
}

export interface GateContainer extends Inside {
  /** Whether checks enter one container; else each gets one of its own. */
  readonly isShared: boolean;
  readonly close: () => Promise<void>;
}

/** A variable of the environment of one check and of all that it starts, and the same as `Command.group` has it. */
export interface Mark {
  readonly env: Readonly<Record<string, string>>;
  readonly group: string;
}

export interface GateContainerRequest {
  readonly release: ReleaseLayout;
  readonly condaPrefix: string;
  /** Inside, the image is mounted. */
  readonly marker: string;
  /** The environment of the container and of every check; CONDENSE_SESSION is off in it. */
  readonly env: Readonly<Record<string, string>>;
  /** By which the processes of one check are known, and those of no other. */
  readonly mark: () => Mark;
  /** A directory that the container shows: the working directory. */
  readonly cwd: string;
  /** nsenter(1), where the machine has it. */
  readonly nsenter?: string | undefined;
  readonly signal: AbortSignal;
}

/** How long the runtime may take to start a container. */
const START_MS = 120_000;
/** What a container that is closed may take to unmount. */
const CLOSE_MS = 10_000;

/** Says its own number, and ends when nobody holds its standard input any more. */
const HOLDER = 'printf "%s\\n" "$$" && read -r';

/**
 * Sessions of users are of no use here: root has none, a site may have switched them off, and nobody can see this release
 * yet. What stays is what they do (docs/launcher.md, Sessions): one container waits, and programs enter its namespaces.
 * @throws AppError GATE_FAILED where the launcher starts no container
 */
export async function openGateContainer(request: GateContainerRequest): Promise<GateContainer> {
  const { release, condaPrefix, env, mark, cwd, nsenter, signal } = request;
  const python = `${condaPrefix}/bin/python3`;
  const start = (entry: readonly string[], command: InsideCommand): Promise<CommandEnd> => {
    const [program = '', ...before] = entry;
    const own = mark();
    return runToEnd({
      program,
      args: [...before, '/usr/bin/env', '-C', command.cwd ?? cwd, command.program, ...command.args],
      cwd: '/',
      env: { ...env, ...command.env, ...own.env },
      timeoutMs: command.timeoutMs,
      ...{ signal, group: own.group },
    }).then((end) => {
      signal.throwIfAborted();
      return end;
    });
  };
  const alone = { python, isShared: false, run: (command: InsideCommand) => start([release.launcher, '--'], command) };
  const holder = nsenter === undefined ? undefined : await startHolder(request);
  if (nsenter === undefined || holder === undefined) return { ...alone, close: () => Promise.resolve() };
  const entry = [nsenter, `--mount=/proc/${holder.pid}/ns/mnt`, ...(await readUserEntry(holder.pid)), '--'];
  const probe = await start(entry, { program: '/usr/bin/test', args: ['-r', request.marker], timeoutMs: START_MS });
  // A setuid starter makes no user namespace that one could join.
  if (probe.exitCode !== 0) {
    await holder.close();
    return { ...alone, close: () => Promise.resolve() };
  }
  return { python, isShared: true, run: (command) => start(entry, command), close: holder.close };
}

/** As root the runtime makes no user namespace, and there is none to enter. */
async function readUserEntry(pid: number): Promise<string[]> {
  const [own, theirs] = [await readLinkIfThere('/proc/self/ns/user'), await readLinkIfThere(`/proc/${pid}/ns/user`)];
  return own === theirs ? [] : [`--user=/proc/${pid}/ns/user`, '--preserve-credentials'];
}

async function startHolder({
  release,
  env,
  mark,
  signal,
}: GateContainerRequest): Promise<{ readonly pid: number; readonly close: () => Promise<void> }> {
  const own = mark();
  const over = Promise.withResolvers<undefined>();
  const started = Promise.withResolvers<number>();
  const ended = runToEnd({
    program: release.launcher,
    args: ['--', '/bin/bash', '--norc', '-c', HOLDER],
    cwd: '/',
    env: { ...env, ...own.env },
    input: waitFor(over.promise),
    onExit: () => {
      over.resolve(undefined); // its input would be waited for
    },
    onLine: (line) => {
      if (/^[1-9]\d*$/.test(line)) started.resolve(Number(line));
    },
    ...{ signal, group: own.group },
  });
  const refuse = (how: string): AppError =>
    new AppError(EXIT.gateFailed, {
      ...{
        code: 'GATE_FAILED',
        message: `the launcher starts no container: it ${how}`.trimEnd(),
        at: release.launcher,
      },
      hint: `${release.launcher} --explain`,
    });
  const early = ended.then((end) => {
    started.reject(refuse(`${describeEnd(end, undefined)}\n${end.stderr}`));
  }, started.reject);
  const timer = setTimeout(() => {
    started.reject(refuse(`has not answered in ${START_MS / 1000} s`));
  }, START_MS);
  const close = async (): Promise<void> => {
    over.resolve(undefined);
    const late = setTimeout(() => {
      killMarked(own.group); // what keeps the container busy, and the container
    }, CLOSE_MS);
    await early;
    clearTimeout(late);
  };
  try {
    return { pid: await started.promise, close };
  } catch (error) {
    await close();
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Standard input that stays open until then. */
async function* waitFor(end: Promise<undefined>): AsyncGenerator<Uint8Array> {
  await end;
  yield new Uint8Array();
}
