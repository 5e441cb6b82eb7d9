// Which system calls of a command change the file system, enumerated by tracing it; and the command again, with a fault
// in one of them.
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';

const CALLS = [
  ...['mkdir', 'mkdirat', 'rmdir', 'unlink', 'unlinkat', 'rename', 'renameat', 'renameat2', 'link', 'linkat'],
  ...['symlink', 'symlinkat', 'chmod', 'fchmod', 'fchmodat', 'chown', 'fchown', 'lchown', 'fchownat', 'utimensat'],
  ...['openat', 'write', 'pwrite64', 'writev', 'copy_file_range', 'ftruncate', 'fsync', 'fdatasync'],
];

/** What threads also do to other files than ours: strace is to count only those on the same path. The rest only one thread does. */
const BY_PATH = ['openat', 'write', 'pwrite64', 'writev', 'copy_file_range', 'ftruncate', 'fsync', 'fdatasync'];

/** The n-th call of that name, in the thread that makes it. */
export interface FileCall {
  readonly name: string;
  readonly n: number;
  /** As strace shows it. */
  readonly text: string;
  /** What is the same of it in another run, in a copy of the directory: call and places, and which of these it is, from 1. */
  readonly same: string;
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
  const seen = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, thread = '', name = '', rest = ''] = /^(\d+) +(\w+)\((.*)$/.exec(line) ?? [];
    if (name === '') continue; // an exit, a signal, or the second half of a call
    const n = (counts.get(`${thread} ${name}`) ?? 0) + 1;
    counts.set(`${thread} ${name}`, n);
    const isOurs = rest.includes(dir) || rest.includes('/proc/self/fd/');
    const changes = name !== 'openat' || /O_CREAT|O_TRUNC/.test(rest);
    if (!isOurs || !changes) continue;
    const text = `${name}(${rest}`;
    const places = describePlaces(text, dir);
    // A claim has a new name each time, and a number finds neither: the main thread opens and writes as well, as often as there
    // is time. The next call on it finds it whole; site-lock.test.ts has one that is not.
    if (BY_PATH.includes(name) && places.includes('#')) continue;
    const nth = (seen.get(places) ?? 0) + 1;
    seen.set(places, nth);
    calls.set(`${name} ${n}`, { name, n, text, same: `${places} ${nth}` });
  }
  return [...calls.values()];
}

/** Only the places below the directory remain, without the numbers that differ each time. */
function describePlaces(text: string, dir: string): string {
  return text
    .replaceAll(dir, '~')
    .replaceAll(/"(?!~|\/proc\/)(?:[^"\\]|\\.)*"(\.\.\.)?/g, '') // what is written, and where links lead to
    .replaceAll(/\b\d+(?=<)|(?<=\/proc\/self\/fd\/)\d+/g, '') // the number of a descriptor
    .replaceAll(/\.lock\.[0-9a-f]{12}/g, '.lock.#') // a claim's name is new each time
    .replace(/\) += .*$| <unfinished \.\.\.>$/, '') // how it ended
    .replace(/, \d+$/, ''); // how much is written
}

/**
 * Runs the command with a fault in one call: `signal=KILL` as it enters it, so that it is not made, or `error=ENOSPC`.
 * @param place where only the calls on one path count
 * @returns how it ended
 */
export async function runWithFault(
  command: TracedCommand,
  { name, n }: Pick<FileCall, 'name' | 'n'>,
  fault: string,
  place?: string,
) {
  const inject = ['-e', `trace=${name}`, '-e', `inject=${name}:${fault}:when=${n}`];
  const only = place === undefined ? [] : ['-P', place];
  return await execa('strace', [...options(command), ...only, ...inject, '--', command.program, ...command.args], {
    env: ENV,
    reject: false,
  });
}

/**
 * Kills the command as it enters that call, each time in a place of its own; what it was killed at is read from the trace.
 * @param begin makes such a place
 * @returns the place and what was said there, or undefined when it never came to that call
 */
export async function killAtCall<Place>(
  begin: () => Promise<{ readonly place: Place; readonly command: TracedCommand }>,
  call: FileCall,
): Promise<{ readonly place: Place; readonly stderr: string } | undefined> {
  const path = BY_PATH.includes(call.name) ? /~[^">]*/.exec(call.same)?.[0] : undefined;
  let n = path === undefined ? call.n : 1;
  for (let tries = 0; tries < 30; tries++) {
    const { place, command } = await begin();
    const at = path?.replace('~', command.dir);
    const { signal, stderr } = await runWithFault(command, { name: call.name, n }, 'signal=KILL', at);
    const made = parseFileCalls(await readFile(command.trace, 'utf8'), command.dir);
    const found = made.find(({ same }) => same === call.same);
    if (signal === 'SIGKILL' && found?.n === n) return { place, stderr };
    n = found?.n ?? n + 1;
  }
  return undefined;
}
