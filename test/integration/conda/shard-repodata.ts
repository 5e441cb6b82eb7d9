// Writes the sharded form (CEP 16) of an index that is there as repodata.json: what a channel's own indexer would serve besides.
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import zlib from 'node:zlib';
import { encode } from '@msgpack/msgpack';

type Records = Record<string, Record<string, unknown>>;
interface Shard {
  packages: Records;
  'packages.conda': Records;
  removed: string[];
}

export interface ShardOptions {
  readonly baseUrl?: string;
  /** Default `./shards/`. */
  readonly shardsBaseUrl?: string;
}

/** @param subdirDir `<channel>/linux-64` @returns each name's shard: its path below the subdir */
export async function writeShards(subdirDir: string, options: ShardOptions = {}): Promise<ReadonlyMap<string, string>> {
  const repodata = JSON.parse(await readFile(path.join(subdirDir, 'repodata.json'), 'utf8')) as {
    info: Record<string, unknown>;
  } & Omit<Shard, 'removed'>;
  const shards = new Map<string, Shard>();
  for (const section of ['packages', 'packages.conda'] as const) {
    for (const [file, record] of Object.entries(repodata[section])) {
      const name = String(record['name']);
      const shard = shards.get(name) ?? { packages: {}, 'packages.conda': {}, removed: [] };
      shards.set(name, shard);
      const bytes = (text: unknown) => Buffer.from(String(text), 'hex');
      shard[section][file] = { ...record, md5: bytes(record['md5']), sha256: bytes(record['sha256']) };
    }
  }
  await mkdir(path.join(subdirDir, 'shards'), { recursive: true });
  const files = new Map<string, string>();
  const digests: Record<string, Uint8Array> = {};
  for (const [name, shard] of shards) {
    const bytes = zlib.zstdCompressSync(encode(shard));
    const digest = createHash('sha256').update(bytes).digest();
    digests[name] = digest;
    files.set(name, `shards/${digest.toString('hex')}.msgpack.zst`);
    await writeFile(path.join(subdirDir, files.get(name) ?? ''), bytes);
  }
  const { baseUrl = '', shardsBaseUrl = './shards/' } = options;
  const info = {
    ...repodata.info,
    base_url: baseUrl,
    shards_base_url: shardsBaseUrl,
    created_at: '2026-01-01T00:00:00Z',
  };
  await writeFile(path.join(subdirDir, 'repodata_shards.msgpack.zst'), renderShardIndex(info, digests));
  return files;
}

export function renderShardIndex(info: unknown, shards: unknown, version: unknown = 1): Buffer {
  return zlib.zstdCompressSync(encode({ version, info, shards }));
}
