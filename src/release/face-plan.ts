// What publishing, promoting and removing make of the public face: pure, and never a face with an alias that leads nowhere.
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { checkFace, type PublicFace } from './generation.ts';
import type { GatedRelease } from './gated-release.ts';

/** What one environment's configuration says of its aliases. */
export interface EnvironmentAliases {
  readonly name: string;
  /** The version behind the bare name; undefined: it is where `condense promote` put it. */
  readonly stable?: string | undefined;
  readonly unstable?: string | undefined;
  readonly protectStable?: boolean | undefined;
}

/** What the configuration says of all aliases: each belongs to one environment, which its name tells. */
export interface AliasPolicy {
  readonly environments: ReadonlyMap<string, EnvironmentAliases>;
  /** The environment whose stable alias `default` follows. */
  readonly defaultEnvironment?: string | undefined;
}

export interface FacePlan {
  readonly face: PublicFace;
  readonly warnings: readonly string[];
}

/** `analysis3=26.11` */
export interface Promotion {
  readonly alias: string;
  /** A version (`26.11`) or a full name (`analysis3-26.11`). */
  readonly version: string;
}

/** The alias that `module load <family>` takes (modulefile(5), module-version); nobody moves it by itself. */
const DEFAULT_ALIAS = 'default';
const UNSTABLE = '-unstable';

/** @throws AppError PROMOTION_INVALID (exit 2) */
export function parsePromotion(text: string): Promotion {
  const [alias = '', version = '', ...rest] = text.split('=');
  if (alias !== '' && version !== '' && rest.length === 0) return { alias, version };
  throw new AppError(EXIT.usage, {
    code: 'PROMOTION_INVALID',
    message: `${JSON.stringify(text)} is not <alias>=<version>`,
    hint: 'such as analysis3=26.11, or analysis3-unstable=26.11',
  });
}

export interface PublishWishes {
  /** Only what has passed its gate can be shown. */
  readonly releases: readonly GatedRelease[];
  readonly promotions?: readonly Promotion[] | undefined;
  /** Whether it was asked for to replace the release of a version that is stable and protected. */
  readonly stable?: boolean | undefined;
}

/**
 * The face with some releases in it. Aliases of their environments become what the configuration says, and then what is
 * promoted. One that the configuration points at a version that is not published stays where it is: users lose no name
 * over a slip.
 * @throws AppError STABLE_PROTECTED, ALIAS_DANGLING, ALIAS_TAKEN, ALIAS_UNKNOWN
 */
export function planPublish(face: PublicFace, wishes: PublishWishes, policy: AliasPolicy): FacePlan {
  if (!wishes.stable) checkProtected(face, wishes.releases, policy);
  const versions = new Map(face.versions);
  for (const { fullName, id } of wishes.releases) versions.set(fullName, id);
  const environments = [...new Set(wishes.releases.map(({ environment }) => environment))];
  return planAliases({ versions, aliases: face.aliases }, environments, wishes.promotions ?? [], policy);
}

/**
 * The face with its aliases elsewhere.
 * @param environments whose aliases become what the configuration says
 * @throws AppError as planPublish, ENVIRONMENT_UNKNOWN
 */
export function planPromote(
  face: PublicFace,
  wishes: { readonly environments: readonly string[]; readonly promotions: readonly Promotion[] },
  policy: AliasPolicy,
): FacePlan {
  return planAliases(face, wishes.environments, wishes.promotions, policy);
}

function planAliases(
  face: PublicFace,
  environments: readonly string[],
  promotions: readonly Promotion[],
  policy: AliasPolicy,
): FacePlan {
  const aliases = new Map(face.aliases);
  const warnings: string[] = [];
  const moved = resolvePromotions(face, environments, promotions, policy);
  for (const name of environments) {
    for (const { alias, version } of listWanted(policy.environments.get(name))) {
      const target = `${name}-${version}`;
      if (moved.has(alias)) continue;
      if (face.versions.has(target)) aliases.set(alias, target);
      else {
        const now = aliases.get(alias);
        const state = now === undefined ? 'is left out' : `stays at ${now}`;
        warnings.push(`alias ${alias} ${state}: ${target} is not published`);
      }
    }
  }
  for (const [alias, target] of moved) aliases.set(alias, target);
  const plan = finishFace({ versions: face.versions, aliases }, policy, warnings);
  return { ...plan, warnings: [...plan.warnings, ...describeDisagreements(plan.face, policy, [...moved.keys()])] };
}

