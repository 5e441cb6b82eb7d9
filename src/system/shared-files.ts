// Files that two directories of one file system share: as clones (ioctl_ficlone(2)), or as names of one inode (link(2)).
// Synchronous, as in tree-writer.ts: there are many, and they are small.
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { noteRoom, readErrnoName } from './disk-room.ts';

/** A clone is a file of its own, whose blocks are copied when it is written to. Two names of one inode are one file. */
export type Sharing = 'clone' | 'hard link';

/** What changes when the file is written to, whatever its times are set to afterwards: the kernel alone sets `changed`. */
export interface FileState {
  readonly inode: string;
  /** Of st_ctim. A new name of the file is a change, too. */
  readonly changedNs: string;
  readonly mode: number;
  readonly mtimeSeconds: number;
  readonly sizeBytes: number;
}

/** @returns undefined where there is something else than a file. @throws ENOENT */
export function readFileState(file: string): FileState | undefined {
  const at = fs.lstatSync(file, { bigint: true });
  if (!at.isFile()) return undefined;
  return {
    inode: String(at.ino),
    changedNs: String(at.ctimeNs),
    mode: Number(at.mode & 0o7777n),
    mtimeSeconds: Number(at.mtimeNs) / 1e9,
    sizeBytes: Number(at.size),
  };
}

/**
 * What the two directories can share, tried out with a file that is removed again.
 * @param from can be written to
 * @returns undefined where they can share nothing
 */
export function probeSharing(from: string, to: string, mayHardLink: boolean): Sharing | undefined {
  const name = `.condense-probe-${randomBytes(6).toString('hex')}`;
  const [source, target] = [`${from}/${name}`, `${to}/${name}`];
  const attempt = (work: () => void): boolean => {
    try {
      work();
      return true;
    } catch (error) {
      if (cannotShare(error)) return false;
      throw noteRoom(error, target);
    }
  };
  try {
    if (
      !attempt(() => {
        fs.writeFileSync(source, 'probe', { flag: 'wx' });
      })
    )
      return undefined;
    if (
      attempt(() => {
        cloneFile(source, target);
      })
    )
      return 'clone';
    fs.rmSync(target, { force: true }); // made before the clone was refused
    return mayHardLink &&
      attempt(() => {
        fs.linkSync(source, target);
      })
      ? 'hard link'
      : undefined;
  } finally {
    for (const file of [source, target]) fs.rmSync(file, { force: true });
  }
}

/** Fails where there is one, and where the file system knows no clones. */
export function cloneFile(from: string, to: string): void {
  fs.copyFileSync(from, to, fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE_FORCE);
}

/** Whether it says that these two files cannot be shared, which is nobody's fault. Not there any more is among it. */
export function cannotShare(error: unknown): boolean {
  const refusals = [
    'EXDEV',
    'EPERM',
    'EACCES',
    'EROFS',
    'EMLINK',
    'EOPNOTSUPP',
    'ENOTSUP',
    'ENOTTY',
    'ENOSYS',
    'EINVAL',
  ];
  return error instanceof Error && refusals.includes(readErrnoName(error) ?? '');
}

/** For all files: a buffer for each of many small ones would cost more than reading them. */
let buffer: Buffer | undefined;

/** Hex sha256. */
export function digestNow(file: string): string {
  buffer ??= Buffer.allocUnsafe(1 << 20);
  const descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    const whole = createHash('sha256');
    for (;;) {
      const length = fs.readSync(descriptor, buffer);
      if (length === 0) return whole.digest('hex');
      whole.update(buffer.subarray(0, length));
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

/** All of a file that is not large. */
export const readNow = (file: string): Buffer => fs.readFileSync(file);
