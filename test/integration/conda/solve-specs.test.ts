// Every form of a MatchSpec (CEP 29; docs.conda.io, "Package match specifications") through the real solver on a tiny channel.
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AppError } from '../../../src/system/app-error.ts';
import { writeRepodata } from '../../channel/write-repodata.ts';
import { record, solve, tempDir } from './solve-channel.ts';

const made = (version: string, build: string, number = 0, more = {}) =>
  record('pkg', version, [], { build, build_number: number, ...more });
const mkl = made('1.8.1', 'mkl_2', 2, { track_features: 'mkl fast' });

let dir: string;
let main: string;
let other: string;
beforeAll(async () => {
  dir = await tempDir();
  await writeRepodata(path.join(dir, 'main'), [
    made('1.8', 'py27_0'),
    made('1.8', 'py27_1', 1),
    made('1.8.1', 'py27_0'),
    mkl,
    made('1.80', 'py_0'),
    made('1.9.0rc1', 'py_0', 0, { subdir: 'noarch' }),
    made('2.0', 'py_0'),
    made('2.0+cuda12', 'py_3', 3),
    made('1!0.5', 'py_0'),
  ]);
  await writeRepodata(path.join(dir, 'other'), [made('3.0', 'py_0'), made('0.1', 'py_0', 0, { subdir: 'noarch' })]);
  [main, other] = ['main', 'other'].map((name) => pathToFileURL(path.join(dir, name)).href) as [string, string];
});
afterAll(() => rm(dir, { recursive: true }));

const solved = async (spec: string) =>
  (await solve({ specs: [spec], channels: [main, other] })).packages
    .map(({ version, build }) => `${version} ${build}`)
    .join();

// The two tables of CEP 29, "Version expression parsing".
const fuzzy = [
  ...['pkg=1.8', 'pkg =1.8', 'pkg 1.8.*', 'pkg 1.8.* *', 'pkg=1.8.*', 'pkg=1.8.*=*', 'pkg =1.8.* *', 'pkg ==1.8.* *'],
  ...['pkg[version=1.8.*]', 'pkg[version="1.8.*"]', 'pkg=1.8*', 'pkg 1.8*'],
].map((spec) => [spec, '1.8.1 py27_0']);
const exact = [
  ...[
    'pkg 1.8',
    'pkg 1.8 *',
    'pkg==1.8',
    'pkg=1.8=*',
    'pkg==1.8=*',
    'pkg ==1.8 *',
    'pkg[version=1.8]',
    'pkg[version="1.8"]',
  ],
  ...['pkg[version="==1.8"]', 'pkg ==1.8.0'],
].map((spec) => [spec, '1.8 py27_1']);

test.each([
  ...fuzzy,
  ...exact,
  ['pkg', '1!0.5 py_0'],
  ['PKG', '1!0.5 py_0'],
  ['pkg *', '1!0.5 py_0'],
  ['pkg=1.8=py27_0', '1.8 py27_0'],
  ['pkg ==1.8 py27_0', '1.8 py27_0'],
  ['pkg 1.8 py27_0', '1.8 py27_0'],
  ['pkg >=1.8,<1.8.1', '1.8 py27_1'],
  ['pkg >= 1.8 , < 1.8.1', '1.8 py27_1'],
  ['pkg>=1.8,<1.8.1=py27_0', '1.8 py27_0'],
  ['pkg <=1.8', '1.8 py27_1'],
  ['pkg >1.8,<1.9.0a', '1.8.1 py27_0'],
  ['pkg 1.8|2.0', '2.0 py_0'],
  ['pkg >=1.8,<1.9.0a|0.*', '1.8.1 py27_0'],
  ['pkg (1.8|1.8.1),!=1.8', '1.8.1 py27_0'],
  ['pkg !=1!0.5,!=2.0,!=1.80,!=2.0+cuda12', '1.9.0rc1 py_0'],
  ['pkg !=1.8.*,<1.9.0', '1.9.0rc1 py_0'],
  ['pkg ~=1.8.0', '1.8.1 py27_0'],
  ['pkg ~=1.8', '1.80 py_0'],
  ['pkg =1.9.0rc1', '1.9.0rc1 py_0'],
])('takes %s as %s', async (spec, expected) => {
  expect(await solved(spec)).toBe(expected);
});

