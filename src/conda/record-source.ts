// Where the records of one subdir are read from, by name: all of them in one file, or a shard for each name (CEP 16).
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { errorMessage } from '../system/app-error.ts';
import { readBytes } from '../system/files.ts';
import { indexRepodata, readRecords, type WrittenRecord } from './repodata-index.ts';
import { parseShard, parseShardIndex } from './shards.ts';
import type { ShardsWanted, SolveTask } from './solve-task.ts';

export interface RecordSource {
  /** `info` of the repodata, as it came. */
  readonly info: unknown;
  /** @param name lower case */
  has(name: string): boolean;
  names(): Iterable<string>;
  /** Brings what `read` needs, for all of these names at once. */
  load(names: readonly string[]): Promise<void>;
  /** @throws BadRepodata */
  read(name: string): readonly WrittenRecord[];
}

/** What a channel gave is no repodata. */
export class BadRepodata extends Error {
  override readonly name = 'BadRepodata';
  /** Position in the task. */
  readonly subdir: number;

  constructor(subdir: number, why: unknown) {
    super(errorMessage(why), { cause: why });
    this.subdir = subdir;
  }
}

export type AskForShards = (wanted: Omit<ShardsWanted, 'kind' | 'id'>) => Promise<readonly Uint8Array[]>;

/** Four times conda-forge's largest: more is an attack or a mistake. */
const MAX_REPODATA_BYTES = 2 ** 31;
const MAX_INDEX_BYTES = 2 ** 27;
/** conda's ZSTD_MAX_SHARD_SIZE (conda-libmamba-solver, shards.py), which says that the largest is 2.6 MB. */
const MAX_SHARD_BYTES = 2 ** 24;

/** @throws BadRepodata */
export async function openRecordSource(
  position: number,
  { file, form }: Pick<SolveTask['subdirs'][number], 'file' | 'form'>,
  ask: AskForShards,
): Promise<RecordSource> {
  try {
    return form === 'shards' ? await openShards(position, file, ask) : await openRepodata(position, file);
  } catch (error) {
    throw error instanceof BadRepodata ? error : new BadRepodata(position, error);
  }
}

async function openRepodata(position: number, file: string): Promise<RecordSource> {
  const bytes = await readBytes(file);
  return readRepodata(position, file.endsWith('.zst') ? await decompress(bytes, MAX_REPODATA_BYTES) : bytes);
}

/** @throws SyntaxError */
export function readRepodata(position: number, json: Buffer): RecordSource {
  const index = indexRepodata(json);
  return {
    info: index.info,
    has: (name) => index.places.has(name),
    names: () => index.places.keys(),
    load: () => Promise.resolve(),
    read: (name) => {
      try {
        return readRecords(index, name);
      } catch (error) {
        throw new BadRepodata(position, error);
      }
    },
  };
}

async function openShards(position: number, file: string, ask: AskForShards): Promise<RecordSource> {
  const index = parseShardIndex(await decompress(await readBytes(file), MAX_INDEX_BYTES));
  const records = new Map<string, readonly WrittenRecord[]>();
  return {
    info: index.info,
    has: (name) => index.digests.has(name),
    names: () => index.digests.keys(),
    load: async (names) => {
      const wanted = names.flatMap((name) => {
        const digest = records.has(name) ? undefined : index.digests.get(name);
        return digest === undefined ? [] : [{ name, digest }];
      });
      if (wanted.length === 0) return;
      const digests = wanted.map(({ digest }) => digest);
      const shards = await ask({ subdir: position, shardsBaseUrl: index.shardsBaseUrl, digests });
      for (const [place, { name }] of wanted.entries()) {
        try {
          records.set(name, parseShard(await decompress(shards[place] ?? Buffer.alloc(0), MAX_SHARD_BYTES), name));
        } catch (error) {
          throw new BadRepodata(position, new Error(`the shard of ${name}: ${errorMessage(error)}`, { cause: error }));
        }
      }
    },
    read: (name) => records.get(name) ?? [],
  };
}

/** @param maxBytes more comes of a few bytes only where somebody means harm */
async function decompress(bytes: Uint8Array, maxBytes: number): Promise<Buffer> {
  return await promisify(zstdDecompress)(bytes, { maxOutputLength: maxBytes });
}
