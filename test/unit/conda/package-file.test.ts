import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parsePackageFile } from '../../../src/conda/package-file.ts';

test('takes a file name apart from the right', () => {
  expect(parsePackageFile('ca-certificates-2026.1.4-hbcca054_0.conda')).toEqual({
    name: 'ca-certificates',
    version: '2026.1.4',
    build: 'hbcca054_0',
    extension: '.conda',
  });
  expect(parsePackageFile('x-1!2.0+cu12-0.tar.bz2')).toMatchObject({ version: '1!2.0+cu12', extension: '.tar.bz2' });
});

test.each([
  '../x-1-0.conda',
  'x-1-../0.conda',
  '/etc/x-1-0.conda',
  'x-1.conda',
  'x-1-0.zip',
  '-1-0.conda',
  '.x-1-0.conda',
  'x-1-0\n.conda',
  'x--0.conda',
  '',
])('refuses %j', (file) => {
  expect(parsePackageFile(file)).toBeUndefined();
});

test('whatever passes is one path component that no shell or URL reads otherwise', () => {
  const unit = fc.constantFrom('a', '1', '-', '.', '/', '\\', '\0', ' ', '%', '~', '$', '\n');
  fc.assert(
    fc.property(fc.string({ unit }), fc.constantFrom('.conda', '.tar.bz2'), (stem, extension) => {
      if (parsePackageFile(stem + extension)) expect(stem).toMatch(/^[a-z0-9][a-z0-9.-]*$/);
    }),
  );
});
