// Makes programs and libraries find their libraries in the prefix, with patchelf.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runCommand } from '../../src/system/run-command.ts';
import { mapPath } from './map-path.ts';
import type { PackageTree, TreeFile } from './package-tree.ts';

const failureHint = 'apt-get install patchelf';
const elfMagic = Buffer.from('\x7fELF', 'latin1');
const sharedOrProgram = [2, 3];

/** Whether a file is a program or a shared library (e_type ET_EXEC, ET_DYN; elf(5)). */
export function isElf(data: Buffer): boolean {
  return data.subarray(0, 4).equals(elfMagic) && data.length > 64 && sharedOrProgram.includes(data.readUInt16LE(16));
}

/**
 * Gives each ELF file of the tree an rpath to the prefix's `lib`.
 * @param placeholder makes the rpath absolute and marks the file for binary prefix replacement; otherwise it is relative to the file
 * @param workDir an empty directory
 */
export async function relocateElfs(tree: PackageTree, placeholder: string | undefined, workDir: string): Promise<void> {
  const elfs = [...tree].filter((item): item is [string, TreeFile] => item[1].type === 'file' && isElf(item[1].data));
  if (elfs.length === 0) return;
  const copies = elfs.map((_, at) => path.join(workDir, String(at)));
  await mkdir(workDir, { recursive: true });
  await Promise.all(elfs.map(([, entry], at) => writeFile(copies[at] ?? '', entry.data)));
  const old = (
    await runCommand({ program: 'patchelf', args: ['--print-rpath', ...copies], failureHint })
  ).stdout.toString();
  const oldPaths = readOldRpaths(old, copies);
  const byRpath = Map.groupBy(
    elfs.map(([file, entry], at) => ({ file, entry, copy: copies[at] ?? '', old: oldPaths[at] ?? '' })),
    (elf) => newRpath(elf.file, elf.old, placeholder),
  );
  for (const [rpath, members] of byRpath) {
    // DT_RPATH, as conda-build sets it: LD_LIBRARY_PATH of a loaded module must not win over the prefix.
    const args = ['--force-rpath', '--set-rpath', rpath, ...members.map(({ copy }) => copy)];
    await runCommand({ program: 'patchelf', args, failureHint });
    for (const { file, entry, copy } of members) {
      const data = await readFile(copy);
      tree.set(file, { ...entry, data, ...(placeholder === undefined ? {} : { replace: 'binary' as const }) });
    }
  }
}

/** patchelf prints `<file>: <rpath>` when it is given several files, the rpath alone when it is given one. */
function readOldRpaths(printed: string, copies: readonly string[]): string[] {
  const lines = printed.trimEnd().split('\n');
  return copies.map((copy, at) => (lines[at] ?? '').replace(`${copy}: `, '').trim());
}

/** @param file in the prefix */
export function newRpath(file: string, oldRpath: string, placeholder: string | undefined): string {
  const here = path.posix.dirname(file);
  const fromHere = (dir: string): string => `$ORIGIN/${path.posix.relative(here, dir)}`.replace(/\/$/, '');
  const kept = oldRpath.split(':').flatMap((part) => {
    if (part.startsWith('$ORIGIN')) return [part];
    const to = mapPath(part.slice(1));
    return to === undefined || to === 'lib' ? [] : [fromHere(to)];
  });
  const lib = placeholder === undefined ? fromHere('lib') : `${placeholder}/lib`;
  return [...new Set([...kept, lib])].join(':');
}
