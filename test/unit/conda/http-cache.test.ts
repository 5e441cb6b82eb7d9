// For how long an answer may be used unasked: RFC 9111, and clocks that are wrong.
import { expect, test } from 'vitest';
import { isFresh, isStorable, planFreshness } from '../../../src/conda/http-cache.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const at = (seconds: number): string => new Date(NOW + seconds * 1000).toUTCString();
const freshSeconds = (headers: Record<string, string>): number =>
  planFreshness(new Headers(headers), NOW).freshMs / 1000;

test.each([
  [{}, 0],
  [{ 'cache-control': 'max-age=60' }, 60],
  [{ 'cache-control': 'public, Max-Age="60"' }, 60],
  [{ 'cache-control': 'max-age=60, no-cache' }, 0],
  [{ 'cache-control': 'no-store' }, 0],
  [{ 'cache-control': 'max-age=60, max-age=600' }, 60],
  [{ 'cache-control': 'max-age=60, immutable' }, 60],
  [{ 'cache-control': 'immutable' }, 0],
  [{ 'cache-control': 'max-age=soon' }, 0],
  [{ 'cache-control': 'max-age=-1' }, 0],
  [{ 'cache-control': 's-maxage=60' }, 0],
  [{ 'cache-control': 'max-age=60', age: '50' }, 10],
  [{ 'cache-control': 'max-age=60', age: '600' }, 0],
  [{ 'cache-control': 'max-age=60', date: at(-20) }, 40],
  [{ 'cache-control': 'max-age=60', date: at(9999) }, 60],
  [{ 'cache-control': 'max-age=31536000' }, 86_400],
  [{ 'cache-control': `max-age=${'9'.repeat(400)}` }, 86_400],
  [{ expires: at(90), date: at(0) }, 90],
  [{ expires: at(90) }, 0],
  [{ expires: at(-90), date: at(0) }, 0],
  [{ 'cache-control': 'max-age=60', expires: at(9999), date: at(0) }, 60],
])('%j is fresh for %d s', (headers, seconds) => {
  expect(freshSeconds(headers)).toBe(seconds);
});

test('an answer 304 begins the time anew, with its own headers where it has some', () => {
  const before = { receivedAtMs: NOW - 60_000, freshMs: 60_000 };

  expect(planFreshness(new Headers(), NOW, before)).toEqual({ receivedAtMs: NOW, freshMs: 60_000 });
  expect(planFreshness(new Headers({ 'cache-control': 'no-cache' }), NOW, before).freshMs).toBe(0);
});

test('a copy is fresh until its time is over, and never when it comes from the future', () => {
  const copy = { receivedAtMs: NOW, freshMs: 60_000 };

  expect([-1, 0, 59_999, 60_000].map((ms) => isFresh(copy, NOW + ms))).toEqual([false, true, true, false]);
  // What a day says to be the most holds for a state that somebody else has written, too.
  expect(isFresh({ receivedAtMs: NOW, freshMs: 1e15 }, NOW + 86_400_000)).toBe(false);
});

test('no-store is not kept', () => {
  expect(isStorable(new Headers({ 'cache-control': 'no-store' }))).toBe(false);
  expect(isStorable(new Headers({ 'cache-control': 'no-cache' }))).toBe(true);
});
