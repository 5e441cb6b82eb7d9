import { expect, it } from 'vitest';
import type { FaceChange } from '../../../src/release/generation-record.ts';
import type { HistoryEntry } from '../../../src/release/history.ts';
import { findHold } from '../../../src/release/hold.ts';

const version = (name: string, from: string, to: string): FaceChange => ({ kind: 'version', name, from, to });
const entry = (generation: number, changes: FaceChange[], restores?: number): HistoryEntry => ({
  ...{ generation, changes, restores },
});

it('holds what a rollback took away, also where others were published since', () => {
  const rollback = entry(3, [version('a-1', 'two', 'one')], 1);
  const history = [entry(4, [version('b-1', 'x', 'y')]), rollback, entry(2, [version('a-1', 'one', 'two')])];

  expect(findHold(history, 'a-1', 'two')).toBe(rollback);
  expect(findHold(history, 'a-1', 'one')).toBeUndefined();
  expect(findHold(history, 'b-1', 'x')).toBeUndefined();
});

it('holds all that rollbacks one after the other took away', () => {
  const first = entry(4, [version('a-1', 'three', 'two')], 2);
  const history = [entry(5, [version('a-1', 'two', 'one')], 1), first];

  expect(findHold(history, 'a-1', 'three')).toBe(first);
  expect(findHold(history, 'a-1', 'two')?.generation).toBe(5);
});

it('holds nothing once somebody has published that version since', () => {
  const history = [entry(4, [version('a-1', 'one', 'two')]), entry(3, [version('a-1', 'two', 'one')], 1)];

  expect(findHold(history, 'a-1', 'two')).toBeUndefined();
  expect(findHold(history, 'a-1', 'one')).toBeUndefined();
});

it('holds nothing that a rollback has brought back', () => {
  const history = [entry(4, [version('a-1', 'one', 'two')], 2), entry(3, [version('a-1', 'two', 'one')], 1)];

  expect(findHold(history, 'a-1', 'two')).toBeUndefined();
  expect(findHold(history, 'a-1', 'one')?.generation).toBe(4);
});
