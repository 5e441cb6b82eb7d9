// What was short when a call failed for want of room: looked up at once, since cleaning up after the failure gives it back.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export interface ShortRoom {
  /** The file system had blocks left, but not one inode. */
  readonly noInodes: boolean;
  /** Where it is mounted: that is there when everything below has been cleaned away, so that `df` can be asked. */
  readonly mountPoint: string;
}

const shortRooms = new WeakMap<Error, ShortRoom>();

/** What `noteRoom` saw. */
export function readShortRoom(error: Error): ShortRoom | undefined {
  return shortRooms.get(error);
}

/** Of an error that comes from another thread. */
export function keepShortRoom(error: Error, room: ShortRoom): void {
  shortRooms.set(error, room);
}

/**
 * Completes an error of the system: write(2) and fsync(2) name no file, and ENOSPC does not say what there was none of.
 * @returns the same error
 */
export function noteRoom(error: unknown, file: string): unknown {
  if (!(error instanceof Error)) return error;
  const failure = error as NodeJS.ErrnoException;
  if (failure.syscall === undefined) return error;
  failure.path ??= file;
  const code = readErrnoName(failure);
  if ((code === 'ENOSPC' || code === 'EDQUOT') && !shortRooms.has(error)) {
    const room = probeRoom(path.dirname(path.resolve(file)));
    if (room) shortRooms.set(error, room);
  }
  return error;
}

/** The name of errno(3). libuv knows none for EDQUOT, and Node then says `Unknown system error -122` (uv.h, UV_ERRNO_MAP). */
export function readErrnoName({ code, errno }: NodeJS.ErrnoException): string | undefined {
  return errno === -os.constants.errno.EDQUOT ? 'EDQUOT' : code;
}

/** As `noteRoom`, of what is awaited. */
export async function withRoom<T>(file: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw noteRoom(error, file);
  }
}

/** Synchronous: anything else that runs could change it. */
export function probeRoom(start: string): ShortRoom | undefined {
  const free = readFreeRoom(start);
  return free && { noInodes: free.inodes === 0 && free.bytes > 0, mountPoint: free.mountPoint };
}

/** What an ordinary account may still write (statfs(2), f_bavail). */
export interface FreeRoom {
  readonly mountPoint: string;
  readonly bytes: number;
  /** Absent on file systems that make inodes as they need them (btrfs) and count none. */
  readonly inodes?: number | undefined;
}

/**
 * @param start need not be there yet: then the directory that it will be made in counts
 * @returns undefined where the file system does not say
 */
export function readFreeRoom(start: string): FreeRoom | undefined {
  let dir = start;
  while (!fs.existsSync(dir)) dir = path.dirname(dir);
  try {
    const { bavail, bsize, files, ffree } = fs.statfsSync(dir);
    const { dev } = fs.statSync(dir);
    while (dir !== '/' && fs.statSync(path.dirname(dir)).dev === dev) dir = path.dirname(dir);
    return { mountPoint: dir, bytes: bavail * bsize, ...(files > 0 ? { inodes: ffree } : {}) };
  } catch {
    return undefined; // the error that is being told of counts, not that its surroundings cannot be seen
  }
}
