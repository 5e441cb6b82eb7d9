// What one conda package will hold, in memory: paths in the prefix to files and links.
import { readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { walkTree } from '../../src/system/files.ts';
import { mapLink, mapPath } from './map-path.ts';

export interface TreeFile {
  readonly type: 'file';
  readonly data: Buffer;
  readonly mode: number;
  /** The data holds the placeholder, which the linker is to replace. */
  readonly replace?: 'text' | 'binary';
}

export type PackageTree = Map<string, TreeFile | { readonly type: 'symlink'; readonly target: string }>;

export const sitePackages = 'lib/python3.11/site-packages/';

/** The paths, without the leading slash, of all files and links of unpacked Debian packages, and of the directories that hold them. */
export async function listFhsPaths(unpackedDirs: readonly string[]): Promise<Set<string>> {
  const known = new Set<string>();
  for (const dir of unpackedDirs) {
    for await (const entry of walkTree(dir)) {
      if (entry.kind === 'directory') continue;
      for (let at = entry.path; at !== '.' && !known.has(at); at = path.posix.dirname(at)) known.add(at);
    }
  }
  return known;
}

/**
 * Reads unpacked Debian packages into one tree; of a path that comes twice the first counts.
 * @param known see `listFhsPaths`: links to anything else, such as /etc/alternatives, are left out
 */
export async function readPackageTree(
  unpackedDirs: readonly string[],
  known: ReadonlySet<string>,
): Promise<PackageTree> {
  const tree: PackageTree = new Map();
  for (const dir of unpackedDirs) {
    for await (const entry of walkTree(dir)) {
      const to = mapPath(entry.path);
      if (to === undefined || tree.has(to) || entry.kind === 'directory') continue;
      if (entry.kind === 'link') {
        const link = mapLink(entry.path, await readlink(path.join(dir, entry.path)));
        if (link && known.has(link.fhsTarget)) tree.set(to, { type: 'symlink', target: link.target });
      } else {
        const data = await readFile(path.join(dir, entry.path));
        // Without setuid bits: a prefix is owned by whoever built it.
        tree.set(to, { type: 'file', data, mode: entry.mode & 0o100 ? 0o755 : 0o644 });
      }
    }
  }
  return tree;
}

/** Changes the text of one file. @throws Error when `change` changes nothing: Debian's file is not what it was */
export function editText(tree: PackageTree, file: string, change: (text: string) => string): void {
  const entry = tree.get(file);
  if (entry?.type !== 'file') throw new Error(`there is no ${file}`);
  const before = entry.data.toString('utf8');
  const after = change(before);
  if (after === before) throw new Error(`${file} has nothing to change`);
  tree.set(file, { ...entry, data: Buffer.from(after) });
}

export function addText(tree: PackageTree, file: string, text: string, mode = 0o644): void {
  tree.set(file, { type: 'file', data: Buffer.from(text), mode });
}
