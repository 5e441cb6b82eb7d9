import { describe, expect, it } from 'vitest';
import { parsePlanDocument, renderPlanDocument, type PlannedBuild } from '../../../src/build/plan-document.ts';
import { planReasons, type ReleaseInputs } from '../../../src/build/plan-reasons.ts';
import type { EnvironmentLock } from '../../../src/conda/lock.ts';
import { digestText } from '../../../src/system/files.ts';

const lockOf = (...packages: string[]): EnvironmentLock => ({
  lockVersion: 1,
  platform: 'linux-64',
  inputsDigest: digestText('inputs'),
  channels: ['file:///c'],
  specs: packages.map((text) => text.split(' ')[0] ?? ''),
  virtualPackages: {},
  packages: packages.map((text) => {
    const [name = '', version = ''] = text.split(' ');
    const url = `file:///c/linux-64/${name}-${version}-0.conda`;
    const where = { channel: 'file:///c', subdir: 'linux-64', url, sha256: digestText(url) };
    return { name, version, build: '0', buildNumber: 0, ...where };
  }),
});
const config = (more: string) =>
  `site: s\nprefix: /p\nadmin_dir: /a\n${more}environments:\n  a: { version: '1' }\n  b: { version: '1' }\n`;
const made = (changes: Partial<ReleaseInputs> = {}): ReleaseInputs => ({
  inputs: { base: '1', lock: '1', spec: '1', squashfs: '1' },
  lock: lockOf('numpy 2.0', 'zlib 1'),
  config: config(''),
  ...changes,
});
const now = (changes: Partial<ReleaseInputs> = {}) => ({ ...made(changes), isPipOpen: false });

describe('planReasons', () => {
  it('has none where every input is what it was, and one where there is no release', () => {
    expect(planReasons(made(), now(), 'a')).toEqual([]);
    expect(planReasons(undefined, now(), 'a')).toEqual([
      { input: 'release', what: 'there is no release yet', details: [] },
    ]);
  });

  it('names the packages and specs that changed', () => {
    const inputs = { ...made().inputs, lock: '2', spec: '2' };
    const lock = lockOf('numpy 2.1', 'dask 1');

    expect(planReasons(made(), now({ inputs, lock }), 'a').map(({ input, details }) => [input, ...details])).toEqual([
      [
        ...['lock', '- zlib 1 0', '+ dask 1 0', '↑ numpy 2.0 -> 2.1'],
        '1 removed, 1 added, 1 changed, 0 the same; 0 B to download, +0 B',
      ],
      ['spec', '- zlib', '+ dask'],
    ]);
  });

  it('names the keys of the configuration that changed, for the site and this environment', () => {
    const changed = config('squashfs: { compression: gzip }\n').replace(
      "b: { version: '1' }",
      "b: { version: '1', outside_commands: [ssh] }",
    );
    const inputs = { ...made().inputs, squashfs: '2' };

    expect(planReasons(made(), now({ inputs, config: changed }), 'a')).toEqual([
      {
        input: 'squashfs',
        what: 'how the image is packed (squashfs; gate.imports, whose files come first)',
        details: [],
      },
      {
        input: 'config',
        what: 'keys of the configuration that changed',
        details: ['squashfs.compression: "zstd" -> "gzip"', 'squashfs.level: 3 -> 9'],
      },
    ]);
  });

  it('says less where the release is an older one, or its configuration of another condense', () => {
    const inputs = { ...made().inputs, squashfs: '2', installer: '1' };
    const before = made({ config: config('no_such_key: 1\n'), lock: undefined });

    expect(planReasons(before, now({ inputs }), 'a').map(({ input }) => input)).toEqual(['installer', 'squashfs']);
    expect(planReasons(made({ config: undefined }), now({ inputs }), 'a')).toHaveLength(2);
  });

  it('says that pip comes first where what it adds is not known, and does not take that for other packages', () => {
    const inputs = { ...made().inputs, lock: '2' };

    expect(planReasons(made(), { ...now({ inputs }), isPipOpen: true }, 'a').map(({ input }) => input)).toEqual([
      'pip',
    ]);
  });
});

describe('a stored plan', () => {
  const build: PlannedBuild = {
    ...{ environment: 'a', fullName: 'a-1', platform: 'linux-64', action: 'build', reasons: [] },
    inputs: { base: digestText('') },
    lock: { from: 'solve', isPipOpen: false, packages: 0, text: '' },
    space: {
      ...{ downloads: 0, downloadBytes: 0, cachedBytes: 0, imageBytes: 0, inodes: 0, stagingBytes: 0 },
      estimatedFrom: 'typical',
    },
    steps: [{ step: 'pack', what: 'x', path: '/x' }],
  };

  it('is read back, and anything else is refused at the file', () => {
    const plan = {
      planVersion: 1 as const,
      createdAt: '2026-11-21T00:00:00Z',
      condense: '1',
      config: '/c',
      builds: [build],
    };
    const text = renderPlanDocument(plan);

    expect(parsePlanDocument(text, 'p.json')).toEqual(plan);
    expect(() => parsePlanDocument(text.replace('"planVersion": 1', '"planVersion": 2'), 'p.json')).toThrow(
      'this condense reads planVersion 1 only',
    );
    expect(() => parsePlanDocument(text.slice(0, -9), 'p.json')).toThrow(/^p\.json: is not a plan/);
  });
});
