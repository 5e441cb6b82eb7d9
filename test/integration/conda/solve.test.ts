// The solver on small channels, by file and by http, as conda's documentation says that it behaves.
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseLock, renderLock } from '../../../src/conda/lock.ts';
import { AppError } from '../../../src/system/app-error.ts';
import type { WorkEvent } from '../../../src/system/events.ts';
import { writeRepodata } from '../../channel/write-repodata.ts';
import { record, solve, tempDir, type Asked } from './solve-channel.ts';

let dir: string;
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

/** Writes a channel of these records and returns its file URL. */
async function channel(name: string, ...records: Parameters<typeof writeRepodata>[1]): Promise<string> {
  await writeRepodata(path.join(dir, name), records);
  return pathToFileURL(path.join(dir, name)).href;
}

const names = (lock: Awaited<ReturnType<typeof solve>>) =>
  lock.packages.map(({ name, version }) => `${name} ${version}`);

async function failure(asked: Asked): Promise<AppError> {
  const error: unknown = await solve(asked).then(
    () => new Error('it was solved'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof AppError)) throw error;
  return error;
}

test('locks the newest packages that fit together, sorted by name, with url and digests', async () => {
  const url = await channel(
    'main',
    record('zlib', '1.3'),
    record('python', '3.12.4', ['zlib', '__glibc >=2.17']),
    record('python', '3.13.0', ['zlib >=2']),
    record('xarray', '2026.1', ['python >=3.11'], { subdir: 'noarch', noarch: 'python' }),
  );

  const lock = await solve({ specs: ['xarray', 'python'], channels: [url] });

  expect(names(lock)).toEqual(['python 3.12.4', 'xarray 2026.1', 'zlib 1.3']);
  const xarray = record('xarray', '2026.1', [], { subdir: 'noarch' });
  expect(lock.packages[1]).toEqual({
    name: 'xarray',
    depends: ['python >=3.11'],
    version: '2026.1',
    build: '0',
    buildNumber: 0,
    channel: url,
    subdir: 'noarch',
    url: `${url}/noarch/xarray-2026.1-0.conda`,
    sha256: xarray.sha256,
    md5: xarray.md5,
    sizeBytes: 1000,
  });
});

test('gives byte-identical locks for identical inputs, and reads them back', async () => {
  const records = [
    record('a', '1.10', ['b']),
    record('b', '1.0'),
    record('b', '1.0', [], { build: '1', build_number: 0 }),
  ];
  const url = await channel('main', ...records);
  const first = await solve({ specs: ['a', 'b'], channels: [url] });
  await writeRepodata(path.join(dir, 'main'), records.toReversed());
  const second = await solve({ specs: ['b', 'a'], channels: [url] });

  expect(renderLock(second)).toBe(renderLock(first));
  expect(parseLock(renderLock(first), 'environment.lock.yml')).toEqual(first);
});

test('takes the .conda where a package is there in both formats', async () => {
  const url = await channel(
    'main',
    record('a', '1', [], {}, 'tar.bz2'),
    record('a', '1'),
    record('old', '1', [], {}, 'tar.bz2'),
  );

  const lock = await solve({ specs: ['a', 'old'], channels: [url] });

  expect(lock.packages.map((locked) => path.basename(locked.url))).toEqual(['a-1-0.conda', 'old-1-0.tar.bz2']);
});

test.each([
  ['numpy=1.26', '1.26.4'],
  ['numpy==1.26.4', '1.26.4'],
  ['numpy >=1.20,<2', '1.26.4'],
  ['numpy=1.26.4=0', '1.26.4'],
  ['NumPy', '2.1.0'],
  ['numpy<2|>=2.1', '2.1.0'],
  ['numpy[version=">=2"]', '2.1.0'],
  ['numpy !=2.1.0', '2.0.0'],
])('understands %s', async (spec, version) => {
  const url = await channel('main', record('numpy', '1.26.4'), record('numpy', '2.0.0'), record('numpy', '2.1.0'));

  expect(names(await solve({ specs: [spec], channels: [url] }))).toEqual([`numpy ${version}`]);
});

