// The archive that mksquashfs reads, against our own reader of other people's archives, and GNU tar.
import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MemberHeader } from '../../../src/conda/archive-members.ts';
import { TarReader } from '../../../src/conda/tar-reader.ts';
import { compareTarPaths, renderTar, type Content, type TarEntry } from '../../../src/system/tar-stream.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-tar-'));
});
afterAll(async () => {
  await rm(dir, { recursive: true });
});

function read(archive: Buffer): { header: MemberHeader; text: string }[] {
  const found: { header: MemberHeader; text: string }[] = [];
  const reader = new TarReader({
    begin: (header) => {
      found.push({ header, text: '' });
      return 'whole';
    },
    whole: (data) => {
      const last = found.at(-1);
      if (last) last.text = data.toString();
    },
    piece: () => undefined,
    end: () => undefined,
  });
  reader.push(archive);
  reader.finish();
  return found;
}

const name = fc
  .array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.map((part) => part.replaceAll(/[\0/]/g, '_').toWellFormed()).join('/'));
const common = { path: name, mtimeSeconds: fc.nat({ max: 0xffff_ffff }) };
const entry: fc.Arbitrary<TarEntry> = fc.oneof(
  fc.record({ kind: fc.constant('directory' as const), ...common, mode: fc.nat({ max: 0o777 }) }),
  fc.record({ kind: fc.constant('link' as const), ...common, target: name }),
  fc.record({
    ...{ kind: fc.constant('file' as const), ...common, mode: fc.nat({ max: 0o777 }) },
    content: fc.string({ maxLength: 2000 }).map((text) => ({ data: Buffer.from(text) })),
  }),
);

it('says of every entry what a reader then finds, whatever its name', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 5 }), async (entries) => {
      const found = read(await buffer(renderTar(entries)));

      expect(found.map(({ header }) => header.name.replace(/\/$/, ''))).toEqual(
        entries.map((one) => one.path.replace(/\/$/, '')),
      );
      for (const [index, one] of entries.entries()) {
        const there = found[index];
        expect(there?.header.type).toBe(one.kind === 'link' ? 'symlink' : one.kind);
        if (one.kind === 'link') expect(there?.header.linkName).toBe(one.target);
        else if (one.kind !== 'hardlink') expect(there?.header.mode).toBe(one.mode);
        if (one.kind !== 'hardlink') expect(there?.header.mtimeSeconds).toBe(one.mtimeSeconds);
        if (one.kind === 'file' && 'data' in one.content) expect(there?.text).toBe(one.content.data.toString());
      }
    }),
  );
});

it('takes bytes from the middle of a spool, and fails where it ends too early', async () => {
  const spool = path.join(dir, 'spool');
  await writeFile(spool, `..${'x'.repeat(3 << 20)}y`);
  const file = (offsetBytes: number, sizeBytes: number): TarEntry[] => [
    { kind: 'file', path: 'a', mode: 0o644, mtimeSeconds: 1, content: { spool, offsetBytes, sizeBytes } },
  ];

  expect(read(await buffer(renderTar(file(2, (3 << 20) + 1))))[0]?.text).toBe(`${'x'.repeat(3 << 20)}y`);
  await expect(buffer(renderTar(file(4, 3 << 20)))).rejects.toThrow('spool ends after');
});

it('orders paths as a walk through the directories does', () => {
  const paths = ['a-b', 'a', 'a/b', 'a.b', 'a/b-c/d', 'a/b/c', 'é', 'z'];

  expect(paths.toSorted(compareTarPaths)).toEqual(['a', 'a/b', 'a/b/c', 'a/b-c/d', 'a-b', 'a.b', 'z', 'é']);
});

it('has sizes and places of more than 32 bits, and says those that no octal field can hold in a pax record', async () => {
  const spool = path.join(dir, 'large');
  const offsetBytes = 5 * 2 ** 30 + 7;
  const handle = await open(spool, 'w'); // sparse
  await handle.write('the end', offsetBytes);
  await handle.close();
  const file = (at: string, content: Content): TarEntry => ({
    kind: 'file',
    path: at,
    mode: 0o644,
    mtimeSeconds: 1,
    content,
  });
  const far = file('far', { spool, offsetBytes, sizeBytes: 7 });
  expect(read(await buffer(renderTar([far])))).toMatchObject([
    { header: { name: 'far', sizeBytes: 7 }, text: 'the end' },
  ]);

  await truncate(spool, 10 * 2 ** 30);
  for (const sizeBytes of [5 * 2 ** 30 + 1, 8 ** 11 - 1, 8 ** 11, 9 * 2 ** 30 + 1]) {
    const seen: number[] = [];
    const reader = new TarReader({
      begin: (header) => {
        seen.push(header.sizeBytes);
        return 'pieces';
      },
      ...{ whole: () => undefined, piece: () => undefined, end: () => undefined },
    });
    for await (const chunk of renderTar([file('big', { spool, offsetBytes: 0, sizeBytes })])) {
      reader.push(Buffer.from(chunk));
      break; // the rest are zeros
    }
    expect(seen).toEqual([sizeBytes]);
  }
});
