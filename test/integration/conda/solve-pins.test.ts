// Pins through the real solver: they hold for what is installed, and install nothing.
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeRepodata } from '../../channel/write-repodata.ts';
import { record, solve, tempDir } from './solve-channel.ts';

let dir: string;
let channels: string[];
beforeAll(async () => {
  dir = await tempDir();
  await writeRepodata(path.join(dir, 'main'), [
    record('cudatoolkit', '11.0'),
    record('cudatoolkit', '10.2'),
    record('torch', '2', ['cudatoolkit >=11']),
    record('torch', '1', ['cudatoolkit']),
    record('zlib', '1.3'),
  ]);
  await writeRepodata(path.join(dir, 'other'), [record('zlib', '1.2')]);
  channels = ['main', 'other'].map((name) => pathToFileURL(path.join(dir, name)).href);
});
afterAll(() => rm(dir, { recursive: true }));

const solved = async (asked: Omit<Parameters<typeof solve>[0], 'channels'>) =>
  (await solve({ channels, ...asked })).packages.map(({ name, version }) => `${name} ${version}`);

test('takes older packages where a pin asks for that', async () => {
  const asked = { specs: ['torch'] };

  expect(await solved(asked)).toEqual(['cudatoolkit 11.0', 'torch 2']);
  expect(await solved({ ...asked, pinned: ['cudatoolkit <10.3'] })).toEqual(['cudatoolkit 10.2', 'torch 1']);
});

test('installs nothing that only a pin names, known to a channel or not', async () => {
  expect(await solved({ specs: ['zlib'], pinned: ['cudatoolkit <10.3', 'nobody-has-this 1.*'] })).toEqual(['zlib 1.3']);
});

test('takes a pinned package from the channel that its pin names', async () => {
  expect(await solved({ specs: ['zlib'], pinned: [`${channels[1] ?? ''}::zlib`] })).toEqual(['zlib 1.2']);
});

test('lets several pins of one package hold together', async () => {
  expect(await solved({ specs: ['cudatoolkit'], pinned: ['cudatoolkit >=10', 'cudatoolkit <11'] })).toEqual([
    'cudatoolkit 10.2',
  ]);
});

test('makes another lock of other pins', async () => {
  const [plain, pinned] = [
    await solve({ channels, specs: ['zlib'] }),
    await solve({ channels, specs: ['zlib'], pinned: ['torch 1'] }),
  ];

  expect(pinned.inputsDigest).not.toBe(plain.inputsDigest);
  expect(pinned.packages).toEqual(plain.packages);
});

test.each([
  ['torch 2', 'torch 2 '],
  ['cudatoolkit >=11', 'cudatoolkit >=11 '],
])('names the pin and its place where it keeps %s from being installed', async (spec, said) => {
  const failed = solve({ channels, specs: [spec], pinned: ['zlib 1.*', 'cudatoolkit <10.3'] });

  await expect(failed).rejects.toThrow(/the pin cudatoolkit <10\.3 \(install_config\.yaml:8:5\) cannot be installed/);
  await expect(failed).rejects.toThrow(/\nwith install_config\.yaml:8:5: cudatoolkit <10\.3/);
  await expect(failed).rejects.toThrow(said);
  await expect(failed).rejects.not.toThrow(/condense_pin|zlib/);
});

test.each(['subdir=noarch', 'track_features=mkl', 'version="^12.*$"'])(
  'names a pin of [%s] that leaves nothing of what is needed',
  async (limit) => {
    const failed = solve({ channels, specs: ['torch'], pinned: [`cudatoolkit[${limit}]`] });

    await expect(failed).rejects.toThrow(
      /No candidates were found for the pin cudatoolkit\[.*\(install_config\.yaml:7:5\)/,
    );
    await expect(failed).rejects.not.toThrow(/condense_pin/);
  },
);

test('refuses a pin that is no spec, at its place', async () => {
  await expect(solve({ channels, specs: ['zlib'], pinned: ['cudatoolkit <<1'] })).rejects.toThrow(
    /^install_config\.yaml:7:5: "cudatoolkit <<1" is not a conda spec/,
  );
});
