import { expect, it } from 'vitest';
import { describeSize } from '../../../src/system/describe-size.ts';

it.each([
  [0, '0 B'],
  [1, '1 kB'],
  [12_001, '13 kB'],
  [1_500_000, '1.5 MB'],
  [154_400_000, '154 MB'],
  [1_232_000_000, '1.23 GB'],
])('writes %i bytes as %s', (bytes, text) => {
  expect(describeSize(bytes)).toBe(text);
});
