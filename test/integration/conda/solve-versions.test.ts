// The order of versions and what version specs match, by conda's own published vectors (conda: tests/models/test_version.py),
// and what else decides between packages, through the real solver.
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PackageRecord } from '../../channel/conda-package.ts';
import { writeRepodata } from '../../channel/write-repodata.ts';
import { record, solve, tempDir } from './solve-channel.ts';

/** Each list in ascending order, as conda publishes it. "0.5*" is left out: CEP 33 has no such version. */
const ascending = {
  test_version_order: [
    ...[
      '0.4',
      '0.4.1a.vc11',
      '0.4.1.rc',
      '0.4.1.vc11',
      '0.4.1',
      '0.5a1',
      '0.5b3',
      '0.5C1',
      '0.5z',
      '0.5za',
      '0.5',
      '0.5_5',
    ],
    ...[
      '0.9.6',
      '0.960923',
      '1.0',
      '1.0.4a3',
      '1.0.4b1',
      '1.0.4',
      '1.1dev1',
      '1.1_',
      '1.1a1',
      '1.1.dev1',
      '1.1.a1',
      '1.1',
    ],
    ...['1.1.post1', '1.1.1dev1', '1.1.1rc1', '1.1.1', '1.1.1post1', '1.1post1', '2g6', '2.0b1pr0', '2.2be.ta29'],
    ...['2.2be5ta29', '2.2beta29', '2.2.0.1', '3.1.1.6', '3.2.p.r0', '3.2.pr0', '3.2.pr.1', '5.5.kw', '11g', '14.3.1'],
    ...['14.3.1.post26.g9d75ca2', '1996.07.12', '1!0.4.1', '1!3.1.1.6', '2!0.4.1'],
  ],
  test_openssl_convention: [
    ...[
      '1.0.1dev',
      '1.0.1_',
      '1.0.1a',
      '1.0.1b',
      '1.0.1c',
      '1.0.1d',
      '1.0.1r',
      '1.0.1rc',
      '1.0.1rc1',
      '1.0.1rc2',
      '1.0.1s',
    ],
    ...['1.0.1', '1.0.1post.a', '1.0.1post.b', '1.0.1post.z', '1.0.1post.za', '1.0.2'],
  ],
  test_pep440: ['', '1!'].flatMap((epoch) =>
    [
      ...['1.0a1', '1.0a2.dev456', '1.0a12.dev456', '1.0a12', '1.0b1.dev456', '1.0b2', '1.0b2.post345.dev456'],
      ...['1.0b2.post345', '1.0c1.dev456', '1.0c1', '1.0c3', '1.0rc2', '1.0.dev456', '1.0', '1.0.post456.dev34'],
      ...['1.0.post456', '1.1.dev1', '1.2.r32+123456', '1.2.rev33+123456', '1.2+abc', '1.2+abc123def', '1.2+abc123'],
      ...['1.2+123abc', '1.2+123abc456', '1.2+1234.abc', '1.2+123456'],
    ].map((version) => `${epoch}${version}`),
  ),
  test_hexrd: ['0.3.0.dev', '0.3.3'],
};

