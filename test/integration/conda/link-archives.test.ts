// Linking real .conda and .tar.bz2 archives of which nothing has to run.
import { chmod, lstat, mkdir, readdir, readlink, stat, truncate, writeFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppError } from '../../../src/system/app-error.ts';
import { LinkFixture, readTree } from './link-fixture.ts';

let fixture: LinkFixture;
beforeEach(async () => {
  fixture = await LinkFixture.make();
});
afterEach(async () => {
  await fixture.remove();
});

const placeholder = `/tmp/build/${'placehold_'.repeat(20)}`;
/** The code of what an installation fails with. */
const failure = async (): Promise<{ code: string; message: string; at: string | undefined }> => {
  const error = await fixture.install().then(
    () => undefined,
    (thrown: unknown) => thrown as AppError,
  );
  const [problem] = error?.problems ?? [];
  if (!problem) throw error ?? new Error('it was installed');
  return { code: problem.code, message: problem.message, at: problem.at };
};

describe.each(['conda', 'tar.bz2'] as const)('a .%s package', (format) => {
  it('is linked with its modes, times, links, hard links and empty directories', async () => {
    await fixture.add({
      name: 'tool',
      format,
      files: [
        { type: 'file', path: 'bin/tool', data: '#!/bin/sh\n', mode: 0o4750 },
        { type: 'hardlink', path: 'bin/tool2', target: 'bin/tool' },
        { type: 'symlink', path: 'bin/t', target: 'tool' },
        { type: 'file', path: 'share/with space/ünï', data: 'x', mode: 0o600 },
        { type: 'directory', path: 'var/empty' },
      ],
    });

    const installed = await fixture.install();

    const at = (relative: string) => lstat(path.join(fixture.prefixOnDisk, relative));
    expect(installed).toEqual({ packages: 1, files: 4, bytes: 21, notes: [] });
    expect(((await at('bin/tool')).mode & 0o7777).toString(8)).toBe('755');
    expect((await at('bin/tool2')).ino).toBe((await at('bin/tool')).ino);
    expect(await readlink(path.join(fixture.prefixOnDisk, 'bin/t'))).toBe('tool');
    expect(((await at('share/with space/ünï')).mode & 0o7777).toString(8)).toBe('644');
    expect((await at('var/empty')).isDirectory()).toBe(true);
    expect((await at('bin/tool')).mtime.toISOString()).toBe('2024-06-01T00:00:00.000Z');
    expect((await readdir(fixture.prefixOnDisk)).sort()).toEqual(['bin', 'conda-meta', 'share', 'var']);
  });

  it('gets the prefix inside, in text and in binaries', async () => {
    const elf = Buffer.from(`\x7fELF\0${placeholder}/lib\0tail\0`);
    await fixture.add({
      name: 'tool',
      format,
      files: [
        {
          type: 'file',
          path: 'bin/tool',
          data: `#!${placeholder}/bin/python\n`,
          mode: 0o755,
          placeholder: { text: placeholder, mode: 'text' },
        },
        { type: 'file', path: 'lib/libtool.so', data: elf, placeholder: { text: placeholder, mode: 'binary' } },
      ],
    });

    await fixture.install();

    expect(await fixture.text('bin/tool')).toBe('#!/opt/conda/analysis3-26.11/bin/python\n');
    const library = await readFile(path.join(fixture.prefixOnDisk, 'lib/libtool.so'));
    expect(library.length).toBe(elf.length);
    expect(library.toString('latin1')).toMatch(/^\x7fELF\0\/opt\/conda\/analysis3-26\.11\/lib\0+tail\0$/);
  });

  it('with members larger than a buffer is hashed and written in pieces', async () => {
    const data = Buffer.alloc(9 << 20, 'abcdefgh');
    await fixture.add({ name: 'big', format, files: [{ type: 'file', path: 'lib/big', data }] });

    await fixture.install();

    expect((await readFile(path.join(fixture.prefixOnDisk, 'lib/big'))).equals(data)).toBe(true);
  });

  it.each([
    ['an absolute name', [{ type: 'file', path: '/tmp/condense-escaped', data: 'x' }]],
    ['a name with ..', [{ type: 'file', path: '../../condense-escaped', data: 'x' }]],
    [
      'a file written through a link',
      [
        { type: 'symlink', path: 'lib', target: '/tmp' },
        { type: 'file', path: 'lib/condense-escaped', data: 'x' },
      ],
    ],
    [
      'the same name twice',
      [
        { type: 'file', path: 'a', data: 'x' },
        { type: 'file', path: 'a', data: 'y' },
      ],
    ],
    ['a name with a newline', [{ type: 'file', path: 'a\nb', data: 'x' }]],
    ['a record of conda-meta', [{ type: 'file', path: 'conda-meta/python-3.json', data: '{}' }]],
    ['our own marker', [{ type: 'file', path: '.condense', data: '' }]],
  ] as const)('is refused as hostile with %s', async (_, files) => {
    const { url } = await fixture.add({ name: 'bad', format, files });

    expect(await failure()).toMatchObject({ code: 'PACKAGE_HOSTILE', at: url });
    await expect(lstat('/tmp/condense-escaped')).rejects.toThrow(/ENOENT/);
    await expect(lstat(path.join(fixture.dir, 'condense-escaped'))).rejects.toThrow(/ENOENT/);
  });

  it('is refused when its archive is cut short', async () => {
    const { url } = await fixture.add({
      name: 'short',
      format,
      files: [{ type: 'file', path: 'a', data: Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * i) % 251)) }],
    });
    const file = path.join(fixture.dir, 'channel/linux-64', path.basename(url));
    await truncate(file, Math.floor((await stat(file)).size / 2));

    expect(await failure()).toMatchObject({ code: 'PACKAGE_INVALID', at: url });
  });

  it.each([
    ['is not listed there', { paths: [], paths_version: 1 }, undefined],
    [
      'has another sha256',
      { paths: [{ _path: 'a', path_type: 'hardlink', sha256: '0'.repeat(64), size_in_bytes: 1 }], paths_version: 1 },
      /"a" has the sha256/,
    ],
    [
      'has another size',
      { paths: [{ _path: 'a', path_type: 'hardlink', size_in_bytes: 2 }], paths_version: 1 },
      /1 bytes, not 2/,
    ],
    [
      'is not all that is listed',
      { paths: [{ _path: 'a' }, { _path: 'b/c' }], paths_version: 1 },
      /lists "b\/c", but it is not there/,
    ],
  ] as const)('goes by its paths.json when a file %s', async (_, manifest, message) => {
    await fixture.add({
      name: 'odd',
      format,
      files: [{ type: 'file', path: 'a', data: 'x' }],
      infoFiles: { 'paths.json': JSON.stringify(manifest) },
    });

    if (message) expect((await failure()).message).toMatch(message);
    else expect((await fixture.install()).files).toBe(0);
  });

  it('without paths.json goes by files and has_prefix', async () => {
    await fixture.add({
      name: 'old',
      format,
      files: [
        { type: 'file', path: 'bin/old', data: `${placeholder}\n`, placeholder: { text: placeholder, mode: 'text' } },
        { type: 'symlink', path: 'bin/older', target: 'old' },
      ],
      infoFiles: { 'paths.json': undefined },
    });

    await fixture.install();

    expect(await fixture.text('bin/older')).toBe('/opt/conda/analysis3-26.11\n');
  });
});

