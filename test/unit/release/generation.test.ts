import { describe, expect, it } from 'vitest';
import {
  compareFaces,
  NOTHING_PUBLISHED,
  planGeneration,
  planPublish,
  planRollback,
  type Generation,
  type PublicFace,
} from '../../../src/release/generation.ts';
import { makeLayout } from '../make-layout.ts';

const face = (versions: Record<string, string>, aliases: Record<string, string> = {}): PublicFace => ({
  versions: new Map(Object.entries(versions)),
  aliases: new Map(Object.entries(aliases)),
});
const generation = (number: number, versions: Record<string, string>, restores?: number): Generation => ({
  ...face(versions),
  number,
  ...(restores === undefined ? {} : { restores }),
});
const wanted = { name: 'a', stable: '1', unstable: '2' };

describe('planPublish', () => {
  it('shows the release and points the aliases of its environment at published versions', () => {
    const planned = planPublish(
      face({ 'a-1': 'old', 'b-1': 'x' }, { a: 'a-1', b: 'b-1' }),
      { fullName: 'a-2', id: 'new' },
      wanted,
    );

    expect(planned.face).toEqual(
      face({ 'a-1': 'old', 'b-1': 'x', 'a-2': 'new' }, { b: 'b-1', a: 'a-1', 'a-unstable': 'a-2' }),
    );
    expect(planned.warnings).toEqual([]);
  });

  it('leaves out an alias whose version is not published, and says so', () => {
    const planned = planPublish(NOTHING_PUBLISHED, { fullName: 'a-2', id: 'new' }, wanted);

    expect(planned.face).toEqual(face({ 'a-2': 'new' }, { 'a-unstable': 'a-2' }));
    expect(planned.warnings).toEqual(['alias a is left out: a-1 is not published']);
  });

  it('leaves an alias where it is when the configuration names a version that is not published', () => {
    const now = face({ 'a-1': 'x' }, { a: 'a-1' });
    const planned = planPublish(now, { fullName: 'a-1', id: 'y' }, { name: 'a', stable: '2' });

    expect(planned.face).toEqual(face({ 'a-1': 'y' }, { a: 'a-1' }));
    expect(planned.warnings).toEqual(['alias a stays at a-1: a-2 is not published']);
  });

  it('takes an alias away when the configuration no longer has it, and says so', () => {
    const planned = planPublish(face({ 'a-1': 'x' }, { a: 'a-1' }), { fullName: 'a-1', id: 'x' }, { name: 'a' });

    expect(planned.face).toEqual(face({ 'a-1': 'x' }));
    expect(planned.warnings).toEqual(['alias a is taken away: the configuration does not have it']);
  });

  it('leaves every alias alone when the environment is not in the configuration any more', () => {
    const planned = planPublish(face({ 'a-1': 'x' }, { a: 'a-1' }), { fullName: 'a-1', id: 'y' }, undefined);

    expect(planned.face).toEqual(face({ 'a-1': 'y' }, { a: 'a-1' }));
  });
});

