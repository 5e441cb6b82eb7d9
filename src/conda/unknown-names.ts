// Which names of a spec no channel has, and what may have been meant.
import { closest, distance } from 'fastest-levenshtein';
import { firstChannelWith, type IndexedSubdir } from './repodata-selection.ts';
import type { SolveTask } from './solve-task.ts';

/** Names of specs that no channel has, with the nearest that there are. */
export function findUnknownNames(
  task: SolveTask,
  subdirs: readonly IndexedSubdir[],
): { spec: number; similar: string[] }[] {
  const virtual = new Set(task.virtualPackages.map(({ name }) => name));
  return task.specs.flatMap(({ name, channel, isPin }, spec) => {
    if (isPin) return [];
    const searched = channel === undefined ? subdirs : subdirs.filter((subdir) => subdir.channel === channel);
    if (virtual.has(name) || firstChannelWith(searched, name) !== undefined) return [];
    return [{ spec, similar: similarNames(name, searched) }];
  });
}

/** At most three, nearest first; nothing that shares less than half with what was asked for. */
function similarNames(name: string, subdirs: readonly IndexedSubdir[]): string[] {
  const candidates = new Set(subdirs.flatMap(({ source }) => [...source.names()]));
  const similar: string[] = [];
  while (similar.length < 3 && candidates.size > 0) {
    const nearest = closest(name, [...candidates]);
    if (distance(name, nearest) > Math.max(1, Math.floor(name.length / 3))) break;
    similar.push(nearest);
    candidates.delete(nearest);
  }
  return similar;
}
