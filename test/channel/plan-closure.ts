// Which Debian packages the channel needs: the roots and what they depend on, without what is pruned.
import type { DebianPackage, Relation } from './debian-package.ts';

export interface Closure {
  /** Sorted by name. */
  readonly packages: readonly DebianPackage[];
  /** The chosen package for one dependency; `undefined` where it is pruned. */
  choose(alternatives: readonly Relation[]): DebianPackage | undefined;
}

/** @throws Error when a root or an unpruned dependency is not available */
export function planClosure(
  available: ReadonlyMap<string, DebianPackage>,
  roots: readonly string[],
  pruned: ReadonlySet<string>,
): Closure {
  const providers = new Map<string, DebianPackage>();
  for (const candidate of available.values()) {
    for (const name of candidate.provides) if (!providers.has(name)) providers.set(name, candidate);
  }
  const chosen = new Map<string, DebianPackage>();
  const choose = (alternatives: readonly Relation[]): DebianPackage | undefined => {
    if (alternatives.some(({ name }) => pruned.has(name))) return undefined;
    const found =
      alternatives.map(({ name }) => chosen.get(name)).find((candidate) => candidate !== undefined) ??
      alternatives.map(({ name }) => available.get(name) ?? providers.get(name)).find(Boolean);
    if (!found) throw new Error(`nothing available for ${alternatives.map(({ name }) => name).join(' | ')}`);
    return pruned.has(found.name) ? undefined : found;
  };
  const todo = roots.map((name) => {
    const root = available.get(name);
    if (!root) throw new Error(`apt knows no package ${name}; this needs Debian 12 and: apt-get update`);
    return root;
  });
  for (let next = todo.shift(); next; next = todo.shift()) {
    if (chosen.has(next.name)) continue;
    chosen.set(next.name, next);
    for (const alternatives of next.depends) {
      const found = choose(alternatives);
      if (found) todo.push(found);
    }
  }
  return { packages: [...chosen.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), choose };
}
