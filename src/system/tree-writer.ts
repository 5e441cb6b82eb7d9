// Writing many small files: synchronous calls, because for 40,000 files the promises cost several times what the system calls do.
// Modes hold whatever the umask; times are whole seconds, as squashfs keeps them.
import fs from 'node:fs';
import path from 'node:path';
import { noteRoom } from './disk-room.ts';
import { cloneFile, type Sharing } from './shared-files.ts';

/** Where the members of an archive go. Paths must be clean: the caller has checked that no part of them is `..` or a link. */
export interface MemberWriter {
  /** Fails where there is one. */
  file(relative: string, data: Uint8Array, mode: number, mtimeSeconds: number): void;
  /** A file to be written piece by piece. The caller closes it. */
  newFile(
    relative: string,
    mode: number,
    mtimeSeconds: number,
  ): { readonly write: (data: Uint8Array) => void; readonly close: () => void };
  link(relative: string, target: string, mtimeSeconds: number): void;
  hardLink(relative: string, existing: string): void;
}

/** Everything below one existing directory that the caller owns; makes directories (0755) as they are needed. */
export class TreeWriter implements MemberWriter {
  readonly root: string;
  readonly #made = new Set<string>(['', '.']);

  constructor(root: string) {
    this.root = root;
  }

  directory(relative: string): void {
    if (this.#made.has(relative)) return;
    this.directory(path.posix.dirname(relative));
    const dir = this.#at(relative);
    try {
      fs.mkdirSync(dir, 0o755);
      fs.chmodSync(dir, 0o755);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !fs.lstatSync(dir).isDirectory())
        throw noteRoom(error, dir);
    }
    this.#made.add(relative);
  }

  file(relative: string, data: Uint8Array, mode: number, mtimeSeconds: number): void {
    const file = this.newFile(relative, mode, mtimeSeconds);
    try {
      file.write(data);
    } finally {
      file.close();
    }
  }

  newFile(relative: string, mode: number, mtimeSeconds: number): NewFile {
    this.directory(path.posix.dirname(relative));
    return new NewFile(this.#at(relative), mode, mtimeSeconds);
  }

  link(relative: string, target: string, mtimeSeconds: number): void {
    this.directory(path.posix.dirname(relative));
    making(this.#at(relative), (at) => {
      fs.symlinkSync(target, at);
    });
    fs.lutimesSync(this.#at(relative), mtimeSeconds, mtimeSeconds);
  }

  hardLink(relative: string, existing: string): void {
    this.directory(path.posix.dirname(relative));
    making(this.#at(relative), (at) => {
      fs.linkSync(this.#at(existing), at);
    });
  }

  /**
   * A file that shares its bytes with one of the same file system; fails where there is something, and where it cannot.
   * @param mtimeSeconds and the mode are those of `from`, already where both are one inode
   */
  share(from: string, relative: string, how: Sharing, mtimeSeconds: number): void {
    this.directory(path.posix.dirname(relative));
    making(this.#at(relative), (at) => {
      if (how === 'hard link') fs.linkSync(from, at);
      else {
        cloneFile(from, at); // with its mode (libuv, uv_fs_copyfile)
        fs.utimesSync(at, mtimeSeconds, mtimeSeconds);
      }
    });
  }

  /** Moves a file or link of the same file system in; fails where there is something: rename(2) would replace it. */
  moveIn(from: string, relative: string): void {
    this.directory(path.posix.dirname(relative));
    const to = this.#at(relative);
    if (fs.lstatSync(to, { throwIfNoEntry: false })) throw new Error(`${to} exists already`);
    making(to, () => {
      fs.renameSync(from, to);
    });
  }

  /** Moves a whole directory of the same file system in; fails where there is something. */
  moveDirectoryIn(from: string, relative: string): void {
    this.directory(path.posix.dirname(relative));
    // rename(2) replaces an empty directory, and nothing else.
    if (this.#made.has(relative)) throw new Error(`${this.#at(relative)} exists already`);
    making(this.#at(relative), (to) => {
      fs.renameSync(from, to);
    });
    this.#made.add(relative);
  }

  #at(relative: string): string {
    return `${this.root}/${relative}`;
  }
}

function making<T>(file: string, work: (file: string) => T): T {
  try {
    return work(file);
  } catch (error) {
    throw noteRoom(error, file);
  }
}

/** A file that is being written. */
export class NewFile {
  readonly #file: string;
  readonly #descriptor: number;
  readonly #mode: number;
  readonly #mtimeSeconds: number;

  constructor(file: string, mode: number, mtimeSeconds: number) {
    this.#file = file;
    this.#descriptor = making(file, () => fs.openSync(file, 'wx', 0o600));
    this.#mode = mode;
    this.#mtimeSeconds = mtimeSeconds;
  }

  write(data: Uint8Array): void {
    making(this.#file, () => {
      for (let done = 0; done < data.length;) done += fs.writeSync(this.#descriptor, data, done);
    });
  }

  close(): void {
    try {
      fs.fchmodSync(this.#descriptor, this.#mode);
      fs.futimesSync(this.#descriptor, this.#mtimeSeconds, this.#mtimeSeconds);
    } finally {
      fs.closeSync(this.#descriptor);
    }
  }
}

/**
 * Makes the times of a finished tree independent of when it was written: everything whose time is not the one that
 * `expected` gives for its path, and every directory, gets `otherSeconds`. Links are not followed.
 */
export function settleTimes(
  root: string,
  expected: (relative: string) => number | undefined,
  otherSeconds: number,
): void {
  const visit = (relative: string): void => {
    for (const entry of fs.readdirSync(`${root}/${relative}`, { withFileTypes: true })) {
      const below = relative === '' ? entry.name : `${relative}/${entry.name}`;
      if (entry.isDirectory()) visit(below);
      else {
        const at = `${root}/${below}`;
        if (fs.lstatSync(at).mtimeMs !== (expected(below) ?? -1) * 1000) fs.lutimesSync(at, otherSeconds, otherSeconds);
      }
    }
    fs.lutimesSync(`${root}/${relative}`, otherSeconds, otherSeconds);
  };
  visit('');
}

/**
 * For a tree that somebody else wrote: every directory, and all that is dated at or after `sinceMs` or after `otherSeconds`,
 * gets `otherSeconds`. What was unpacked with the times of its package keeps them. Links are not followed.
 */
export function settleNewTimes(root: string, sinceMs: number, otherSeconds: number): void {
  const visit = (relative: string): void => {
    for (const entry of fs.readdirSync(`${root}/${relative}`, { withFileTypes: true })) {
      const below = relative === '' ? entry.name : `${relative}/${entry.name}`;
      if (entry.isDirectory()) visit(below);
      else {
        const at = `${root}/${below}`;
        const { mtimeMs } = fs.lstatSync(at);
        if (mtimeMs >= sinceMs || mtimeMs > otherSeconds * 1000) fs.lutimesSync(at, otherSeconds, otherSeconds);
      }
    }
    fs.lutimesSync(`${root}/${relative}`, otherSeconds, otherSeconds);
  };
  visit('');
}
