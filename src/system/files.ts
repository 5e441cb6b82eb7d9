// Files and directories. With run-command.ts the only code of src/ that touches the file system.
import { createHash, randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import fse from 'fs-extra';
import { AppError } from './app-error.ts';
import { withRoom } from './disk-room.ts';
import { EXIT } from './exit-codes.ts';
import type { Span } from './spool-writer.ts';

export const readBytes = (file: string): Promise<Buffer> => fs.readFile(file);
/** @throws where the spool ends before */
export async function readSpan(file: string, { offsetBytes, sizeBytes }: Span): Promise<Buffer> {
  const handle = await fs.open(file, 'r');
  try {
    const bytes = Buffer.alloc(sizeBytes);
    for (let done = 0; done < sizeBytes;) {
      const { bytesRead } = await handle.read(bytes, done, sizeBytes - done, offsetBytes + done);
      if (bytesRead === 0) throw new Error(`${file} ends after ${offsetBytes + done} bytes`);
      done += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}
/** What a file has after so many bytes; nothing where there is no such file yet. */
export async function readFrom(file: string, offsetBytes: number): Promise<Buffer> {
  if (!(await lstatIfThere(file))) return Buffer.alloc(0);
  const handle = await fs.open(file, 'r');
  try {
    const sizeBytes = Math.max(0, (await handle.stat()).size - offsetBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(sizeBytes), 0, sizeBytes, offsetBytes);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
export const readText = (file: string): Promise<string> => fs.readFile(file, 'utf8');
export const removeTree = (dir: string): Promise<void> => fse.remove(dir);
/** @throws ENOTEMPTY when there is something in it */
export const removeEmptyDir = (dir: string): Promise<void> => fs.rmdir(dir);
export const pathExists = (file: string): Promise<boolean> => fse.pathExists(file);
export const mkdtemp = (prefix: string): Promise<string> => withRoom(prefix, fs.mkdtemp(prefix));
export const symlink = (target: string, file: string): Promise<void> => withRoom(file, fs.symlink(target, file));
export const link = (from: string, to: string): Promise<void> => withRoom(to, fs.link(from, to));
export const rename = (from: string, to: string): Promise<void> => withRoom(to, fs.rename(from, to));
export const { chmod, lstat, readdir, realpath, rmdir, stat, statfs, lutimes, lchown } = fs;

/**
 * Makes a directory and its parents, one by one: mkdir with `recursive` says ENOENT where the file system is read-only.
 */
export async function makeDir(dir: string): Promise<void> {
  if (await fse.pathExists(dir)) return;
  await makeDir(path.dirname(dir));
  await makeOneDir(dir);
}

/** One that another process has just made will do. */
async function makeOneDir(dir: string): Promise<void> {
  try {
    await withRoom(dir, fs.mkdir(dir));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !(await fs.stat(dir)).isDirectory()) throw error;
  }
}

/**
 * Makes a directory of this account's own, below a place such as /tmp where anybody may make one first.
 * @throws AppError DIRECTORY_NOT_OURS when what is there is a link, or belongs to somebody else
 */
export async function makePrivateDir(dir: string): Promise<void> {
  await makeDir(path.dirname(dir));
  try {
    await withRoom(dir, fs.mkdir(dir, { mode: 0o700 }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const there = await fs.lstat(dir);
    if (there.isDirectory() && there.uid === process.geteuid?.()) return;
    throw new AppError(EXIT.siteNotReady, {
      code: 'DIRECTORY_NOT_OURS',
      message: 'is not a directory of this account, so nothing is built there',
      at: dir,
      hint: `ls -ld ${dir}; choose another staging_dir in install_config.yaml`,
    });
  }
}

/**
 * Makes a directory that everybody can enter, whatever the umask; the parents that it makes as well. Where the
 * administrators' group may write to the parent, it may write to the new one too.
 */
export async function makeSharedDir(dir: string): Promise<void> {
  if (await fse.pathExists(dir)) return;
  const parent = path.dirname(dir);
  await makeSharedDir(parent);
  await makeOneDir(dir);
  await fs.chmod(dir, 0o755 | ((await fs.stat(parent)).mode & GROUP_WRITES));
}

/** Set-group-id and group write, which directories of several administrators have. */
const GROUP_WRITES = 0o2020;

/** Whether this process may make files in a directory. */
export async function canWrite(dir: string): Promise<boolean> {
  try {
    await fs.access(dir, fs.constants.W_OK | fs.constants.X_OK);
    return true;
  } catch {
    return false; // access(2) says no, for whichever reason
  }
}

/** Whether this process may write to a file that is there. */
export async function canWriteFile(file: string): Promise<boolean> {
  return await fs.access(file, fs.constants.W_OK).then(
    () => true,
    () => false, // access(2) says no, for whichever reason
  );
}

/** `undefined` where there is nothing by that name, nor can be below a file; any other failure is thrown. */
export async function lstatIfThere(file: string): Promise<Awaited<ReturnType<typeof fs.lstat>> | undefined> {
  try {
    return await fs.lstat(file);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** The directory itself, or the nearest one above it that there is: in which it will be made. */
export async function findNearest(start: string): Promise<string> {
  let dir = start;
  while (!(await lstatIfThere(dir)) && dir !== path.dirname(dir)) dir = path.dirname(dir);
  return dir;
}

/** Names in a directory; `undefined` where there is none by that name. */
export async function readdirIfThere(dir: string): Promise<string[] | undefined> {
  try {
    return await fs.readdir(dir);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/**
 * The links in a directory, name to target; `undefined` where there is none by that name. Synchronous: a promise costs
 * several times what the call does, and a site has some ten thousand of these links.
 */
export function readLinks(dir: string): ReadonlyMap<string, string> | undefined {
  try {
    const entries = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isSymbolicLink());
    return new Map(entries.map(({ name }) => [name, readlinkSync(path.join(dir, name))]));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Reads a link; `undefined` where there is nothing by that name. */
export async function readLinkIfThere(file: string): Promise<string | undefined> {
  return (await lstatIfThere(file))?.isSymbolicLink() ? await fs.readlink(file) : undefined;
}

/** Opens a new file that goes when it is closed, or with this process: it has lost its name already. */
export async function openUnnamed(file: string): Promise<fs.FileHandle> {
  const handle = await withRoom(file, fs.open(file, 'wx', 0o600));
  try {
    await fs.rm(file);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Writes a new file that nobody looks at yet; the mode holds whatever the umask. */
export async function writeNewFile(file: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  await withRoom(file, fs.writeFile(file, data, { flag: 'wx', mode }));
  await fs.chmod(file, mode);
}

/**
 * Removes what is called `*.tmp` in a directory: call it with the lock held under which such names are made.
 * @param isOthers names that are made without it: claims of the lock itself
 */
export async function removeUnfinished(dir: string, isOthers?: (name: string) => boolean): Promise<void> {
  for (const name of await fs.readdir(dir))
    if (name.endsWith('.tmp') && !isOthers?.(name)) await fse.remove(path.join(dir, name));
}

/** Flushes a file's or a directory's own data to disk (fsync(2)). */
export async function syncPath(file: string): Promise<void> {
  const handle = await fs.open(file, 'r');
  try {
    await withRoom(file, syncHandle(handle));
  } finally {
    await handle.close();
  }
}

/** The same of what is open. Some network file systems have no fsync for directories: their rename is synchronous. */
export async function syncHandle(handle: fs.FileHandle): Promise<void> {
  try {
    await handle.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** A name beside `file`, for what is about to be renamed over it. */
function asideName(file: string): string {
  return path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString('hex')}.tmp`);
}

/** Puts a file in place: temp file in the same directory, fsync, rename, fsync of the directory. Readers see the old or the new. */
export async function writeFileAtomic(file: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  const aside = asideName(file);
  try {
    await writeNewFile(aside, data, mode);
    await syncPath(aside);
    await rename(aside, file);
  } catch (error) {
    await fs.rm(aside, { force: true });
    throw error;
  }
  await syncPath(path.dirname(file));
}

/**
 * Adds one line to a log and flushes it.
 * @throws ELOOP where the log is a link: whoever made it chose where the line would go
 */
export async function appendLine(file: string, line: string): Promise<void> {
  await makeSharedDir(path.dirname(file));
  const isNew = !(await fse.pathExists(file));
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = fs.constants;
  const handle = await withRoom(file, fs.open(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o644));
  try {
    if (isNew) await handle.chmod(0o644 | ((await fs.stat(path.dirname(file))).mode & 0o020));
    await withRoom(file, handle.write(`${line}\n`));
    await withRoom(file, handle.sync());
  } finally {
    await handle.close();
  }
}

/**
 * Points a link at `target` by one rename(2): it is never missing. Refuses to replace what is not a link.
 * The name it is made under is always the same, so that nothing is left for good where a process was killed: call it
 * with a lock held.
 */
export async function replaceLink(link: string, target: string): Promise<void> {
  const there = await lstatIfThere(link);
  if (there && !there.isSymbolicLink()) throw new Error(`${link} is not a symbolic link`);
  const aside = path.join(path.dirname(link), `.${path.basename(link)}.tmp`);
  await fs.rm(aside, { force: true });
  await symlink(target, aside);
  try {
    await rename(aside, link);
  } catch (error) {
    await fs.rm(aside, { force: true });
    throw error;
  }
  await syncPath(path.dirname(link));
}

/** Hex digest of a file, read piece by piece. */
export async function digestFile(file: string, algorithm: 'sha256' | 'md5' = 'sha256'): Promise<string> {
  return await digestHandle(await fs.open(file, 'r'), algorithm);
}

export interface DigestOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told the bytes read so far. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/**
 * The same of a file that others may have put there: no link is followed, and a pipe or a device is not waited for.
 * @throws ELOOP where it is a link, EINVAL where it is no regular file
 */
export async function digestRegularFile(file: string, options: DigestOptions = {}): Promise<string> {
  return await digestHandle(await openRegular(file), 'sha256', options);
}

const PIECE_BYTES = 1 << 20;

/**
 * Reads one piece while it digests the other, always into the same two buffers: a stream has a new one for each, and the collector
 * of garbage then works as long as the digest. Closes the handle.
 */
async function digestHandle(
  handle: fs.FileHandle,
  algorithm: 'sha256' | 'md5',
  { signal, onBytes }: DigestOptions = {},
): Promise<string> {
  try {
    const hash = createHash(algorithm);
    const { size } = await handle.stat();
    const make = (): Buffer => Buffer.allocUnsafe(Math.max(1, Math.min(size, PIECE_BYTES)));
    let [piece, other] = [make(), size > PIECE_BYTES ? make() : undefined];
    let bytes = 0;
    let { bytesRead } = await handle.read(piece);
    while (bytesRead > 0) {
      signal?.throwIfAborted();
      const next = other ? handle.read(other) : undefined;
      hash.update(piece.subarray(0, bytesRead));
      onBytes?.((bytes += bytesRead));
      ({ bytesRead } = await (next ?? handle.read(piece)));
      if (other) [piece, other] = [other, piece];
    }
    return hash.digest('hex');
  } finally {
    await handle.close();
  }
}

/** Text of a regular file; `undefined` where there is none by that name: links are not followed. */
export async function readRegularText(file: string): Promise<string | undefined> {
  if (!(await lstatIfThere(file))?.isFile()) return undefined;
  const handle = await openRegular(file);
  try {
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

async function openRegular(file: string): Promise<fs.FileHandle> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  const handle = await fs.open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw Object.assign(new Error(`${file} is no regular file`), { code: 'EINVAL', path: file });
}

export function digestText(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Copies the bytes of a file to a new name. */
export async function copyNewFile(from: string, to: string, mode = 0o644): Promise<void> {
  await withRoom(to, fs.copyFile(from, to, fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE));
  await fs.chmod(to, mode);
}

/**
 * Gives a file a second name, readable by everybody, that appears whole; what was there is replaced. A hard link where the
 * file system and the owner allow it, else a copy.
 */
export async function publishFile(from: string, to: string): Promise<void> {
  const aside = asideName(to);
  try {
    try {
      await fs.chmod(from, 0o644);
      await fs.link(from, aside);
    } catch (error) {
      // Another file system, one without links, somebody else's file (protected_hardlinks), or too many links.
      if (
        !['EXDEV', 'EPERM', 'EACCES', 'EMLINK', 'ENOTSUP', 'EROFS'].includes(
          (error as NodeJS.ErrnoException).code ?? '',
        )
      )
        throw error;
      await copyNewFile(from, aside);
      await syncPath(aside);
    }
    await fs.rename(aside, to);
  } finally {
    // Also where `to` was a link to the same file: rename(2) then leaves both names.
    await fs.rm(aside, { force: true });
  }
}

export interface TreeEntry {
  /** Relative to the root of the walk, with `/`. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'link';
  readonly mode: number;
  readonly sizeBytes: number;
  /** Equal for two names of one file. */
  readonly inode: number;
  readonly modifiedMs: number;
}

/** Everything below a directory, parents before children, names sorted by code unit; links are not followed. */
export async function* walkTree(root: string, below = ''): AsyncGenerator<TreeEntry> {
  const names = (await fs.readdir(path.join(root, below))).sort();
  for (const name of names) {
    const relative = below === '' ? name : `${below}/${name}`;
    // Synchronous: a promise costs several times what the call does, and a prefix has 200,000 of them.
    const at = lstatSync(`${root}/${relative}`);
    const kind = at.isDirectory() ? 'directory' : at.isSymbolicLink() ? 'link' : 'file';
    const sizeBytes = kind === 'file' ? at.size : 0;
    yield { path: relative, kind, mode: at.mode & 0o7777, sizeBytes, inode: at.ino, modifiedMs: at.mtimeMs };
    if (kind === 'directory') yield* walkTree(root, relative);
  }
}
