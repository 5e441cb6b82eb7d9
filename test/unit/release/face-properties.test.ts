// Whatever is published, promoted, removed and rolled back in whatever order: what holds for every face that comes of it.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  finishFace,
  planPromote,
  planPublish,
  planRemove,
  type AliasPolicy,
  type EnvironmentAliases,
} from '../../../src/release/face-plan.ts';
import type { GatedRelease } from '../../../src/release/gated-release.ts';
import { compareFaces, NOTHING_PUBLISHED, type Generation, type PublicFace } from '../../../src/release/generation.ts';
import { planRollback } from '../../../src/release/rollback-plan.ts';
import { AppError } from '../../../src/system/app-error.ts';

// Names that are easily mistaken for each other.
const names = ['a', 'a-b', 'a-1', 'b'];
const environment = fc.constantFrom(...names);
const version = fc.constantFrom('1', '2', 'b-1', '1-2');
const alias = fc.oneof(
  environment,
  environment.map((name) => `${name}-unstable`),
  fc.constantFrom('stable', 'unstable', 'default', 'c'),
);
const policy: fc.Arbitrary<AliasPolicy> = fc
  .record({
    environments: fc.uniqueArray(
      fc.record({
        name: environment,
        stable: fc.option(version, { nil: undefined }),
        unstable: fc.option(version, { nil: undefined }),
        protectStable: fc.boolean(),
      }) as fc.Arbitrary<EnvironmentAliases>,
      { selector: ({ name }) => name },
    ),
    defaultEnvironment: fc.option(environment, { nil: undefined }),
  })
  .map(({ environments, defaultEnvironment }) => ({
    environments: new Map(environments.map((one) => [one.name, one])),
    defaultEnvironment,
  }));
const promotion = fc.record({ alias, version });
const release = fc
  .record({ environment, version, id: fc.constantFrom('x', 'y', 'z') })
  .map((one) => ({ environment: one.environment, fullName: `${one.environment}-${one.version}`, id: one.id }));
type Step =
  | {
      kind: 'publish';
      releases: { environment: string; fullName: string; id: string }[];
      promotions: { alias: string; version: string }[];
      stable: boolean;
    }
  | { kind: 'promote'; environments: string[]; promotions: { alias: string; version: string }[] }
  | { kind: 'remove'; pick: number[]; stable: boolean }
  | { kind: 'rollback'; environment: string | undefined; to: number | undefined }
  | { kind: 'configure'; policy: AliasPolicy };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      releases: fc.array(release, { minLength: 1, maxLength: 2 }),
      promotions: fc.array(promotion, { maxLength: 1 }),
      stable: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('promote' as const),
      environments: fc.array(environment, { maxLength: 1 }),
      promotions: fc.array(promotion, { maxLength: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('remove' as const),
      pick: fc.array(fc.nat(9), { minLength: 1, maxLength: 2 }),
      stable: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('rollback' as const),
      environment: fc.option(environment, { nil: undefined }),
      to: fc.option(fc.nat(9), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('configure' as const), policy }) },
);

interface World {
  policy: AliasPolicy;
  history: Generation[];
}

function plan(
  world: World,
  wanted: Exclude<Step, { kind: 'configure' }>,
): { face: PublicFace; restores?: number } | undefined {
  const current = world.history.at(-1);
  const face = current ?? NOTHING_PUBLISHED;
  switch (wanted.kind) {
    case 'publish':
      return planPublish(face, { ...wanted, releases: wanted.releases as unknown as GatedRelease[] }, world.policy);
    case 'promote':
      return planPromote(face, wanted, world.policy);
    case 'remove': {
      const all = [...face.versions.keys(), ...face.aliases.keys()];
      const picked = wanted.pick.flatMap((index) => all[index % Math.max(1, all.length)] ?? []);
      return picked.length === 0 ? undefined : planRemove(face, picked, world.policy, wanted.stable);
    }
    case 'rollback': {
      const back = current && planRollback(world.history, current, { ...wanted, policy: world.policy });
      return back && { face: finishFace(back.face, world.policy).face, restores: back.restores };
    }
  }
}

/** @returns whether it became a generation; a refusal is an AppError and changes nothing */
function apply(world: World, wanted: Step): boolean {
  if (wanted.kind === 'configure') {
    world.policy = wanted.policy;
    return false;
  }
  try {
    const planned = plan(world, wanted);
    const current = world.history.at(-1);
    if (!planned || (current && compareFaces(planned.face, current))) return false;
    world.history.push({ ...planned.face, number: world.history.length + 1, restores: planned.restores });
    return true;
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

const start = (first: AliasPolicy): World => ({ policy: first, history: [] });

it('leaves no alias dangling and no name with two meanings, whatever is done in whatever order', () => {
  let generations = 0;
  fc.assert(
    fc.property(policy, fc.array(step, { minLength: 5, maxLength: 25 }), (first, steps) => {
      const world = start(first);
      for (const wanted of steps) apply(world, wanted);
      for (const { versions, aliases } of world.history) {
        for (const [name, target] of aliases) {
          expect(versions.has(target)).toBe(true);
          expect(versions.has(name)).toBe(false);
        }
      }
      generations += world.history.length;
    }),
    { numRuns: 500 },
  );
  expect(generations).toBeGreaterThan(1000); // or the steps are refused, and this proves nothing
});

it('rolls back to what was there before, twice further back, and never for ever', () => {
  fc.assert(
    fc.property(policy, fc.array(step, { minLength: 2, maxLength: 12 }), (first, steps) => {
      const world = start(first);
      for (const wanted of steps) if (wanted.kind !== 'rollback' && wanted.kind !== 'configure') apply(world, wanted);
      const seen = [...world.history];
      const back = { kind: 'rollback', environment: undefined, to: undefined } as const;
      let origin = Infinity;
      let times = 0;
      while (apply(world, back)) {
        const { restores = 0 } = world.history.at(-1) ?? {};
        expect(restores).toBeLessThan(origin);
        origin = restores;
        times++;
      }
      expect(times).toBe(Math.max(0, seen.length - 1));
    }),
    { numRuns: 300 },
  );
});

it('changes nothing of other environments when one is rolled back', () => {
  fc.assert(
    fc.property(policy, fc.array(step, { minLength: 4, maxLength: 20 }), (first, steps) => {
      const world = start({
        ...first,
        environments: new Map(names.map((name) => [name, first.environments.get(name) ?? { name }])),
      });
      for (const wanted of steps) if (wanted.kind !== 'configure') apply(world, wanted);
      const before = world.history.at(-1);
      if (!before || !apply(world, { kind: 'rollback', environment: 'b', to: undefined })) return;
      const others = (face: PublicFace): unknown =>
        [...face.versions, ...face.aliases].filter(([name]) => !name.startsWith('b') && name !== 'default').sort();
      expect(others(world.history.at(-1) ?? NOTHING_PUBLISHED)).toEqual(others(before));
    }),
    { numRuns: 300 },
  );
});
