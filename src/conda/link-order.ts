// The order in which packages are linked, that of conda: it decides which package has a path that several bring. Pure.
import { parseDependencyName } from './match-spec.ts';

export interface OrderedPackage {
  readonly name: string;
  /** `channel/subdir::name-version-build` */
  readonly distribution: string;
  readonly depends: readonly string[];
  /** Those on packages that are there count as dependencies (conda/models/records.py, combined_depends). */
  readonly constrains: readonly string[];
  readonly noarchPython: boolean;
}

/** The name of a MatchSpec string, whatever its channel: `conda-forge::numpy >=2`. */
export function dependencyName(spec: string): string | undefined {
  return parseDependencyName(spec.replace(/^[^\s[]*::/, '').trim());
}

/**
 * conda/models/prefix_graph.py, _toposort: again and again the package with the fewest dependencies that are not yet
 * linked (none, but in a cycle), of several such the first by its distribution. Equal sets give equal orders. Every
 * noarch: python package comes after python, which it needs even where it does not say so.
 */
export function linkOrder<T extends OrderedPackage>(packages: readonly T[]): T[] {
  const waiting = packages.toSorted((a, b) => (a.distribution < b.distribution ? -1 : 1));
  const byName = new Map(waiting.map((one) => [one.name, one]));
  const missing = new Map(waiting.map((one) => [one, findDependencies(one, byName)]));
  const ordered: T[] = [];
  while (waiting.length > 0) {
    let best = 0;
    let fewest = Number.POSITIVE_INFINITY;
    for (const [index, one] of waiting.entries()) {
      const count = missing.get(one)?.size ?? 0;
      if (count < fewest) [best, fewest] = [index, count];
      if (fewest === 0) break;
    }
    for (const next of waiting.splice(best, 1)) {
      ordered.push(next);
      for (const others of missing.values()) others.delete(next);
    }
  }
  return ordered;
}

function findDependencies<T extends OrderedPackage>(one: T, byName: ReadonlyMap<string, T>): Set<T> {
  const names = [...one.depends, ...one.constrains].map((spec) => dependencyName(spec));
  if (one.noarchPython) names.push('python');
  const found = names.flatMap((name) => (name === undefined ? [] : (byName.get(name) ?? [])));
  // python depends on pip, which is noarch and needs python: of that circle the first part is left out, as conda does.
  return new Set(found.filter((other) => other !== one && !(one.name === 'python' && other.noarchPython)));
}
