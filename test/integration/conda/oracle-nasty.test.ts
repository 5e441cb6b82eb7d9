// Packages such as nobody should make, and some do: our prefix is that of an installer which shares no code with ours.
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runCommand } from '../../../src/system/run-command.ts';
import { comparePrefixes } from '../../oracle/compare-prefixes.ts';
import { runOracle } from '../../oracle/run-oracle.ts';
import type { PackageEntry } from '../../channel/tar-archive.ts';
import { LinkFixture, type PackageToMake } from './link-fixture.ts';

let fixture: LinkFixture;
let pythonVersion: string;
beforeEach(async () => {
  fixture = await LinkFixture.make();
  const { stdout } = await runCommand({
    ...{ program: 'python3', args: ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'] },
  });
  pythonVersion = stdout.toString().trim();
});
afterEach(() => fixture.remove());

const placeholder = `/tmp/build/${'placehold_'.repeat(20)}`;
const text = (at: string, data: string | Uint8Array, mode?: number): PackageEntry => ({
  ...{ type: 'file', path: at, data, placeholder: { text: placeholder, mode: 'text' } },
  ...(mode === undefined ? {} : { mode }),
});
const binary = (at: string, data: Uint8Array): PackageEntry => ({
  ...{ type: 'file', path: at, data, placeholder: { text: placeholder, mode: 'binary' } },
});
const file = (at: string, data = at, mode = 0o644): PackageEntry => ({ type: 'file', path: at, data, mode });
const symlink = (at: string, target: string): PackageEntry => ({ type: 'symlink', path: at, target });
const utf16 = (value: string): Buffer => Buffer.from(value, 'utf16le');
const utf32 = (value: string): Buffer =>
  Buffer.concat(Array.from(value, (c) => Buffer.from([c.charCodeAt(0), 0, 0, 0])));
const json = (value: unknown): string => JSON.stringify(value);

/** The machine's own, under the name that an environment has it. */
const python = (sitePackages?: string): PackageToMake => {
  const version = `${pythonVersion}.2`;
  const index = { name: 'python', version, build: '0', build_number: 0, subdir: 'linux-64', depends: [] };
  return {
    ...{ name: 'python', index: { version } },
    files: [file(`bin/python${pythonVersion}`, '#!/bin/sh\nexec python3 "$@"\n', 0o755)],
    ...(sitePackages === undefined
      ? {}
      : { infoFiles: { 'index.json': json({ ...index, python_site_packages_path: sitePackages }) } }),
  };
};

const placeholders: PackageEntry[] = [
  text('bin/exact', `#!${placeholder}/bin/python -u ${placeholder}/x\n${placeholder}\r\n`, 0o755),
  text('bin/spaced', `#! ${placeholder}/bin/perl -w\n`, 0o775),
  text('bin/ends', `#!${placeholder}/bin/python`),
  text('bin/second', `\n#!${placeholder}/${'d/'.repeat(60)}python\n`),
  ...[60, 80, 100, 120].map((length) =>
    text(`bin/long${length}`, `#!${placeholder}/${'a'.repeat(length)}/sh -x\n#!${placeholder}/sh\n`),
  ),
  text('bin/long-crlf', `#!${placeholder}/${'a'.repeat(120)}/sh -x\r\n`),
  text('bin/long-tab', `#!${placeholder}/${'a'.repeat(120)}/sh\t-x\n`),
  text('bin/long-escape', `#!${placeholder}/${'a\\ '.repeat(50)}/sh\\ x y\n`),
  text('bin/long-without', `#!/${'a'.repeat(200)}/sh\n`),
  text('etc/none', 'nothing'),
  text('etc/empty', ''),
  text('etc/latin1', Buffer.from(`\xff\xfe${placeholder}\x80\0${placeholder}`, 'latin1')),
  text('etc/utf16', utf16(`a${placeholder}/b${placeholder}`)),
  text('etc/utf16be', utf16(`a${placeholder}/b`).swap16()),
  text('etc/utf32', utf32(`a${placeholder}/b`)),
  binary('lib/one', Buffer.from(`\x7fELF\0${placeholder}/lib\0next\0`)),
  binary('lib/several', Buffer.from(`x${placeholder}/a:${placeholder}/b:${placeholder}\0\0${placeholder}\0z`)),
  binary('lib/unended', Buffer.from(`${placeholder}/a\0${placeholder}/b`)),
  binary('lib/overlapping', Buffer.from(`${placeholder}${placeholder.slice(0, 50)}\0${placeholder.slice(1)}\0`)),
  binary('lib/shebang', Buffer.from(`#!${placeholder}/${'x'.repeat(100)}/sh\n\0`)),
  binary('lib/utf16', Buffer.concat([utf16(`ab${placeholder}/l:${placeholder}\0n\0`), Buffer.from('tail')])),
  binary('lib/utf32', Buffer.concat([utf32(`ab${placeholder}/l\0n\0`), Buffer.from('tail')])),
  binary('lib/large', Buffer.concat([Buffer.alloc(5 << 20, 'ab'), Buffer.from(`${placeholder}/c\0end`)])),
  { type: 'hardlink', path: 'lib/one-again', target: 'lib/one' },
];

const names = [
  'ü',
  'a b',
  ' lead',
  'tab-less',
  '$(id)',
  '`id`',
  '[exit]',
  '{a}',
  'a"b',
  "a'b",
  'a\\b',
  '-rf',
  '~',
  '%s',
  '#x',
  'a;b',
  '*',
];

const cases: Record<string, () => PackageToMake[]> = {
  'placeholders in every form': () => [{ name: 'forms', files: placeholders }],
  'the old lists instead of paths.json': () => [
    {
      name: 'old',
      format: 'tar.bz2',
      files: [
        file('bin/a', '#!/opt/anaconda1anaconda2anaconda3/bin/python\n', 0o755),
        file('bin/b c', `${placeholder}!`),
        file('lib/d', `${placeholder}/d\0e`),
        file('lib/e'),
        symlink('lib/f', 'e'),
        file('lib/not-listed'),
      ],
      infoFiles: {
        'paths.json': undefined,
        files: '# of old\nbin/a\n\nbin/b c\r\nlib/d\nlib/e\nlib/f\n',
        has_prefix: `bin/a\n# of old\n${placeholder} text "bin/b c"\n'${placeholder}' "binary" 'lib/d'\n`,
        no_link: 'lib/e\n',
        no_softlink: 'lib/d\n',
      },
    },
  ],
  'a paths.json that says little': () => [
    {
      name: 'terse',
      files: [file('a'), symlink('b', 'a'), { type: 'directory', path: 'c/d' }, file('e/unlisted')],
      infoFiles: {
        'paths.json': json({
          paths_version: 1,
          paths: [
            { _path: 'a', sha256: null, size_in_bytes: null, prefix_placeholder: '', file_mode: null, no_link: false },
            { _path: 'b', path_type: 'softlink' },
            { _path: 'c/d', path_type: 'directory' },
            { _path: 'never/made', path_type: 'directory' },
          ],
        }),
      },
    },
  ],
  'links, modes and names': () => [
    {
      name: 'tree',
      files: [
        ...[0, 0o1, 0o10, 0o111, 0o400, 0o444, 0o555, 0o600, 0o640, 0o664, 0o666, 0o755, 0o777, 0o4755, 0o6777].map(
          (mode) => file(`modes/${mode.toString(8)}`, 'x', mode),
        ),
        ...names.map((name) => file(`names/${name}`)),
        ...names.map((name) => symlink(`links/${name}`, name)),
        file(`long/${'n'.repeat(255)}`),
        file(`${'deep/'.repeat(200)}end`),
        file('.hidden'),
        symlink('dangling', 'no/where'),
        symlink('absolute', '/etc/hostname'),
        symlink('to-directory', 'names'),
        symlink('self', '.'),
        { type: 'hardlink', path: 'hard/one', target: '.hidden' },
        { type: 'hardlink', path: 'hard/two', target: '.hidden' },
        { type: 'directory', path: 'empty/within', mode: 0o700 },
      ],
    },
  ],
  'several that want the same path': () => [
    {
      name: 'aaa',
      index: { depends: ['zzz'] },
      files: [file('x', 'a'), symlink('y', 'a'), file('same', '='), file('Case')],
    },
    { name: 'zzz', files: [file('x', 'z'), file('y', 'z'), file('same', '='), file('case')] },
    { name: 'mmm', files: [file('x', 'm'), file('w', 'm')] },
    { name: 'bbb', index: { depends: ['ccc', 'absent'] }, files: [file('w', 'b')] },
    { name: 'ccc', index: { constrains: ['mmm <2'] }, files: [file('w', 'c')] },
    { name: 'loop1', index: { depends: ['loop2'] }, files: [file('l', '1')] },
    { name: 'loop2', index: { depends: ['loop1', 'aaa'] }, files: [file('l', '2')] },
  ],
  'paths below the links of others': () => [
    { name: 'filesystem', files: [symlink('lib64', 'lib'), symlink('usr/lib', '../lib'), file('lib/base')] },
    {
      name: 'uses',
      index: { depends: ['filesystem'] },
      files: [file('lib64/a'), file('usr/lib/b'), text('lib64/c', `${placeholder}\n`)],
    },
  ],
  'noarch python': () => [
    python(),
    {
      name: 'pure',
      index: { noarch: 'python', depends: ['python'] },
      files: [
        file('site-packages/pure/__init__.py', 'import sys\n'),
        file('site-packages/pure/ü.py', 'x = "ü"\n'),
        file('site-packages/pure/broken.py', 'print "two"\n'),
        file('site-packages/pure/data.pyi', ''),
        file('site-packages/top.py', '1\n'),
        symlink('site-packages/linked.py', 'top.py'),
        symlink('site-packages/outside.py', '/etc/hostname'),
        symlink('site-packages/dangling.py', 'no.py'),
        file('site-packages.txt', ''),
        text('python-scripts/script', `#!${placeholder}/bin/python\n`, 0o755),
        file('python-scripts/env', '#!/usr/bin/env python\n', 0o755),
        file('python-scripts/windows.exe', 'MZ', 0o755),
        file('python-scripts/both', 'a script', 0o644),
        file('share/pure/a.py', 'not compiled'),
        file('bin/later', 'never seen'),
      ],
      entryPoints: [
        'pure = pure:main',
        'both=pure.cli:App.run',
        ' spaced out  =  pure.a.b : c ',
        'dot.ted-name_1 = pure:main',
        '$(id);`id` = pure:main',
        'ünï = pure:main',
      ],
    },
    // Linked after it, and yet the command wins.
    { name: 'zlater', index: { depends: ['pure'] }, files: [file('bin/pure', 'a file'), file('bin/later', 'a file')] },
  ],
  'a python with its own site-packages': () => [
    python(`lib/python${pythonVersion}t/site-packages/`),
    { name: 'pure', index: { noarch: 'python' }, files: [file('site-packages/pure.py', '1\n')] },
  ],
  'noarch generic': () => [
    {
      name: 'generic',
      index: { noarch: 'generic' },
      files: [
        file('site-packages/a.py'),
        file('python-scripts/b'),
        file('Menu/menu.json', '{}'),
        file('etc/conda/activate.d/a.sh'),
      ],
      entryPoints: ['never = made:main'],
    },
  ],
};

it.each([
  ...Object.keys(cases).map((what) => ({ what, where: 'prefix' })),
  // Where the kernel could not read the interpreter's path, and where a space ends it.
  ...['placeholders in every form', 'noarch python'].flatMap((what) => [
    { what, where: `prefix-${'long'.repeat(20)}/${'x'.repeat(30)}` },
    { what, where: 'my prefix' },
  ]),
])('$what, at $where, are linked as they should', async ({ what, where }) => {
  const prefix = path.join(fixture.dir, where);
  const oracles = path.join(fixture.dir, 'oracle');
  const packages = [];
  for (const one of cases[what]?.() ?? []) {
    const locked = await fixture.add(one);
    const archive = path.join(fixture.dir, 'channel', locked.subdir, path.basename(locked.url));
    packages.push({ ...locked, archive });
  }

  const { notes } = await fixture.install({ prefixOnDisk: prefix, prefixInside: prefix, runInside: runCommand });

  const { bytecode, clobbers } = await runOracle({ packages, prefixOnDisk: oracles, prefixInside: prefix, specs: [] });
  expect(await comparePrefixes({ ours: prefix, oracles, onlyOurs: new Set(bytecode) })).toEqual([]);
  const told = notes.filter((note) => note.includes('shared path')).join('\n');
  for (const { packages: names } of clobbers) for (const name of names) expect(told).toContain(name);
  if (clobbers.length === 0) expect(told).toBe('');
});
