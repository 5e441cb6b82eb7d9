// The readers of packages: archives, metadata, entry points, prefix replacement.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import zlib from 'node:zlib';
import { ZipFile } from 'yazl';
import { SharedWithPrefix, unpackArchive, type UnpackedMember } from '../../src/conda/archive.ts';
import { parseExtractedRecord, renderExtractedRecord } from '../../src/conda/extracted-record.ts';
import { MemberTable } from '../../src/conda/archive-members.ts';
import { renderRecord } from '../../src/conda/conda-meta.ts';
import { planLinks, type UnpackedPackage } from '../../src/conda/link-plan.ts';
import type { LockedPackage } from '../../src/conda/lock.ts';
import { parsePackageMetadata } from '../../src/conda/package-metadata.ts';
import { PrefixTooLongError, replacePrefix } from '../../src/conda/prefix-replacement.ts';
import { parseEntryPoint, planPython, renderEntryPoint } from '../../src/conda/python-linking.ts';
import { digestText } from '../../src/system/files.ts';
import { TreeWriter } from '../../src/system/tree-writer.ts';
import { writeTar, type PackageEntry } from '../channel/tar-archive.ts';
import type { FuzzTarget } from './fuzz-target.ts';

const url = 'https://channel.example/noarch/a-1-0.conda';
const locked: LockedPackage = {
  ...{ name: 'a', version: '1', build: '0', buildNumber: 0, channel: 'https://channel.example', subdir: 'noarch' },
  ...{ url, sha256: 'a'.repeat(64) },
};
const index = {
  name: 'a',
  version: '1',
  build: '0',
  build_number: 0,
  depends: ['python'],
  noarch: 'python',
  license: 'X',
};
const paths = {
  paths_version: 1,
  paths: [
    { _path: 'site-packages/a.py', path_type: 'hardlink', sha256: 'a'.repeat(64), size_in_bytes: 3 },
    { _path: 'bin/b', path_type: 'hardlink', file_mode: 'text', prefix_placeholder: '/build', no_link: true },
    { _path: 'lib/l', path_type: 'softlink' },
    { _path: 'etc/d', path_type: 'directory' },
  ],
};
const link = { noarch: { type: 'python', entry_points: ['a = a.b:c.d'] }, package_metadata_version: 1 };
const infoFiles = ['index.json', 'paths.json', 'link.json', 'files', 'has_prefix', 'no_link', 'no_softlink'] as const;
/** Several files in one input. */
const separator = '\n\x1e\n';
const info = (...files: unknown[]): string =>
  files.map((file) => (typeof file === 'string' ? file : JSON.stringify(file))).join(separator);

/** Metadata, then all that is made of it: the plan and the record. */
function readMetadata(input: Buffer): void {
  const parts = input.toString('latin1').split(separator);
  const given = Object.fromEntries(
    infoFiles.flatMap((name, at) => {
      const text = parts[at];
      return text === undefined || text === '' ? [] : [[name, Buffer.from(text, 'latin1')]];
    }),
  );
  const metadata = parsePackageMetadata(url, given);
  const members = new Map<string, UnpackedMember>();
  for (const entry of metadata.entries) {
    if (entry.type === 'softlink') members.set(entry.path, { kind: 'link', mtimeSeconds: 0, target: '../x' });
    else if (entry.type === 'hardlink')
      members.set(entry.path, { kind: 'file', mode: 0o644, mtimeSeconds: 0, sizeBytes: 1, sha256: 'b'.repeat(64) });
  }
  const one: UnpackedPackage = { locked, metadata, members, place: '/nowhere' };
  const python = planPython({ url, version: '3.12.1', sitePackagesPath: metadata.index.python_site_packages_path });
  const plan = planLinks({ packages: [one], prefixInside: '/opt/e', python, epochSeconds: 0 });
  for (const item of plan.items) {
    assert.equal(path.posix.normalize(item.path), item.path);
    assert.doesNotMatch(item.path, /^(?:\/|\.\.(?:\/|$)|conda-meta(?:\/|$))/);
  }
  const brought = plan.brought.get(one) ?? [];
  JSON.parse(
    renderRecord({
      ...{ package: one, brought, rewritten: new Map(), bytecode: new Map() },
      ...{ requestedSpecs: ['a'], prefixInside: '/opt/e' },
    }),
  );
}

