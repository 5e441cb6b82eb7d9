import { describe, expect, it } from 'vitest';
import {
  checkProtected,
  describeDisagreements,
  findEnvironment,
  finishFace,
  parsePromotion,
  planPromote,
  planPublish,
  planRemove,
  type AliasPolicy,
  type EnvironmentAliases,
} from '../../../src/release/face-plan.ts';
import type { GatedRelease } from '../../../src/release/gated-release.ts';
import { NOTHING_PUBLISHED } from '../../../src/release/generation.ts';
import { makeFace as face } from './make-face.ts';
import { codesOf, problemsOf } from './thrown.ts';

const policyOf = (environments: readonly EnvironmentAliases[], defaultEnvironment?: string): AliasPolicy => ({
  environments: new Map(environments.map((one) => [one.name, one])),
  defaultEnvironment,
});
const policy = policyOf([{ name: 'a', stable: '1', unstable: '2' }, { name: 'b' }]);
/** As if it had been read from a site. */
const release = (fullName: string, id: string, environment = 'a') => ({ fullName, id, environment }) as GatedRelease;

describe('planPublish', () => {
  it('shows the release and points the aliases of its environment at published versions', () => {
    const now = face({ 'a-1': 'old', 'b-1': 'x' }, { a: 'a-1', b: 'b-1' });
    const planned = planPublish(now, { releases: [release('a-2', 'new')] }, policy);

    expect(planned.face).toEqual(
      face({ 'a-1': 'old', 'b-1': 'x', 'a-2': 'new' }, { a: 'a-1', b: 'b-1', 'a-unstable': 'a-2' }),
    );
    expect(planned.warnings).toEqual([]);
  });

  it('leaves out an alias whose version is not published, and says so', () => {
    const planned = planPublish(NOTHING_PUBLISHED, { releases: [release('a-2', 'new')] }, policy);

    expect(planned.face).toEqual(face({ 'a-2': 'new' }, { 'a-unstable': 'a-2' }));
    expect(planned.warnings).toEqual(['alias a is left out: a-1 is not published']);
  });

  it('leaves an alias where it is when the configuration names a version that is not published', () => {
    const now = face({ 'a-1': 'x' }, { a: 'a-1' });
    const planned = planPublish(now, { releases: [release('a-1', 'y')] }, policyOf([{ name: 'a', stable: '2' }]));

    expect(planned.face).toEqual(face({ 'a-1': 'y' }, { a: 'a-1' }));
    expect(planned.warnings).toEqual(['alias a stays at a-1: a-2 is not published']);
  });

  it('leaves every alias alone that the configuration does not set, or whose environment it does not know', () => {
    const now = face({ 'a-1': 'x' }, { a: 'a-1', 'a-unstable': 'a-1' });

    for (const known of [policyOf([{ name: 'a' }]), policyOf([])])
      expect(planPublish(now, { releases: [release('a-1', 'y')] }, known).face).toEqual(
        face({ 'a-1': 'y' }, { a: 'a-1', 'a-unstable': 'a-1' }),
      );
  });

  it('publishes several releases and promotes them at once, the promotion before the configuration', () => {
    const planned = planPublish(
      face({ 'a-1': 'x', 'b-1': 'p' }, { a: 'a-1', b: 'b-1' }),
      {
        releases: [release('a-3', 'y'), release('b-3', 'q', 'b')],
        promotions: [parsePromotion('stable=3'), parsePromotion('a-unstable=1')],
      },
      policy,
    );

    expect(planned.face).toEqual(
      face({ 'a-1': 'x', 'b-1': 'p', 'a-3': 'y', 'b-3': 'q' }, { a: 'a-3', b: 'b-3', 'a-unstable': 'a-1' }),
    );
    expect(planned.warnings).toEqual([
      "alias a means a-3, and the configuration says stable: '1': the next publish of a puts it there; to keep it, change the configuration",
    ]);
  });

  it('refuses a promotion of all that are published where one of them has no such version', () => {
    const wishes = {
      releases: [release('a-3', 'y'), release('b-1', 'q', 'b')],
      promotions: [parsePromotion('stable=3')],
    };

    expect(problemsOf(() => planPublish(NOTHING_PUBLISHED, wishes, policy))).toEqual([
      expect.objectContaining({
        code: 'ALIAS_DANGLING',
        message: 'alias b cannot mean 3: no such version of b is published, only b-1',
      }),
    ]);
  });

  it('refuses an environment whose alias has the name of a published version, either way', () => {
    const renamed = policyOf([{ name: 'a-1', stable: '5' }, { name: 'a' }]);

    expect(
      codesOf(() => planPublish(face({ 'a-1': 'x' }), { releases: [release('a-1-5', 'y', 'a-1')] }, renamed)),
    ).toEqual(['ALIAS_TAKEN']);
    expect(
      codesOf(() =>
        planPublish(
          face({ 'a-1-5': 'x' }, { 'a-1': 'a-1-5' }),
          { releases: [release('a-1', 'y')] },
          policyOf([{ name: 'a' }]),
        ),
      ),
    ).toEqual(['ALIAS_TAKEN']);
  });
});

