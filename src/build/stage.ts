// Stage: an installed prefix on node-local disk, at the path that it will have in the image.
import { writeCondaState } from '../conda/conda-meta.ts';
import type { Installer, InstalledPrefix, InstallRequest } from '../conda/installer.ts';
import type { Layout, StagingLayout } from '../site/layout.ts';
import {
  chmod,
  lutimes,
  makeDir,
  makePrivateDir,
  pathExists,
  readdir,
  removeTree,
  stat,
  walkTree,
  writeNewFile,
} from '../system/files.ts';
import type { TarEntry } from '../system/tar-stream.ts';
import path from 'node:path';

/** Installs the lock's conda packages into an empty prefix. */
export async function writeStagedPrefix(
  installer: Installer,
  staging: StagingLayout,
  request: Omit<InstallRequest, 'prefixOnDisk'>,
): Promise<InstalledPrefix> {
  await makeStagingDir(staging);
  await makeDir(staging.prefix);
  return await installer.install({ ...request, prefixOnDisk: staging.prefix });
}

/** Makes the scratch of a build, and removes what a killed one left there. */
export async function makeStagingDir(staging: StagingLayout): Promise<void> {
  await makePrivateDir(path.dirname(staging.dir));
  await removeTree(staging.dir);
  await makeDir(staging.dir);
}

/** A file that tells the launcher that our image is mounted; its name is relative to the prefix. */
export interface Marker {
  readonly name: string;
  readonly text: string;
}

export function planMarker(layout: Layout, fullName: string): Marker {
  return { name: path.basename(layout.marker(fullName)), text: `${fullName}\n` };
}

/**
 * What is ours in a prefix that has all its packages, and the modes of everything.
 * @param variables the `variables` of the environment.yml, which activation sets
 * @returns the names in the environment's `bin` that a farm has a link for, sorted
 */
export async function finishStagedPrefix(
  staging: StagingLayout,
  marker: Marker,
  variables: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const written = [marker.name];
  await writeNewFile(path.join(staging.prefix, marker.name), marker.text);
  if (Object.keys(variables).length > 0) written.push(await writeCondaState(staging.prefix, variables));
  // The installer has given a time to all that is its own: two builds of one lock are the same bytes.
  for (const name of written) await lutimes(path.join(staging.prefix, name), 0, 0);
  await writeReadable(staging.root);
  return await readCommands(staging.prefix);
}

/** Users other than the builder read the image: whatever a post-link script's umask was. */
async function writeReadable(root: string): Promise<void> {
  await chmod(root, 0o755);
  for await (const entry of walkTree(root)) {
    const wanted = entry.kind === 'directory' || (entry.mode & 0o111) !== 0 ? 0o555 : 0o444;
    // No setuid or setgid bits: the image is mounted nosuid, and they would say something that does not hold.
    const mode = (entry.mode | wanted) & 0o777;
    if (entry.kind !== 'link' && mode !== entry.mode) await chmod(path.join(root, entry.path), mode);
  }
}

/** Names in the environment's `bin` that a farm has a link for, sorted. */
export async function readCommands(prefixOnDisk: string): Promise<string[]> {
  const bin = path.join(prefixOnDisk, 'bin');
  if (!(await pathExists(bin))) return []; // data alone
  const programs: string[] = [];
  for (const entry of await readdir(bin, { withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    if (entry.isSymbolicLink() || ((await stat(path.join(bin, entry.name))).mode & 0o111) !== 0)
      programs.push(entry.name);
  }
  return selectCommands(programs);
}

/** As `readCommands`, of a prefix that is not on disk. */
export function planCommands(entries: readonly TarEntry[]): string[] {
  const original = new Map(entries.map((entry) => [entry.path, entry]));
  const programs = entries.filter((entry) => {
    if (path.posix.dirname(entry.path) !== 'bin' || entry.kind === 'directory') return false;
    const file = entry.kind === 'hardlink' ? original.get(entry.target) : entry;
    return file?.kind === 'link' || (file?.kind === 'file' && (file.mode & 0o111) !== 0);
  });
  return selectCommands(programs.map((entry) => path.posix.basename(entry.path)));
}

/**
 * Hidden names are conda's link scripts; what cannot be executed is no command. `launcher` is the launcher's own name:
 * users still reach the program as `launcher <prefix>/bin/launcher`.
 */
const selectCommands = (programs: readonly string[]): string[] =>
  programs.filter((name) => !name.startsWith('.') && name !== 'launcher').sort();
