// Stage: an installed prefix on node-local disk, at the path that it will have in the image.
import { writeCondaState } from '../conda/conda-meta.ts';
import type { Installer, InstalledPrefix, InstallRequest } from '../conda/installer.ts';
import type { StagingLayout } from '../site/layout.ts';
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
import path from 'node:path';

/** Installs the lock's conda packages into an empty prefix. What a killed build left there is removed first. */
export async function writeStagedPrefix(
  installer: Installer,
  staging: StagingLayout,
  request: Omit<InstallRequest, 'prefixOnDisk'>,
): Promise<InstalledPrefix> {
  await makePrivateDir(path.dirname(staging.dir));
  await removeTree(staging.dir);
  await makeDir(staging.prefix);
  return await installer.install({ ...request, prefixOnDisk: staging.prefix });
}

/**
 * What is ours in a prefix that has all its packages, and the modes of everything.
 * @param variables the `variables` of the environment.yml, which activation sets
 * @param marker name, relative to the prefix, of the file that tells the launcher that our image is mounted
 * @returns the names in the environment's `bin` that a farm has a link for, sorted
 */
export async function finishStagedPrefix(
  staging: StagingLayout,
  marker: { readonly name: string; readonly text: string },
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

/** Hidden names are conda's link scripts; what cannot be executed is no command. */
export async function readCommands(prefixOnDisk: string): Promise<string[]> {
  const bin = path.join(prefixOnDisk, 'bin');
  const commands: string[] = [];
  if (!(await pathExists(bin))) return commands; // data alone
  for (const entry of await readdir(bin, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || entry.isDirectory()) continue;
    if (entry.isSymbolicLink() || ((await stat(path.join(bin, entry.name))).mode & 0o111) !== 0)
      commands.push(entry.name);
  }
  if (commands.includes('launcher')) {
    // That name is the launcher's own; users still reach the program as `launcher <prefix>/bin/launcher`.
    commands.splice(commands.indexOf('launcher'), 1);
  }
  return commands.sort();
}
