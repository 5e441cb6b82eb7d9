// The one place that starts processes. Programs get argument arrays, never a shell string.
import { constants } from 'node:os';
import { StringDecoder } from 'node:string_decoder';
import { execa } from 'execa';
import { AppError, errorMessage } from './app-error.ts';
import { probeRoom, type ShortRoom } from './disk-room.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { planMortal } from './mortal-command.ts';
import { ProcessGroup } from './process-group.ts';

export interface Command {
  /** A name to look up on PATH, or an absolute path. */
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd?: string | undefined;
  /** The whole environment of the child: nothing is inherited besides it. Default: `minimalEnvironment()`. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly input?: string | Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * It leads a process group that ends with it, however it ends: `NAME=value` of its `env`, by which what left the group is
   * found. Without it only the program itself is ended.
   */
  readonly group?: string | undefined;
  /** Exit codes that are not a failure. Default: 0 only. */
  readonly okExitCodes?: readonly number[] | undefined;
  /** Whether an end by a signal from elsewhere is an exit code as a shell has it: 128 and its number. */
  readonly signalAsStatus?: boolean | undefined;
  /** Called with each line of stderr and stdout as it comes. */
  readonly onLine?: ((line: string, from: 'stdout' | 'stderr') => void) | undefined;
  /** In a process group of its own: ^C on a terminal does not reach it, only what `signal` does. */
  readonly ownGroup?: boolean | undefined;
  /** How long it may clean up after `signal` or the time limit, before it is killed. Default: 5 s. */
  readonly killAfterMs?: number | undefined;
  /** Called when the program itself is over, though `input` may not be. */
  readonly onExit?: (() => void) | undefined;
  /** The exit code of condense when this command fails. */
  readonly failureExit?: ExitCode | undefined;
  /** What to tell the person when it fails. */
  readonly failureHint?: string | undefined;
  /** Where it writes: named when it says that the disk is full. */
  readonly writesTo?: string | undefined;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const KILL_AFTER_MS = 5000;

/** What tools need and no more: a user's PYTHONPATH, SINGULARITY_BIND or LD_PRELOAD must not change a build. */
export function minimalEnvironment(): Record<string, string> {
  const env: Record<string, string> = { LC_ALL: 'C.UTF-8', PATH: process.env['PATH'] ?? '/usr/bin:/bin' };
  for (const name of ['HOME', 'USER', 'LOGNAME', 'TMPDIR', 'XDG_RUNTIME_DIR']) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** All that the caller has: for what is started as the caller's own. */
export function wholeEnvironment(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] = value;
  return env;
}

/** The command as a person would paste it into a shell. */
export function describeCommand(command: Pick<Command, 'program' | 'args'>): string {
  return [command.program, ...command.args]
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

/**
 * Runs a program to its end.
 * @returns its exit code and output
 * @throws AppError TOOL_MISSING, TOOL_FAILED (with the last 20 lines of stderr), TOOL_TIMEOUT or INTERRUPTED; what the
 * input throws, which ends the program
 */
export async function runCommand(command: Command): Promise<CommandResult> {
  const end = await runToEnd(command);
  const { stdout, stderr } = end;
  const isEnded = !end.isCanceled && !end.timedOut;
  const killed = command.signalAsStatus && isEnded && end.signal ? 128 + constants.signals[end.signal] : undefined;
  const exitCode = end.exitCode ?? killed;
  if (exitCode !== undefined && (command.okExitCodes ?? [0]).includes(exitCode)) return { exitCode, stdout, stderr };
  throw describeFailure(
    command,
    end,
    stderr,
    command.writesTo && FULL.test(stderr) ? probeRoom(command.writesTo) : undefined,
  );
}

/** How a program ended, and what it said until then. */
export interface CommandEnd extends FailedEnd {
  readonly stdout: Buffer;
  readonly stderr: string;
}

/**
 * The same without a judgement: for who has to know what a program said before it failed.
 * @throws what the input throws
 */
export async function runToEnd(command: Command): Promise<CommandEnd> {
  const { program, args } = await planMortal(command);
  const input = new WatchedInput(command.input);
  const isGroup = command.group !== undefined;
  const child = execa(program, args, {
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    env: command.env ?? minimalEnvironment(),
    extendEnv: false,
    ...input.options,
    ...(command.timeoutMs === undefined || isGroup ? {} : { timeout: command.timeoutMs }),
    ...(command.signal === undefined || isGroup ? {} : { cancelSignal: command.signal }),
    encoding: 'buffer',
    reject: false,
    stripFinalNewline: false,
    maxBuffer: 512 * 1024 * 1024,
    detached: isGroup || (command.ownGroup ?? false),
    forceKillAfterDelay: command.killAfterMs ?? KILL_AFTER_MS,
  });
  const group =
    command.group === undefined
      ? undefined
      : new ProcessGroup(child.nodeChildProcess, { ...command, marker: command.group });
  if (command.onLine) watchLines(child, command.onLine);
  if (command.onExit) child.nodeChildProcess.once('exit', command.onExit);
  const stopLimit = command.ownGroup ? limitGroup(child, command) : undefined;
  const result = await child;
  stopLimit?.();
  group?.close();
  if (input.failure) throw input.failure.error;
  return {
    exitCode: result.exitCode,
    signal: result.signal,
    code: result.code,
    cause: result.cause,
    timedOut: group?.timedOut ?? result.timedOut,
    isCanceled: group?.isCanceled ?? result.isCanceled,
    stdout: Buffer.from(result.stdout),
    stderr: Buffer.from(result.stderr).toString('utf8'),
  };
}

/**
 * Ends, at the time limit, also what the program has started: as long as that holds the pipes the command has not ended.
 * What left the group loses the pipes a little later.
 * @returns a way to end the watch
 */
function limitGroup(
  child: Pick<ReturnType<typeof execa>, 'pid' | 'stdout' | 'stderr'>,
  { timeoutMs, killAfterMs = KILL_AFTER_MS }: Pick<Command, 'timeoutMs' | 'killAfterMs'>,
): () => void {
  const { pid } = child;
  if (timeoutMs === undefined || pid === undefined) return () => undefined;
  const kill = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-pid, signal);
    } catch {
      // ESRCH: nobody is left in the group
    }
  };
  const timers = [
    setTimeout(kill, timeoutMs, 'SIGTERM'),
    setTimeout(() => {
      kill('SIGKILL');
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, timeoutMs + killAfterMs),
  ];
  return () => {
    for (const timer of timers) clearTimeout(timer);
  };
}

