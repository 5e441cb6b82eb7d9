// Which members of an archive are unpacked, and under what names.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fileMode, MemberTable, parseMemberName, type MemberHeader } from '../../../src/conda/archive-members.ts';

const url = 'https://channel.example/linux-64/bad-1-0.conda';
const header = (changes: Partial<MemberHeader>): MemberHeader => ({
  name: 'lib/a',
  type: 'file',
  mode: 0o644,
  mtimeSeconds: 0,
  sizeBytes: 1,
  linkName: null,
  ...changes,
});
/** Admits them in turn. */
const admitAll = (...changes: Partial<MemberHeader>[]): unknown[] => {
  const table = new MemberTable(url);
  return changes.map((change) => table.admit(header(change)));
};

describe('names of members', () => {
  it.each([
    ['/etc/passwd', 'absolute'],
    ['../outside', '..'],
    ['lib/../../outside', '..'],
    ['lib/..', '..'],
    ['a\nb', 'control character'],
    ['a\0b', 'control character'],
    ['a\ufffdb', 'not UTF-8'],
    ['a\u001b[31m', 'control character'],
    ['x'.repeat(256), 'too long'],
    ['dir/'.repeat(1000) + 'x', 'too long'],
  ])('refuses %j', (name, why) => {
    expect(parseMemberName(name)).toEqual({ refused: expect.stringContaining(why) as string });
  });

  it.each([
    ['./lib//a', 'lib/a'],
    ['lib/./a/', 'lib/a'],
    ['./', ''],
    ['share/with space/ünïcode…', 'share/with space/ünïcode…'],
    ['..a/b..', '..a/b..'],
  ])('reads %j as %j', (name, path) => {
    expect(parseMemberName(name)).toEqual({ path });
  });

  it('never yields a path that leaves the directory it is joined to', () => {
    const part = fc.oneof(fc.constantFrom('..', '.', '', '/', '...', 'a', '\\..'), fc.string());
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const parsed = parseMemberName(parts.join('/'));
        if ('refused' in parsed) return;
        expect(parsed.path.startsWith('/')).toBe(false);
        expect(parsed.path.split('/')).not.toContain('..');
        expect(parsed.path).not.toMatch(/[\0\n]/);
      }),
    );
  });
});

describe('modes of files', () => {
  it.each([
    [0o4755, 0o755],
    [0o2755, 0o755],
    [0o1777, 0o755],
    [0o600, 0o644],
    [0o700, 0o755],
    [0o640, 0o644],
    [0o444, 0o444],
    [0o664, 0o644],
    [0o610, 0o755],
    [0, 0o444],
  ])('makes %o into %o: readable by all, written by the owner only, no setuid', (from, to) => {
    expect(fileMode(from)).toBe(to);
  });
});

describe('a package as a whole', () => {
  it.each<[string, Partial<MemberHeader>[], RegExp]>([
    ['the same file twice', [{ name: 'a' }, { name: './a' }], /comes twice/],
    ['a file where a directory is', [{ name: 'a/b' }, { name: 'a' }], /comes twice, first as a directory/],
    ['a directory where a file is', [{ name: 'a' }, { name: 'a', type: 'directory' }], /comes twice, first as a file/],
    ['a file below a file', [{ name: 'a' }, { name: 'a/b' }], /is below "a", a file/],
    [
      'a file through a link',
      [{ name: 'a', type: 'symlink', linkName: '/etc' }, { name: 'a/passwd' }],
      /is below "a", a link/,
    ],
    [
      'a file deep below a link',
      [{ name: 'a', type: 'symlink', linkName: '..' }, { name: 'a/b/c/d' }],
      /is below "a", a link/,
    ],
    ['a link where a directory is', [{ name: 'a/b' }, { name: 'a', type: 'symlink', linkName: '/' }], /comes twice/],
    [
      'a hard link to a symbolic link',
      [
        { name: 'a', type: 'symlink', linkName: '/etc/shadow' },
        { name: 'b', type: 'link', linkName: 'a' },
      ],
      /no earlier file/,
    ],
    ['a hard link to what is not in it', [{ type: 'link', linkName: 'other' }], /no earlier file/],
    ['a hard link out of it', [{ type: 'link', linkName: '/etc/passwd' }], /absolute name/],
    ['a link to nothing', [{ type: 'symlink', linkName: '' }], /without a usable target/],
    ['a device', [{ type: 'character-device' }], /is a character-device/],
    ['a block device', [{ type: 'block-device' }], /is a block-device/],
    ['a fifo', [{ type: 'fifo' }], /is a fifo/],
    ['what tar-stream does not know', [{ type: null }], /unknown type/],
    ['a file that is the prefix itself', [{ name: './' }], /has no name/],
  ])('refuses %s', (_, members, message) => {
    expect(() => admitAll(...members)).toThrow(message);
  });

  it('names the package and the member, and calls it hostile', () => {
    expect(() => admitAll({ name: '../x' })).toThrow(
      expect.objectContaining({
        exit: 5,
        problems: [
          expect.objectContaining({
            code: 'PACKAGE_HOSTILE',
            at: url,
            message: expect.stringContaining('"../x"') as string,
          }),
        ],
      }) as Error,
    );
  });

  it('admits directories again and again, hard links to earlier files, and links wherever they point', () => {
    const members = admitAll(
      { name: './', type: 'directory' },
      { name: 'lib/', type: 'directory' },
      { name: 'lib/a', mode: 0o4755 },
      { name: 'lib', type: 'directory' },
      { name: 'lib/b', type: 'link', linkName: './lib/a' },
      { name: 'lib/c', type: 'symlink', linkName: '../../outside' },
    );

    expect(members).toEqual([
      undefined,
      { kind: 'directory', path: 'lib', mtimeSeconds: 0 },
      { kind: 'file', path: 'lib/a', mode: 0o755, mtimeSeconds: 0, sizeBytes: 1 },
      { kind: 'directory', path: 'lib', mtimeSeconds: 0 },
      { kind: 'hardlink', path: 'lib/b', target: 'lib/a', mtimeSeconds: 0 },
      { kind: 'link', path: 'lib/c', target: '../../outside', mtimeSeconds: 0 },
    ]);
  });
});

it('ends at a number of members that no package has', { timeout: 60_000 }, () => {
  const table = new MemberTable(url);
  const admit = (): void => {
    for (let index = 0; index <= 2_000_000; index += 1) table.admit(header({ name: String(index) }));
  };

  expect(admit).toThrow(/more than 2000000 members/);
});
