// The tar reader, against archives of tar-stream and chunks of every size.
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import tar from 'tar-stream';
import { describe, expect, it } from 'vitest';
import type { MemberHeader } from '../../../src/conda/archive-members.ts';
import { TarError, TarReader, type TarWish } from '../../../src/conda/tar-reader.ts';

type Entry = readonly [header: Partial<tar.Header> & { name: string }, data: string];

async function pack(...entries: Entry[]): Promise<Buffer> {
  const packing = tar.pack();
  for (const [header, data] of entries) packing.entry(header, data);
  packing.finalize();
  return await buffer(packing);
}

interface Read {
  readonly header: MemberHeader;
  readonly text: string | undefined;
}

function read(archive: Buffer, chunkBytes: number, wish: TarWish = 'whole'): Read[] {
  const found: Read[] = [];
  let pieces = '';
  let last: MemberHeader | undefined;
  const take = (text: string | undefined): void => {
    if (last) found.push({ header: last, text });
  };
  const reader = new TarReader({
    begin: (header) => {
      last = header;
      pieces = '';
      if (wish === 'skip') take(undefined);
      return wish;
    },
    whole: (data) => {
      take(data.toString());
    },
    piece: (data) => {
      pieces += data.toString();
    },
    end: () => {
      take(pieces);
    },
  });
  for (let at = 0; at < archive.length; at += chunkBytes) reader.push(archive.subarray(at, at + chunkBytes));
  reader.finish();
  return found;
}

const sample: readonly Entry[] = [
  [{ name: 'empty', mode: 0o600, mtime: new Date(5_000) }, ''],
  [{ name: 'bin/tool', mode: 0o755, mtime: new Date(1_700_000_000_900) }, 'x'.repeat(1000)],
  [{ name: `long/${'d'.repeat(90)}/${'f'.repeat(90)}`, pax: { mtime: '1700000001.9' } }, 'y'],
  [{ name: 'é', type: 'symlink', linkname: `../${'t'.repeat(150)}` }, ''],
  [{ name: 'again', type: 'link', linkname: 'bin/tool' }, ''],
  [{ name: 'dir/', type: 'directory' }, ''],
];

describe('a tar archive', () => {
  it.each([1, 7, 511, 512, 513, 1 << 20])('in chunks of %d bytes gives its members', async (chunkBytes) => {
    const archive = await pack(...sample);

    const members = read(archive, chunkBytes);

    expect(members.map(({ header, text }) => [header.type, header.name, text])).toEqual([
      ['file', 'empty', ''],
      ['file', 'bin/tool', 'x'.repeat(1000)],
      ['file', sample[2]?.[0].name, 'y'],
      ['symlink', 'é', ''],
      ['link', 'again', ''],
      ['directory', 'dir/', ''],
    ]);
    expect(members.map(({ header }) => header.mtimeSeconds).slice(0, 3)).toEqual([5, 1_700_000_000, 1_700_000_001]);
    expect(members[1]?.header).toMatchObject({ mode: 0o755, sizeBytes: 1000 });
    expect(members[3]?.header.linkName).toBe(`../${'t'.repeat(150)}`);
    expect(read(archive, chunkBytes, 'pieces').map(({ text }) => text)).toEqual(members.map(({ text }) => text));
    expect(read(archive, chunkBytes, 'skip').map(({ header }) => header)).toEqual(members.map(({ header }) => header));
  });

  it('with names as GNU tar writes long ones gives them', async () => {
    const long = 'n'.repeat(120);
    const [header, body] = [await pack([{ name: '././@LongLink' }, `${long}\0`]), await pack([{ name: 'short' }, 'z'])];
    header[156] = 'L'.charCodeAt(0);
    header.write(checksum(header), 148);

    const members = read(Buffer.concat([header.subarray(0, 1024), body]), 100);

    expect(members.map(({ header: { name }, text }) => [name, text])).toEqual([[long, 'z']]);
  });

  it.each([
    ['in octal', 5 * 2 ** 30 + 1],
    ['in base 256', 9 * 2 ** 30 + 3],
    ['in a pax record', 9 * 2 ** 30 + 3],
  ])(
    'with a file whose size takes more than 32 bits, written %s, gives all of its bytes and what comes after it',
    async (how, size) => {
      const head = (
        await pack([{ name: 'big', ...(how === 'in a pax record' ? { pax: { size: String(size) } } : {}) }, 'x'])
      ).subarray(0, -1536);
      const block = head.subarray(-512);
      if (how === 'in octal') block.write(size.toString(8).padStart(11, '0'), 124);
      if (how === 'in base 256') {
        block.fill(0, 124, 136);
        block[124] = 0x80;
        block.writeBigUInt64BE(BigInt(size), 128);
      }
      block.write(checksum(block), 148);
      const seen: [string, number][] = [];
      let bytes = 0;
      const reader = new TarReader({
        begin: ({ name, sizeBytes }) => {
          seen.push([name, sizeBytes]);
          return 'pieces';
        },
        whole: () => undefined,
        piece: (data) => (bytes += data.length),
        end: () => seen.push(['bytes', bytes]),
      });

      reader.push(head);
      // One buffer again and again: nothing of it is copied.
      const zeros = Buffer.alloc(2 ** 28);
      const padded = Math.ceil(size / 512) * 512;
      for (let left = padded; left > 0; left -= zeros.length)
        reader.push(zeros.subarray(0, Math.min(left, zeros.length)));
      reader.push(await pack([{ name: 'after' }, 'text']));
      reader.finish();

      expect(seen).toEqual([
        ['big', size],
        ['bytes', size],
        ['after', 4],
        ['bytes', size + 4],
      ]);
    },
  );

  it('cut anywhere within its members is an error', async () => {
    const archive = await pack([{ name: 'a' }, 'text']);

    for (const length of [1, 511, 513, 515, 1023])
      expect(() => read(archive.subarray(0, length), 64)).toThrow(TarError);
  });

  it('is read to its end or refused as one, whatever its bytes are', async () => {
    const archive = await pack(...sample);
    const changes = fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(changes, fc.boolean(), fc.integer({ min: 100, max: 3000 }), (bytes, isSigned, chunkBytes) => {
        const broken = Buffer.from(archive);
        for (const [at, byte] of bytes) {
          broken[at] = byte;
          const start = at - (at % 512);
          if (isSigned) broken.write(checksum(broken.subarray(start, start + 512)), start + 148);
        }
        try {
          for (const { header } of read(broken, chunkBytes)) {
            expect(Number.isSafeInteger(header.sizeBytes) && header.sizeBytes >= 0).toBe(true);
            expect(header.mtimeSeconds).toBeGreaterThanOrEqual(0);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(TarError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

function checksum(block: Buffer): string {
  const sum = block.subarray(0, 512).reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  return `${sum.toString(8).padStart(6, '0')}\0 `;
}
