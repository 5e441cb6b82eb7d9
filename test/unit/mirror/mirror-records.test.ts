import { describe, expect, it } from 'vitest';
import type { MirroredPackage } from '../../../src/mirror/mirror-plan.ts';
import { completeRecord, parseRepodata, renderRepodata } from '../../../src/mirror/mirror-records.ts';

const channel = 'https://conda.example/forge';
const mirrored = (name: string, ending: string): MirroredPackage => ({
  locked: {
    name,
    version: '1.0',
    build: '0',
    buildNumber: 3,
    channel,
    subdir: 'noarch',
    url: `${channel}/noarch/${name}-1.0-0${ending}`,
    sha256: 'a'.repeat(64),
  },
  file: `${name}-1.0-0${ending}`,
  path: `conda/conda.example/forge/noarch/${name}-1.0-0${ending}`,
});
const facts = { md5: 'd'.repeat(32), sizeBytes: 7 };

describe('the record of a mirrored package', () => {
  it('is what is written, with the facts of the file, and without what old conda-build did not know', () => {
    const written = {
      name: 'tool',
      version: '1.0',
      build: '0',
      depends: ['x'],
      license: null,
      size: 9,
      build_number: 0,
    };

    expect(completeRecord(mirrored('tool', '.conda'), written, facts)).toEqual({
      ...{ name: 'tool', version: '1.0', build: '0', build_number: 3, depends: ['x'], subdir: 'noarch' },
      ...{ md5: 'd'.repeat(32), sha256: 'a'.repeat(64), size: 7 },
    });
  });

  it('sends nobody elsewhere', () => {
    const written = {
      name: 'tool',
      version: '1.0',
      build: '0',
      url: 'https://elsewhere.example/x',
      base_url: 'x',
      fn: '../x',
    };

    expect(Object.keys(completeRecord(mirrored('tool', '.conda'), written, facts))).not.toEqual(
      expect.arrayContaining(['url']),
    );
    expect(JSON.stringify(completeRecord(mirrored('tool', '.conda'), written, facts))).not.toMatch(
      /elsewhere|fn|base_url/,
    );
  });

  it('is refused when the package is not the one that was locked', () => {
    expect(() =>
      completeRecord(mirrored('tool', '.conda'), { name: 'tool', version: '2.0', build: '0' }, facts),
    ).toThrow(/its version is "2.0", but it was locked as 1.0/);
  });
});

describe('renderRepodata', () => {
  it('is conda-index’s form, .tar.bz2 and .conda apart, and is read back', () => {
    const packages = [mirrored('a', '.conda'), mirrored('b', '.tar.bz2')];
    const text = renderRepodata({ subdir: 'noarch', path: '', packages }, ({ locked }) => ({ name: locked.name }));

    expect(JSON.parse(text)).toEqual({
      info: { subdir: 'noarch' },
      packages: { 'b-1.0-0.tar.bz2': { name: 'b' } },
      'packages.conda': { 'a-1.0-0.conda': { name: 'a' } },
      removed: [],
      repodata_version: 1,
    });
    expect([...parseRepodata(text).keys()]).toEqual(['b-1.0-0.tar.bz2', 'a-1.0-0.conda']);
    expect(parseRepodata('{"packages": 3}').size).toBe(0);
  });
});