/** What the configuration wants of one environment's aliases. */
function listWanted(
  environment: EnvironmentAliases | undefined,
): readonly { readonly alias: string; readonly version: string; readonly key: 'stable' | 'unstable' }[] {
  if (!environment) return [];
  const { name, stable, unstable } = environment;
  return [
    ...(stable === undefined ? [] : [{ alias: name, version: stable, key: 'stable' as const }]),
    ...(unstable === undefined ? [] : [{ alias: `${name}${UNSTABLE}`, version: unstable, key: 'unstable' as const }]),
  ];
}

/** Where aliases are not what the configuration says: the next publish of the environment would move them there. */
export function describeDisagreements(face: PublicFace, policy: AliasPolicy, only?: readonly string[]): string[] {
  return [...policy.environments.values()].flatMap((environment) =>
    listWanted(environment).flatMap(({ alias, version, key }) => {
      const target = `${environment.name}-${version}`;
      const now = face.aliases.get(alias);
      if ((only && !only.includes(alias)) || now === target || !face.versions.has(target)) return [];
      return [
        `alias ${alias} ${now === undefined ? 'is not there' : `means ${now}`}, and the configuration says ${key}: '${version}': ` +
          `the next publish of ${environment.name} puts it there; to keep it, change the configuration`,
      ];
    }),
  );
}

/**
 * The environment that a version or alias belongs to, by its name: the one with the longest name that fits, so that `a` does
 * not get what belongs to `a-b`.
 */
export function findEnvironment(name: string, environments: readonly string[]): string | undefined {
  const fits = (one: string): boolean => name === one || name.startsWith(`${one}-`);
  return environments.filter(fits).sort((a, b) => b.length - a.length)[0];
}

/** @returns alias to full name */
function resolvePromotions(
  face: PublicFace,
  environments: readonly string[],
  promotions: readonly Promotion[],
  policy: AliasPolicy,
): Map<string, string> {
  const resolved = new Map<string, string>();
  const problems: Problem[] = [];
  for (const { alias: written, version } of promotions) {
    for (const alias of listMeant(written, environments)) {
      const owner = findOwner(face, alias, policy);
      if (owner === undefined) {
        problems.push(describeUnknownAlias(face, alias, policy));
        continue;
      }
      const versions = listVersions(face, owner, policy);
      const target = versions.find((name) => name === `${owner}-${version}` || name === version);
      if (target === undefined) {
        problems.push({
          code: 'ALIAS_DANGLING',
          message: `alias ${alias} cannot mean ${version}: no such version of ${owner} is published, only ${versions.join(', ') || 'none'}`,
          hint: 'condense list --releases',
        });
      } else if ((resolved.get(alias) ?? target) === target) resolved.set(alias, target);
      else {
        problems.push({
          code: 'PROMOTION_INVALID',
          message: `alias ${alias} cannot mean both ${resolved.get(alias) ?? ''} and ${target}`,
        });
      }
    }
  }
  if (problems.length > 0) throw new AppError(EXIT.publishFailed, problems);
  return resolved;
}

/** `stable` and `unstable` mean those of every environment that is published in the same step. */
function listMeant(alias: string, environments: readonly string[]): readonly string[] {
  if (alias === 'stable' && environments.length > 0) return environments;
  if (alias === 'unstable' && environments.length > 0) return environments.map((name) => `${name}${UNSTABLE}`);
  return [alias];
}

/** The environment that an alias belongs to: one of the configuration, or one that an alias of it is left of. */
function findOwner(face: PublicFace, alias: string, policy: AliasPolicy): string | undefined {
  if (alias === DEFAULT_ALIAS) return undefined;
  if (policy.environments.has(alias)) return alias;
  const base = alias.endsWith(UNSTABLE) ? alias.slice(0, -UNSTABLE.length) : undefined;
  if (base !== undefined && policy.environments.has(base)) return base;
  return face.aliases.has(alias) ? (base ?? alias) : undefined;
}

function describeUnknownAlias(face: PublicFace, alias: string, policy: AliasPolicy): Problem {
  if (alias === DEFAULT_ALIAS) {
    return {
      code: 'ALIAS_UNKNOWN',
      message: `default follows the environment that default_environment names (${policy.defaultEnvironment ?? 'none'}): it is not moved by itself`,
      hint: 'promote that environment, or change default_environment and run: condense promote <environment>',
    };
  }
  const known = [...new Set([...policy.environments.keys(), ...face.aliases.keys()])];
  const names = known.filter((name) => name !== DEFAULT_ALIAS).sort();
  return {
    code: 'ALIAS_UNKNOWN',
    message: `there is no alias ${JSON.stringify(alias)}; there are: ${names.join(', ') || 'none'}`,
    hint: 'an environment has two: its name, and its name with -unstable',
  };
}

/** Full names of one environment's published versions. */
function listVersions(face: PublicFace, owner: string, policy: AliasPolicy): string[] {
  const environments = [...policy.environments.keys(), owner];
  return [...face.versions.keys()].filter((name) => findEnvironment(name, environments) === owner);
}

