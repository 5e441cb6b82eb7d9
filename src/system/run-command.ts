// The one place that starts processes. Programs get argument arrays, never a shell string.
import { execa } from 'execa';
import { AppError, errorMessage } from './app-error.ts';
import { probeRoom, type ShortRoom } from './disk-room.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { planMortal } from './mortal-command.ts';

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
  /** Exit codes that are not a failure. Default: 0 only. */
  readonly okExitCodes?: readonly number[] | undefined;
  /** Called with each line of stderr and stdout as it comes. */
  readonly onLine?: ((line: string) => void) | undefined;
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

/** What tools need and no more: a user's PYTHONPATH, SINGULARITY_BIND or LD_PRELOAD must not change a build. */
export function minimalEnvironment(): Record<string, string> {
  const env: Record<string, string> = { LC_ALL: 'C.UTF-8', PATH: process.env['PATH'] ?? '/usr/bin:/bin' };
  for (const name of ['HOME', 'USER', 'LOGNAME', 'TMPDIR', 'XDG_RUNTIME_DIR']) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** The command as a person would paste it into a shell. */
function describeCommand(command: Pick<Command, 'program' | 'args'>): string {
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
  const { program, args } = await planMortal(command);
  const input = new WatchedInput(command.input);
  const child = execa(program, args, {
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    env: command.env ?? minimalEnvironment(),
    extendEnv: false,
    ...input.options,
    ...(command.timeoutMs === undefined ? {} : { timeout: command.timeoutMs }),
    ...(command.signal === undefined ? {} : { cancelSignal: command.signal }),
    encoding: 'buffer',
    reject: false,
    stripFinalNewline: false,
    maxBuffer: 512 * 1024 * 1024,
    forceKillAfterDelay: 5000,
  });
  if (command.onLine) watchLines(child, command.onLine);
  const result = await child;
  if (input.failure) throw input.failure.error;
  const stdout = Buffer.from(result.stdout);
  const stderr = Buffer.from(result.stderr).toString('utf8');
  if (result.exitCode !== undefined && (command.okExitCodes ?? [0]).includes(result.exitCode)) {
    return { exitCode: result.exitCode, stdout, stderr };
  }
  throw describeFailure(
    command,
    result,
    stderr,
    command.writesTo && FULL.test(stderr) ? probeRoom(command.writesTo) : undefined,
  );
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
  readonly signal?: string | undefined;
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
  const how = end.timedOut
    ? `did not finish in ${(command.timeoutMs ?? 0) / 1000} s`
    : end.signal
      ? `was killed by ${end.signal}`
      : `failed with exit code ${end.exitCode ?? '?'}`;
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

function watchLines(
  child: { readonly stdout?: NodeJS.ReadableStream | null; readonly stderr?: NodeJS.ReadableStream | null },
  onLine: (line: string) => void,
): void {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString('utf8')).split(/[\n\r]/);
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') onLine(line);
    });
    stream?.on('end', () => {
      if (rest !== '') onLine(rest);
    });
  }
}
