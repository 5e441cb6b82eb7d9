// Programs that lie: whatever the bytes are, reading ends with an answer.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseLoaderCache } from '../../../src/site/loader-cache.ts';
import { parseElf, type ReadPiece } from '../../../src/system/elf-file.ts';

const reading =
  (bytes: Buffer): ReadPiece =>
  (offset, length) =>
    bytes.subarray(offset, offset + length);

/** Node itself: its headers are at the start, so that is where the changes are. */
const whole = readFileSync(process.execPath).subarray(0, 1 << 16);
const changes = fc.array(fc.tuple(fc.nat(4096), fc.nat(255)), { minLength: 1, maxLength: 8 });

test('an ELF file with any bytes changed, or cut off anywhere, is read to an answer', () => {
  fc.assert(
    fc.property(changes, fc.nat(whole.length), (edits, end) => {
      const bytes = Buffer.from(whole.subarray(0, end));
      for (const [at, value] of edits) if (at < end) bytes[at] = value;
      const elf = parseElf(reading(bytes));
      expect(typeof elf === 'string' ? ['other', 'broken'] : [elf]).toContain(elf);
    }),
    { numRuns: 300 },
  );
});

test('what is no ELF file is other: text, nothing, an object file', () => {
  const object = Buffer.from(whole);
  object.writeUInt16LE(1, 16);

  for (const bytes of [Buffer.from('#!/bin/sh\n'), Buffer.alloc(0), object])
    expect(parseElf(reading(bytes))).toBe('other');
});

test('a cache of the loader with any bytes changed, or cut off, gives paths or nothing', () => {
  const cache = readFileSync('/etc/ld.so.cache');
  expect(parseLoaderCache(cache).get('libc.so.6')).toHaveLength(1);
  expect(parseLoaderCache(Buffer.from('no cache'))).toEqual(new Map());
  fc.assert(
    fc.property(changes, fc.nat(cache.length), (edits, end) => {
      const bytes = Buffer.from(cache.subarray(0, end));
      for (const [at, value] of edits) if (at < end) bytes[at] = value;
      for (const paths of parseLoaderCache(bytes).values())
        for (const file of paths) expect(file.startsWith('/')).toBe(true);
    }),
    { numRuns: 100 },
  );
});