/** What a program is given to read; of what comes in pieces, what it throws. */
class WatchedInput {
  readonly options: { readonly stdin: 'ignore' | AsyncIterable<Uint8Array> } | { readonly input: string | Uint8Array };
  failure: { readonly error: unknown } | undefined;

  constructor(input: Command['input']) {
    if (input === undefined) this.options = { stdin: 'ignore' };
    else if (typeof input === 'string' || input instanceof Uint8Array) this.options = { input };
    else this.options = { stdin: this.#watch(input) };
  }

  async *#watch(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* input;
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }
}

/** As glibc words ENOSPC and EDQUOT for every program, here with LC_ALL=C.UTF-8. */
const FULL = /No space left on device|Disk quota exceeded/i;

function describeLook(room: ShortRoom | undefined): string {
  const where = room === undefined ? '' : ` ${room.mountPoint}`;
  const look = room === undefined ? 'df -h; df -i' : room.noInodes ? `df -i${where}` : `df -h${where}`;
  return `${look}; make room there, then run the command again`;
}

/** How a child ended that was not as it should. */
interface FailedEnd {
  readonly exitCode?: number | undefined;
  readonly signal?: NodeJS.Signals | undefined;
  readonly code?: string | undefined;
  readonly cause?: unknown;
  readonly isCanceled: boolean;
  readonly timedOut: boolean;
}

/** TOOL_MISSING, TOOL_FAILED (with the last 20 lines of stderr), TOOL_TIMEOUT or INTERRUPTED. */
export function describeFailure(
  command: Pick<Command, 'program' | 'args' | 'timeoutMs' | 'failureExit' | 'failureHint' | 'writesTo'>,
  end: FailedEnd,
  stderr: string,
  room?: ShortRoom,
): AppError {
  if (end.isCanceled) {
    return new AppError(EXIT.interrupted, { code: 'INTERRUPTED', message: `${command.program} was interrupted` });
  }
  if (end.code === 'ENOENT' || end.code === 'EACCES') {
    return new AppError(EXIT.siteNotReady, {
      code: 'TOOL_MISSING',
      message: `cannot start ${command.program}: ${errorMessage(end.cause ?? end)}`,
      hint: command.failureHint ?? 'condense doctor',
    });
  }
  const how = describeEnd(end, command.timeoutMs);
  const tail = stderr.trimEnd().split('\n').slice(-20).join('\n');
  const message = `${describeCommand(command)} ${how}${tail ? `\n${tail}` : ''}`;
  const exit = command.failureExit ?? EXIT.buildFailed;
  if (FULL.test(tail)) {
    const what = room?.noInodes ? 'no inode is left for' : 'no space is left for';
    const hint = describeLook(room);
    return new AppError(exit, {
      code: 'DISK_FULL',
      message: `${what} what it writes: ${message}`,
      at: command.writesTo,
      hint,
    });
  }
  return new AppError(exit, {
    code: end.timedOut ? 'TOOL_TIMEOUT' : 'TOOL_FAILED',
    message,
    hint: command.failureHint,
  });
}

/** `was killed by SIGSEGV`: for ends that are no success. */
export function describeEnd(end: FailedEnd, timeoutMs: number | undefined): string {
  if (end.timedOut) return `did not finish in ${(timeoutMs ?? 0) / 1000} s`;
  return end.signal ? `was killed by ${end.signal}` : `failed with exit code ${end.exitCode ?? '?'}`;
}

function watchLines(
  child: { readonly stdout?: NodeJS.ReadableStream | null; readonly stderr?: NodeJS.ReadableStream | null },
  onLine: NonNullable<Command['onLine']>,
): void {
  for (const from of ['stdout', 'stderr'] as const) {
    const decoder = new StringDecoder('utf8'); // a chunk may end in the middle of a character
    let rest = '';
    child[from]?.on('data', (chunk: Buffer) => {
      const lines = (rest + decoder.write(chunk)).split(/[\n\r]/);
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') onLine(line, from);
    });
    child[from]?.on('end', () => {
      if (rest !== '') onLine(rest, from);
    });
  }
}
