import fc from 'fast-check';
import { expect, test } from 'vitest';
import { indexRepodata, readRecords } from '../../../src/conda/repodata-index.ts';

const index = (value: unknown, space?: number) => indexRepodata(Buffer.from(JSON.stringify(value, null, space)));

test('finds the records of a name, in both sections and in any spelling', () => {
  const found = index({
    info: { subdir: 'linux-64', base_url: 'x' },
    removed: ['a-0-0.conda'],
    packages: { 'a-1-0.tar.bz2': { name: 'a' }, 'a-b-1-0.tar.bz2': { name: 'a-b' } },
    'packages.conda': { 'A-2-0.conda': { name: 'A', depends: ['"}{[\\'] } },
    repodata_version: 1,
  });

  expect(readRecords(found, 'a')).toEqual([
    { file: 'a-1-0.tar.bz2', value: { name: 'a' } },
    { file: 'A-2-0.conda', value: { name: 'A', depends: ['"}{[\\'] } },
  ]);
  expect([...found.places.keys()]).toEqual(['a', 'a-b']);
  expect(found.info).toEqual({ subdir: 'linux-64', base_url: 'x' });
  expect(readRecords(found, 'nobody')).toEqual([]);
});

test('reads what JSON.parse reads, whatever the texts and the spacing', () => {
  const record = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(
      fc.dictionary(fc.stringMatching(/^[a-z]{1,3}-[0-9]-[0-9]\.conda$/), record),
      fc.nat(2),
      (packages, space) => {
        const found = index({ 'packages.conda': packages, packages: {} }, space);
        const all = [...found.places.keys()].flatMap((name) => readRecords(found, name));
        expect(Object.fromEntries(all.map(({ file, value }) => [file, value]))).toEqual(
          JSON.parse(JSON.stringify(packages)),
        );
      },
    ),
  );
});

test.each([
  '',
  '[]',
  '{',
  '{"packages": 1}',
  '{"packages": {"a"}}',
  '{"packages": {"a": {}',
  '{"packages": {}} x',
  'null',
  '{"a": "',
  '<html>',
])('refuses %j as repodata', (text) => {
  expect(() => indexRepodata(Buffer.from(text))).toThrow(SyntaxError);
});

test('any bytes are read or refused, never anything else', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '\\', '1', ' ', 'packages') }),
      (text) => {
        try {
          indexRepodata(Buffer.from(text));
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
        }
      },
    ),
  );
});
