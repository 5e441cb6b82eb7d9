import { describe, expect, it } from 'vitest';
import type { Generation } from '../../../src/release/generation.ts';
import { planRollback } from '../../../src/release/rollback-plan.ts';
import { makeFace as face } from './make-face.ts';

const generation = (number: number, versions: Record<string, string>, restores?: number): Generation => ({
  ...face(versions),
  number,
  ...(restores === undefined ? {} : { restores }),
});

describe('planRollback', () => {
  const policy = { environments: new Map(['a', 'a-b'].map((name) => [name, { name }])) };

  it('gives what the generation before showed', () => {
    const history = [generation(1, { 'a-1': 'x' }), generation(2, { 'a-1': 'y' })];

    expect(planRollback(history, generation(2, { 'a-1': 'y' }), { policy })).toEqual({
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

    expect(planRollback(history, generation(4, { 'a-1': 'y' }, 2), { policy })?.restores).toBe(1);
  });

  it('does not bring back what an earlier rollback took away', () => {
    const history = [
      generation(1, { 'a-1': 'x' }),
      generation(2, { 'a-1': 'bad' }),
      generation(3, { 'a-1': 'x' }, 1),
      generation(4, { 'a-1': 'bad again' }),
    ];
    const plan = planRollback(history, generation(4, { 'a-1': 'bad again' }), { policy });
    const after = generation(5, { 'a-1': 'x' }, plan?.restores);

    expect(plan).toEqual({ face: face({ 'a-1': 'x' }), restores: 3 });
    expect(planRollback([...history, after], after, { policy })).toBeUndefined();
  });

  it('goes back with one environment after another went further back', () => {
    const history = [
      generation(1, { 'a-1': 'x', 'a-b-1': 'p' }),
      generation(2, { 'a-1': 'y', 'a-b-1': 'p' }),
      generation(3, { 'a-1': 'y', 'a-b-1': 'q' }),
      generation(4, { 'a-1': 'x', 'a-b-1': 'q' }, 1),
    ];
    const current = generation(4, { 'a-1': 'x', 'a-b-1': 'q' }, 1);

    expect(planRollback(history, current, { environment: 'a-b', policy })).toEqual({
      face: face({ 'a-1': 'x', 'a-b-1': 'p' }),
      restores: 2,
    });
    const after = generation(5, { 'a-1': 'x', 'a-b-1': 'p' }, 2);
    expect(planRollback([...history, after], after, { environment: 'a', policy })).toBeUndefined();
  });

  it('knows an environment that is not in the configuration any more by the name that is asked for', () => {
    const history = [generation(1, { 'gone-1': 'x', 'a-1': 'x' }), generation(2, { 'gone-1': 'y', 'a-1': 'y' })];
    const current = generation(2, { 'gone-1': 'y', 'a-1': 'y' });

    expect(planRollback(history, current, { environment: 'gone', policy })?.face).toEqual(
      face({ 'gone-1': 'x', 'a-1': 'y' }),
    );
  });

  it('passes over generations in which the environment did not differ', () => {
    const history = [
      generation(1, { 'a-1': 'x' }),
      generation(2, { 'a-1': 'y' }),
      generation(3, { 'a-1': 'y', 'a-b-1': 'q' }),
    ];

    const plan = planRollback(history, generation(3, { 'a-1': 'y', 'a-b-1': 'q' }), { environment: 'a', policy });

    expect(plan).toEqual({ face: face({ 'a-b-1': 'q', 'a-1': 'x' }), restores: 1 });
  });

  it('does not take what belongs to an environment whose name begins the same', () => {
    const history = [generation(1, { 'a-1': 'x', 'a-b-1': 'p' }), generation(2, { 'a-1': 'x', 'a-b-1': 'q' })];

    expect(
      planRollback(history, generation(2, { 'a-1': 'x', 'a-b-1': 'q' }), { environment: 'a', policy }),
    ).toBeUndefined();
  });

  it('has nothing to give when nothing older differs', () => {
    const only = generation(1, { 'a-1': 'x' });

    expect(planRollback([only], only, { policy })).toBeUndefined();
  });

  it('goes to a named generation, also a later one', () => {
    const history = [generation(1, { 'a-1': 'x' }), generation(2, { 'a-1': 'y' }), generation(3, { 'a-1': 'x' }, 1)];

    expect(planRollback(history, generation(3, { 'a-1': 'x' }, 1), { policy, to: 2 })?.restores).toBe(2);
  });

  it('takes a default that follows another alias now for no difference', () => {
    const aliases = { a: 'a-1' };
    const history = [
      { ...face({ 'a-1': 'x' }, aliases), number: 1 },
      { ...face({ 'a-1': 'y' }, aliases), number: 2 },
      { ...face({ 'a-1': 'y', 'a-b-1': 'p' }, aliases), number: 3 },
    ];
    const current = history[2] as Generation;

    const plan = planRollback(history, current, {
      environment: 'a',
      policy: { ...policy, defaultEnvironment: 'a' },
    });

    expect(plan).toEqual({ face: face({ 'a-b-1': 'p', 'a-1': 'x' }, { a: 'a-1', default: 'a-1' }), restores: 1 });
  });
});
