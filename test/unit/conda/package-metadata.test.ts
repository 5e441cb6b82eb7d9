// What is read out of a package's info files.
import { describe, expect, it } from 'vitest';
import { parseManifest, parsePackageMetadata } from '../../../src/conda/package-metadata.ts';

const url = 'https://channel.example/linux-64/tool-1-0.conda';
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const index = { name: 'tool', version: '1', build: '0', build_number: 0 };
const manifest = (...paths: unknown[]): Buffer => json({ paths_version: 1, paths });

describe('info/paths.json', () => {
  it('gives each path with its placeholder, digest and size, and nothing below info/', () => {
    const entries = parseManifest(
      url,
      manifest(
        {
          _path: 'bin/a',
          prefix_placeholder: '/p',
          file_mode: 'binary',
          sha256: 'ab',
          size_in_bytes: 3,
          no_link: true,
        },
        { _path: './lib/b', path_type: 'softlink', size_in_bytes: 9, prefix_placeholder: '' },
        { _path: 'c', path_type: 'directory' },
        { _path: 'd', prefix_placeholder: '/p', future_key: 1 },
        { _path: 'info/index.json' },
      ),
    );

    expect(entries.map(({ path, type, placeholder }) => [path, type, placeholder])).toEqual([
      ['bin/a', 'hardlink', { text: '/p', mode: 'binary' }],
      ['lib/b', 'softlink', undefined],
      ['c', 'directory', undefined],
      ['d', 'hardlink', { text: '/p', mode: 'text' }],
    ]);
    expect(entries[0]).toMatchObject({ sha256: 'ab', sizeBytes: 3, noLink: true });
  });

  it.each(['/etc/passwd', '../x', 'a\nb', ''])('is hostile when it lists %j', (_path) => {
    expect(() => parseManifest(url, manifest({ _path }))).toThrow(/of its manifest/);
  });

  it.each([
    [json({ paths_version: 2, paths: [] }), /paths_version/],
    [json({ paths_version: 1 }), /paths/],
    [json({ paths_version: 1, paths: [{ _path: 'a', size_in_bytes: -1 }] }), /size_in_bytes/],
    [Buffer.from('{'), /is not JSON/],
  ])('is refused when it says %s', (bytes, message) => {
    expect(() => parseManifest(url, bytes)).toThrow(message);
  });
});

describe('a package', () => {
  it('without index.json is refused', () => {
    expect(() => parsePackageMetadata(url, { 'paths.json': manifest() })).toThrow(/has no info\/index\.json/);
  });

  it('with metadata nested so deeply that it cannot be written again is refused', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const text = JSON.stringify(index).replace('{', `{"extra":${deep},`);

    expect(() => parsePackageMetadata(url, { 'index.json': Buffer.from(text), 'paths.json': manifest() })).toThrow(
      /info\/index\.json is nested too deeply/,
    );
  });

  it('has entry points only when it is noarch: python', () => {
    const link = json({ noarch: { type: 'python', entry_points: ['tool = tool:main'] }, package_metadata_version: 1 });
    const read = (noarch?: string) =>
      parsePackageMetadata(url, {
        'index.json': json({ ...index, ...(noarch ? { noarch } : {}) }),
        'link.json': link,
        'paths.json': manifest(),
      });

    expect(read('python')).toMatchObject({ noarchPython: true, entryPoints: ['tool = tool:main'] });
    expect(read()).toMatchObject({ noarchPython: false, entryPoints: [] });
  });

  it('of before paths.json with an empty placeholder is refused: it would be everywhere', () => {
    const info = { 'index.json': json(index), files: Buffer.from('a\n'), has_prefix: Buffer.from('"" text a\n') };

    expect(() => parsePackageMetadata(url, info)).toThrow(/info\/has_prefix says/);
  });

  it('of before paths.json is read from files, has_prefix and no_link', () => {
    const { entries } = parsePackageMetadata(url, {
      'index.json': json(index),
      files: Buffer.from('bin/a\nbin/b c\nlib/d\nlib/e\n'),
      has_prefix: Buffer.from('bin/a\n/p text bin/b c\n"/q r" binary "lib/d"\n'),
      no_link: Buffer.from('lib/e\n'),
    });

    expect(entries.map(({ path, placeholder, noLink }) => [path, placeholder, noLink])).toEqual([
      ['bin/a', { text: '/opt/anaconda1anaconda2anaconda3', mode: 'text' }, false],
      ['bin/b c', { text: '/p', mode: 'text' }, false],
      ['lib/d', { text: '/q r', mode: 'binary' }, false],
      ['lib/e', undefined, true],
    ]);
  });

  it.each([
    ['bin/a b', 'bin/a b', '/opt/anaconda1anaconda2anaconda3', 'text'],
    ['"bin/a b"', 'bin/a b', '/opt/anaconda1anaconda2anaconda3', 'text'],
    ["'bin/c'", 'bin/c', '/opt/anaconda1anaconda2anaconda3', 'text'],
    [`'/p q'  "binary"\t'bin/a b'`, 'bin/a b', '/p q', 'binary'],
    ['/p binary bin/c\r', 'bin/c', '/p', 'binary'],
  ])('of before paths.json may say %j in has_prefix', (line, path, text, mode) => {
    const { entries } = parsePackageMetadata(url, {
      'index.json': json(index),
      files: Buffer.from('# a comment\nbin/a b\nbin/c\n'),
      has_prefix: Buffer.from(`# another\n${line}\n`),
    });

    expect(entries).toHaveLength(2);
    expect(entries.filter(({ placeholder }) => placeholder)).toMatchObject([{ path, placeholder: { text, mode } }]);
  });

  it.each(['/p other bin/c', '/p text', 'bin/c bin/d'])('with %j in has_prefix is refused', (line) => {
    const info = { 'index.json': json(index), files: Buffer.from('bin/c\n'), has_prefix: Buffer.from(line) };

    expect(() => parsePackageMetadata(url, info)).toThrow(/info\/has_prefix says/);
  });

  it.each([
    ['python', true],
    ['Python', true],
    ['generic', false],
    [true, false],
  ])('with noarch %j is noarch: python or not', (noarch, expected) => {
    const info = { 'index.json': json({ ...index, noarch }), 'paths.json': manifest() };

    expect(parsePackageMetadata(url, info).noarchPython).toBe(expected);
  });

  it('with neither list is refused', () => {
    expect(() => parsePackageMetadata(url, { 'index.json': json(index) })).toThrow(/neither/);
  });
});
