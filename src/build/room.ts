// Whether there is room for a build before it begins: an hour's download that ends on a full disk helps nobody.
import { AppError, type Problem } from '../system/app-error.ts';
import { readFreeRoom, type FreeRoom } from '../system/disk-room.ts';
import { EXIT } from '../system/exit-codes.ts';
import { probeReservations, type Refusal } from '../system/reserve-room.ts';
import type { Downloads } from './plan-space.ts';
import { describeSize } from '../system/describe-size.ts';

/** What is going to be written below one directory, at the least. */
export interface RoomNeed {
  readonly dir: string;
  readonly bytes: number;
  readonly inodes: number;
}

/**
 * What a build certainly takes. Not more: an estimate that is too high would refuse a build that has room. A package unpacked is
 * about as large as its archive or larger; how much larger only the unpacking tells.
 */
export function listNeeds(
  { packageCache, staging }: { readonly packageCache: string; readonly staging: string },
  { downloads, downloadBytes, cachedBytes }: Downloads,
): RoomNeed[] {
  return [
    { dir: packageCache, bytes: downloadBytes, inodes: downloads },
    { dir: staging, bytes: Math.floor((downloadBytes + cachedBytes) * 0.8), inodes: 0 },
  ];
}

/** @param rooms as many as there are needs: what is free where each of them goes; undefined where nobody can tell */
export function findShortRoom(needs: readonly RoomNeed[], rooms: readonly (FreeRoom | undefined)[]): Problem[] {
  const byMount = new Map<string, { room: FreeRoom; bytes: number; inodes: number; dirs: string[] }>();
  for (const [index, need] of needs.entries()) {
    const room = rooms[index];
    if (!room) continue;
    const sum = byMount.get(room.mountPoint) ?? { room, bytes: 0, inodes: 0, dirs: [] };
    const { bytes, inodes, dirs } = sum;
    byMount.set(room.mountPoint, {
      room,
      bytes: bytes + need.bytes,
      inodes: inodes + need.inodes,
      dirs: [...dirs, need.dir],
    });
  }
  return [...byMount.values()].flatMap(({ room, bytes, inodes, dirs }) => {
    const lacksInodes = room.inodes !== undefined && room.inodes < inodes;
    if (room.bytes >= bytes && !lacksInodes) return [];
    const [wanted, free] =
      room.bytes < bytes ? [describeSize(bytes), describeSize(room.bytes)] : [`${inodes} inodes`, String(room.inodes)];
    return {
      code: 'DISK_TOO_SMALL',
      message: `this build takes ${wanted} or more in ${dirs.join(' and ')}, and ${free} are free: nothing was begun`,
      at: room.mountPoint,
      hint: `df -h ${room.mountPoint}; df -i ${room.mountPoint}; make room there, then run the command again`,
    };
  });
}

/**
 * Looks at what is free, then reserves it for a moment: quotas are known to the file system alone.
 * @throws AppError DISK_TOO_SMALL or QUOTA_EXCEEDED (exit 5), one for each file system or directory; INTERRUPTED
 */
export async function checkRoom(needs: readonly RoomNeed[], signal?: AbortSignal): Promise<void> {
  const rooms = needs.map(({ dir }) => readFreeRoom(dir));
  const short = findShortRoom(needs, rooms);
  if (short.length > 0) throw new AppError(EXIT.buildFailed, short);
  const refusals = await probeReservations(needs, signal);
  const refused = needs.flatMap((need, index) => {
    const refusal = refusals[index];
    return refusal ? [describeRefusal(need, refusal, rooms[index])] : [];
  });
  if (refused.length > 0) throw new AppError(EXIT.buildFailed, refused);
}

function describeRefusal({ dir, bytes }: RoomNeed, refusal: Refusal, room: FreeRoom | undefined): Problem {
  const why =
    refusal === 'quota' ? 'the quota of this account does not allow that' : 'the disk refuses to reserve that';
  const look = room ? `df -h ${room.mountPoint}` : 'df -h';
  return {
    code: refusal === 'quota' ? 'QUOTA_EXCEEDED' : 'DISK_TOO_SMALL',
    message: `this build takes ${describeSize(bytes)} or more there, and ${why}: nothing was begun`,
    at: dir,
    hint: `${refusal === 'quota' ? 'quota -s; ' : ''}${look}; make room there, then run the command again`,
  };
}
