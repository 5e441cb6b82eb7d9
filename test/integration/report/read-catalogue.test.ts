// What of a store on disk becomes the catalogue.
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Catalogue } from '../../../src/report/catalogue.ts';
import { readCatalogue } from '../../../src/report/read-catalogue.ts';
import { writeCatalogue, type MadeCatalogue } from '../../report/large-catalogue.ts';

let dir: string;
let made: MadeCatalogue;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-catalogue-'));
  made = await writeCatalogue(dir, ['a'], { releases: 3, packages: 12, commands: 2 });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const read = (): Promise<Catalogue> => readCatalogue(made.config, made.layout, AbortSignal.timeout(60_000));

describe('readCatalogue', () => {
  it('tells of gated releases, of what is live, and of nothing else that lies in the store', async () => {
    const { layout, releases } = made;
    await writeFile(path.join(layout.releases, 'README'), 'a file of somebody');
    await mkdir(path.join(layout.releases, '.removed-a-1'));
    await mkdir(path.join(layout.releasesOf('a-26.02'), '.incoming-20261101T000000Z-00000000'));
    await mkdir(path.join(layout.releasesOf('a-26.02'), '20261101T000000Z-00000000')); // a build is at work on it

    const { environments, live } = await read();

    expect(live).toEqual({ generation: 1, time: '2026-11-21T03:33:06.000Z' });
    expect(environments.map(({ name }) => name)).toEqual(['a']);
    expect(environments[0]?.releases.map(({ id }) => id)).toEqual(releases.map(({ id }) => id).toReversed());
    expect(environments[0]?.versions.map(({ fullName, aliases }) => [fullName, aliases])).toEqual([
      ['a-26.04', ['a-unstable']],
      ['a-26.02', ['a']],
    ]);
  });

  it('marks what is damaged, and goes on with the rest', async () => {
    const { layout, releases } = made;
    const [first, second] = releases.map(({ fullName, id }) => layout.release(fullName, id));
    await truncate(first?.manifest ?? '', 100);
    await truncate(second?.image ?? '', 100);

    const [environment] = (await read()).environments;

    expect(environment?.releases.map(({ damages }) => damages)).toEqual([[], ['SIZE_DIFFERS'], ['MANIFEST_INVALID']]);
  });
});
