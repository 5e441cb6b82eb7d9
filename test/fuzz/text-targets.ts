// The parsers of what people and channels write: one target each.
import assert from 'node:assert/strict';
import { encode } from '@msgpack/msgpack';
import { parsePlanDocument } from '../../src/build/plan-document.ts';
import { parseEnvironmentSpec } from '../../src/config/parse-environment-spec.ts';
import { parseSiteConfigSource } from '../../src/config/parse-site-config.ts';
import { parseChannels } from '../../src/conda/channel.ts';
import { parseForeignLock } from '../../src/conda/import-locks.ts';
import { parseLocks, renderLocks } from '../../src/conda/lock.ts';
import { parseMatchSpec, parseSpecs, renderMatchSpec } from '../../src/conda/match-spec.ts';
import { parseNetrc } from '../../src/conda/netrc.ts';
import { parsePackageFile } from '../../src/conda/package-file.ts';
import { BadRepodata, readRepodata } from '../../src/conda/record-source.ts';
import { selectRecords } from '../../src/conda/repodata-selection.ts';
import { parseShard, parseShardIndex } from '../../src/conda/shards.ts';
import { parseStoredCredentials } from '../../src/conda/stored-credentials.ts';
import { AppError } from '../../src/system/app-error.ts';
import { parseManifest } from '../../src/release/manifest.ts';
import type { FuzzTarget } from './fuzz-target.ts';

const yamlTokens = [
  ': ',
  '- ',
  '&a ',
  '*a',
  '<<: *a',
  '!!binary ',
  '|\n',
  '---\n',
  '? ',
  '{',
  '}',
  '"',
  "'",
  '#',
  '\t',
  '%YAML 9.9\n',
];
const digest = 'a'.repeat(64);
const lockText = `lockVersion: 1
platform: linux-64
inputsDigest: ${digest}
channels: [https://conda.example.org/main]
virtualPackages: {__glibc: '2.36'}
packages:
  - name: python
    version: '3.10'
    build: 1e3_0
    buildNumber: 0
    channel: https://conda.example.org/main
    subdir: linux-64
    url: https://conda.example.org/main/linux-64/python-3.10-1e3_0.conda
    sha256: ${digest}
    sizeBytes: 31000000
`;
const repodata = JSON.stringify({
  info: { subdir: 'linux-64', base_url: '../packages' },
  packages: { 'b-1-0.tar.bz2': { name: 'b', version: '1', build: '0', build_number: 0, depends: ['a'] } },
  'packages.conda': {
    'a-1-0.conda': {
      ...{ name: 'a', version: '1', build: '0', build_number: 0, depends: ['b >=1', 'python_abi 3.12.* *_cp312'] },
      ...{ constrains: ['c <2'], sha256: digest, md5: 'b'.repeat(32), size: 5, timestamp: 1_700_000_000_000 },
      ...{ noarch: 'python', track_features: 'x y' },
    },
  },
  removed: [],
  repodata_version: 1,
});

