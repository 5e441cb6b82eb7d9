// What is locked already through the real solver: it stays, or moves, as a lock's renewal asks; and what is too new is not seen.
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EnvironmentLock } from '../../../src/conda/lock.ts';
import { writeRepodata } from '../../channel/write-repodata.ts';
import { record, solve, tempDir } from './solve-channel.ts';

const OCTOBER = Date.parse('2026-10-01');
const NOVEMBER = Date.parse('2026-11-01');

let dir: string;
let channels: string[];
let old: EnvironmentLock;
beforeAll(async () => {
  dir = await tempDir();
  const first = [
    record('app', '1.0', ['lib >=1', 'tool'], { timestamp: OCTOBER }),
    record('lib', '1.0', [], { timestamp: OCTOBER / 1000 }),
    record('tool', '1.0', [], { timestamp: OCTOBER }),
  ];
  const channel = path.join(dir, 'main');
  channels = [pathToFileURL(channel).href];
  await writeRepodata(channel, first);
  old = await solve({ channels, specs: ['app'] });
  await writeRepodata(channel, [
    ...first,
    record('app', '2.0', ['lib >=2', 'tool'], { timestamp: NOVEMBER }),
    record('lib', '2.0', [], { timestamp: NOVEMBER }),
    record('lib', '3.0', [], { track_features: 'odd', timestamp: NOVEMBER }),
    record('tool', '2.0', ['extra'], { timestamp: NOVEMBER }),
    record('extra', '1.0', [], { timestamp: NOVEMBER }),
    record('undated', '1.0'),
  ]);
});
afterAll(() => rm(dir, { recursive: true }));

const names = (lock: EnvironmentLock) => lock.packages.map(({ name, version }) => `${name} ${version}`);
const without = (...moving: string[]) => old.packages.filter(({ name }) => !moving.includes(name));

test('moves nothing that can stay, and everything where nothing is to stay', async () => {
  const keep = { packages: old.packages, how: 'prefer' as const };

  expect(names(old)).toEqual(['app 1.0', 'lib 1.0', 'tool 1.0']);
  expect(names(await solve({ channels, specs: ['app'], keep }))).toEqual(names(old));
  expect(names(await solve({ channels, specs: ['app'] }))).toEqual(['app 2.0', 'extra 1.0', 'lib 2.0', 'tool 2.0']);
});

test('moves only what a changed spec asks for, as if that had never been locked', async () => {
  const keep = { packages: old.packages, how: 'prefer' as const };
  const asked = { channels, specs: ['app >=2'], keep };

  // lib 3.0 has a tracked feature: it is taken where nothing else will do, as in a solve without a lock.
  expect(names(await solve(asked))).toEqual(['app 2.0', 'lib 2.0', 'tool 1.0']);
});

test('moves only the packages that are named, as far as the others allow', async () => {
  const only = (...moving: string[]) => ({ packages: without(...moving), how: 'only' as const });

  expect(names(await solve({ channels, specs: ['app'], keep: only('tool') }))).toEqual([
    ...['app 1.0', 'extra 1.0', 'lib 1.0', 'tool 2.0'],
  ]);
  expect(names(await solve({ channels, specs: ['app'], keep: only('app') }))).toEqual(names(old));
  expect(names(await solve({ channels, specs: ['app'], keep: only('app', 'lib') }))).toEqual([
    ...['app 2.0', 'lib 2.0', 'tool 1.0'],
  ]);
});

test('says which packages cannot stay because the channels have them no more', async () => {
  const packages = without('app').map((locked) =>
    locked.name === 'lib' ? { ...locked, sha256: 'f'.repeat(64) } : locked,
  );

  await expect(solve({ channels, specs: ['app'], keep: { packages, how: 'only' } })).rejects.toThrow(
    'the channels do not have these any more as they are locked: lib',
  );
});

test('does not see what is newer than it may be, or does not say when it was made', async () => {
  const asked = { channels, excludeNewerMs: NOVEMBER };
  const lock = await solve({ ...asked, specs: ['app'] });

  expect(names(lock)).toEqual(names(old));
  expect(lock.excludeNewer).toBe('2026-11-01T00:00:00.000Z');
  expect(names(await solve({ ...asked, specs: ['app'], excludeNewerMs: NOVEMBER + 1 }))).toContain('app 2.0');
  await expect(solve({ ...asked, specs: ['app >=2'] })).rejects.toThrow(/2026-11-01T00:00:00.000Z and later/);
  await expect(solve({ ...asked, specs: ['undated'] })).rejects.toThrow(/1 records .* or without a time/);
});
