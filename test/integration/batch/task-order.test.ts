// In which order environments become tasks of an array: read from the locks beside their specs.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readLargestFirst } from '../../../src/cli/task-order.ts';
import { renderLocks, type EnvironmentLock, type LockedPackage } from '../../../src/conda/lock.ts';
import type { EnvironmentOptions } from '../../../src/config/site-config.ts';
import { makeLayout } from '../../unit/make-layout.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-order-'));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

const lockOf = (sizes: readonly (number | undefined)[], platform = 'linux-64'): EnvironmentLock => ({
  ...{ lockVersion: 1, platform, inputsDigest: 'd'.repeat(64), virtualPackages: {}, specs: ['python'] },
  channels: ['https://channels.example/conda-forge'],
  packages: sizes.map((sizeBytes, index): LockedPackage => ({
    ...{ name: `p${index}`, version: '1', build: '0', buildNumber: 0, subdir: platform, sha256: 'b'.repeat(64) },
    channel: 'https://channels.example/conda-forge',
    url: `https://channels.example/conda-forge/${platform}/p${index}-1-0.conda`,
    sizeBytes,
  })),
});

/** @param text of its lock; none, where it has none */
async function add(name: string, text?: string): Promise<EnvironmentOptions> {
  const specFile = path.join(dir, name, 'environment.yml');
  await mkdir(path.dirname(specFile));
  if (text !== undefined) await writeFile(path.join(dir, name, 'environment.lock.yml'), text);
  return { name, specFile, isOfMatrix: false } as EnvironmentOptions;
}

it('begins with what nobody knows the size of, then with the largest, and keeps the order of equals', async () => {
  const environments = [
    await add('small', renderLocks([lockOf([10, 20])])),
    await add('many', renderLocks([lockOf(Array<number>(50).fill(2_000_000))])),
    await add('unlocked'),
    await add('also-small', renderLocks([lockOf([30])])),
    await add('unsized', renderLocks([lockOf([undefined, undefined])])),
    await add('elsewhere', renderLocks([lockOf([1], 'osx-64')])),
    await add('broken', 'lockVersion: ['),
  ];
  const ordered = await readLargestFirst(makeLayout(dir), environments, 'linux-64');
  expect(ordered.map(({ name }) => name)).toEqual([
    ...['unlocked', 'elsewhere', 'broken', 'many', 'unsized', 'small', 'also-small'],
  ]);
});
