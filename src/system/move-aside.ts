// Taking something out of its place by one rename(2) in its own directory, which is reached through directories that are
// held open: nobody can put a link in the way between looking and renaming.
import { constants } from 'node:fs';
import { chmod, lstat, open, rename, type FileHandle } from 'node:fs/promises';
import { noteRoom } from './disk-room.ts';
import { syncHandle } from './files.ts';

const ASIDE = '.removed-';

/** The name that `moveAside` gives to what is called `name`. */
export const asideOf = (name: string): string => `${ASIDE}${name}`;
/** Whether it is such a name: whoever finds one may delete it. */
export const isAside = (name: string): boolean => name.startsWith(ASIDE);

/**
 * Renames `<root>/<names...>` to `.removed-<name>` beside it. No room is needed for that, so it works on a full disk. A
 * directory is closed to everybody else. The change is flushed before it returns.
 * @param root may be reached through links; nothing below it may
 * @returns the name that it has now
 * @throws NotOurs where there is a link or a special file by that name; ELOOP or ENOTDIR where a directory is a link
 */
export async function moveAside(root: string, names: readonly string[]): Promise<string> {
  const name = names.at(-1) ?? '';
  const parent = await openBelow(root, names.slice(0, -1));
  try {
    const at = `/proc/self/fd/${parent.fd}`;
    const there = await lstat(`${at}/${name}`);
    if (!there.isDirectory() && !there.isFile()) throw new NotOurs([root, ...names].join('/'));
    const aside = asideOf(name);
    await rename(`${at}/${name}`, `${at}/${aside}`);
    if (there.isDirectory()) await chmod(`${at}/${aside}`, 0o700);
    await syncHandle(parent);
    return aside;
  } catch (error) {
    throw noteRoom(error, [root, ...names].join('/'));
  } finally {
    await parent.close();
  }
}

/** Something else than what condense made. */
export class NotOurs extends Error {
  readonly file: string;
  constructor(file: string) {
    super(`${file} is neither a file nor a directory`);
    this.file = file;
  }
}

/** O_NOFOLLOW looks at the last name only (open(2)): each directory is opened from the one before. */
async function openBelow(root: string, names: readonly string[]): Promise<FileHandle> {
  let handle = await open(root, constants.O_RDONLY | constants.O_DIRECTORY);
  for (const name of names) {
    const parent = handle;
    try {
      const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
      handle = await open(`/proc/self/fd/${parent.fd}/${name}`, flags);
    } finally {
      await parent.close();
    }
  }
  return handle;
}