describe('several packages', () => {
  const file = (at: string, data: string) => ({ type: 'file', path: at, data }) as const;

  it('that bring the same path: the last in link order has it, and a note says so', async () => {
    await fixture.add({
      name: 'aaa',
      index: { depends: ['zzz'] },
      files: [file('share/x', 'a'), file('share/y', '=')],
    });
    await fixture.add({ name: 'zzz', files: [file('share/x', 'z'), file('share/y', '=')] });

    const { notes } = await fixture.install();

    expect(await fixture.text('share/x')).toBe('a');
    expect(notes).toEqual([
      "ClobberWarning: incompatible packages due to 2 shared paths, 1 of which differ. packages: zzz-1.0-0, aaa-1.0-0; path: 'share/x'; aaa-1.0-0 is linked last and wins",
    ]);
  });

  it('whose paths differ in case only are both there, and a note says so', async () => {
    await fixture.add({ name: 'a', files: [{ type: 'file', path: 'share/Readme', data: 'a' }] });
    await fixture.add({ name: 'b', files: [{ type: 'file', path: 'share/README', data: 'b' }] });

    const { notes } = await fixture.install();

    expect(await fixture.text('share/Readme')).toBe('a');
    expect(await fixture.text('share/README')).toBe('b');
    expect(notes).toEqual(['two paths differ in case only: share/Readme of a and share/README of b']);
  });

  it('one below a link of another goes where the link leads, never out of the prefix', async () => {
    await fixture.add({ name: 'links', files: [{ type: 'symlink', path: 'lib64', target: 'lib' }] });
    await fixture.add({ name: 'uses', files: [file('lib64/a', 'a')] });

    await fixture.install();

    expect((await lstat(path.join(fixture.prefixOnDisk, 'lib64'))).isSymbolicLink()).toBe(true);
    expect((await lstat(path.join(fixture.prefixOnDisk, 'lib/a'))).isFile()).toBe(true);
  });

  it.each(['/etc', '../../outside', 'lib64'])('one below a link to %s is refused as hostile', async (target) => {
    await fixture.add({ name: 'links', files: [{ type: 'symlink', path: 'lib64', target }] });
    const { url } = await fixture.add({ name: 'uses', files: [file('lib64/condense-escaped', 'a')] });

    expect(await failure()).toMatchObject({ code: 'PACKAGE_HOSTILE', at: url });
    await expect(lstat('/etc/condense-escaped')).rejects.toThrow(/ENOENT/);
  });

  it('one with a file where another needs a directory are refused, naming both', async () => {
    const { url } = await fixture.add({ name: 'aaa', files: [file('share', 'a')] });
    await fixture.add({ name: 'bbb', files: [file('share/b', 'b')] });

    const { code, message } = await failure();

    expect(code).toBe('PACKAGE_INVALID');
    expect(message).toContain(url);
  });

  it('keep links out of the environment, and a note tells of them', async () => {
    await fixture.add({ name: 'links', files: [{ type: 'symlink', path: 'etc/localtime', target: '/etc/localtime' }] });

    const { notes } = await fixture.install();

    expect(notes).toEqual(['links has a link out of the environment: etc/localtime -> /etc/localtime']);
    expect(await readlink(path.join(fixture.prefixOnDisk, 'etc/localtime'))).toBe('/etc/localtime');
  });

  it('make equal trees each time, whatever the order, the umask and the clock', async () => {
    const other = await LinkFixture.make();
    try {
      for (const [each, names] of [
        [fixture, ['aaa', 'bbb', 'ccc', 'ddd', 'eee', 'fff']],
        [other, ['fff', 'ccc', 'eee', 'aaa', 'ddd', 'bbb']],
      ] as const) {
        for (const name of names) {
          await each.add({
            name,
            format: name < 'd' ? 'conda' : 'tar.bz2',
            files: [
              ...Array.from({ length: 50 }, (_, i) => file(`share/${name}/${i}`, `${name}${i}`)),
              file('share/clash', name),
              { type: 'symlink', path: `bin/${name}`, target: '../share/clash' },
            ],
          });
        }
      }
      const old = process.umask(0o077);
      try {
        await fixture.install();
        process.umask(0o002);
        await other.install();
      } finally {
        process.umask(old);
      }

      const tree = await readTree(fixture.prefixOnDisk);

      expect(tree).toEqual(await readTree(other.prefixOnDisk));
      expect(Object.keys(tree).length).toBeGreaterThan(300);
      expect((await stat(fixture.prefixOnDisk)).mode & 0o777).toBe(0o755);
      expect(await fixture.text('share/clash')).toBe('fff');
    } finally {
      await other.remove();
    }
  });
});