describe('strict channel priority', () => {
  let channels: string[];
  beforeEach(async () => {
    channels = [
      await channel('high', record('numpy', '1.26'), record('noarch-there', '1', [], { subdir: 'noarch' })),
      await channel('low', record('numpy', '2.1'), record('scipy', '1', ['numpy']), record('noarch-there', '2')),
    ];
  });

  test('takes a name from the first channel that has it, though a later one has a newer version', async () => {
    expect(names(await solve({ specs: ['numpy', 'scipy', 'noarch-there'], channels }))).toEqual([
      'noarch-there 1',
      'numpy 1.26',
      'scipy 1',
    ]);
  });

  test('does not look at later channels even if no version of the first will do', async () => {
    const error = await failure({ specs: ['scipy', 'numpy>=2'], channels });

    expect(error.problems).toMatchObject([
      {
        code: 'SOLVE_UNSATISFIABLE',
        at: 'environment.yml:5:5',
        hint: expect.stringContaining('<channel>::numpy') as string,
      },
    ]);
  });

  test('takes channel::name from that channel', async () => {
    expect(names(await solve({ specs: [`${channels[1] ?? ''}::numpy`, 'scipy'], channels }))).toEqual([
      'numpy 2.1',
      'scipy 1',
    ]);
  });

  test('adds a channel that only a spec names, after the others', async () => {
    const lock = await solve({ specs: [`${channels[1] ?? ''}::scipy`], channels: channels.slice(0, 1) });

    expect(names(lock)).toEqual(['numpy 1.26', 'scipy 1']);
    expect(lock.channels).toEqual(channels);
  });
});

describe('virtual packages', () => {
  test('let a package be chosen where the machine has what it asks for', async () => {
    const url = await channel(
      'main',
      record('torch', '2', ['__cuda >=12'], { build: 'cuda', build_number: 1 }),
      record('torch', '2', [], { build: 'cpu' }),
      record('fast', '1', ['__archspec 1 x86_64_v3']),
    );

    const here = await solve({ specs: ['torch', 'fast'], channels: [url] });
    const there = await solve({ specs: ['torch'], channels: [url], virtualPackages: { __cuda: '12.4' } });

    expect(here.packages.map(({ build }) => build)).toEqual(['0', 'cpu']);
    expect(there.packages.map(({ build }) => build)).toEqual(['cuda']);
  });

  test('that are missing are named, with the way to give them', async () => {
    const url = await channel('main', record('cuda-only', '1', ['__cuda >=12']));

    const error = await failure({ specs: ['cuda-only'], channels: [url] });

    expect(error.message).toContain('__cuda >=12');
    expect(error.problems[0]?.hint).toContain('CONDA_OVERRIDE_CUDA');
  });
});

