// The forms of sharded repodata (CEP 16), and what is not one.
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseShard, parseShardIndex } from '../../../src/conda/shards.ts';

const digest = new Uint8Array(32).fill(0xab);
const hex = 'ab'.repeat(32);
const index = (more: object) =>
  encode({ version: 1, info: { base_url: '', shards_base_url: 'x' }, shards: {}, ...more });

test('reads digests as bytes, as lists of numbers and as text', () => {
  const read = parseShardIndex(index({ shards: { A: digest, b: [...digest], c: hex, 'no name': digest }, other: 1 }));

  expect([...read.digests]).toEqual([
    ['a', hex],
    ['b', hex],
    ['c', hex],
  ]);
  expect(read.shardsBaseUrl).toBe('x');
});

test.each([
  ['version 2', index({ version: 2 })],
  ['info that is none', index({ info: 'x' })],
  ['shards in a list', index({ shards: [digest] })],
  ['a short digest', index({ shards: { a: digest.slice(1) } })],
  ['a number as digest', index({ shards: { a: 1 } })],
  ['null as digest', index({ shards: { a: null } })],
  ['a base that is no text', index({ info: { shards_base_url: 1 } })],
  ['a list', encode([])],
  ['a text', encode('x')],
  ['nothing', new Uint8Array()],
  ['half of one', index({}).slice(0, -3)],
  ['two', Buffer.concat([index({}), index({})])],
  ['more entries than bytes', Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff)],
  ['more bytes than there are', Uint8Array.of(0xc6, 0xff, 0xff, 0xff, 0xff)],
  ['a prototype', encode({ version: 1, info: {}, ...JSON.parse('{"__proto__": {"x": 1}}') })],
])('refuses an index with %s', (_, bytes) => {
  expect(() => parseShardIndex(bytes)).toThrow();
});

test('reads records with their digests in hex, without those that were removed', () => {
  const shard = encode({
    packages: { 'a-1-0.tar.bz2': { name: 'a', sha256: digest, md5: digest.slice(16), depends: ['b'] } },
    'packages.conda': { 'a-2-0.conda': { name: 'a' }, 'a-3-0.conda': { name: 'a' } },
    removed: ['a-3-0.conda'],
  });

  expect(parseShard(shard, 'a')).toEqual([
    { file: 'a-1-0.tar.bz2', value: { name: 'a', sha256: hex, md5: hex.slice(32), depends: ['b'] } },
    { file: 'a-2-0.conda', value: { name: 'a' } },
  ]);
});

test.each([
  ['records of another package', { packages: { 'b-1-0.conda': { name: 'b' } } }],
  ['a list of records', { 'packages.conda': [] }],
  ['a text for what was removed', { removed: 'a-1-0.conda' }],
])('refuses a shard with %s', (_, shard) => {
  expect(() => parseShard(encode(shard), 'a')).toThrow();
});

test('a record that is none is left to who checks records', () => {
  expect(parseShard(encode({ packages: { 'a-1-0.conda': 7, x: null } }), 'a')).toEqual([
    { file: 'a-1-0.conda', value: 7 },
    { file: 'x', value: null },
  ]);
});

test('any bytes are read or refused with an Error, also very deep ones', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      for (const read of [() => parseShardIndex(bytes), () => parseShard(bytes, 'a')]) {
        try {
          read();
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }
    }),
  );
  expect(() => parseShard(Buffer.concat([Buffer.alloc(1_000_000, 0x91), Buffer.of(0xc0)]), 'a')).toThrow();
});
