import { expect, test } from 'vitest';
import { findMisfits, findUnmetDependencies, type LockNeeds } from '../../../src/conda/lock-fit.ts';
import type { EnvironmentLock } from '../../../src/conda/lock.ts';
import { describeSolveInputs } from '../../../src/conda/solve.ts';

const lines = (...texts: string[]) => texts.map((text, index) => ({ text, at: `environment.yml:${index + 4}:5` }));

const needs: LockNeeds = {
  specs: lines('numpy >=2', 'https://me:secret@conda.example.org/main::xarray'),
  pinned: lines('python 3.11.*'),
  channels: ['main'],
  channelAlias: 'https://me:secret@conda.example.org',
  platform: 'linux-64',
  virtualPackages: {},
};

function lockOf(from: LockNeeds, virtualPackages: Record<string, string> = { __glibc: '2.36' }): EnvironmentLock {
  const { digest, ...inputs } = describeSolveInputs({ ...from, virtualPackages });
  return { lockVersion: 1, platform: from.platform, inputsDigest: digest, ...inputs, virtualPackages, packages: [] };
}

test('fits what it was made from, on any machine and in any order of the specs', () => {
  expect(findMisfits(lockOf(needs), needs)).toEqual([]);
  expect(findMisfits(lockOf(needs, { __glibc: '2.17' }), { ...needs, specs: needs.specs.toReversed() })).toEqual([]);
});

test('names every spec, pin and channel that is another, and no secret', () => {
  const changed = {
    ...needs,
    specs: lines('numpy >=2.1', 'https://me:secret@conda.example.org/main::xarray', 'dask'),
    pinned: [],
    channels: ['main', 'other'],
  };

  expect(findMisfits(lockOf(needs), changed)).toEqual([
    'spec dask is new',
    'spec numpy >=2.1 is new',
    'spec numpy >=2 is gone',
    'pin python 3.11.* is gone',
    'the channels are https://conda.example.org/main, https://conda.example.org/other; it has https://conda.example.org/main',
  ]);
});

test('does not fit where nobody can say why: it was edited, or says nothing of its specs', () => {
  const lock = lockOf(needs);
  const unknown = ['it was made from other specs, pins or channels, or edited since'];

  expect(findMisfits({ ...lock, inputsDigest: '0'.repeat(64) }, needs)).toEqual(unknown);
  expect(findMisfits({ ...lock, specs: undefined }, { ...needs, specs: lines('dask') })).toEqual(unknown);
  expect(findMisfits(lockOf({ ...needs, platform: 'linux-aarch64' }), needs)).toEqual([
    'it is for linux-aarch64, not for linux-64',
  ]);
});

test('holds the virtual packages of the configuration against it, and not those of the machine', () => {
  const lock = lockOf(needs, { __glibc: '2.36', __cuda: '12.4' });

  expect(findMisfits(lock, { ...needs, virtualPackages: { __cuda: '12.4', __osx: '' } })).toEqual([]);
  expect(findMisfits(lock, { ...needs, virtualPackages: { __cuda: '12.6', __glibc: '' } })).toEqual([
    "virtual_packages says __cuda: '12.6'; it was made for '12.4'",
    "virtual_packages says __glibc: ''; it was made for '2.36'",
  ]);
  expect(findMisfits(lockOf(needs), { ...needs, virtualPackages: { __cuda: '12.6' } })).toEqual([
    "virtual_packages says __cuda: '12.6'; it was made without",
  ]);
});

test('does not fit a quarantine that it was made without, or that was shorter', () => {
  const cutoff = Date.parse('2026-11-01');
  const at = (excludeNewer: string) =>
    findMisfits({ ...lockOf(needs), excludeNewer }, { ...needs, excludeNewerMs: cutoff });

  expect(findMisfits(lockOf(needs), { ...needs, excludeNewerMs: cutoff })).toEqual([
    'exclude_newer is set; it was made without',
  ]);
  expect(at('2026-10-01T00:00:00Z')).toEqual([]);
  expect(at('2026-11-02T00:00:00Z')).toEqual([
    'exclude_newer is 2026-11-01T00:00:00.000Z today; it may have packages up to 2026-11-02T00:00:00Z',
  ]);
});

test('names the packages that need more than the machine has', () => {
  const base = {
    version: '1',
    build: '0',
    buildNumber: 0,
    channel: 'file:///c',
    subdir: 'linux-64',
    url: '',
    sha256: '',
  };
  const lock = {
    ...lockOf(needs),
    packages: [
      { ...base, name: 'a', depends: ['__glibc >=2.28,<3', 'python', '__unix'] },
      { ...base, name: 'b', depends: ['__glibc >=2.34', '__cuda', '__archspec 1 x86_64_v3'] },
      { ...base, name: 'c' },
    ],
  };

  expect(findUnmetDependencies(lock, { __glibc: '2.28', __unix: '0' })).toEqual([
    'b needs __glibc >=2.34; this machine has 2.28',
    'b needs __cuda; this machine has no __cuda',
  ]);
  expect(findUnmetDependencies(lock, { __glibc: '2.36', __unix: '0', __cuda: '12.4' })).toEqual([]);
});
