// The order in which packages are linked: what a package depends on comes before it. Pure.
import { parseDependencyName } from './match-spec.ts';

export interface OrderedPackage {
  readonly name: string;
  readonly depends: readonly string[];
  readonly noarchPython: boolean;
}

/** The name of a MatchSpec string, whatever its channel: `conda-forge::numpy >=2`. */
export function dependencyName(spec: string): string | undefined {
  return parseDependencyName(spec.replace(/^[^\s[]*::/, '').trim());
}

/**
 * Depth first by name, so that equal sets give equal orders whatever order they come in. Cycles are cut
 * where they are met. Every noarch: python package comes after python, which it needs even where it does not say so.
 */
export function linkOrder<T extends OrderedPackage>(packages: readonly T[]): T[] {
  const sorted = [...packages].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const byName = new Map(sorted.map((one) => [one.name, one]));
  const ordered = new Set<T>();
  const begun = new Set<T>();
  const visit = (one: T): void => {
    if (begun.has(one)) return;
    begun.add(one);
    const needed = one.depends.flatMap((spec) => dependencyName(spec) ?? []);
    if (one.noarchPython) needed.push('python');
    for (const name of needed.sort()) {
      const dependency = byName.get(name);
      // python depends on pip, which is noarch and needs python: of that circle the first part is left out, as conda does.
      if (dependency && !(one.name === 'python' && dependency.noarchPython)) visit(dependency);
    }
    ordered.add(one);
  };
  for (const one of sorted) visit(one);
  return [...ordered];
}
