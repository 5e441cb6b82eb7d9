import { expect, it } from 'vitest';
import { parseEntryPoints, renderEntryPoint } from '../../channel/entry-points.ts';
import { mapLink, mapPath } from '../../channel/map-path.ts';
import type { PackageTree } from '../../channel/package-tree.ts';
import { placeholderPrefix } from '../../channel/placeholder.ts';
import { newRpath } from '../../channel/relocate-elf.ts';
import { relocateText, relocateTexts } from '../../channel/relocate-text.ts';

const placeholder = placeholderPrefix('pytz');

it('pads the placeholder to 255 bytes for any name', () => {
  expect(['x', 'a-rather-long-package-name'].map((name) => placeholderPrefix(name).length)).toEqual([255, 255]);
});

it.each([
  ['usr/lib/python3/dist-packages/numpy/__init__.py', 'lib/python3.11/site-packages/numpy/__init__.py'],
  ['usr/lib/x86_64-linux-gnu/libz.so.1', 'lib/libz.so.1'],
  ['lib/x86_64-linux-gnu/libz.so.1', 'lib/libz.so.1'],
  ['usr/sbin/tool', 'bin/tool'],
  ['usr/share/jupyter/kernels/python3/kernel.json', 'share/jupyter/kernels/python3/kernel.json'],
  ['etc/openmpi/openmpi-mca-params.conf', 'etc/openmpi/openmpi-mca-params.conf'],
  ['usr/share/doc/zlib1g/copyright', undefined],
  ['usr/lib/python3/dist-packages/numpy/core/tests/test_api.py', undefined],
  ['var/lib/dpkg/info', undefined],
])('maps %s to %s', (debian, prefix) => {
  expect(mapPath(debian)).toBe(prefix);
});

it('makes links relative within the prefix, and drops those that would be their own target', () => {
  expect(mapLink('usr/lib/ssl/certs', '/etc/ssl/certs')?.target).toBe('../../etc/ssl/certs');
  expect(mapLink('usr/lib/x86_64-linux-gnu/libz.so', '../../../lib/x86_64-linux-gnu/libz.so.1')?.target).toBe(
    'libz.so.1',
  );
  expect(mapLink('usr/lib/x86_64-linux-gnu/libz.so', '/lib/x86_64-linux-gnu/libz.so')).toBeUndefined();
  expect(mapLink('usr/bin/tool', '/var/run/tool')).toBeUndefined();
});

it('gives an rpath that leads from the file to lib, and keeps private directories', () => {
  expect(newRpath('lib/libz.so.1', '', undefined)).toBe('$ORIGIN');
  expect(newRpath('lib/lapack/liblapack.so.3', '', undefined)).toBe('$ORIGIN/..');
  expect(newRpath('bin/orted', '/usr/lib/x86_64-linux-gnu/openmpi/lib:$ORIGIN/x', undefined)).toBe(
    '$ORIGIN/../lib/openmpi/lib:$ORIGIN/x:$ORIGIN/../lib',
  );
  expect(newRpath('bin/ssh', '', placeholder)).toBe(`${placeholder}/lib`);
});

it('points shebangs and known paths into the prefix, and leaves every other byte alone', () => {
  const known = new Set(['usr/share/zoneinfo', 'usr/lib', 'etc/matplotlibrc']);
  const text =
    '#!/usr/bin/python3\nZ = "/usr/share/zoneinfo/"  # not /usr/share/unknown, /usr/lib or ./usr/share/zoneinfo \xff\n/etc/matplotlibrc /etc/passwd';

  expect(relocateText(text, '/P', known)).toBe(
    '#!/P/bin/python3.11\nZ = "/P/share/zoneinfo/"  # not /usr/share/unknown, /usr/lib or ./usr/share/zoneinfo \xff\n/P/etc/matplotlibrc /etc/passwd',
  );
});

it('marks only the texts that hold the placeholder', () => {
  const tree: PackageTree = new Map([
    ['bin/tool', { type: 'file', data: Buffer.from('#!/usr/bin/env python3\n'), mode: 0o755 }],
    ['bin/other', { type: 'file', data: Buffer.from('#!/bin/sh\n'), mode: 0o755 }],
    ['lib/data.bin', { type: 'file', data: Buffer.from('/usr/share/zoneinfo\0'), mode: 0o644 }],
  ]);

  relocateTexts(tree, placeholder, new Set(['usr/share/zoneinfo']));

  expect([...tree].map(([file, entry]) => [file, entry.type === 'file' ? entry.replace : 'link'])).toEqual([
    ['bin/tool', 'text'],
    ['bin/other', undefined],
    ['lib/data.bin', undefined],
  ]);
});

it('reads console scripts out of entry_points.txt and nothing else', () => {
  const text =
    '[console_scripts]\npytest = pytest:console_main\npip3=pip._internal.cli.main:main [extra]\n\n[pytest11]\nx = y:z\n';

  expect(parseEntryPoints(text)).toEqual([
    ['pytest', 'pytest:console_main'],
    ['pip3', 'pip._internal.cli.main:main'],
  ]);
  expect(renderEntryPoint('f2py = numpy.f2py.f2py2e:App.main', '/P').text).toBe(
    "#!/P/bin/python3.11\nimport sys\n\nfrom numpy.f2py.f2py2e import App\n\nif __name__ == '__main__':\n    sys.exit(App.main())\n",
  );
});
