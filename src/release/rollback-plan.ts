// What a rollback makes of the public face: an older generation's content, all of it or one environment's.
import { findEnvironment, withDefault, type AliasPolicy } from './face-plan.ts';
import { compareFaces, type Generation, type PublicFace } from './generation.ts';

/**
 * The face that a rollback gives: all of an older generation, or of it only what belongs to one environment.
 * @param history every generation, in any order
 * @param options policy: with the names of all environments, so that `a` does not take what belongs to `a-b`
 * @returns undefined when there is nothing older that differs
 */
export function planRollback(
  history: readonly Generation[],
  current: Generation,
  options: {
    readonly environment?: string | undefined;
    readonly to?: number | undefined;
    readonly policy: AliasPolicy;
  },
): { readonly face: PublicFace; readonly restores: number } | undefined {
  const { environment, policy } = options;
  const environments = environment === undefined ? [] : [...policy.environments.keys(), environment];
  const owner = (name: string): string | undefined => findEnvironment(name, environments);
  const mix = (older: PublicFace): PublicFace => {
    if (environment === undefined) return withDefault(older, policy);
    const pick = (now: ReadonlyMap<string, string>, then: ReadonlyMap<string, string>): Map<string, string> =>
      new Map([
        ...[...now].filter(([name]) => owner(name) !== environment),
        ...[...then].filter(([name]) => owner(name) === environment),
      ]);
    const aliases = pick(current.aliases, older.aliases);
    return withDefault({ versions: pick(current.versions, older.versions), aliases }, policy);
  };
  const now = withDefault(current, policy);
  const isAsNow = (older: PublicFace): boolean => compareFaces(mix(older), now);
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
  const numbers = [...byNumber.keys()].sort((a, b) => a - b);
  let at = current;
  for (;;) {
    const before = numbers.findLast((number) => number < at.number);
    const next = [at.restores, before]
      .map((number) => byNumber.get(number ?? 0))
      .find((generation) => generation && isAsNow(generation));
    if (!next) return at.number;
    at = next;
  }
}
