import { expect, test } from 'vitest';
import { chooseVirtualPackages, parseVirtualPackages, type HostFacts } from '../../../src/conda/virtual-packages.ts';

const v2 = 'fpu cx16 lahf_lm mmx sse sse2 ssse3 sse4_1 sse4_2 popcnt';
const v3 = `${v2} avx avx2 bmi1 bmi2 f16c fma abm movbe xsave`;
const host: HostFacts = { kernelRelease: '6.1.0-28-amd64', glibcVersion: '2.36', arch: 'x64', cpuFlags: v3.split(' ') };

test('are what the machine has, sorted by name', () => {
  expect(Object.entries(chooseVirtualPackages(host, {}, {}))).toEqual([
    ['__archspec', 'x86_64_v3'],
    ['__glibc', '2.36'],
    ['__linux', '6.1.0'],
    ['__unix', '0'],
  ]);
});

test.each([
  ['', 'x86_64'],
  [v2, 'x86_64_v2'],
  [`${v2} avx avx2 avx512f`, 'x86_64_v2'],
  [`${v3} avx512f avx512bw avx512cd avx512dq avx512vl`, 'x86_64_v4'],
])('the level of a processor with flags "%s" is %s', (flags, level) => {
  expect(chooseVirtualPackages({ ...host, cpuFlags: flags.split(' ') }, {}, {})['__archspec']).toBe(level);
});

test.each([
  ['5.15.0', '5.15.0'],
  ['4.18.0-553.el8_10.x86_64', '4.18.0'],
  ['6.6.36.3-microsoft-standard-WSL2', '6.6.36.3'],
  ['6.12-rc1', '6.12'],
])('the kernel %s is __linux %s', (kernelRelease, version) => {
  expect(chooseVirtualPackages({ ...host, kernelRelease }, {}, {})['__linux']).toBe(version);
});

test('CONDA_OVERRIDE_* wins over the machine, the configuration over both', () => {
  const env = {
    CONDA_OVERRIDE_GLIBC: '2.28',
    CONDA_OVERRIDE_CUDA: '12.4',
    CONDA_OVERRIDE_ARCHSPEC: 'zen3',
    CONDA_OVERRIDE_LINUX: '5.14',
  };

  expect(chooseVirtualPackages(host, { __glibc: '2.17' }, env)).toEqual({
    __archspec: 'zen3',
    __cuda: '12.4',
    __glibc: '2.17',
    __linux: '5.14',
    __unix: '0',
  });
});

test('an empty override means that there is none', () => {
  const found = chooseVirtualPackages(
    { ...host, cudaVersion: '12.4' },
    { __archspec: '' },
    { CONDA_OVERRIDE_CUDA: '', CONDA_OVERRIDE_GLIBC: '' },
  );

  expect(Object.keys(found)).toEqual(['__linux', '__unix']);
});

test('__unix has no override', () => {
  expect(chooseVirtualPackages(host, {}, { CONDA_OVERRIDE_UNIX: '7' })['__unix']).toBe('0');
});

test('there is no __glibc without GNU libc', () => {
  expect(chooseVirtualPackages({ ...host, glibcVersion: undefined }, {}, {})).not.toHaveProperty('__glibc');
});

test('__archspec is a build of version 1, the others are versions', () => {
  expect(parseVirtualPackages({ __archspec: 'x86_64_v3', __cuda: '12.4' })).toEqual([
    { name: '__archspec', version: '1', build: 'x86_64_v3' },
    { name: '__cuda', version: '12.4', build: '0' },
  ]);
});

test('names every override that cannot be one', () => {
  expect(() =>
    chooseVirtualPackages(host, { __cuda: 'new est', glibc: '2.17' }, { CONDA_OVERRIDE_GLIBC: '../2' }),
  ).toThrow(/"__cuda" cannot be "new est"\n.*"__glibc" cannot be "\.\.\/2"\n.*"glibc" cannot be "2\.17"/);
});

test('__cuda_arch is the lowest compute capability of the devices (CEP 46)', () => {
  const gpus = { ...host, cudaVersion: '12.4', cudaCapabilities: ['10.0', '9.0', '12.0'] };
  const arch = (facts: HostFacts, env: Record<string, string>, overrides: Record<string, string> = {}) =>
    chooseVirtualPackages(facts, overrides, env)['__cuda_arch'];

  expect(arch(gpus, {})).toBe('9.0');
  expect(arch(gpus, { CONDA_OVERRIDE_CUDA_ARCH: '8.6' })).toBe('8.6');
  expect(arch(gpus, { CONDA_OVERRIDE_CUDA_ARCH: '8.6' }, { __cuda_arch: '7.5' })).toBe('7.5');
  expect(arch(gpus, { CONDA_OVERRIDE_CUDA_ARCH: '' })).toBeUndefined();
  expect(arch({ ...gpus, cudaCapabilities: [] }, {})).toBeUndefined();
  expect(arch(host, { CONDA_OVERRIDE_CUDA: '12.0', CONDA_OVERRIDE_CUDA_ARCH: '8.6' })).toBe('8.6');
});

test('there is no __cuda_arch without __cuda, whatever says so', () => {
  const gpus = { ...host, cudaVersion: '12.4', cudaCapabilities: ['9.0'] };

  expect(chooseVirtualPackages(gpus, {}, { CONDA_OVERRIDE_CUDA: '' })).not.toHaveProperty('__cuda_arch');
  expect(chooseVirtualPackages(host, { __cuda_arch: '9.0' }, { CONDA_OVERRIDE_CUDA_ARCH: '8.6' })).not.toHaveProperty(
    '__cuda_arch',
  );
});

test('refuses a __cuda_arch that is no compute capability', () => {
  expect(() => parseVirtualPackages({ __cuda_arch: '9.0a' })).toThrow('"__cuda_arch" cannot be "9.0a"');
});
