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
}

/**
 * @param cmdline /proc/PID/cmdline of the shell that runs the prelude: bash, its options, the script, the arguments
 * @param environ /proc/PID/environ: as it was when that shell started
 * @param status /proc/PID/status
 * @param argumentCount the shell's `$#`, which tells where its own options end
 */
export function parseInvocation(cmdline: string, environ: string, status: string, argumentCount: number): Invocation {
  const words = cmdline.split('\0').slice(0, -1);
  const self = words.at(words.length - argumentCount - 1);
  if (self === undefined || words.length - argumentCount < 2)
    throw new RangeError('this is not the command line of the prelude');
  return {
    self,
    args: argumentCount === 0 ? [] : words.slice(-argumentCount),
    ignoredSignals: /^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0',
    environment: environ.split('\0').slice(0, -1),
  };
}
