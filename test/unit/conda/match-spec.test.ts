import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDependencyName, parseMatchSpec, parseSpecs, renderMatchSpec } from '../../../src/conda/match-spec.ts';
import { AppError } from '../../../src/system/app-error.ts';

const line = (text: string) => ({ text, at: 'environment.yml:4:5' });

test.each([
  ['numpy', 'numpy'],
  ['NumPy=2.1', 'numpy[version="=2.1"]'],
  ['numpy >= 2 , < 3', 'numpy[version=">=2,<3"]'],
  ['numpy[version=">=2"]', 'numpy[version=">=2"]'],
  ['numpy[build_number=2,build="py*"]', 'numpy[build_number="2",build="py*"]'],
  ["numpy[version='1.8' build=py_0]", 'numpy[version="1.8",build="py_0"]'],
  ['_libgcc_mutex ==0.1 conda_forge', '_libgcc_mutex[version="==0.1",build="conda_forge"]'],
  ['numpy=1.8=py_0', 'numpy[version="==1.8",build="py_0"]'],
  ['numpy!=2', 'numpy[version="!=2"]'],
  ['numpy~=2.0', 'numpy[version="~=2.0"]'],
  ['numpy 1.8[version=2,name=other]', 'numpy[version="2"]'],
  ['numpy 1.8 # the old one', 'numpy[version="1.8"]'],
  ['numpy * py*', 'numpy[version="*",build="py*"]'],
])('gives the solver %s as %s', (text, solverText) => {
  expect(parseSpecs([line(text)])).toMatchObject([{ solverText, channel: undefined }]);
});

test.each([
  ['conda-forge::numpy >=2', 'conda-forge', 'numpy[version=">=2"]'],
  ['https://example.org:8080/a::numpy', 'https://example.org:8080/a', 'numpy'],
  ['conda-forge/linux-64::numpy', 'conda-forge', 'numpy[subdir="linux-64"]'],
  ['conda-forge/label/dev::numpy', 'conda-forge/label/dev', 'numpy'],
  ['*/noarch::numpy', undefined, 'numpy[subdir="noarch"]'],
  ['numpy[channel=conda-forge]', 'conda-forge', 'numpy'],
  ['numpy[channel="https://example.org/a/noarch"]', 'https://example.org/a', 'numpy[subdir="noarch"]'],
  ['a/noarch::numpy[channel=b,subdir=linux-64]', 'b', 'numpy[subdir="linux-64"]'],
  ['conda-forge:namespace:numpy', 'conda-forge', 'numpy'],
  ['namespace:numpy', undefined, 'numpy'],
])('takes the channel off %s', (text, channel, solverText) => {
  expect(parseSpecs([line(text)])).toMatchObject([{ channel, solverText }]);
});

test.each([
  '',
  '   ',
  '=1',
  '*',
  '^num.*$',
  'numpy@mkl',
  '::numpy',
  'numpy[version=1',
  'numpy=1.8=py_0 py_1',
  'numpy >="2"',
  'numpy[license=MIT]',
  'numpy[optional]',
  'numpy[extras=[a]]',
  'numpy[version=">=2]',
  'numpy[build_number=99999999999999999999]',
  'numpy[md5=abc]',
  'num*',
  '*[track_features=mkl]',
  'numpy-1.0-0.conda',
  'https://example.org/numpy-1-0.conda',
  '-e .',
])('refuses %j at its place', (text) => {
  expect(() => parseSpecs([line('ok'), line(text)])).toThrow(/^environment\.yml:4:5: .* is not a conda spec/);
});

test('reads what it renders to the same', () => {
  const spec = parseMatchSpec('c/noarch::Numpy >=1,<2 py*[track_features="a b",build_number=">=1"]');
  const { channel, solverText } =
    parseSpecs([line('c/noarch::Numpy >=1,<2 py*[track_features="a b",build_number=">=1"]')])[0] ?? {};

  expect(parseMatchSpec(solverText ?? '')).toEqual({ ...(spec as object), channel: undefined });
  expect(channel).toBe('c');
});

test('never throws anything but its own error, and names are never more than a name', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        for (const { name } of parseSpecs([line(text)])) expect(name).toMatch(/^[a-z0-9_][a-z0-9_.-]*$/);
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
      }
    }),
  );
});

test.each([
  ['python >=3.12,<3.13.0a0', 'python'],
  ['python_abi 3.12.* *_cp312', 'python_abi'],
  ['__glibc >=2.17,<3.0.a0', '__glibc'],
  ['Foo', 'foo'],
  ['x::y', undefined],
  ['y[channel=x]', undefined],
  ['*', undefined],
])('the dependency %s needs %s', (dependency, name) => {
  expect(parseDependencyName(dependency)).toBe(name);
});

test('reads any spec that it renders to the same', () => {
  const fields = fc.record(
    {
      name: fc.stringMatching(/^[a-z0-9_][a-z0-9_.-]{0,30}$/),
      version: fc.oneof(
        fc.constantFrom('>=2,<3', '1.8.*|^2[.](1|2)$', '~=1!2.0+a', '*'),
        fc.stringMatching(/^[0-9a-z.*<>=!~|,+]{1,20}$/),
      ),
      build: fc.stringMatching(/^[A-Za-z0-9_.*^$()|[\]-]{1,12}$/),
      build_number: fc.oneof(
        fc.nat().map(String),
        fc.nat().map((number) => `>=${number}`),
      ),
      md5: fc.stringMatching(/^[0-9a-f]{32}$/),
      sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
      subdir: fc.constantFrom('noarch', 'linux-64'),
      track_features: fc.constantFrom('mkl', 'a b', 'a,b'),
      fn: fc.constantFrom('a-1-0.conda', 'a b'.replace(' ', '')),
    },
    { requiredKeys: ['name'] },
  );
  fc.assert(
    fc.property(fields, (spec) => {
      // A "#" begins a comment, and conditions are refused.
      expect(parseMatchSpec(renderMatchSpec(spec))).toEqual(spec);
    }),
    { numRuns: 500 },
  );
});
