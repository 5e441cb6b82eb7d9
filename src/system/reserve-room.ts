// Whether files of some size could be written now: by reserving them, since only the file system knows every quota.
import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { minimalEnvironment, runCommand } from './run-command.ts';
import { canWrite, findNearest, openUnnamed } from './files.ts';

/** What one directory is going to hold. */
export interface Reservation {
  /** Need not be there yet: then the one that it will be made in counts. */
  readonly dir: string;
  readonly bytes: number;
}

export type Refusal = 'space' | 'quota';

/**
 * Reserves all of it at once, then gives it back. The files have no names, so that nothing stays behind whatever happens.
 * A file system that cannot reserve (fallocate(2): EOPNOTSUPP) refuses nothing.
 * @returns why the file system refuses each; undefined where it does not
 */
export async function probeReservations(
  wanted: readonly Reservation[],
  signal?: AbortSignal,
): Promise<(Refusal | undefined)[]> {
  const handles: FileHandle[] = [];
  try {
    const refusals: (Refusal | undefined)[] = [];
    for (const { dir, bytes } of wanted) {
      const place = await findNearest(dir);
      if (bytes < 1 || !(await canWrite(place))) refusals.push(undefined);
      else {
        const handle = await openUnnamed(path.join(place, `.condense-room-${randomBytes(6).toString('hex')}`));
        handles.push(handle);
        refusals.push(await reserve(handle, bytes, signal));
      }
    }
    return refusals;
  } finally {
    await Promise.all(handles.map((handle) => handle.close()));
  }
}

async function reserve(handle: FileHandle, bytes: number, signal?: AbortSignal): Promise<Refusal | undefined> {
  const { stderr } = await runCommand({
    program: 'fallocate', // util-linux
    args: ['--length', String(Math.ceil(bytes)), `/proc/${process.pid}/fd/${handle.fd}`],
    env: { ...minimalEnvironment(), LC_ALL: 'C.UTF-8' },
    okExitCodes: [0, 1],
    signal,
  });
  if (stderr.includes('Disk quota exceeded')) return 'quota';
  return stderr.includes('No space left on device') ? 'space' : undefined;
}
