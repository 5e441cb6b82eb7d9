import { expect, test } from 'vitest';
import { compareLocks, isEmptyDiff, renderLockDiff } from '../../../src/conda/lock-diff.ts';
import type { EnvironmentLock, LockedDistribution, LockedPackage } from '../../../src/conda/lock.ts';
import { digestText } from '../../../src/system/files.ts';

const MAIN = 'https://conda.example.org/main';

function locked(name: string, version: string, build = '0', more: Partial<LockedPackage> = {}): LockedPackage {
  const channel = more.channel ?? MAIN;
  const url = `${channel}/linux-64/${name}-${version}-${build}.conda`;
  return {
    ...{ name, version, build, buildNumber: 0, channel, subdir: 'linux-64', url, sha256: digestText(url) },
    sizeBytes: 1_000_000,
    ...more,
  };
}

const wheel = (name: string, version: string): LockedDistribution => ({
  ...{ name, version, kind: 'wheel', requested: true, direct: false, sha256: digestText(name + version) },
  url: `https://files.example.org/${name}-${version}-py3-none-any.whl`,
});

const lockOf = (
  packages: readonly LockedPackage[],
  pip?: readonly LockedDistribution[],
): Pick<EnvironmentLock, 'packages' | 'pip'> => ({
  packages,
  ...(pip ? { pip: { inputsDigest: '0'.repeat(64), packages: pip } } : {}),
});

test('finds nothing between a lock and itself, whatever the order', () => {
  const lock = lockOf([locked('a', '1'), locked('b', '1')], [wheel('c', '1')]);
  const diff = compareLocks(lock, lockOf(lock.packages.toReversed(), lock.pip?.packages));

  expect(isEmptyDiff(diff)).toBe(true);
  expect(diff).toMatchObject({ unchanged: 3, sizeBytes: { before: 2_000_000, after: 2_000_000 } });
  expect(renderLockDiff(diff)).toEqual(['nothing differs: 3 packages']);
});

test('tells what went, came, and moved in which way', () => {
  const other = 'https://conda.example.org/other';
  const before = lockOf(
    [
      ...[locked('climtas', '0.3'), locked('dask', '2026.9'), locked('numpy', '2.1'), locked('zlib', '1.3', 'h1_0')],
      ...[locked('hdf5', '1.14', 'mpi_1'), locked('odd', '1'), locked('same', '1')],
    ],
    [wheel('greet', '1.0'), wheel('gone', '1')],
  );
  const after = lockOf(
    [
      ...[locked('dask', '2026.10'), locked('numpy', '2.0.9'), locked('zlib', '1.3', 'h1_1'), locked('xarray', '1')],
      ...[locked('hdf5', '1.14', 'mpi_2', { channel: other }), locked('odd', '1', '0', { sha256: 'f'.repeat(64) })],
      locked('same', '1', '0', { sizeBytes: 500_000 }),
    ],
    [wheel('greet', '1.1')],
  );
  const diff = compareLocks(before, after);

  expect(diff.removed.map(({ name, source }) => [name, source])).toEqual([
    ['climtas', 'conda'],
    ['gone', 'pip'],
  ]);
  expect(diff.added.map(({ name }) => name)).toEqual(['xarray']);
  expect(diff.changed.map(({ name, kind, channelMoved }) => [name, kind, channelMoved])).toEqual([
    ['dask', 'upgrade', false],
    ['hdf5', 'build', true],
    ['numpy', 'downgrade', false],
    ['odd', 'content', false],
    ['zlib', 'build', false],
    ['greet', 'upgrade', false],
  ]);
  expect(renderLockDiff(diff)).toEqual([
    '- climtas 0.3 0',
    '- gone 1 (pip)',
    '+ xarray 1 0',
    '↓ numpy 2.1 -> 2.0.9  downgrade',
    '↑ dask 2026.9 -> 2026.10',
    '↑ greet 1.0 -> 1.1 (pip)',
    `~ hdf5 1.14 mpi_1 -> mpi_2  channel ${MAIN} -> ${other}  build only`,
    '~ zlib 1.3 h1_0 -> h1_1  build only',
    '~ odd 1  same name, other content',
    '2 removed, 1 added, 6 changed (1 downgrade, 2 in the build only, 1 from another channel), 1 the same; 6.5 MB to download, -500 kB',
  ]);
});

test('takes a package that comes from another channel with the same bytes as moved, not as changed in content', () => {
  const moved = compareLocks(
    lockOf([locked('a', '1', '0', { sha256: '1'.repeat(64) })]),
    lockOf([locked('a', '1', '0', { sha256: '1'.repeat(64), channel: 'file:///srv/copy' })]),
  );

  expect(moved.changed).toMatchObject([{ name: 'a', kind: 'origin', channelMoved: true }]);
  expect(renderLockDiff(moved)[0]).toBe(`~ a 1  channel ${MAIN} -> file:///srv/copy`);
});

test('takes what went from conda to pip as removed and added', () => {
  const diff = compareLocks(lockOf([locked('greet', '1')]), lockOf([], [wheel('greet', '1')]));

  expect([diff.removed[0]?.source, diff.added[0]?.source, diff.changed.length]).toEqual(['conda', 'pip', 0]);
});