describe('planRollback', () => {
  const environments = ['a', 'a-b'];

  it('gives what the generation before showed', () => {
    const history = [generation(1, { 'a-1': 'x' }), generation(2, { 'a-1': 'y' })];

    expect(planRollback(history, generation(2, { 'a-1': 'y' }), { environments })).toEqual({
      face: face({ 'a-1': 'x' }),
      restores: 1,
    });
  });

  it('goes further back when it is asked twice', () => {
    const history = [
      generation(1, { 'a-1': 'x' }),
      generation(2, { 'a-1': 'y' }),
      generation(3, { 'a-1': 'z' }),
      generation(4, { 'a-1': 'y' }, 2),
    ];

    expect(planRollback(history, generation(4, { 'a-1': 'y' }, 2), { environments })?.restores).toBe(1);
  });

  it('does not bring back what an earlier rollback took away', () => {
    const history = [
      generation(1, { 'a-1': 'x' }),
      generation(2, { 'a-1': 'bad' }),
      generation(3, { 'a-1': 'x' }, 1),
      generation(4, { 'a-1': 'bad again' }),
    ];
    const plan = planRollback(history, generation(4, { 'a-1': 'bad again' }), { environments });
    const after = generation(5, { 'a-1': 'x' }, plan?.restores);

    expect(plan).toEqual({ face: face({ 'a-1': 'x' }), restores: 3 });
    expect(planRollback([...history, after], after, { environments })).toBeUndefined();
  });

  it('goes back with one environment after another went further back', () => {
    const history = [
      generation(1, { 'a-1': 'x', 'a-b-1': 'p' }),
      generation(2, { 'a-1': 'y', 'a-b-1': 'p' }),
      generation(3, { 'a-1': 'y', 'a-b-1': 'q' }),
      generation(4, { 'a-1': 'x', 'a-b-1': 'q' }, 1),
    ];
    const current = generation(4, { 'a-1': 'x', 'a-b-1': 'q' }, 1);

    expect(planRollback(history, current, { environment: 'a-b', environments })).toEqual({
      face: face({ 'a-1': 'x', 'a-b-1': 'p' }),
      restores: 2,
    });
    const after = generation(5, { 'a-1': 'x', 'a-b-1': 'p' }, 2);
    expect(planRollback([...history, after], after, { environment: 'a', environments })).toBeUndefined();
  });

  it('knows an environment that is not in the configuration any more by the name that is asked for', () => {
    const history = [generation(1, { 'gone-1': 'x', 'a-1': 'x' }), generation(2, { 'gone-1': 'y', 'a-1': 'y' })];
    const current = generation(2, { 'gone-1': 'y', 'a-1': 'y' });

    expect(planRollback(history, current, { environment: 'gone', environments })?.face).toEqual(
      face({ 'gone-1': 'x', 'a-1': 'y' }),
    );
  });

  it('passes over generations in which the environment did not differ', () => {
    const history = [
      generation(1, { 'a-1': 'x' }),
      generation(2, { 'a-1': 'y' }),
      generation(3, { 'a-1': 'y', 'a-b-1': 'q' }),
    ];

    const plan = planRollback(history, generation(3, { 'a-1': 'y', 'a-b-1': 'q' }), { environment: 'a', environments });

    expect(plan).toEqual({ face: face({ 'a-b-1': 'q', 'a-1': 'x' }), restores: 1 });
  });

  it('does not take what belongs to an environment whose name begins the same', () => {
    const history = [generation(1, { 'a-1': 'x', 'a-b-1': 'p' }), generation(2, { 'a-1': 'x', 'a-b-1': 'q' })];

    expect(
      planRollback(history, generation(2, { 'a-1': 'x', 'a-b-1': 'q' }), { environment: 'a', environments }),
    ).toBeUndefined();
  });

  it('has nothing to give when nothing older differs', () => {
    const only = generation(1, { 'a-1': 'x' });

    expect(planRollback([only], only, { environments })).toBeUndefined();
  });

  it('goes to a named generation, also a later one', () => {
    const history = [generation(1, { 'a-1': 'x' }), generation(2, { 'a-1': 'y' }), generation(3, { 'a-1': 'x' }, 1)];

    expect(planRollback(history, generation(3, { 'a-1': 'x' }, 1), { environments, to: 2 })?.restores).toBe(2);
  });
});

it('tells faces apart by versions and aliases, not by their order', () => {
  expect(compareFaces(face({ x: '1', y: '2' }), face({ y: '2', x: '1' }))).toBe(true);
  expect(compareFaces(face({ x: '1' }), face({ x: '2' }))).toBe(false);
  expect(compareFaces(face({ x: '1' }, { a: 'x' }), face({ x: '1' }))).toBe(false);
});

it('plans the links that users know, relative to each other', () => {
  const plan = planGeneration(makeLayout('/site'), {
    ...face({ 'a-1': '20261121T000000Z-00000000' }, { a: 'a-1' }),
    number: 7,
    restores: 5,
  });

  const at = '/site/apps/condense/generations/7';
  expect(plan.links).toEqual([
    { path: `${at}/envs/a-1.sqsh`, target: '../../../releases/a-1/20261121T000000Z-00000000/env.sqsh' },
    { path: `${at}/envs/a-1`, target: '/opt/conda/a-1' },
    { path: `${at}/scripts/a-1.d`, target: '../../../releases/a-1/20261121T000000Z-00000000' },
    { path: `${at}/modules/conda/a-1`, target: '../../../../releases/a-1/20261121T000000Z-00000000/modules/a-1' },
    {
      path: `${at}/modules/conda/a-1.lua`,
      target: '../../../../releases/a-1/20261121T000000Z-00000000/modules/a-1.lua',
    },
    { path: `${at}/envs/a`, target: 'a-1' },
    { path: `${at}/scripts/a.d`, target: 'a-1.d' },
    { path: `${at}/restores`, target: '../5' },
  ]);
  expect(plan.files.map((file) => file.path)).toEqual([
    `${at}/modules/conda/.modulerc`,
    `${at}/modules/conda/.modulerc.lua`,
  ]);
});
