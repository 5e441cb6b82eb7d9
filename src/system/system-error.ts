// What the kernel refuses for a reason that a person can mend: rights and space. In one place, since any step can meet it.
import path from 'node:path';
import { AppError } from './app-error.ts';
import { EXIT } from './exit-codes.ts';

/** errno(3) name to our code and words. */
const MENDABLE: Readonly<Record<string, { readonly code: string; readonly message: string; readonly space: boolean }>> =
  {
    EACCES: { code: 'PERMISSION_DENIED', message: 'this account may not do that', space: false },
    EPERM: { code: 'PERMISSION_DENIED', message: 'this account may not do that', space: false },
    EROFS: { code: 'FILE_SYSTEM_READ_ONLY', message: 'the file system is mounted read-only', space: false },
    ENOSPC: { code: 'DISK_FULL', message: 'no space is left on the file system', space: true },
    EDQUOT: { code: 'QUOTA_EXCEEDED', message: 'the quota of this account is used up', space: true },
  };

/**
 * Pure.
 * @param error anything that was thrown
 * @returns exit 4 naming the path, for an error of the system that a person can mend; undefined for anything else
 */
export function describeSystemError(error: unknown): AppError | undefined {
  if (!(error instanceof Error)) return undefined;
  // Of copies, links and renames `dest` is what was to be made.
  const { code = '', syscall, path: source, dest } = error as NodeJS.ErrnoException & { readonly dest?: string };
  const at = dest ?? source;
  const known = MENDABLE[code];
  if (!known || syscall === undefined) return undefined;
  return new AppError(
    EXIT.siteNotReady,
    {
      code: known.code,
      message: `${known.message} (${syscall}: ${code})`,
      at,
      hint: describeLook(known.space, at),
    },
    { cause: error },
  );
}

function describeLook(space: boolean, at: string | undefined): string {
  // write(2) on an open file names no path.
  if (at === undefined) return 'condense doctor';
  return space ? `df -h ${path.dirname(at)}; condense doctor` : `id; ls -ld ${path.dirname(at)} ${at}; condense doctor`;
}
