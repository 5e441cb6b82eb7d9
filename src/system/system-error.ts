// What the kernel refuses for a reason that a person can mend: rights, space and broken disks. In one place, since any step can meet it.
import path from 'node:path';
import { AppError } from './app-error.ts';
import { readErrnoName, readShortRoom } from './disk-room.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

interface Mendable {
  readonly code: string;
  readonly message: string;
  readonly about: 'rights' | 'room' | 'disk';
}

/** By the name of errno(3). */
const MENDABLE: Readonly<Record<string, Mendable>> = {
  EACCES: { code: 'PERMISSION_DENIED', message: 'this account may not do that', about: 'rights' },
  EPERM: { code: 'PERMISSION_DENIED', message: 'this account may not do that', about: 'rights' },
  EROFS: { code: 'FILE_SYSTEM_READ_ONLY', message: 'the file system is mounted read-only', about: 'rights' },
  ENOSPC: { code: 'DISK_FULL', message: 'no space is left on the file system', about: 'room' },
  EDQUOT: { code: 'QUOTA_EXCEEDED', message: 'the quota of this account is used up', about: 'room' },
  EIO: { code: 'DISK_FAILED', message: 'the disk or its server cannot read or write this', about: 'disk' },
};

/**
 * @param error anything that was thrown
 * @returns exit 4 naming the path, for an error of the system that a person can mend; undefined for anything else
 */
export function describeSystemError(error: unknown, exit: ExitCode = EXIT.siteNotReady): AppError | undefined {
  if (!(error instanceof Error)) return undefined;
  // Of copies, links and renames `dest` is what was to be made.
  const { syscall, path: source, dest } = error as NodeJS.ErrnoException & { readonly dest?: string };
  const code = readErrnoName(error) ?? '';
  const at = dest ?? source;
  const known = MENDABLE[code];
  if (!known || syscall === undefined) return undefined;
  const room = readShortRoom(error);
  const message = code === 'ENOSPC' && room?.noInodes ? NO_INODES : known.message;
  const hint =
    at === undefined
      ? 'condense doctor'
      : known.about === 'room'
        ? describeRoom(code, room?.mountPoint ?? path.dirname(at), room?.noInodes)
        : known.about === 'disk'
          ? `df -h ${path.dirname(at)}; dmesg | tail`
          : `id; ls -ld ${path.dirname(at)} ${at}; condense doctor`;
  return new AppError(
    exit,
    { code: known.code, message: `${message} (${syscall}: ${code})`, at, hint },
    { cause: error },
  );
}

const NO_INODES = 'no inode is left on the file system: it has space, but takes no more files';

/** What to paste: `noInodes` undefined where nobody looked when it happened. */
function describeRoom(code: string, dir: string, noInodes: boolean | undefined): string {
  const quota = code === 'EDQUOT' ? 'quota -s; ' : '';
  const look = noInodes === undefined ? `df -h ${dir}; df -i ${dir}` : noInodes ? `df -i ${dir}` : `df -h ${dir}`;
  return `${quota}${look}; make room there, then run the command again`;
}

/**
 * What to throw where a full disk ended some work: the same, with the exit code that says what became of that work. Any
 * other error is returned as it is.
 */
export function describeFullDisk(error: unknown, exit: ExitCode): unknown {
  const known = describeSystemError(error, exit);
  return known?.problems.some(({ code }) => FULL.has(code)) ? known : error;
}

const FULL = new Set(['DISK_FULL', 'QUOTA_EXCEEDED']);