const entries: readonly PackageEntry[] = [
  { type: 'file', path: 'info/index.json', data: JSON.stringify(index) },
  { type: 'file', path: 'info/paths.json', data: JSON.stringify(paths) },
  { type: 'directory', path: 'etc/d' },
  { type: 'file', path: 'site-packages/a.py', data: 'x=1' },
  { type: 'symlink', path: 'lib/l', target: '../bin/b' },
  { type: 'file', path: 'bin/b', data: '#!/build/bin/sh\n', mode: 0o755 },
  { type: 'hardlink', path: 'bin/c', target: 'bin/b' },
  { type: 'file', path: `share/${'long/'.repeat(50)}ü`, data: 'pax' },
];

/** In a directory of its own, beside which nothing may appear. */
async function unpack(archive: Buffer): Promise<void> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'condense-fuzz-'));
  try {
    const file = path.join(dir, 'a-1-0.conda');
    await writeFile(file, archive);
    await mkdir(path.join(dir, 'unpacked'));
    const writer = new TreeWriter(path.join(dir, 'unpacked'));
    try {
      await unpackArchive({ file, url, writer, prefixInside: '/opt/e' }).catch((error: unknown) => {
        // The caller would unpack again.
        if (!(error instanceof SharedWithPrefix)) throw error;
      });
    } finally {
      assert.deepEqual((await readdir(dir)).sort(), ['a-1-0.conda', 'unpacked']);
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function zip(members: Readonly<Record<string, Buffer>>): Promise<Buffer> {
  const file = new ZipFile();
  const bytes = buffer(file.outputStream);
  for (const [name, data] of Object.entries(members)) file.addBuffer(data, name, { compress: false });
  file.end();
  return await bytes;
}

const tar = await writeTar(entries);
const zstd = zlib.zstdCompressSync(tar);
const empty = zlib.zstdCompressSync(await writeTar([]));
/** Of long names, numbers in base 256, and what the header types of GNU and pax are. */
const tarTokens = [
  'ustar\0' + '00',
  'L',
  'K',
  'x',
  'g',
  'S',
  '1',
  '2',
  '3',
  '6',
  '\x80',
  '77777777777',
  '30 mtime=1\n',
  'path=../x\n',
];

export const packageTargets: readonly FuzzTarget[] = [
  {
    name: 'members of a tar',
    seeds: [tar],
    tokens: tarTokens,
    run: async (input) => {
      await unpack(
        await zip({ 'info-a-1-0.tar.zst': zlib.zstdCompressSync(withChecksums(input)), 'pkg-a-1-0.tar.zst': empty }),
      );
    },
  },
  {
    name: 'zstd',
    seeds: [zstd],
    tokens: ['\x28\xb5\x2f\xfd', '\x50\x2a\x4d\x18'],
    run: async (input) => {
      await unpack(await zip({ 'info-a-1-0.tar.zst': input, 'pkg-a-1-0.tar.zst': empty }));
    },
  },
  {
    name: 'zip',
    seeds: [await zip({ 'metadata.json': Buffer.from('{}'), 'info-a-1-0.tar.zst': zstd, 'pkg-a-1-0.tar.zst': empty })],
    tokens: [
      'PK\x01\x02',
      'PK\x03\x04',
      'PK\x05\x06',
      'PK\x06\x06',
      'PK\x06\x07',
      '\xff\xff\xff\xff',
      'info-',
      '.tar.zst',
    ],
    run: unpack,
  },
  {
    name: 'records of extracted packages',
    seeds: [
      JSON.stringify({
        members: [
          {
            ...{
              kind: 'file',
              path: 'a/b',
              member: { kind: 'file', mode: 420, mtimeSeconds: 1, sizeBytes: 1, sha256: 'ab' },
            },
            state: { inode: '1', changedNs: '2', mode: 420, mtimeSeconds: 1, sizeBytes: 1 },
          },
          { kind: 'name', path: 'c', of: 'a/b' },
          { kind: 'link', path: 'd', target: 'a', mtimeSeconds: 1 },
          { kind: 'directory', path: 'e' },
        ],
        info: { 'index.json': 'e30=' },
      }),
    ],
    tokens: ['"kind":', '"path":', '"state":', '"member":', '__proto__', '../', '[', '{', 'null', '1e999'],
    run: (input) => {
      const text = input.toString();
      const record = parseExtractedRecord(`${digestText(text)}\n${text}`);
      assert.equal(parseExtractedRecord(`${digestText(text)}0\n${text}`), undefined);
      if (record) assert.deepEqual(parseExtractedRecord(renderExtractedRecord(record)), record);
    },
  },
  {
    name: 'member names',
    seeds: [
      'file a/b\nsymlink l ../x\nlink h a/b\ndirectory d\nfile d/e\nfile info/x',
      'file ./a//b/../c\nfile l/x\npax x',
    ],
    tokens: [
      '../',
      './',
      '//',
      'symlink ',
      'link ',
      'file ',
      'directory ',
      'character-device ',
      'fifo ',
      '\ufffd',
      'a/b',
    ],
    run: (input) => {
      const table = new MemberTable(url);
      for (const line of input.toString().split('\n')) {
        const [type = '', name = '', linkName = ''] = line.split(' ');
        const member = table.admit({ name, type, linkName, mode: 0o777, mtimeSeconds: 0, sizeBytes: 1 });
        if (member) assert.match(path.posix.join('/root', member.path), /^\/root\//);
      }
    },
  },
  {
    name: 'metadata',
    seeds: [
      info(index, paths, link),
      info(index, '', link, 'bin/a\nb c\n', '/p text bin/a\n"/q r" binary "b c"\n', 'bin/a\n', 'b c\n'),
      info(index, '', '', 'bin/a\n', '"" text bin/a\n'),
      info({ ...index, extra: 'x' }, paths),
      info(JSON.stringify(index).replace('{', `{"deep":${'['.repeat(100_000)}${']'.repeat(100_000)},`), paths),
    ],
    tokens: [
      separator,
      '"_path":"',
      '"../x"',
      'null',
      '"info/',
      'conda-meta/',
      '{',
      '}',
      '[',
      ']',
      "'",
      '"',
      ' text ',
      '\r\n',
    ],
    run: readMetadata,
  },
  {
    name: 'entry points',
    seeds: [
      'a = b.c:d',
      `a${' '.repeat(1 << 20)}`,
      'tool=x:App.run [extra]',
      '$(id) = a:b',
      ' é = é:é ',
      'a\'b"c = x:y',
    ],
    tokens: ['=', ':', '[', ']', '.', '/', '..', '$', '`', '"', "'", '\n', '\\', 'import os;'],
    run: (input) => {
      const text = input.toString();
      const entryPoint = parseEntryPoint(url, text);
      const python = planPython({ url, version: '3.12' });
      const script = renderEntryPoint(entryPoint, python, '/opt/e');
      // Nothing of the text becomes a line of its own.
      assert.equal(script.split('\n').length, 11);
      assert.doesNotMatch(entryPoint.command, /[/\0\n]/);
    },
  },
  {
    name: 'prefix replacement',
    seeds: [
      '/build\n#!/build/bin/python -u\n/build',
      '#!/build/bin/python\n\0/build/lib:/build\0tail',
      Buffer.concat([Buffer.from('ab/build/c\0', 'utf16le'), Buffer.from('ab/build/c\0', 'utf16le').swap16()]),
    ],
    tokens: ['/build', '#!/build', '#!', '\\ ', '\n', '\r', Buffer.from('/build', 'utf16le').toString('latin1')],
    run: (input) => {
      for (const prefix of ['/o', '/opt/e', `/opt/${'long'.repeat(40)}`, '/my opt']) {
        for (const mode of ['text', 'binary'] as const) {
          try {
            const replaced = replacePrefix(input, mode, '/build', prefix);
            if (mode === 'text') assert.equal(replaced.includes('/build'), false);
            else {
              assert.equal(replaced.length, input.length);
              assert.deepEqual(replacePrefix(replaced, mode, '/build', prefix), replaced);
            }
          } catch (error) {
            if (!(error instanceof PrefixTooLongError)) throw error;
          }
        }
      }
    },
  },
];

/** A tar whose headers have the right sums, where there are headers: else little would be read of what was changed. */
function withChecksums(input: Buffer): Buffer {
  const data = Buffer.from(input);
  for (let at = 0; at + 512 <= data.length; at += 512) {
    const header = data.subarray(at, at + 512);
    if (!header.subarray(257, 262).equals(Buffer.from('ustar'))) continue;
    header.fill(' ', 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
  return data;
}
