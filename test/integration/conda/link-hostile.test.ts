// Archives made to harm: each ends in an error that names the package and what is wrong with it, and nothing outside is touched.
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import zlib from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile, type Options } from 'yazl';
import { AppError, type Problem } from '../../../src/system/app-error.ts';
import { runCommand } from '../../../src/system/run-command.ts';
import { writeTar, type PackageEntry } from '../../channel/tar-archive.ts';
import { LinkFixture } from './link-fixture.ts';

let fixture: LinkFixture;
beforeEach(async () => {
  fixture = await LinkFixture.make();
});
afterEach(async () => {
  await fixture.remove();
});

const index = { name: 'bad', version: '1', build: '0', subdir: 'linux-64' };
const indexEntry: PackageEntry = {
  ...{ type: 'file', path: 'info/index.json', data: JSON.stringify({ ...index, build_number: 0, depends: [] }) },
};
const manifest = (paths: readonly unknown[]): PackageEntry => ({
  ...{ type: 'file', path: 'info/paths.json', data: JSON.stringify({ paths_version: 1, paths }) },
});
const file = (at: string, data = 'x'): PackageEntry => ({ type: 'file', path: at, data });
const symlink = (at: string, target: string): PackageEntry => ({ type: 'symlink', path: at, target });

/** One header of a tar, with whatever is asked for. */
function header(name: string | Buffer, type: string, sizeBytes = 0, linkName = ''): Buffer {
  const block = Buffer.alloc(512);
  block.set(Buffer.from(name).subarray(0, 100), 0);
  block.write('0000644\0' + '0000000\0' + '0000000\0', 100, 'latin1');
  // Above 8 GiB as GNU tar has it: base 256.
  if (sizeBytes < 8 ** 11) block.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(sizeBytes), 128);
  }
  block.write('00000000000\0        ' + type, 136, 'latin1');
  block.write(linkName, 157, 'latin1');
  block.write('ustar\0' + '00', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

async function zip(members: readonly (readonly [string, Buffer])[], options: Partial<Options> = {}): Promise<Buffer> {
  const archive = new ZipFile();
  const bytes = buffer(archive.outputStream);
  for (const [name, data] of members) archive.addBuffer(data, name, { compress: false, ...options });
  archive.end();
  return await bytes;
}

/** Without the blocks of zeros that end a tar: more can follow. */
const open = async (entries: readonly PackageEntry[]): Promise<Buffer> => (await writeTar(entries)).subarray(0, -1024);
const frame = (data: Uint8Array): Buffer => zlib.zstdCompressSync(data);
const mebibyte = 1 << 20;
/** Gigabytes in some kilobytes. */
const zeros = (bytes: number): Buffer => {
  const one = frame(Buffer.alloc(64 * mebibyte));
  return Buffer.concat(Array.from({ length: bytes / (64 * mebibyte) }, () => one));
};

/** Adds the package; its payload is one or more zstd frames. */
async function addConda(info: readonly PackageEntry[], payload: Buffer): Promise<string> {
  return await addBytes(
    await zip([
      ['info-bad-1-0.tar.zst', frame(await writeTar(info))],
      ['pkg-bad-1-0.tar.zst', payload],
    ]),
  );
}

async function addBytes(bytes: Buffer, extension = 'conda'): Promise<string> {
  const dir = path.join(fixture.dir, 'channel');
  await mkdir(dir, { recursive: true });
  await writeFile(path.join(dir, `bad-1-0.${extension}`), bytes);
  return (await fixture.addFile(path.join(dir, `bad-1-0.${extension}`), index)).url;
}

/** What is said; anything but an AppError is a failure of the test. */
async function problem(): Promise<Problem | undefined> {
  const before = await readdir(path.dirname(fixture.prefixOnDisk));
  const error: unknown = await fixture.install().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error !== undefined && !(error instanceof AppError)) throw new Error('no AppError', { cause: error });
  const after = await readdir(path.dirname(fixture.prefixOnDisk));
  expect(after.filter((name) => !before.includes(name) && name !== 'prefix')).toEqual([]);
  return error?.problems[0];
}