describe('refuses', () => {
  test('every unknown name at once, with its place, what was searched and similar names', async () => {
    const url = await channel('main', record('numpy', '1'), record('xarray', '1'));

    const error = await failure({ specs: ['numpi', 'xarray', 'qqqqqqqq', '__cuda'], channels: [url] });

    expect(error.exit).toBe(5);
    expect(error.problems).toEqual([
      {
        code: 'PACKAGE_NOT_FOUND',
        message: `no package is called numpi; searched ${url}`,
        at: 'environment.yml:4:5',
        hint: 'did you mean numpy?',
      },
      expect.objectContaining({ code: 'PACKAGE_NOT_FOUND', at: 'environment.yml:6:5' }),
      expect.objectContaining({ message: 'this machine has no __cuda', at: 'environment.yml:7:5' }),
    ]);
  });

  test('specs that exclude each other, with the solver’s explanation and their places', async () => {
    const url = await channel(
      'main',
      record('a', '1', ['shared <2']),
      record('b', '1', ['shared >=2']),
      record('shared', '1'),
      record('shared', '2'),
    );

    const error = await failure({ specs: ['a', 'b'], channels: [url] });

    expect(error.problems).toHaveLength(1);
    expect(error.problems[0]).toMatchObject({ code: 'SOLVE_UNSATISFIABLE', at: 'environment.yml:4:5' });
    expect(error.message).toContain('shared >=2');
    expect(error.message).toContain('environment.yml:5:5: b');
  });

  test('a version that nobody has, saying which there are', async () => {
    const url = await channel('main', record('a', '1.9'), record('a', '1.10'));

    expect((await failure({ specs: ['a>=2'], channels: [url] })).problems).toMatchObject([
      { code: 'SOLVE_UNSATISFIABLE', at: 'environment.yml:4:5', hint: 'there is a 1.10, 1.9' },
    ]);
  });

  test('specs that are none, each at its place', async () => {
    const url = await channel('main', record('a', '1'));

    const error = await failure({ specs: ['a', '=1', 'a[license=x]', 'a@feature', '*'], channels: [url] });

    expect(error.exit).toBe(3);
    expect(error.problems.map(({ code, at }) => `${code} ${at ?? ''}`)).toEqual(
      [5, 6, 7, 8].map((line) => `SPEC_INVALID environment.yml:${line}:5`),
    );
  });

  test('specs that only the solver finds wrong, each at its place', async () => {
    const url = await channel('main', record('a', '1'));

    const error = await failure({ specs: ['a', 'a >=1,,2', 'a 1.*.2)'], channels: [url] });

    expect(error.problems.map(({ code, at }) => `${code} ${at ?? ''}`)).toEqual([
      'SPEC_INVALID environment.yml:5:5',
      'SPEC_INVALID environment.yml:6:5',
    ]);
  });

  test('a package without a sha256', async () => {
    const url = await channel('main', { ...record('a', '1'), sha256: '' });

    expect((await failure({ specs: ['a'], channels: [url] })).problems).toMatchObject([
      { code: 'PACKAGE_UNVERIFIABLE' },
    ]);
  });

  test('a channel without noarch, which is no channel', async () => {
    const url = await channel('main', record('a', '1'));
    await rm(path.join(dir, 'main/noarch'), { recursive: true });

    expect((await failure({ specs: ['a'], channels: [url] })).problems).toMatchObject([
      { code: 'CHANNEL_UNREACHABLE', message: expect.stringContaining('noarch/repodata.json') as string },
    ]);
  });

  test('repodata that is not JSON, naming the channel', async () => {
    const url = await channel('main', record('a', '1'));
    await rm(path.join(dir, 'main/noarch/repodata.json.zst'));

    await writeFile(path.join(dir, 'main/noarch/repodata.json'), '{"packages": {"a-1-0.conda": {');

    expect((await failure({ specs: ['a'], channels: [url] })).problems).toMatchObject([
      { code: 'CHANNEL_CORRUPT', message: expect.stringContaining(`${url} has repodata for noarch`) as string },
    ]);
  });
});

test('solves from a channel that has nothing for the platform', async () => {
  const url = await channel('main', record('a', '1', [], { subdir: 'noarch', noarch: 'generic' }));
  await rm(path.join(dir, 'main/linux-64'), { recursive: true });
  const events: WorkEvent[] = [];

  expect(names(await solve({ specs: ['a'], channels: [url] }, events))).toEqual(['a 1']);
  expect(events).toEqual([{ type: 'note', text: `channel ${url} has no packages for linux-64` }]);
});

test('leaves hostile records out, says so, and solves with the others', async () => {
  const evil = (fileName: string, more: object = {}) => ({ ...record('evil', '9'), fileName, ...more });
  const url = await channel(
    'main',
    evil('../../evil-9-0.conda'),
    evil('evil-9-/etc/0.conda'),
    evil('evil-9-0.conda', { index: { ...record('other', '9').index } }),
    evil('evil-8-0.conda', { index: { ...record('evil', '8').index, depends: ['x::y'] } }),
    evil('evil-7..@-0.conda', { index: record('evil', '7..@').index }),
    evil('evil-6-0.conda', { index: { ...record('evil', '6').index, build_number: -1 } }),
    record('evil', '1'),
  );
  const events: WorkEvent[] = [];

  const lock = await solve({ specs: ['evil'], channels: [url] }, events);

  expect(lock.packages.map((locked) => locked.url)).toEqual([`${url}/linux-64/evil-1-0.conda`]);
  expect(events).toMatchObject([
    { type: 'warning', text: expect.stringContaining('records of the channels were left out') as string },
  ]);
});

test('stops when it is interrupted', async () => {
  const url = await channel('main', record('a', '1'));

  await expect(solve({ specs: ['a'], channels: [url], signal: AbortSignal.abort() })).rejects.toMatchObject({
    exit: 130,
  });
});
