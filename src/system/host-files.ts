// A quick look at files of this machine and into them: synchronous, since a check of libraries asks some 100,000 times.
import fs from 'node:fs';
import type { ReadPiece } from './elf-file.ts';

export interface SeenFile {
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  /** Of a link, as written. */
  readonly target?: string | undefined;
  readonly sizeBytes: number;
  readonly mode: number;
}

/** What is there by that name, links not followed; undefined where there is nothing that this account can see. */
export function lookAt(file: string): SeenFile | undefined {
  try {
    const at = fs.lstatSync(file, { throwIfNoEntry: false });
    if (!at) return undefined;
    const { size: sizeBytes, mode } = at;
    if (at.isSymbolicLink()) return { kind: 'link', target: fs.readlinkSync(file), sizeBytes, mode };
    return { kind: at.isFile() ? 'file' : at.isDirectory() ? 'directory' : 'other', sizeBytes, mode };
  } catch (error) {
    if (isUnseen(error)) return undefined;
    throw error;
  }
}

/** Names in a directory, sorted. */
export const listNames = (dir: string): string[] => fs.readdirSync(dir).sort();

const isUnseen = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'EINVAL', 'ENAMETOOLONG'].includes(
    (error as NodeJS.ErrnoException).code ?? '',
  );

/**
 * Has something read a file piece by piece, and closes it. A pipe is not waited for.
 * @param startBytes where in the file it begins
 * @returns undefined where the file cannot be opened
 */
export function readPieces<T>(file: string, work: (read: ReadPiece) => T, startBytes = 0): T | undefined {
  let descriptor: number;
  try {
    descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (error) {
    if (isUnseen(error)) return undefined;
    throw error;
  }
  try {
    return work((offset, length) => {
      const bytes = Buffer.alloc(length);
      let done = 0;
      while (done < length) {
        const count = fs.readSync(descriptor, bytes, done, length - done, startBytes + offset + done);
        if (count === 0) break;
        done += count;
      }
      return bytes.subarray(0, done);
    });
  } finally {
    fs.closeSync(descriptor);
  }
}
