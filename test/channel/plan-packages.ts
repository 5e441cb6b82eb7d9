// From Debian packages to conda packages: names, versions, dependencies. Pure.
import { condaName, isPythonItself, leadingPackage } from './debian-roots.ts';
import type { DebianPackage, Relation } from './debian-package.ts';
import type { Closure } from './plan-closure.ts';

export interface PlannedPackage {
  readonly name: string;
  readonly version: string;
  readonly debs: readonly DebianPackage[];
  /** Without `python`, which depends on what the package holds. */
  readonly depends: readonly string[];
  readonly needsPython: boolean;
  readonly summary: string;
  readonly homepage: string;
}

export function planPackages(closure: Closure): PlannedPackage[] {
  const groups = Map.groupBy(closure.packages, ({ name }) => condaName(name));
  const leaders = new Map(
    [...groups].map(([name, debs]) => {
      const leader = debs.find((deb) => deb.name === leadingPackage(name)) ?? debs[0];
      if (!leader) throw new Error(`${name} is made of nothing`);
      return [name, leader];
    }),
  );
  const versions = new Map([...leaders].map(([name, leader]) => [name, condaVersion(leader.version)]));
  return [...leaders].map(([name, leader]) => {
    const debs = groups.get(name) ?? [];
    const relations = debs.flatMap((deb) => deb.depends);
    return {
      name,
      version: condaVersion(leader.version),
      debs,
      depends: planDepends(name, relations, closure, versions),
      needsPython: relations.some((alternatives) => alternatives.some((relation) => isPythonItself(relation.name))),
      summary: leader.summary,
      homepage: leader.homepage,
    };
  });
}

/** The upstream part of a Debian version in characters that conda knows: `1:9.2p1-2+deb12u10` is `9.2p1`. */
export function condaVersion(debianVersion: string): string {
  const upstream = debianVersion
    .replace(/^\d+:/, '')
    .replace(/-[^-]*$/, '')
    .replace(/\+.*$|~deb\d.*$/, '')
    .replaceAll('~', '');
  return upstream.replaceAll(/[^A-Za-z0-9.]+/g, '.').toLowerCase();
}

function planDepends(
  ofPackage: string,
  relations: readonly (readonly Relation[])[],
  closure: Closure,
  versions: ReadonlyMap<string, string>,
): string[] {
  const bounds = new Map<string, string | undefined>();
  let glibc: string | undefined;
  for (const alternatives of relations) {
    const first = alternatives[0];
    if (first?.name === 'libc6') {
      glibc = highest(glibc, first.constraint?.version.match(/^[\d.]*\d/)?.[0] ?? '2.17');
      continue;
    }
    const deb = closure.choose(alternatives);
    if (!deb || isPythonItself(deb.name) || condaName(deb.name) === ofPackage) continue;
    const name = condaName(deb.name);
    const constraint = alternatives.find((relation) => relation.name === deb.name)?.constraint;
    const bound =
      constraint && ['>=', '='].includes(constraint.operator) ? condaVersion(constraint.version) : undefined;
    const holds = bound !== undefined && isPlain(bound) && highest(bound, versions.get(name)) === versions.get(name);
    bounds.set(name, holds ? highest(bounds.get(name), bound) : bounds.get(name));
  }
  const depends = [...bounds].map(([name, bound]) => (bound === undefined ? name : `${name} >=${bound}`));
  if (glibc !== undefined) depends.push(`__glibc >=${glibc},<3.0.a0`);
  return depends.sort();
}

/** Versions of numbers and dots only: there Debian's and conda's order agree. */
const isPlain = (version: string): boolean => /^\d+(\.\d+)*$/.test(version);

function highest(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const [left, right] = [a, b].map((version) => (version.match(/\d+/g) ?? []).map(Number)) as [number[], number[]];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference > 0 ? a : b;
  }
  return b;
}