/** version, spec, whether they match */
const matches: readonly (readonly [string, string, boolean])[] = [
  // test_ver_eval
  ...([
    ['1.7.0', '==1.7', true],
    ['1.7.0', '<=1.7', true],
    ['1.7.0', '<1.7', false],
    ['1.7.0', '>=1.7', true],
  ] as const),
  ...([
    ['1.7.0', '>1.7', false],
    ['1.6.7', '>=1.7', false],
    ['2013a', '>2013b', false],
    ['2013k', '>2013b', true],
  ] as const),
  ...([
    ['3.0.0', '>2013b', false],
    ['1.0.0', '>1.0.0a', true],
    ['1.0', '1.0*', true],
    ['1.0.0', '1.0*', true],
  ] as const),
  ...([
    ['1.0.1', '1.0.0*', false],
    ['2013a', '2013a*', true],
    ['2013a', '2013b*', false],
    ['2013ab', '2013a*', true],
  ] as const),
  ...([
    ['1.3.4', '1.2.4*', false],
    ['1.2.3+4.5.6', '1.2.3*', true],
    ['1.2.3+4.5.6', '1.2.3+4*', true],
  ] as const),
  ...([
    ['1.2.3+4.5.6', '1.2.3+5*', false],
    ['1.2.3+4.5.6', '1.2.4+5*', false],
    ['1.0', '1.0.0*', true],
  ] as const),
  // test_match
  ...(
    [
      ...[
        ['1.7.*', true],
        ['1.7.1', true],
        ['1.7.0', false],
        ['1.7', false],
        ['1.5.*', false],
        ['>=1.5', true],
        ['!=1.5', true],
      ],
      ...[
        ['!=1.7.1', false],
        ['==1.7.1', true],
        ['==1.7', false],
        ['==1.7.2', false],
        ['==1.7.1.0', true],
        ['1.7.*|1.8.*', true],
      ],
      ...[
        ['>1.7,<1.8', true],
        ['>1.7.1,<1.8', false],
        ['^1.7.1$', true],
        [String.raw`^1\.7\.1$`, true],
      ],
      ...[
        [String.raw`^1\.7\.[0-9]+$`, true],
        [String.raw`^1\.8.*$`, false],
        [String.raw`^1\.[5-8]\.1$`, true],
        ['^[^1].*$', false],
      ],
      ...[
        ['^$', false],
        ['^.*$', true],
        ['1.7.*|^0.*$', true],
        ['1.6.*|^0.*$', false],
        ['1.6.*|^0.*$|1.7.1', true],
      ],
      ...[
        ['^0.*$|1.7.1', true],
        [String.raw`1.6.*|^.*\.7\.1$|0.7.1`, true],
        ['*', true],
        ['1.*.1', true],
      ],
      ...[
        ['1.5.*|>1.7,<1.8', true],
        ['1.5.*|>1.7,<1.7.1', false],
      ],
    ] as [string, boolean][]
  ).map(([spec, does]) => ['1.7.1', spec, does] as const),
  // test_local_identifier
  ...['1.7.0', '1.7.0.post123', '1.7.0.post123.gabcdef9', '1.7.0.post123+gabcdef9'].map((v) => [v, v, true] as const),
  // test_not_eq_star
  ...([
    ['3.3.1', '=3.3', true],
    ['3.3', '=3.3', true],
    ['3.4', '=3.3', false],
    ['3.3.1', '3.3.*', true],
  ] as const),
  ...([
    ['3.3', '3.3.*', true],
    ['3.4', '3.3.*', false],
    ['3.3.1', '=3.3.*', true],
    ['3.4', '=3.3.*', false],
  ] as const),
  ...([
    ['3.3.1', '!=3.3.*', false],
    ['3.4', '!=3.3.*', true],
    ['3.4.1', '!=3.3.*', true],
    ['3.3.1', '!=3.3', true],
  ] as const),
  ...([
    ['3.3.0.0', '!=3.3', false],
    ['3.3.0.0', '!=3.3.*', false],
  ] as const),
  // test_compound_versions
  ...(['2.6.8', '2.7.2', '3.3', '3.3.4', '3.4', '3.4a'] as const).map(
    (v) => [v, '>=2.7,!=3.0.*,!=3.1.*,!=3.2.*,!=3.3.*', ['2.7.2', '3.4', '3.4a'].includes(v)] as const,
  ),
  // test_compatible_release_versions
  ...([
    ['1.11.0', '~=1.10', true],
    ['1.11.0', '~=1.10.0', false],
    ['3.4.0', '~=3.3.2', false],
  ] as const),
  ...([
    ['3.3.1', '~=3.3.2', false],
    ['3.3.2.0', '~=3.3.2', true],
    ['3.3.3', '~=3.3.2', true],
  ] as const),
  ...([
    ['2.2.0', '~=3.3.2|==2.2', true],
    ['3.3.3', '~=3.3.2|==2.2', true],
    ['2.2.1', '~=3.3.2|==2.2', false],
  ] as const),
];

let dir: string;
let channel: string;
beforeAll(async () => {
  dir = await tempDir();
  channel = pathToFileURL(path.join(dir, 'channel')).href;
});
afterAll(() => rm(dir, { recursive: true }));

async function solveIn(records: readonly PackageRecord[], specs: readonly string[]): Promise<Map<string, string>> {
  await rm(path.join(dir, 'channel'), { recursive: true, force: true });
  await writeRepodata(path.join(dir, 'channel'), records);
  const { packages } = await solve({ specs, channels: [channel] });
  return new Map(packages.map(({ name, version, build }) => [name, `${version} ${build}`]));
}