describe('a protected stable version', () => {
  const guarded = policyOf([{ name: 'a', stable: '1', protectStable: true }]);
  const now = face({ 'a-1': 'x', 'a-2': 'y' }, { a: 'a-1' });

  it('is not replaced under its users unless that is asked for', () => {
    expect(problemsOf(() => planPublish(now, { releases: [release('a-1', 'new')] }, guarded))).toEqual([
      expect.objectContaining({
        code: 'STABLE_PROTECTED',
        hint: expect.stringContaining('--stable a-1/new') as string,
      }),
    ]);
    expect(
      planPublish(now, { releases: [release('a-1', 'new')], stable: true }, guarded).face.versions.get('a-1'),
    ).toBe('new');
  });

  it('keeps nobody from its first release, the same one again, or another version', () => {
    const releases = [release('a-1', 'x'), release('a-2', 'new')];
    expect(planPublish(now, { releases }, guarded).face.versions.get('a-2')).toBe('new');
    expect(planPublish(NOTHING_PUBLISHED, { releases: [release('a-1', 'x')] }, guarded).face.aliases.get('a')).toBe(
      'a-1',
    );
  });

  it('is known before a build, when no release has an id yet', () => {
    const wanted = [{ fullName: 'a-1', environment: 'a' }];

    expect(
      codesOf(() => {
        checkProtected(now, wanted, guarded);
      }),
    ).toEqual(['STABLE_PROTECTED']);
    checkProtected(now, wanted, policy);
    checkProtected(NOTHING_PUBLISHED, wanted, guarded);
  });
});

describe('planPromote', () => {
  const now = face({ 'a-1': 'x', 'a-2': 'y', 'a-b-1': 'z' }, { a: 'a-1' });
  const known = policyOf([{ name: 'a', stable: '1', unstable: '2' }, { name: 'a-b' }]);
  const promote = (environments: string[], ...texts: string[]) =>
    planPromote(now, { environments, promotions: texts.map(parsePromotion) }, known);

  it('moves aliases to versions of their own environment, by version or full name', () => {
    expect(promote([], 'a=2', 'a-unstable=a-1', 'a-b=1').face.aliases).toEqual(
      new Map([
        ['a', 'a-2'],
        ['a-unstable', 'a-1'],
        ['a-b', 'a-b-1'],
      ]),
    );
  });

  it('makes the aliases of an environment what the configuration says', () => {
    expect(promote(['a']).face.aliases).toEqual(
      new Map([
        ['a', 'a-1'],
        ['a-unstable', 'a-2'],
      ]),
    );
  });

  it.each([
    ['a=3', 'ALIAS_DANGLING'],
    ['a=b-1', 'ALIAS_DANGLING'], // a-b-1 is another environment's
    ['a=a-b-1', 'ALIAS_DANGLING'],
    ['c=1', 'ALIAS_UNKNOWN'],
    ['stable=1', 'ALIAS_UNKNOWN'],
    ['default=a-1', 'ALIAS_UNKNOWN'],
  ])('refuses %s with %s', (text, code) => {
    expect(codesOf(() => promote([], text))).toEqual([code]);
  });

  it('refuses one alias in two places, and text that is no promotion', () => {
    expect(codesOf(() => promote([], 'a=1', 'a=2'))).toEqual(['PROMOTION_INVALID']);
    for (const text of ['a', 'a=', '=1', 'a=1=2', '='])
      expect(codesOf(() => parsePromotion(text))).toEqual(['PROMOTION_INVALID']);
  });

  it('moves an alias of an environment that is not in the configuration any more', () => {
    const plan = planPromote(now, { environments: [], promotions: [parsePromotion('a=2')] }, policyOf([]));

    expect(plan.face.aliases.get('a')).toBe('a-2');
  });
});

