// Records and history as conda, mamba and conda-pack read them. The field lists are those of conda/models/records.py
// (PackageRecord, PrefixRecord, PathDataV1), conda/models/enums.py, and CEP 32.
import { expect, it } from 'vitest';
import { z } from 'zod';
import { recordName, renderHistory, renderRecord } from '../../../src/conda/conda-meta.ts';
import type { LinkItem, UnpackedPackage } from '../../../src/conda/link-plan.ts';
import type { ManifestEntry } from '../../../src/conda/package-metadata.ts';

const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));
const pathData = z.strictObject({
  _path: z.string().min(1),
  path_type: z.enum(['hardlink', 'softlink', 'directory', 'pyc_file', 'unix_python_entry_point']),
  file_mode: z.enum(['text', 'binary']).optional(),
  no_link: z.boolean().optional(),
  prefix_placeholder: z.string().optional(),
  sha256: hex(64).optional(),
  sha256_in_prefix: hex(64).optional(),
  size_in_bytes: z.int().optional(),
});
const prefixRecord = z.strictObject({
  name: z.string(),
  version: z.string(),
  build: z.string(),
  build_number: z.int(),
  channel: z.url(),
  subdir: z.string(),
  fn: z.string().regex(/\.(conda|tar\.bz2)$/),
  url: z.url(),
  md5: hex(32).optional(),
  sha256: hex(64),
  size: z.int().optional(),
  depends: z.array(z.string()),
  constrains: z.array(z.string()),
  arch: z.string().optional(),
  platform: z.string().optional(),
  features: z.string().optional(),
  track_features: z.string().optional(),
  noarch: z.enum(['python', 'generic']).optional(),
  license: z.string().optional(),
  license_family: z.string().optional(),
  timestamp: z.int().optional(),
  python_site_packages_path: z.string().optional(),
  extracted_package_dir: z.string().startsWith('/'),
  package_tarball_full_path: z.string().startsWith('/'),
  files: z.array(z.string()),
  link: z.strictObject({ source: z.string(), type: z.literal([1, 2, 3, 4]) }),
  paths_data: z.strictObject({ paths_version: z.literal(1), paths: z.array(pathData) }),
  requested_spec: z.string().optional(),
  requested_specs: z.array(z.string()).optional(),
});

const one: UnpackedPackage = {
  locked: {
    name: 'tool',
    version: '1.0',
    build: 'py_0',
    buildNumber: 0,
    channel: 'https://channel.example/main',
    subdir: 'noarch',
    url: 'https://channel.example/main/noarch/tool-1.0-py_0.tar.bz2',
    sha256: 'a'.repeat(64),
    md5: 'b'.repeat(32),
    sizeBytes: 5,
  },
  metadata: {
    index: {
      ...{ name: 'tool', version: '1.0', build: 'py_0', build_number: 0, depends: ['python'], constrains: [] },
      // As old conda-build wrote them.
      ...{ arch: null, platform: null, features: null, date: null, timestamp: 1_500_000_000_000, noarch: 'python' },
      ...{ license: null, python_site_packages_path: null, subdir: 'noarch', files: 'of no use', link: 'of no use' },
    },
    noarchPython: true,
    entryPoints: [],
    entries: [],
  },
  members: new Map(),
  place: '/unpacked',
};
const item = (path: string, source: LinkItem['source']): LinkItem => ({
  ...{ path, source, owner: one, mtimeSeconds: 0, isSource: path.endsWith('.py') },
});
const entry = (path: string, more: Partial<ManifestEntry> = {}): ManifestEntry => ({
  ...{ path, type: 'hardlink', noLink: false, sha256: 'c'.repeat(64), sizeBytes: 3, ...more },
});
const brought = [
  item('lib/tool.py', { kind: 'file', mode: 0o644, entry: entry('lib/tool.py') }),
  item('etc/tool', {
    ...{ kind: 'file', mode: 0o644 },
    entry: entry('etc/tool', { noLink: true, placeholder: { text: '/build', mode: 'text' } }),
  }),
  item('lib/old', { kind: 'file', mode: 0o644, entry: entry('lib/old', { sha256: undefined, sizeBytes: undefined }) }),
  item('lib/link', { kind: 'link', target: 'tool.py', entry: entry('lib/link', { type: 'softlink' }) }),
  item('bin/tool', { kind: 'generated', text: '#!', mode: 0o755 }),
];
const render = (requestedSpecs: readonly string[]) =>
  prefixRecord.parse(
    JSON.parse(
      renderRecord({
        ...{ package: one, brought, requestedSpecs, prefixInside: '/opt/conda/e' },
        rewritten: new Map([['etc/tool', 'd'.repeat(64)]]),
        bytecode: new Map([['lib/tool.py', 'lib/__pycache__/tool.cpython-313.pyc']]),
      }),
    ),
  );

it('has each field with the type that conda reads, and no other', () => {
  const record = render([]);

  expect(record).toMatchObject({ timestamp: 1_500_000_000_000, noarch: 'python', depends: ['python'] });
  expect(Object.keys(record).filter((key) => /^(?:arch|platform|features|license|requested)/.test(key))).toEqual([]);
  expect(record.files).toEqual(record.paths_data.paths.map(({ _path }) => _path));
  expect(record.paths_data.paths.map(({ path_type }) => path_type)).toEqual([
    ...['hardlink', 'hardlink', 'hardlink', 'softlink', 'unix_python_entry_point', 'pyc_file'],
  ]);
  expect(record.paths_data.paths[1]).toMatchObject({ no_link: true, sha256_in_prefix: 'd'.repeat(64) });
});

it('names the specs that asked for it, in whatever form they are written', () => {
  const specs = ['tool', 'main::TOOL >=1', 'main/noarch::tool', 'tool[channel=main]', 'other', 'tools'];

  expect(render(specs).requested_specs).toEqual(specs.slice(0, 4));
  expect(render(specs).requested_spec).toBe('tool');
});

it('is in the file that conda looks for: the last two dashes are those before version and build', () => {
  // conda/core/prefix_data.py, _load_single_record, refuses a record whose name is not that of its file.
  expect(recordName(one).slice(0, -'.json'.length).split('-')).toEqual(['tool', '1.0', 'py_0']);
});

it('has a history of the lines that CEP 32 and conda/history.py know', () => {
  const history = renderHistory({ packages: [one], requestedSpecs: ["it's", 'b >=1'], epochSeconds: 1_700_000_000 });

  expect(history.split('\n')).toEqual([
    expect.stringMatching(/^==> \d{4}-\d\d-\d\d \d\d:\d\d:\d\d <==$/),
    expect.stringMatching(/^# cmd: \S/),
    expect.stringMatching(/^\+\S+\/noarch::tool-1\.0-py_0$/),
    // ast.literal_eval reads the list.
    String.raw`# update specs: ['it\'s', 'b >=1']`,
    '',
  ]);
});