test.each(Object.entries(ascending))('orders versions as conda does: %s', async (_, versions) => {
  // Each version beside the one before it, which has all that decides between equal ones.
  const pairs = versions.slice(1).map((newer, index) => ({ name: `p${index}`, newer, older: versions[index] ?? '' }));
  const records = pairs.flatMap(({ name, newer, older }) => [
    record(name, older, [], { build_number: 9, timestamp: 9_000_000_000_000 }),
    record(name, newer),
  ]);

  const chosen = await solveIn(
    records,
    pairs.map(({ name }) => name),
  );

  expect(pairs.filter(({ name, newer }) => chosen.get(name) !== `${newer} 0`)).toEqual([]);
});

/** In dependencies of records the solver itself reads the spec, and knows neither regular expressions nor inner globs. */
const isPlain = (spec: string): boolean => !spec.includes('^') && !/\*\.\d/.test(spec);
/** Here it goes by whole segments, where conda 4 compared text; CEP 29 says nothing of such versions. */
const apart = new Set(['2013ab 2013a*']);
const compared = matches.filter(([version, spec]) => !apart.has(`${version} ${spec}`));

test('matches versions as conda does, in dependencies', async () => {
  const plain = compared.filter(([, spec]) => isPlain(spec));
  // Version 1 of each is there if its dependency matches, else version 0.
  const records = plain.flatMap(([version, spec], index) => [
    ...[record(`v${index}`, version), record(`w${index}`, '1', [`v${index} ${spec}`]), record(`w${index}`, '0')],
  ]);

  const chosen = await solveIn(
    records,
    plain.map((_, index) => `w${index}`),
  );

  expect(plain.filter(([, , does], index) => chosen.get(`w${index}`) !== `${does ? 1 : 0} 0`)).toEqual([]);
});

test('matches versions as conda does, in specs', async () => {
  const records = compared.map(([version], index) => record(`v${index}`, version));
  // A "[" begins key=value pairs, in conda too; within their quotes it is one.
  const spec = (index: number): string => {
    const written = compared[index]?.[1] ?? '';
    return written.includes('[') ? `v${index}[version='${written}']` : `v${index} ${written}`;
  };
  const indices = compared.map((_, index) => index);
  const [matching, others] = [true, false].map((does) => indices.filter((index) => compared[index]?.[2] === does));

  expect((await solveIn(records, matching?.map(spec) ?? [])).size).toBe(matching?.length);
  for (const index of others ?? []) {
    const outcome = solve({ specs: [spec(index)], channels: [channel] }).then(
      () => 'solved',
      () => 'refused',
    );
    expect([spec(index), await outcome]).toEqual([spec(index), 'refused']);
  }
});

test('chooses what tracks no feature before what is newer or of a later build (docs.conda.io, "track_features")', async () => {
  const records = [
    record('blas', '1.0', [], { build: 'plain' }),
    record('blas', '1.0', [], { build: 'mkl', build_number: 5, track_features: 'mkl' }),
    record('newer', '1.0', [], { build: 'plain' }),
    record('newer', '2.0', [], { build: 'debug', track_features: 'debug' }),
    record('only', '1.0', [], { build: 'debug', track_features: 'debug' }),
  ];

  expect([...(await solveIn(records, ['blas', 'newer', 'only']))]).toEqual([
    ...[
      ['blas', '1.0 plain'],
      ['newer', '1.0 plain'],
      ['only', '1.0 debug'],
    ],
  ]);
  expect([...(await solveIn(records, ['newer >=2', 'blas * mkl']))]).toEqual([
    ['blas', '1.0 mkl'],
    ['newer', '2.0 debug'],
  ]);
});

test('holds what is installed to the constrains of others, and installs nothing for them', async () => {
  const records = [
    record('tool', '1.0', [], { constrains: ['lib <2', 'absent >=1'] }),
    record('lib', '1.5'),
    record('lib', '2.0'),
    record('needs', '1.0', ['lib >=2']),
  ];

  expect([...(await solveIn(records, ['tool']))]).toEqual([['tool', '1.0 0']]);
  expect([...(await solveIn(records, ['tool', 'lib']))]).toEqual([
    ['lib', '1.5 0'],
    ['tool', '1.0 0'],
  ]);
  await expect(solveIn(records, ['tool', 'needs'])).rejects.toThrow(/lib/);
});