/** hh5's first version refused to build into a version that is stable; here a build harms nobody, and publishing it might. */
export function checkProtected(
  face: PublicFace,
  releases: readonly { readonly fullName: string; readonly id?: string | undefined; readonly environment: string }[],
  policy: AliasPolicy,
): void {
  const problems = releases
    .filter(({ fullName, id, environment }) => {
      const live = face.versions.get(fullName);
      return (
        policy.environments.get(environment)?.protectStable === true &&
        face.aliases.get(environment) === fullName &&
        live !== undefined &&
        live !== id
      );
    })
    .map(({ fullName, id, environment }) => ({
      code: 'STABLE_PROTECTED',
      message: `${fullName} is what ${environment} means, and protect_stable keeps its release from being replaced under its users`,
      hint:
        id === undefined
          ? `build and look at it first: condense build ${environment}; or go through with: condense install --stable ${environment}`
          : `condense publish --stable ${fullName}/${id}; or give it a version of its own`,
    }));
  if (problems.length > 0) throw new AppError(EXIT.publishFailed, problems);
}

/**
 * The face without some versions and aliases. Their releases stay on disk.
 * @param stable whether it was asked for to take away what is stable
 * @throws AppError NAME_UNPUBLISHED (exit 2), STABLE_PROTECTED, ALIAS_DANGLING
 */
export function planRemove(face: PublicFace, names: readonly string[], policy: AliasPolicy, stable = false): FacePlan {
  const problems: Problem[] = [];
  const unknown = names.filter(
    (name) => name === DEFAULT_ALIAS || !(face.versions.has(name) || face.aliases.has(name)),
  );
  if (unknown.length > 0) {
    const known = [...face.versions.keys(), ...face.aliases.keys()].filter((name) => name !== DEFAULT_ALIAS);
    throw new AppError(
      EXIT.usage,
      unknown.map((name) => ({
        code: 'NAME_UNPUBLISHED',
        message:
          name === DEFAULT_ALIAS
            ? 'default follows default_environment, and goes when that key or its alias does'
            : `${JSON.stringify(name)} is neither a published version nor an alias; there are: ${known.join(', ') || 'none'}`,
        hint: 'condense list',
      })),
    );
  }
  for (const name of stable ? [] : names) {
    const meant = face.aliases.get(name);
    if (meant !== undefined && isStableAlias(name, policy)) {
      problems.push({
        code: 'STABLE_PROTECTED',
        message: `${name} is the name that most users load (now ${meant}): taking it away has to be asked for`,
        hint: `condense remove --stable ${names.join(' ')}; to move it instead: condense promote ${name}=<version>`,
      });
    }
  }
  if (problems.length > 0) throw new AppError(EXIT.publishFailed, problems);
  const keep = (map: ReadonlyMap<string, string>): Map<string, string> =>
    new Map([...map].filter(([name]) => !names.includes(name)));
  const plan = finishFace({ versions: keep(face.versions), aliases: keep(face.aliases) }, policy, []);
  return { ...plan, warnings: [...plan.warnings, ...describeDisagreements(plan.face, policy, names)] };
}

function isStableAlias(alias: string, policy: AliasPolicy): boolean {
  return policy.environments.has(alias) || !alias.endsWith(UNSTABLE);
}

/**
 * The last step of every plan: `default` follows its environment, and nothing leads nowhere.
 * @throws AppError ALIAS_DANGLING, ALIAS_TAKEN
 */
export function finishFace(face: PublicFace, policy: AliasPolicy, warnings: readonly string[] = []): FacePlan {
  const finished = withDefault(face, policy);
  checkFace(finished);
  const had = face.aliases.get(DEFAULT_ALIAS);
  return {
    face: finished,
    warnings:
      had !== undefined && !finished.aliases.has(DEFAULT_ALIAS)
        ? [...warnings, `default, which meant ${had}, is taken away: ${describeNoDefault(policy)}`]
        : warnings,
  };
}

const describeNoDefault = ({ defaultEnvironment: name }: AliasPolicy): string =>
  name === undefined
    ? 'the configuration has no default_environment'
    : `alias ${name}, which it follows, is not published`;

/** Derived, never set: wherever the alias of its environment goes, it goes along. */
export function withDefault(face: PublicFace, policy: AliasPolicy): PublicFace {
  const target = face.aliases.get(policy.defaultEnvironment ?? '');
  const aliases = new Map([...face.aliases].filter(([alias]) => alias !== DEFAULT_ALIAS));
  if (target !== undefined) aliases.set(DEFAULT_ALIAS, target);
  return { versions: face.versions, aliases };
}
