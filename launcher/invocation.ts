// What the caller started, from the bytes that the kernel keeps of it.

/** All strings are bytes in latin1 form (shell-quote.ts). */
export interface Invocation {
  /** `$0` as typed: the farm link, a venv's link to it, or the launcher. */
  readonly self: string;
  readonly args: readonly string[];
  /** NAME=VALUE */
  readonly environment: readonly string[];
  /** Signals that the caller ignores: SigIgn of proc(5), 16 hexadecimal digits. */
  readonly ignoredSignals: string;
  /** Standard input and standard error are a terminal. */
  readonly onTerminal: boolean;
}

/** What /proc/PID has of the shell that runs the prelude. */
export interface InvocationTexts {
  /** bash, its options, the script, the arguments */
  readonly cmdline: string;
  /** As it was when that shell started. */
  readonly environ: string;
  readonly status: string;
  /** The targets of fd/0 and fd/2; empty when they are closed. */
  readonly stdin: string;
  readonly stderr: string;
}

/**
 * @param argumentCount the shell's `$#`, which tells where its own options end
 */
export function parseInvocation(
  { cmdline, environ, status, stdin, stderr }: InvocationTexts,
  argumentCount: number,
): Invocation {
  const words = cmdline.split('\0').slice(0, -1);
  const self = words.at(words.length - argumentCount - 1);
  if (self === undefined || words.length - argumentCount < 2)
    throw new RangeError('this is not the command line of the prelude');
  return {
    self,
    args: argumentCount === 0 ? [] : words.slice(-argumentCount),
    ignoredSignals: /^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0',
    environment: environ.split('\0').slice(0, -1),
    onTerminal: [stdin, stderr].every((target) => /^\/dev\/(pts\/|tty|console)/.test(target)),
  };
}
