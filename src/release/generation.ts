// Generations: the public face of the site as data, and the links that show it.
import path from 'node:path';
import { renderLuaModulerc, renderModulerc } from '../modules/modulerc.ts';
import type { Layout } from '../site/layout.ts';

/** What users can reach: which release each version is, and which version each alias means. */
export interface PublicFace {
  /** Full name to release id. */
  readonly versions: ReadonlyMap<string, string>;
  /** Alias, e.g. `analysis3`, to full name. */
  readonly aliases: ReadonlyMap<string, string>;
}

export interface Generation extends PublicFace {
  readonly number: number;
  /** Set when a rollback made it: the generation whose content it has. */
  readonly restores?: number | undefined;
}

export const NOTHING_PUBLISHED: PublicFace = { versions: new Map(), aliases: new Map() };

export interface GenerationPlan {
  readonly number: number;
  readonly dir: string;
  readonly directories: readonly string[];
  readonly links: readonly { readonly path: string; readonly target: string }[];
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

/** What one environment's configuration wants its aliases to be. */
export interface WantedAliases {
  readonly name: string;
  readonly stable?: string | undefined;
  readonly unstable?: string | undefined;
}

/**
 * The face after publishing a release. Aliases of the environment become what the configuration says. One that it points
 * at a version that is not published stays where it is: users lose no name over a slip.
 * @param wanted undefined for an environment that is not in the configuration any more: its aliases stay
 */
export function planPublish(
  face: PublicFace,
  release: { readonly fullName: string; readonly id: string },
  wanted: WantedAliases | undefined,
): { readonly face: PublicFace; readonly warnings: readonly string[] } {
  const versions = new Map(face.versions).set(release.fullName, release.id);
  const aliases = new Map(face.aliases);
  const warnings: string[] = [];
  if (!wanted) return { face: { versions, aliases }, warnings };
  for (const [alias, version] of [
    [wanted.name, wanted.stable],
    [`${wanted.name}-unstable`, wanted.unstable],
  ] as const) {
    const target = `${wanted.name}-${version ?? ''}`;
    const now = aliases.get(alias);
    if (version === undefined) {
      if (aliases.delete(alias)) warnings.push(`alias ${alias} is taken away: the configuration does not have it`);
    } else if (versions.has(target)) aliases.set(alias, target);
    else
      warnings.push(
        `alias ${alias} ${now === undefined ? 'is left out' : `stays at ${now}`}: ${target} is not published`,
      );
  }
  return { face: { versions, aliases }, warnings };
}

/** True when users would see no difference. */
export function compareFaces(a: PublicFace, b: PublicFace): boolean {
  const text = (face: PublicFace): string => JSON.stringify([[...face.versions].sort(), [...face.aliases].sort()]);
  return text(a) === text(b);
}

/** Versions and aliases of one environment, out of a face. */
function ownedBy(environment: string, name: string): boolean {
  return name === environment || name === `${environment}-unstable` || name.startsWith(`${environment}-`);
}

/**
 * The face that a rollback gives: all of an older generation, or of it only what belongs to one environment.
 * @param history every generation, in any order
 * @param environments names of all environments, so that `a` does not take what belongs to `a-b`
 * @returns undefined when there is nothing older that differs
 */
export function planRollback(
  history: readonly Generation[],
  current: Generation,
  options: {
    readonly environment?: string | undefined;
    readonly to?: number | undefined;
    readonly environments: readonly string[];
  },
): { readonly face: PublicFace; readonly restores: number } | undefined {
  const { environment } = options;
  const environments = environment === undefined ? [] : [...options.environments, environment];
  const owner = (name: string): string | undefined =>
    environments.filter((one) => ownedBy(one, name)).sort((a, b) => b.length - a.length)[0];
  const mix = (older: PublicFace): PublicFace => {
    if (environment === undefined) return { versions: older.versions, aliases: older.aliases };
    const pick = (now: ReadonlyMap<string, string>, then: ReadonlyMap<string, string>): Map<string, string> =>
      new Map([
        ...[...now].filter(([name]) => owner(name) !== environment),
        ...[...then].filter(([name]) => owner(name) === environment),
      ]);
    return { versions: pick(current.versions, older.versions), aliases: pick(current.aliases, older.aliases) };
  };
  const isAsNow = (older: PublicFace): boolean => compareFaces(mix(older), current);
  const from = findOrigin(history, current, isAsNow);
  const candidates = history
    .filter((generation) => (options.to === undefined ? generation.number < from : generation.number === options.to))
    .sort((a, b) => b.number - a.number);
  const older = candidates.find((generation) => !isAsNow(generation));
  return older && { face: mix(older), restores: older.number };
}

/**
 * The number of the generation that first showed what is shown now. A rollback showed again what an older one had: going
 * back once more starts from there, or it would bring back what the rollback took away. The rollback of another
 * environment, which changed nothing here, does not count.
 */
function findOrigin(
  history: readonly Generation[],
  current: Generation,
  isAsNow: (generation: Generation) => boolean,
): number {
  const byNumber = new Map(history.map((generation) => [generation.number, generation]));
  let at = current;
  for (;;) {
    const before = Math.max(0, ...[...byNumber.keys()].filter((number) => number < at.number));
    const next = [at.restores, before]
      .map((number) => byNumber.get(number ?? 0))
      .find((generation) => generation && isAsNow(generation));
    if (!next) return at.number;
    at = next;
  }
}

/** Every path of a generation. Link targets are relative: a site can be mounted elsewhere. */
export function planGeneration(layout: Layout, generation: Generation): GenerationPlan {
  const at = layout.generation(generation.number);
  const modules = at.modules(layout.moduleFamily);
  const links: { path: string; target: string }[] = [];
  const add = (link: string, to: string): void => {
    links.push({ path: link, target: path.relative(path.dirname(link), to) });
  };
  for (const [fullName, id] of generation.versions) {
    const release = layout.release(fullName, id);
    add(path.join(at.envs, `${fullName}.sqsh`), release.image);
    // Dangling on the host by design: that path exists inside the container.
    links.push({ path: path.join(at.envs, fullName), target: layout.condaPrefix(fullName) });
    add(path.join(at.scripts, `${fullName}.d`), release.dir);
    add(path.join(modules, fullName), release.tclModule);
    add(path.join(modules, `${fullName}.lua`), release.luaModule);
  }
  for (const [alias, fullName] of generation.aliases) {
    links.push({ path: path.join(at.envs, alias), target: fullName });
    links.push({ path: path.join(at.scripts, `${alias}.d`), target: `${fullName}.d` });
  }
  if (generation.restores !== undefined) links.push({ path: at.restores, target: `../${generation.restores}` });
  return {
    number: generation.number,
    dir: at.dir,
    directories: [at.dir, at.envs, at.scripts, path.dirname(modules), modules],
    links,
    files: [
      { path: path.join(modules, '.modulerc'), text: renderModulerc(layout.moduleFamily, generation.aliases) },
      { path: path.join(modules, '.modulerc.lua'), text: renderLuaModulerc(layout.moduleFamily, generation.aliases) },
    ],
  };
}
