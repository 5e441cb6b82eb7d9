import { expect, test } from 'vitest';
import { parseExcludeNewer } from '../../../src/config/exclude-newer.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');

test.each([
  ['2026-11-01', '2026-11-01T00:00:00.000Z'],
  ['2026-11-01T06:30:00Z', '2026-11-01T06:30:00.000Z'],
  ['7 days', '2026-11-14T12:00:00.000Z'],
  ['1 day', '2026-11-20T12:00:00.000Z'],
  ['2 weeks', '2026-11-07T12:00:00.000Z'],
  ['36 hours', '2026-11-20T00:00:00.000Z'],
])('reads %s', (text, time) => {
  expect(new Date(parseExcludeNewer(text, NOW) ?? 0).toISOString()).toBe(time);
});

test.each([
  '',
  'yesterday',
  '2026-13-01',
  '2026-02-31T00:00:00',
  '7',
  '-7 days',
  '7 months',
  '2026-11-01T06:30:00+01:00',
])('refuses %j', (text) => {
  expect(parseExcludeNewer(text, NOW)).toBeUndefined();
});
