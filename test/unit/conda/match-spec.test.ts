import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDependencyName, parseSpecs } from '../../../src/conda/match-spec.ts';
import { AppError } from '../../../src/system/app-error.ts';

const line = (text: string) => ({ text, at: 'environment.yml:4:5' });

test.each([
  ['numpy', 'numpy'],
  ['NumPy=2.1', 'numpy'],
  ['numpy >=2,<3', 'numpy'],
  ['numpy[version=">=2"]', 'numpy'],
  ['numpy[build_number=2,build="py*"]', 'numpy'],
  ['_libgcc_mutex ==0.1 conda_forge', '_libgcc_mutex'],
  ['numpy!=2', 'numpy'],
  ['numpy~=2.0', 'numpy'],
])('the name of %s is %s', (text, name) => {
  expect(parseSpecs([line(text)])).toMatchObject([{ name, solverText: text, channel: undefined }]);
});

test.each([
  ['conda-forge::numpy >=2', 'conda-forge', 'numpy >=2'],
  ['https://example.org/a::numpy', 'https://example.org/a', 'numpy'],
  ['conda-forge/linux-64::numpy', 'conda-forge/linux-64', 'numpy'],
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
  'a:b:c',
  'numpy[version=1',
  'numpy[subdir=noarch]',
  'numpy[channel=x]',
  'https://example.org/numpy-1-0.conda',
  '-e .',
])('refuses %j at its place', (text) => {
  expect(() => parseSpecs([line('ok'), line(text)])).toThrow(/^environment\.yml:4:5: .* is not a conda spec/);
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
