// The forms of sharded repodata (CEP 16): the index that names a shard for each package, and the shard with its records. Pure.
import { decode } from '@msgpack/msgpack';
import { PACKAGE_NAME, parsePackageFile, SHA256 } from './package-file.ts';
import type { WrittenRecord } from './repodata-index.ts';

export interface ShardIndex {
  /** As it came: `base_url` of it says where the packages are. */
  readonly info: unknown;
  /** As written, relative to the index; empty where it is not given. */
  readonly shardsBaseUrl: string;
  /** Lower-case package name to the hex sha256 of its compressed shard. */
  readonly digests: ReadonlyMap<string, string>;
}

type Written = Readonly<Record<string, unknown>>;

/** @throws Error saying what is not as CEP 16 has it */
export function parseShardIndex(bytes: Uint8Array): ShardIndex {
  const written = readMap(decode(bytes), 'the index of shards');
  if (written['version'] !== 1)
    throw new Error(`the index of shards has version ${JSON.stringify(written['version'])}`);
  const info = readMap(written['info'], 'info');
  const base = info['shards_base_url'] ?? '';
  if (typeof base !== 'string') throw new Error('shards_base_url is not a text');
  const digests = new Map<string, string>();
  for (const [name, value] of Object.entries(readMap(written['shards'], 'shards'))) {
    if (!PACKAGE_NAME.test(name)) continue; // no spec can ask for it
    const digest = readDigest(value);
    if (digest === undefined || !SHA256.test(digest)) throw new Error(`the shard of ${name} has no sha256`);
    digests.set(name.toLowerCase(), digest);
  }
  return { info, shardsBaseUrl: base, digests };
}

/**
 * @param name the shard's package: records of another would come in beside that one's own
 * @throws Error saying what is not as CEP 16 has it
 */
export function parseShard(bytes: Uint8Array, name: string): readonly WrittenRecord[] {
  const written = readMap(decode(bytes), 'it');
  const listed = written['removed'] ?? [];
  if (!Array.isArray(listed)) throw new Error('removed is not a list');
  const removed = new Set<unknown>(listed);
  return ['packages', 'packages.conda'].flatMap((section) =>
    Object.entries(readMap(written[section] ?? {}, section)).flatMap(([file, record]): WrittenRecord[] => {
      if (removed.has(file)) return [];
      const parsed = parsePackageFile(file);
      if (parsed && parsed.name.toLowerCase() !== name) throw new Error(`it has ${JSON.stringify(file)}`);
      return [{ file, value: withHexDigests(record) }];
    }),
  );
}

function readMap(value: unknown, what: string): Written {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array)
    throw new Error(`${what} is not a map`);
  return value as Written;
}

/** "converted from their hex representation to bytes", CEP 16: here back again. Anything else is left to who checks records. */
function withHexDigests(record: unknown): unknown {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return record;
  const { md5, sha256, ...rest } = record as Written;
  return { ...rest, md5: readDigest(md5), sha256: readDigest(sha256) };
}

/** Bytes; conda takes lists of numbers and texts too (conda-libmamba-solver, shards.py, ensure_hex_hash). */
function readDigest(value: unknown): string | undefined {
  if (typeof value === 'string') return value.toLowerCase();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  const isBytes = Array.isArray(value) && value.length <= 32 && value.every((byte) => Number.isInteger(byte));
  return isBytes ? Buffer.from(value as number[]).toString('hex') : undefined;
}
