import { describe, expect, it } from 'vitest';
import type { LockedPackage } from '../../../src/conda/lock.ts';
import {
  listCompiled,
  listSources,
  parseWrittenRecord,
  renderOtherRecord,
  type WrittenRecord,
} from '../../../src/conda/other-records.ts';

const locked: LockedPackage = {
  name: 'tool',
  version: '1.0',
  build: '0',
  buildNumber: 7,
  channel: 'https://conda.example/forge',
  subdir: 'noarch',
  url: 'https://conda.example/forge/noarch/tool-1.0-0.conda',
  sha256: 'a'.repeat(64),
  md5: 'd'.repeat(32),
  sizeBytes: 9,
};
const site = 'lib/python3.13/site-packages';
/** As libmamba writes one for an explicit URL. */
const written = (paths: WrittenRecord['paths_data']['paths']): WrittenRecord =>
  parseWrittenRecord(
    JSON.stringify({
      name: 'tool',
      version: '1.0',
      build_number: 0,
      timestamp: 0,
      depends: [],
      url: 'file:///opt/conda/a-1/.condense-installer/channel/noarch/tool-1.0-0.conda',
      channel: 'file:///opt/conda/a-1/.condense-installer/channel',
      extracted_package_dir: '/opt/conda/a-1/.condense-installer/root/pkgs/tool-1.0-0',
      link: { source: '/opt/conda/a-1/.condense-installer/root/pkgs/tool-1.0-0', type: 1 },
      requested_spec: 'file:///x',
      files: paths.map(({ _path }) => _path),
      paths_data: { paths, paths_version: 1 },
    }),
    locked,
  );

describe('the record of another installer', () => {
  const record = written([
    { _path: `${site}/tool.py`, path_type: 'hardlink', sha256: 's' },
    { _path: `${site}/__pycache__/tool.cpython-313.pyc`, path_type: 'pyc_file' },
  ]);
  const text = renderOtherRecord({
    ...{ record, locked, prefixInside: '/opt/conda/a-1', requestedSpecs: ['tool >=1', 'other'] },
    index: { name: 'tool', version: '1.0', build: '0', depends: ['python'], license: 'MIT', timestamp: 5, arch: null },
    recompiled: new Map(),
    bytecode: new Map([[`${site}/tool.py`, `${site}/__pycache__/tool.cpython-313.pyc`]]),
  });
  const made = JSON.parse(text) as Record<string, unknown>;

  it('says what the lock and the archive say, whatever the program made up', () => {
    expect(made).toMatchObject({
      ...{
        url: locked.url,
        channel: locked.channel,
        sha256: locked.sha256,
        md5: locked.md5,
        size: 9,
        subdir: 'noarch',
      },
      ...{ depends: ['python'], license: 'MIT', timestamp: 5, build_number: 7, fn: 'tool-1.0-0.conda' },
      requested_spec: 'tool >=1',
    });
    expect(made).not.toHaveProperty('arch');
  });

  it('knows nothing of the scratch, and keeps what the program says of files', () => {
    expect(text).not.toContain('.condense-installer');
    expect(made['files']).toEqual([`${site}/tool.py`, `${site}/__pycache__/tool.cpython-313.pyc`]);
    expect(made['paths_data']).toMatchObject({ paths: [{ sha256: 's' }, { path_type: 'pyc_file' }] });
    expect(listCompiled(record)).toEqual([`${site}/__pycache__/tool.cpython-313.pyc`]);
  });

  it('is refused where it is none', () => {
    for (const bad of ['', '[]', '{"name": 3}'])
      expect(() => parseWrittenRecord(bad, locked)).toThrow(/record in conda-meta that cannot be read/);
  });
});

describe('the sources to compile', () => {
  it('are those of noarch python packages, and rewritten ones whose own bytecode is outdated', () => {
    const noarch = written([
      { _path: `${site}/pure.py`, path_type: 'hardlink' },
      { _path: 'bin/script.py', path_type: 'hardlink' },
    ]);
    const native = written([
      { _path: `${site}/native/a.py`, prefix_placeholder: '/old', path_type: 'hardlink' },
      { _path: `${site}/native/b.py`, path_type: 'hardlink' },
      { _path: `${site}/native/__pycache__/a.cpython-313.pyc`, path_type: 'hardlink' },
      { _path: 'share/x.py', prefix_placeholder: '/old', path_type: 'hardlink' },
    ]);

    expect(
      listSources(
        [
          { record: noarch, isNoarchPython: true },
          { record: native, isNoarchPython: false },
        ],
        site,
      ),
    ).toEqual([`${site}/native/a.py`, `${site}/pure.py`]);
  });
});