export const textTargets: readonly FuzzTarget[] = [
  {
    name: 'repodata.json',
    seeds: [repodata],
    tokens: ['"packages.conda":', '{', '}', '[', ']', ',', ':', '"a-1-0.conda":', '\\u0061', '-', '1e9'],
    run: async (input) => {
      let source;
      try {
        source = readRepodata(0, input);
      } catch (error) {
        // What it says it throws; its caller names the channel.
        if (error instanceof SyntaxError) return;
        throw error;
      }
      const from = { channel: 0, subdir: 'linux-64', source };
      let selection;
      try {
        selection = await selectRecords([from], ['a', 'b', ...source.names()], new Map(), (version) =>
          /^\d/.test(version),
        );
      } catch (error) {
        if (error instanceof BadRepodata) return;
        throw error;
      }
      for (const { file } of selection.records.values()) assert.ok(parsePackageFile(file));
    },
  },
  {
    name: 'index of shards and shard',
    seeds: [
      encode({ version: 1, info: { base_url: '', shards_base_url: './s/' }, shards: { a: new Uint8Array(32) } }),
      encode({ packages: {}, 'packages.conda': { 'a-1-0.conda': { name: 'a', sha256: [1] } }, removed: ['x'] }),
    ].map((bytes) => Buffer.from(bytes)),
    tokens: ['shards', 'packages', 'removed', '__proto__', '\u0081', 'version'],
    run: (input) => {
      for (const read of [() => parseShardIndex(input), () => parseShard(input, 'a')]) {
        try {
          read();
        } catch (error) {
          // Its caller names the channel and the shard.
          assert.ok(error instanceof Error);
        }
      }
    },
  },
  {
    name: 'credentials.json',
    seeds: ['{"*.h": {"BearerToken": "t"}, "i": {"BasicHTTP": {"username": "u", "password": "p"}}}'],
    tokens: ['{', '}', '"CondaToken":', '"__proto__":', '[', '\\u000a'],
    run: (input) => {
      try {
        parseStoredCredentials(input.toString('utf8'), 'credentials.json', () => undefined);
      } catch (error) {
        assert.ok(error instanceof AppError);
      }
    },
  },
  {
    name: 'MatchSpec',
    seeds: [
      ...[
        'numpy',
        'conda-forge::numpy >=2,<3',
        'numpy=1.8=py_0',
        'numpy 1.8.*|>=2 *mkl*',
        'a/noarch::b[build="x",version=\'1\']',
      ],
      ...['numpy ~=2.0', 'numpy[md5=', 'num*', 'x:y:z', 'numpy ^1\\.(25|26).*$', 'a 1!0.5+cuda12 # why'],
    ],
    tokens: [
      '[',
      ']',
      '=',
      '==',
      '>=',
      '!=',
      '~=',
      '*',
      '|',
      ',',
      '::',
      '"',
      "'",
      '#',
      ' ',
      ';',
      ' if ',
      'version=',
      '^',
      '$',
    ],
    run: (input) => {
      const text = input.toString();
      const spec = parseMatchSpec(text);
      if (typeof spec !== 'string') {
        assert.match(spec.name, /^[a-z0-9_][a-z0-9_.-]*$/);
        // What is rendered for the solver reads back as the same.
        assert.deepEqual(parseMatchSpec(renderMatchSpec(spec)), spec);
      }
      parseSpecs([{ text, at: 'environment.yml:1:1' }]);
    },
  },
  {
    name: 'environment.yml',
    seeds: [
      'name: a\nchannels: [conda-forge, nodefaults]\ndependencies:\n  - python=3.12\n  - "numpy >=2"\n  - pip:\n    - x==1\nvariables: {A: b}\n',
      'dependencies: [&a x, *a]\nprefix: /x\n',
    ],
    tokens: [...yamlTokens, 'dependencies:', '- pip:\n', 'variables:', 'channels:', 'name: ', 'prefix: '],
    run: (input) => parseEnvironmentSpec(input.toString(), 'environment.yml'),
  },
  {
    name: 'install_config.yaml',
    seeds: [
      'site_dir: /apps/site\nenvironments_dir: environments\nchannel_alias: https://conda.example.org\nimage:\n  compressor: zstd\n',
      'site_dir: .\npinned: [numpy 2.*]\nenvironments:\n  a: {channels: [x]}\n',
    ],
    tokens: [...yamlTokens, 'site_dir:', 'environments:', '/..', '~', '$HOME', '1e400', '0o777'],
    run: (input) => parseSiteConfigSource(input.toString(), '/site/install_config.yaml', { tmpDir: '/tmp', uid: 1 }),
  },
  {
    name: 'lock',
    seeds: [
      lockText,
      `${lockText}    depends: [zlib >=1.3, python_abi 3.10.* *_cp310]\nspecs: [python]\npinned: [zlib 1.*]\nexcludeNewer: 2026-11-01T00:00:00Z\n`,
      `${lockText}---\n${lockText.replace('linux-64', 'linux-aarch64')}`,
    ],
    tokens: [
      ...yamlTokens,
      'packages:',
      'sha256: ',
      'https://',
      '%2f',
      '..',
      digest,
      'depends: ',
      'specs: ',
      '\n---\n',
    ],
    run: (input) => {
      const text = renderLocks(parseLocks(input.toString(), 'a.lock.yml'));
      assert.equal(renderLocks(parseLocks(text, 'a.lock.yml')), text);
    },
  },
  {
    name: 'lock of another tool',
    seeds: [
      `# platform: linux-64\n@EXPLICIT\nhttps://h/c/linux-64/a-1-0.conda#${'b'.repeat(32)}\n# pip x @ https://h/x-1-py3-none-any.whl --hash=sha256:${digest}\n`,
      `version: 1\npackage:\n- name: a\n  version: '1'\n  manager: conda\n  platform: linux-64\n  url: https://h/c/linux-64/a-1-0.conda\n  hash: {sha256: ${digest}}\n`,
    ],
    tokens: [
      ...yamlTokens,
      '@EXPLICIT\n',
      '# platform: ',
      '# pip ',
      '#',
      '/../',
      '%2e%2e',
      'noarch',
      'manager: pip',
      digest,
    ],
    run: (input) => {
      for (const { packages, pip } of parseForeignLock(input.toString(), 'foreign')) {
        for (const { url } of [...packages, ...pip]) assert.match(url, /^(?:https?|file):\/\/[^@?#]*$/);
      }
    },
  },
  {
    name: 'stored plan',
    seeds: ['{"planVersion": 1, "createdAt": "2026-11-21T00:00:00Z", "condense": "1", "config": "/c", "builds": []}'],
    tokens: ['"builds"', '"lock"', '"steps"', '[', ']', '{', '}', ',', '1e400'],
    run: (input) => parsePlanDocument(input.toString(), 'plan.json'),
  },
  {
    name: 'netrc',
    seeds: [
      'machine a.example login me password "s e c"\ndefault login x password y\n',
      '# x\nmachine a\nmacdef init\nls\n\nlogin b',
    ],
    tokens: ['machine ', 'login ', 'password ', 'default ', 'macdef ', 'account ', '"', '\\', '\n\n', '#'],
    run: (input) => parseNetrc(input.toString(), '.netrc'),
  },
  {
    name: 'channel',
    seeds: [
      'conda-forge',
      'conda-forge/label/dev',
      'https://u:p@h.example:8/t/to-ken/c/noarch',
      'file:///srv/c',
      '/srv/a b',
      'defaults',
    ],
    tokens: [
      'http://',
      'https://',
      'file://',
      '/t/',
      '@',
      ':',
      '%',
      '%00',
      '?',
      '#',
      '..',
      '[::1]',
      'noarch',
      '\\',
      ' ',
    ],
    run: (input) => {
      for (const { publicUrl } of parseChannels(input.toString().split('\n'), 'https://conda.example.org')) {
        const url = new URL(publicUrl);
        assert.deepEqual([url.username, url.password], ['', '']);
      }
    },
  },
  {
    name: 'release manifest',
    seeds: ['{"manifestVersion":1}', '{"a":[]}'],
    tokens: ['{', '}', '"', '1'],
    run: (input) => parseManifest(input.toString(), 'manifest.json'),
  },
];
