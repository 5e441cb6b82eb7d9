// Looking into directories of other accounts: what is found there may be anything, and nothing of it is waited for.
import { constants } from 'node:fs';
import { open, readdir, readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

const MOST_BYTES = 64 * 1024;

/** The text of a small regular file; undefined where it is something else (a FIFO would be waited for) or cannot be read. */
export async function readForeignText(file: string): Promise<string | undefined> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      if (!(await handle.stat()).isFile()) return undefined;
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

/** All of a regular file; undefined where it is something else, cannot be read, or is longer than `mostBytes`. */
export async function readForeignBytes(file: string, mostBytes: number): Promise<Buffer | undefined> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      const there = await handle.stat();
      return there.isFile() && there.size <= mostBytes ? await handle.readFile() : undefined;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

/** The same place without links; undefined where it leads nowhere, or cannot be looked at. */
export async function readForeignPath(file: string): Promise<string | undefined> {
  try {
    return await realpath(file);
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

/** Whether it leads nowhere for certain: where this account may not look, nobody knows. */
export async function isForeignGone(file: string): Promise<boolean> {
  try {
    await stat(file);
    return false;
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return ['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
}

/** Where a link leads, as it is written. */
export async function readForeignLink(file: string): Promise<string | undefined> {
  try {
    return await readlink(file);
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

/**
 * Names in a directory, with `unreadable` where there is one that this account may not read.
 * @param kind only the directories in it, links to such left out
 */
export async function readForeignDir(
  dir: string,
  kind: 'all' | 'directories' = 'all',
): Promise<{ readonly names: string[]; readonly unreadable: boolean }> {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    const wanted = kind === 'all' ? entries : entries.filter((entry) => entry.isDirectory());
    return { names: wanted.map(({ name }) => name).sort(), unreadable: false };
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return { names: [], unreadable: ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '') };
  }
}

/** The paths that a glob with `*` and `?` within names stands for; `unreadable`: directories that it could not look into. */
export async function expandGlob(glob: string): Promise<{ readonly paths: string[]; readonly unreadable: string[] }> {
  const unreadable: string[] = [];
  let paths = ['/'];
  for (const segment of glob.split('/').filter((one) => one !== '')) {
    if (!/[*?]/.test(segment)) {
      paths = paths.map((one) => path.join(one, segment));
      continue;
    }
    const pattern = new RegExp(
      `^${segment
        .replaceAll(/[.+^$()|]/g, String.raw`\$&`)
        .replaceAll(/\*+/g, '[^/]*')
        .replaceAll('?', '[^/]')}$`,
    );
    const next: string[] = [];
    for (const dir of paths) {
      const there = await readForeignDir(dir);
      if (there.unreadable) unreadable.push(dir);
      // As shells do it: a name with a dot at its front is only meant where the glob has it, too.
      next.push(
        ...there.names
          .filter((name) => pattern.test(name) && (!name.startsWith('.') || segment.startsWith('.')))
          .map((name) => path.join(dir, name)),
      );
    }
    paths = next;
  }
  return { paths, unreadable };
}

/** Not there, not for this account, not what it should be, or on a server that does not answer for it now. */
function isUnreadable(error: unknown): boolean {
  return [
    'ENOENT',
    'ENOTDIR',
    'EACCES',
    'EPERM',
    'EINVAL',
    'ELOOP',
    'EISDIR',
    'ENXIO',
    'ENAMETOOLONG',
    'ESTALE',
  ].includes((error as NodeJS.ErrnoException).code ?? '');
}
