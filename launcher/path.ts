// PATH as the launcher reads and changes it: entries may be empty (the working directory) or relative, and stay so.
import type { LauncherFacts } from './facts.ts';

/** What the planner asks the file system; a table in tests, node:fs in the launcher. Paths are latin1 bytes. */
export interface Sight {
  isThere(path: string): boolean;
  /** A link, wherever it points. */
  isLink(path: string): boolean;
  isReadable(path: string): boolean;
  isWritable(path: string): boolean;
  /** An executable that is no directory. */
  isProgram(path: string): boolean;
  /** Both are there and are one file. */
  isSame(one: string, other: string): boolean;
  /** It ends, through any links, at a launcher of condense, of whichever site or release. */
  isLauncher(path: string): boolean;
  readText(path: string): string | undefined;
  /** The first line of a plain file, as far as a kernel looks for `#!` (256 bytes: execve(2)). */
  readFirstLine(path: string): string | undefined;
}

/** `/a/farm/analysis3-26.11.d/bin` and the like, of any environment. */
function isInFarms(directory: string, facts: LauncherFacts): boolean {
  return facts.farmRoots.some((root) => directory.startsWith(`${root}/`));
}

/**
 * The caller's PATH with the environment's own commands before the first farm of this environment, once.
 * @param orFarm where no such farm is on PATH: this one comes first, behind the environment's own commands, since whoever
 * calls the launcher by name wants this environment, and its commands of the host; without, PATH stays as it is then
 */
export function pathInside(
  path: string | undefined,
  facts: LauncherFacts,
  sight: Sight,
  orFarm?: string,
): string | undefined {
  const own = `${facts.condaPrefix}/bin`;
  const entries = path?.split(':') ?? [];
  if (entries.includes(own)) return path;
  const farm = entries.findIndex(
    (entry) =>
      isInFarms(entry, facts) &&
      (entry.startsWith(`${facts.releasesDir}/`) || sight.isSame(entry, `${facts.releasesDir}/${facts.releaseId}/bin`)),
  );
  if (farm >= 0) return entries.toSpliced(farm, 0, own).join(':');
  if (orFarm === undefined) return path;
  return [own, orFarm, ...(path === undefined ? ['/usr/local/bin', '/usr/bin', '/bin'] : entries)].join(':');
}

/** The host's program of that name: no farm's, no other launcher's, not the image's; so that two farms cannot call each other for ever. */
export function findOutside(
  name: string,
  path: string | undefined,
  facts: LauncherFacts,
  sight: Sight,
): string | undefined {
  return (path ?? '/usr/local/bin:/usr/bin:/bin')
    .split(':')
    .filter((entry) => entry.startsWith('/') && !isInFarms(entry, facts) && entry !== `${facts.condaPrefix}/bin`)
    .map((entry) => `${entry}/${name}`)
    .find((program) => sight.isProgram(program) && !sight.isLauncher(program));
}
