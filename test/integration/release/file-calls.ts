// Which system calls of a command change the file system, enumerated by tracing it; and the command again, with a fault
// in one of them.
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';

const CALLS = [
  ...['mkdir', 'mkdirat', 'rmdir', 'unlink', 'unlinkat', 'rename', 'renameat', 'renameat2', 'link', 'linkat'],
  ...['symlink', 'symlinkat', 'chmod', 'fchmod', 'fchmodat', 'chown', 'fchown', 'lchown', 'fchownat', 'utimensat'],
  ...['openat', 'write', 'pwrite64', 'writev', 'copy_file_range', 'ftruncate', 'fsync', 'fdatasync'],
];

/** The n-th call of that name, in the thread that makes it. */
export interface FileCall {
  readonly name: string;
  readonly n: number;
  /** As strace shows it. */
  readonly text: string;
}

export interface TracedCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** Only calls that name a path below it count. */
  readonly dir: string;
  /** Where strace writes. */
  readonly trace: string;
}

// strace counts the calls of each thread: all but one of Node's are kept from making any.
const ENV = { UV_THREADPOOL_SIZE: '1' };

/** Runs the command to its end. @returns its calls that change something below the directory, in order */
export async function traceFileCalls(command: TracedCommand): Promise<FileCall[]> {
  await execa('strace', [...options(command), '-e', TRACE, '--', command.program, ...command.args], { env: ENV });
  return parseFileCalls(await readFile(command.trace, 'utf8'), command.dir);
}

/** `?`: a call that this processor's kernel does not have is none (strace(1)). */
const TRACE = `trace=${CALLS.map((name) => `?${name}`).join(',')}`;
// Not --seccomp-bpf: with it strace 6.1 makes a fault only at the first call, whatever `when` says.
const options = ({ trace }: TracedCommand): string[] => ['-f', '-y', '-qq', '-o', trace];

/** @param text lines such as `4711  rename("/a", "/b") = 0`, one thread's calls in order */
function parseFileCalls(text: string, dir: string): FileCall[] {
  const counts = new Map<string, number>();
  const calls = new Map<string, FileCall>();
  for (const line of text.split('\n')) {
    const [, thread = '', name = '', rest = ''] = /^(\d+) +(\w+)\((.*)$/.exec(line) ?? [];
    if (name === '') continue; // an exit, a signal, or the second half of a call
    const n = (counts.get(`${thread} ${name}`) ?? 0) + 1;
    counts.set(`${thread} ${name}`, n);
    const isOurs = rest.includes(dir) || rest.includes('/proc/self/fd/');
    const changes = name !== 'openat' || /O_CREAT|O_TRUNC/.test(rest);
    if (isOurs && changes) calls.set(`${name} ${n}`, { name, n, text: `${name}(${rest}` });
  }
  return [...calls.values()];
}

/**
 * Runs the command with a fault in one call: `signal=KILL` as it enters it, so that it is not made, or `error=ENOSPC`.
 * @returns how it ended
 */
export async function runWithFault(command: TracedCommand, { name, n }: FileCall, fault: string) {
  const inject = ['-e', `trace=${name}`, '-e', `inject=${name}:${fault}:when=${n}`];
  return await execa('strace', [...options(command), ...inject, '--', command.program, ...command.args], {
    env: ENV,
    reject: false,
  });
}