test.each([
  ['pkg 1.*.1', '1.8.1 py27_0'],
  ['pkg 1.*1', '1.9.0rc1 py_0'],
  ['pkg !=1.*.1,<1.9.0a', '1.8 py27_1'],
  ['pkg ^1\\.8(\\.1)?$', '1.8.1 py27_0'],
  ['pkg[version="^1\\.8(\\.1)?$,!=1.8.1"]', '1.8 py27_1'],
  ['pkg (1.*.1|1.80),<1.9', '1.8.1 py27_0'],
  ['pkg 1.8.1 *k*', '1.8.1 mkl_2'],
  ['pkg * mkl*', '1.8.1 mkl_2'],
  ['pkg * *27_*', '1.8.1 py27_0'],
  ['pkg[build="*_1"]', '1.8 py27_1'],
  ['pkg[build="^py.*_1$"]', '1.8 py27_1'],
])('compares versions and builds as text: %s is %s', async (spec, expected) => {
  expect(await solved(spec)).toBe(expected);
});

test.each([
  ['pkg 1!0.5', '1!0.5 py_0'],
  ['pkg >=1!0', '1!0.5 py_0'],
  ['pkg <1!0', '2.0 py_0'],
  ['pkg 2.0+cuda12', '2.0+cuda12 py_3'],
  ['pkg ==2.0', '2.0 py_0'],
  ['pkg =2.0', '2.0 py_0'],
  ['pkg 2.0+cuda*', '2.0+cuda12 py_3'],
  // A local version of letters is older than none (conda/models/version.py: letters come before the number 0).
  ['pkg <2.0', '2.0+cuda12 py_3'],
])('knows epochs and local versions: %s is %s', async (spec, expected) => {
  expect(await solved(spec)).toBe(expected);
});

describe('in brackets', () => {
  test.each([
    ['pkg[version="1.8",build=py27_0]', '1.8 py27_0'],
    ['pkg[version=">=1.8,<1.8.1",build="*",build_number=1]', '1.8 py27_1'],
    ['pkg[version="1.8" build=py27_0]', '1.8 py27_0'],
    ['pkg [ version = 1.8 , build = py27_0 ]', '1.8 py27_0'],
    ['pkg[build_number=1]', '1.8 py27_1'],
    ['pkg[build_number=">=2",version="<1.9"]', '1.8.1 mkl_2'],
    ['pkg 1.8 py27_0[version=2.0,build=py_0]', '2.0 py_0'],
    ['pkg[name=other,version=2.0]', '2.0 py_0'],
    ['pkg[subdir=noarch]', '1.9.0rc1 py_0'],
    ['pkg[track_features=mkl fast]', ''],
    ['pkg[track_features="mkl fast"]', '1.8.1 mkl_2'],
    ['pkg[track_features="fast,mkl"]', '1.8.1 mkl_2'],
    [`pkg[md5=${mkl.md5}]`, '1.8.1 mkl_2'],
    [`pkg[sha256=${mkl.sha256.toUpperCase()}]`, '1.8.1 mkl_2'],
    ['pkg[fn=pkg-1.8-py27_0.conda]', '1.8 py27_0'],
  ])('%s is %s', async (spec, expected) => {
    if (expected === '') await expect(solved(spec)).rejects.toThrow(/a value with spaces or commas needs quotes/);
    else expect(await solved(spec)).toBe(expected);
  });
});