describe('a member that is', () => {
  it.each([
    ['a character device', '3'],
    ['a block device', '4'],
    ['a pipe', '6'],
    ['a socket', 's'],
    ['a sparse file', 'S'],
    ['a volume', 'V'],
    ['of a type that nobody knows', 'Z'],
  ])('%s is refused', async (_, type) => {
    const url = await addConda([indexEntry, manifest([])], frame(header('dev/thing', type)));

    expect(await problem()).toMatchObject({
      ...{ code: 'PACKAGE_HOSTILE', at: url, message: expect.stringContaining('"dev/thing"') as string },
    });
  });

  it.each([
    ['/etc/passwd', 'hard'],
    ['../../etc/passwd', '..'],
    ['out', 'no earlier file'],
    ['missing', 'no earlier file'],
  ])('a hard link to %s is refused', async (target) => {
    const payload = await writeTar([symlink('out', '/etc/passwd'), { type: 'hardlink', path: 'h', target }]);
    const url = await addConda([indexEntry, manifest([{ _path: 'out' }, { _path: 'h' }])], frame(payload));

    expect(await problem()).toMatchObject({ code: 'PACKAGE_HOSTILE', at: url });
  });

  it('of a name that is not UTF-8, or longer than any file system has, is refused', async () => {
    for (const name of [Buffer.from('lib/\xff\xfe', 'latin1')]) {
      const url = await addConda([indexEntry, manifest([])], frame(header(name, '0')));
      expect(await problem()).toMatchObject({ code: 'PACKAGE_HOSTILE', at: url });
    }
    await fixture.remove();
    fixture = await LinkFixture.make();
    const { url } = await fixture.add({ name: 'long', files: [file(`${'n'.repeat(256)}/x`)] });
    expect(await problem()).toMatchObject({ code: 'PACKAGE_HOSTILE', at: url });
  });
});

describe('links that leave the prefix', () => {
  it.each([
    ['directly', { l: '../..' }, 'l/escaped'],
    ['to an absolute path', { l: '/tmp' }, 'l/escaped'],
    ['through a chain', { a: 'b', b: 'c/d', c: '.', d: '../..' }, 'a/escaped'],
    ['through a directory link', { 'd/up': '..', 'd/out': 'up/../..' }, 'd/out/escaped'],
    ['to where records are', { self: '.' }, 'self/conda-meta/python-3.json'],
    ['to where records are, for a directory', { 'a/self': '../conda-meta' }, 'a/self/x'],
    ['through a link in the middle', { 'x/y': '../../z' }, 'x/y/w/escaped'],
    ['in a circle', { a: 'b', b: 'a' }, 'a/escaped'],
    ['in a circle that grows', { a: 'a/a' }, 'a/escaped'],
  ])('%s are never written through, by whatever package', async (_, links, target) => {
    await fixture.add({ name: 'links', files: Object.entries(links).map(([at, to]) => symlink(at, to)) });
    const { url } = await fixture.add({ name: 'writes', files: [file(target)] });

    expect(await problem()).toMatchObject({ code: 'PACKAGE_HOSTILE', at: url });
  });
});

it('links to the prefix itself lead into it', async () => {
  await fixture.add({
    name: 'links',
    files: [symlink('lib64', '.'), symlink('d/up', '..'), symlink('d/out', 'up/up/..')],
  });
  await fixture.add({ name: 'writes', files: [file('lib64/a', 'a'), file('d/up/b', 'b'), file('d/out/c', 'c')] });

  expect(await problem()).toBeUndefined();
  for (const name of ['a', 'b', 'c']) expect(await fixture.text(name)).toBe(name);
});

describe('a bomb', () => {
  const listed = (sizeBytes: number) => [indexEntry, manifest([{ _path: 'big', size_in_bytes: sizeBytes }])];
  const gibibyte = 1 << 30;

  it.each([
    ['a file of 5 GiB of zeros', 5 * gibibyte, listed(5 * gibibyte)],
    ['a file of a size that only base 256 can tell', 1000 * gibibyte, listed(1000 * gibibyte)],
    ['a file that no manifest lists', 2 * gibibyte, [indexEntry, manifest([])]],
    ['a file of another size than listed', 2 * gibibyte, listed(5)],
  ] as const)('of %s is refused before it is written', async (_, sizeBytes, info) => {
    const url = await addConda(info, Buffer.concat([frame(header('big', '0', sizeBytes)), zeros(256 * mebibyte)]));

    expect(await problem()).toMatchObject({
      code: 'PACKAGE_HOSTILE',
      at: url,
      message: expect.stringContaining('"big"') as string,
    });
  });

  it.each([
    ['a name', 'L'],
    ['a link’s target', 'K'],
    ['a pax header', 'x'],
    ['a global pax header', 'g'],
  ])('of %s of a gigabyte is refused while it is read', async (_, type) => {
    const url = await addConda(
      [indexEntry, manifest([])],
      Buffer.concat([frame(header('@', type, gibibyte)), zeros(gibibyte)]),
    );

    expect(await problem()).toMatchObject({
      code: 'PACKAGE_INVALID',
      at: url,
      message: expect.stringMatching(/exceeds max size|between/) as string,
    });
  });

  it('of zeros after the end is refused while it is read', async () => {
    const url = await addConda([indexEntry, manifest([])], Buffer.concat([frame(await writeTar([])), zeros(gibibyte)]));

    expect(await problem()).toMatchObject({ code: 'PACKAGE_INVALID', at: url });
  });

  it('in bzip2 is refused too', async () => {
    const tar = Buffer.concat([
      await open([indexEntry, manifest([])]),
      header('big', '0', gibibyte),
      Buffer.alloc(100 * mebibyte),
    ]);
    const bytes = (await runCommand({ program: 'bzip2', args: ['-1', '--stdout'], input: tar })).stdout;
    const url = await addBytes(bytes, 'tar.bz2');

    expect(await problem()).toMatchObject({ code: 'PACKAGE_HOSTILE', at: url });
  });
});