describe('planRemove', () => {
  const now = face({ 'a-1': 'x', 'a-2': 'y' }, { a: 'a-1', 'a-unstable': 'a-2' });

  it('takes versions and aliases away together', () => {
    const plan = planRemove(now, ['a-2', 'a-unstable'], policyOf([{ name: 'a' }]));

    expect(plan).toEqual({ face: face({ 'a-1': 'x' }, { a: 'a-1' }), warnings: [] });
  });

  it('refuses what would leave an alias dangling', () => {
    expect(codesOf(() => planRemove(now, ['a-2'], policy))).toEqual(['ALIAS_DANGLING']);
    expect(codesOf(() => planRemove(now, ['a-1'], policy, true))).toEqual(['ALIAS_DANGLING']);
  });

  it('takes what is stable away only when that is asked for', () => {
    expect(codesOf(() => planRemove(now, ['a-1', 'a'], policy))).toEqual(['STABLE_PROTECTED']);
    expect(planRemove(now, ['a-1', 'a'], policy, true).face).toEqual(face({ 'a-2': 'y' }, { 'a-unstable': 'a-2' }));
  });

  it('says that the next publish brings back an alias that the configuration has', () => {
    expect(planRemove(now, ['a-unstable'], policy).warnings).toEqual([
      expect.stringContaining("alias a-unstable is not there, and the configuration says unstable: '2'"),
    ]);
  });

  it('refuses names that are not published, and default, which follows another', () => {
    expect(codesOf(() => planRemove(now, ['a-3', 'default', 'a-2'], policy))).toEqual([
      'NAME_UNPUBLISHED',
      'NAME_UNPUBLISHED',
    ]);
  });
});

describe('the default of the module family', () => {
  const known = policyOf([{ name: 'a', stable: '1' }, { name: 'b' }], 'a');

  it('follows the stable alias of its environment', () => {
    const first = planPublish(NOTHING_PUBLISHED, { releases: [release('a-1', 'x'), release('a-2', 'y')] }, known).face;
    expect(first.aliases).toEqual(
      new Map([
        ['a', 'a-1'],
        ['default', 'a-1'],
      ]),
    );

    const second = planPromote(first, { environments: [], promotions: [parsePromotion('a=2')] }, known).face;
    expect(second.aliases.get('default')).toBe('a-2');
  });

  it('goes with the alias or the key that it comes from, and that is said', () => {
    const now = face({ 'a-1': 'x' }, { a: 'a-1', default: 'a-1' });

    expect(planRemove(now, ['a'], known, true)).toMatchObject({
      face: face({ 'a-1': 'x' }),
      warnings: [expect.stringContaining('default, which meant a-1, is taken away: alias a'), expect.anything()],
    });
    expect(finishFace(now, policyOf([{ name: 'a' }])).warnings).toEqual([
      'default, which meant a-1, is taken away: the configuration has no default_environment',
    ]);
  });
});

it('says where aliases are not what the configuration has, but not while that is not published', () => {
  const now = face({ 'a-1': 'x', 'a-2': 'y' }, { a: 'a-2', 'a-unstable': 'a-2' });

  expect(describeDisagreements(now, policy)).toEqual([expect.stringContaining('alias a means a-2')]);
  expect(describeDisagreements(now, policyOf([{ name: 'a', stable: '9' }]))).toEqual([]);
});

it('gives a name to the environment with the longest name that fits', () => {
  expect(findEnvironment('a-b-1', ['a', 'a-b'])).toBe('a-b');
  expect(findEnvironment('a-unstable', ['a', 'a-b'])).toBe('a');
  expect(findEnvironment('ab-1', ['a', 'a-b'])).toBeUndefined();
});