test('takes a package from the channel and subdir that its spec names', async () => {
  expect(await solved(`${other}::pkg`)).toBe('3.0 py_0');
  expect(await solved(`${other}/noarch::pkg`)).toBe('0.1 py_0');
  expect(await solved(`${other}::pkg[subdir=noarch]`)).toBe('0.1 py_0');
  expect(await solved(`pkg[channel=${other}]`)).toBe('3.0 py_0');
  expect(await solved(`pkg[channel="${other}/noarch"]`)).toBe('0.1 py_0');
  expect(await solved(`${main}::pkg[channel=${other}]`)).toBe('3.0 py_0');
  expect(await solved(`${other}:namespace:pkg <1`)).toBe('0.1 py_0');
  expect(await solved('*/noarch::pkg')).toBe('1.9.0rc1 py_0');
});

test.each(['pkg[subdir=osx-64]', 'pkg[track_features=nothing]', 'pkg 7.*.7', 'pkg * none*'])(
  'says that there is no candidate for %s, and which versions there are',
  async (spec) => {
    const error: unknown = await solve({ specs: [spec], channels: [main] }).catch((thrown: unknown) => thrown);

    expect(String(error)).toMatch(/environment\.yml:4:5: .*\nNo candidates were found for pkg/);
    expect(error).toMatchObject({ problems: [{ hint: expect.stringContaining('there is pkg 1!0.5, ') as string }] });
  },
);

test.each([
  ['*', /a "\*" in the name/],
  ['pk*', /a "\*" in the name/],
  ['pkg@', /must start with a package name/],
  ['pkg-1.8-py27_0.conda', /is a package file/],
  ['https://example.org/linux-64/pkg-1.8-py27_0.conda', /is a package file/],
  ['pkg[license=MIT]', /"license" is not supported in brackets \(only version, /],
  ['pkg[url=https://example.org/x]', /"url" is not supported/],
  ['pkg[optional]', /is not key=value/],
  ['pkg[version=1][build=2]', /is not key=value/],
  ['pkg[build_number=99999999999999999999999]', /build_number must be a number/],
  ['pkg[md5=1]', /md5 must be 32 hexadecimal digits/],
  ['pkg <<1', /./],
  ['pkg 1.8 py27_0 more', /./],
  ['pkg 1..8', /./],
  ['pkg 1.8,', /./],
  ['pkg ((1.8)', /./],
  ['pkg (1.*.8', /is not closed/],
  ['pkg 1.*.8)', /unexpected/],
  ['pkg ^(($', /./],
  ['pkg ^(a)\\1$', /a lookaround or a backreference/],
  ['pkg * ^(($', /./],
  ['pkg if python', /conditions .* are not supported/],
  ['pkg 1.8; if python', /conditions .* are not supported/],
])('refuses %s, with its place and the reason', async (spec, why) => {
  await expect(solved(spec)).rejects.toThrow(/^environment\.yml:4:5: .* is not a conda spec: ./);
  await expect(solved(spec)).rejects.toThrow(why);
});

test('ends in an answer or an error that says which spec, whatever is written', { timeout: 120_000 }, async () => {
  const piece = fc.constantFrom(
    ...[
      '1',
      '8',
      '.',
      '*',
      '=',
      '==',
      '>=',
      '<',
      '!=',
      '~=',
      ',',
      '|',
      '(',
      ')',
      '^',
      '$',
      '!',
      '+',
      '_',
      '-',
      'a',
      ' ',
      '[',
      ']',
    ],
    ...[
      'version=',
      'build=',
      'build_number=',
      '"',
      "'",
      '99999999999999999999',
      'py27_0',
      ':',
      '::',
      '\\',
      '{',
      '?',
      'é',
    ],
  );
  const spec = fc.array(piece, { maxLength: 8 }).map((pieces) => `pkg${pieces.join('')}`);
  const specs = fc.sample(spec, { numRuns: 1500, seed: 29 });
  const error: unknown = await solve({ specs, channels: [main, other] }).catch((thrown: unknown) => thrown);

  if (!(error instanceof AppError)) throw error;
  expect(new Set(error.problems.map(({ code }) => code))).toEqual(new Set(['SPEC_INVALID']));
  expect(error.problems.length).toBeGreaterThan(100);
});
