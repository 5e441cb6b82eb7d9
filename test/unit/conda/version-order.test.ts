import { Version } from '@conda-org/rattler';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareVersions } from '../../../src/conda/version-order.ts';

test.each([
  ['1.0', '1.0.0', 0],
  ['1.0rc1', '1.0', -1],
  ['1.0dev1', '1.0a1', -1],
  ['1.0.post1', '1.0', 1],
  ['1!0.1', '9.0', 1],
  ['1.0+2', '1.0+10', -1],
  ['1.0.1_', '1.0.1a', -1],
  ['2026.9', '2026.10', -1],
  ['9e', '9f', -1],
])('%s against %s', (a, b, order) => {
  expect(Math.sign(compareVersions(a, b))).toBe(order);
  expect(Math.sign(compareVersions(b, a))).toBe(order === 0 ? 0 : -order);
});

test('has the order of the solver', () => {
  const word = fc.constantFrom('a', 'b', 'rc', 'dev', 'post', 'alpha', 'pre');
  const component = fc
    .tuple(fc.nat(30), fc.option(fc.tuple(word, fc.nat(9))))
    .map(([number, rest]) => (rest === null ? String(number) : `${number}${rest[0]}${rest[1]}`));
  const version = fc
    .record({
      epoch: fc.option(fc.nat(2)),
      parts: fc.array(component, { minLength: 1, maxLength: 4 }),
      separator: fc.constantFrom('.', '_'),
      local: fc.option(component),
    })
    .map(
      ({ epoch, parts, separator, local }) =>
        `${epoch === null ? '' : `${epoch}!`}${parts.join(separator)}${local === null ? '' : `+${local}`}`,
    );
  fc.assert(
    fc.property(version, version, (a, b) => {
      expect(Math.sign(compareVersions(a, b)), `${a} and ${b}`).toBe(new Version(a).compare(new Version(b)));
    }),
  );
});