describe('an archive', () => {
  it('of a zip64 is as good as another', async () => {
    const members = [
      ['info-bad-1-0.tar.zst', frame(await writeTar([indexEntry, manifest([{ _path: 'a' }])]))],
      ['pkg-bad-1-0.tar.zst', frame(await writeTar([file('a')]))],
    ] as const;
    await addBytes(await zip(members, { forceZip64Format: true }));

    expect(await problem()).toBeUndefined();
    expect(await fixture.text('a')).toBe('x');
  });

  it.each([
    ['without a payload', ['info-bad-1-0']],
    ['without info', ['pkg-bad-1-0']],
    ['with two payloads', ['info-bad-1-0', 'pkg-bad-1-0', 'pkg-other-1-0']],
    ['with its parts in a directory', ['x/info-bad-1-0', 'x/pkg-bad-1-0']],
  ])('%s is refused', async (_, names) => {
    const tar = frame(await writeTar([indexEntry, manifest([])]));
    const url = await addBytes(await zip(names.map((name) => [`${name}.tar.zst`, tar] as const)));

    expect(await problem()).toMatchObject({ code: 'PACKAGE_INVALID', at: url });
  });

  it('whose zip lies about the sizes of its parts is refused', async () => {
    const bytes = await zip([
      ['info-bad-1-0.tar.zst', frame(await writeTar([indexEntry, manifest([])]))],
      ['pkg-bad-1-0.tar.zst', frame(await writeTar([]))],
    ]);
    // The sizes in the first record of the central directory.
    const central = bytes.indexOf('PK\x01\x02');
    for (const [at, value] of [
      [20, 7],
      [24, 7],
      [20, 0xffff_fff0],
      [24, 0xffff_fff0],
    ] as const) {
      const lying = Buffer.from(bytes);
      lying.writeUInt32LE(value, central + at);
      await fixture.remove();
      fixture = await LinkFixture.make();
      const url = await addBytes(lying);
      expect(await problem()).toMatchObject({ code: 'PACKAGE_INVALID', at: url });
    }
  });

  it('cut anywhere is refused or whole', { timeout: 120_000 }, async () => {
    const info = [indexEntry, manifest([{ _path: 'a', size_in_bytes: 700 }, { _path: 'b' }])];
    const payload = await writeTar([file('a', 'y'.repeat(700)), symlink('b', 'a')]);
    const whole = await zip([
      ['info-bad-1-0.tar.zst', frame(await writeTar(info))],
      ['pkg-bad-1-0.tar.zst', frame(payload)],
    ]);
    const cuts: (readonly [string, number, Buffer])[] = [];
    for (let at = 0; at < payload.length; at += 512)
      for (const end of [at, at + 1, at + 511]) {
        const cut = frame(payload.subarray(0, end));
        const parts = [
          ['info-bad-1-0.tar.zst', frame(await writeTar(info))],
          ['pkg-bad-1-0.tar.zst', cut],
        ] as const;
        cuts.push(['tar', end, await zip(parts)]);
      }
    for (let end = 0; end < whole.length; end += 23) cuts.push(['zip', end, whole.subarray(0, end)]);
    const tar = Buffer.concat([await open(info), payload]);
    const bz2 = (await runCommand({ program: 'bzip2', args: ['--stdout'], input: tar })).stdout;
    for (const end of [0, 1, 4, 10, bz2.length >> 1, bz2.length - 4, bz2.length - 1])
      cuts.push(['bz2', end, bz2.subarray(0, end)]);

    for (const [what, end, bytes] of cuts) {
      await fixture.remove();
      fixture = await LinkFixture.make();
      const url = await addBytes(bytes, what === 'bz2' ? 'tar.bz2' : 'conda');
      const found = await problem();
      // The last member ends at 512 + 1024 + 512 bytes; what follows are the zeros that end a tar.
      if (what === 'tar' && end >= 2048) expect([what, end, found?.code]).not.toContain('PACKAGE_HOSTILE');
      else expect([what, end, found?.code, found?.at]).toEqual([what, end, 'PACKAGE_INVALID', url]);
    }
  });
});