describe('an installation', () => {
  it('writes the records that conda reads', async () => {
    const locked = await fixture.add({
      name: 'tool',
      index: { depends: ['libz >=1'], constrains: ['other <2'], license: 'MIT' },
      files: [
        { type: 'file', path: 'bin/tool', data: placeholder, placeholder: { text: placeholder, mode: 'text' } },
        { type: 'symlink', path: 'bin/t', target: 'tool' },
      ],
    });

    await fixture.install({ requestedSpecs: ['tool >=1', 'main::libz'] });

    const record = JSON.parse(await fixture.text('conda-meta/tool-1.0-0.json')) as Record<string, unknown>;
    expect(record).toMatchObject({
      name: 'tool',
      version: '1.0',
      build: '0',
      build_number: 0,
      channel: 'https://channel.example/main',
      constrains: ['other <2'],
      depends: ['libz >=1'],
      files: ['bin/tool', 'bin/t'],
      fn: 'tool-1.0-0.conda',
      license: 'MIT',
      requested_spec: 'tool >=1',
      sha256: locked.sha256,
      subdir: 'linux-64',
      url: locked.url,
      paths_data: {
        paths_version: 1,
        paths: [
          {
            _path: 'bin/tool',
            path_type: 'hardlink',
            file_mode: 'text',
            prefix_placeholder: placeholder,
            size_in_bytes: placeholder.length,
          },
          { _path: 'bin/t', path_type: 'softlink' },
        ],
      },
    });
    expect(Object.keys(record)).toEqual(Object.keys(record).sort());
    expect(await fixture.text('conda-meta/history')).toBe(
      [
        '==> 2024-06-01 00:00:00 <==',
        '# cmd: condense install',
        '+https://channel.example/main/linux-64::tool-1.0-0',
        "# update specs: ['tool >=1', 'main::libz']",
        '',
      ].join('\n'),
    );
  });

  it('records pins as conda reads them, and writes no file where there are none', async () => {
    await fixture.add({ name: 'tool', files: [] });

    await fixture.install({ pinnedSpecs: ['cudatoolkit <10.3', 'conda-forge::numpy'] });

    expect(await fixture.text('conda-meta/pinned')).toBe('cudatoolkit <10.3\nconda-forge::numpy\n');
    expect(await fixture.text('conda-meta/history')).not.toContain('cudatoolkit');
  });

  it('refuses an archive of another package than the lock says', async () => {
    const made = await fixture.add({ name: 'real', files: [] });
    const wrong = await LinkFixture.make();
    try {
      await wrong.addFile(path.join(fixture.dir, 'channel/linux-64', path.basename(made.url)), {
        name: 'other',
        version: '1.0',
        build: '0',
        subdir: 'linux-64',
      });
      await expect(wrong.install()).rejects.toThrow(/is real 1\.0 0, but the channel called it other 1\.0 0/);
    } finally {
      await wrong.remove();
    }
  });

  it('refuses a prefix that has something in it', async () => {
    await mkdir(fixture.prefixOnDisk);
    await writeFile(path.join(fixture.prefixOnDisk, 'mine'), '');

    await expect(fixture.install()).rejects.toThrow(/is not empty/);
  });

  it('says that a binary’s placeholder is too short for the prefix', async () => {
    const short = '/short';
    await fixture.add({
      name: 'tool',
      files: [{ type: 'file', path: 'lib/a', data: `${short}\0`, placeholder: { text: short, mode: 'binary' } }],
    });

    expect((await failure()).message).toMatch(/lib\/a cannot be installed at .*only 6/);
  });

  it('refuses noarch python packages where there is no python', async () => {
    await fixture.add({ name: 'pure', index: { noarch: 'python' }, files: [] });

    expect((await failure()).message).toMatch(/the environment has no python/);
  });

  it('warns of pre-link scripts and menus, and makes neither', async () => {
    await fixture.add({
      name: 'tool',
      files: [
        { type: 'file', path: 'bin/.tool-pre-link.sh', data: 'exit 1' },
        { type: 'file', path: 'Menu/tool.json', data: '{}' },
      ],
    });

    const { notes } = await fixture.install();

    expect(notes).toEqual(['desktop menus are not made: tool']);
    expect(fixture.events).toContainEqual({
      type: 'warning',
      text: 'tool has a pre-link script, which is not run: conda deprecates them',
    });
  });

  it('stops when interrupted, and nothing writes afterwards', async () => {
    for (let i = 0; i < 12; i++) {
      await fixture.add({
        name: `p${i}`,
        format: i % 2 ? 'conda' : 'tar.bz2',
        files: Array.from({ length: 100 }, (_, n) => ({ type: 'file', path: `share/${i}/${n}`, data: 'x' }) as const),
      });
    }
    const interrupt = new AbortController();

    const installing = fixture.install({
      signal: interrupt.signal,
      report: (event) => {
        if (event.type === 'progress') interrupt.abort();
      },
    });

    await expect(installing).rejects.toMatchObject({ exit: 130 });
    const left = await readTree(fixture.prefixOnDisk);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await readTree(fixture.prefixOnDisk)).toEqual(left);
  });

  it('says what to install when bzip2 is missing', async () => {
    await fixture.add({ name: 'tool', format: 'tar.bz2', files: [] });
    const { PATH } = process.env;
    const empty = path.join(fixture.dir, 'empty');
    await mkdir(empty);
    await chmod(empty, 0o755);
    process.env['PATH'] = empty;
    try {
      expect(await failure()).toMatchObject({ code: 'TOOL_MISSING' });
    } finally {
      process.env['PATH'] = PATH;
    }
  });
});
