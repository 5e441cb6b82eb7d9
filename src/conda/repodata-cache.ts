// What is kept of a channel's repodata, and beside it how it was got: how to ask whether it is still so, and when one has to.
import path from 'node:path';
import { z } from 'zod';
import { digestText, pathExists, readText, removeTree, writeFileAtomic } from '../system/files.ts';
import { removeDayOldFiles } from '../system/streamed-files.ts';
import type { Freshness } from './http-cache.ts';

/** Preferred first: shards are a few kilobytes for each name (CEP 16), zstd is a fifth of the size of JSON. */
export const VARIANTS = ['repodata_shards.msgpack.zst', 'repodata.json.zst', 'repodata.json'] as const;
export type Variant = (typeof VARIANTS)[number];

const Time = z.number().nonnegative();
const CacheState = z.union([
  z.object({
    variant: z.enum(VARIANTS),
    dataFile: z.string().regex(/^[0-9a-f]+-[0-9a-f]{64}\.(?:json|json\.zst|msgpack\.zst)$/),
    etag: z.string().optional(),
    lastModified: z.string().optional(),
    receivedAtMs: Time.default(0),
    freshMs: Time.default(0),
    /** When the source was last found to have no shards. */
    noShardsAtMs: Time.optional(),
  }),
  /** The source has no such subdir: offline, that is an answer too. */
  z.object({ isAbsent: z.literal(true) }),
]);
export type KeptCopy = Extract<z.infer<typeof CacheState>, { variant: Variant }>;

/** conda's CHECK_ALTERNATE_FORMAT_INTERVAL: how long it does not ask again for a form that was not there. */
const SHARDS_AGAIN_MS = 7 * 24 * 60 * 60 * 1000;

/** One subdir at one source: its files in the cache directory. */
export class RepodataCache {
  readonly #dir: string;
  readonly #key: string;

  /** @param sourceUrl without credentials: a token that is renewed keeps its cache, and none is in a file name */
  constructor(dir: string, sourceUrl: string, subdir: string) {
    this.#dir = path.resolve(dir);
    this.#key = digestText(`${sourceUrl}/${subdir}`).slice(0, 16);
  }

  file(copy: Pick<KeptCopy, 'dataFile'>): string {
    return path.join(this.#dir, copy.dataFile);
  }

  dataFile(variant: Variant, sha256: string): string {
    return `${this.#key}-${sha256}${variant.slice(variant.indexOf('.'))}`;
  }

  /** A state that cannot be read, or whose data is gone, is none: the data is asked for anew. */
  async read(): Promise<KeptCopy | 'absent' | undefined> {
    const file = this.#stateFile();
    if (!(await pathExists(file))) return undefined;
    let written: unknown;
    try {
      written = JSON.parse(await readText(file));
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
    const state = CacheState.safeParse(written);
    if (!state.success) return undefined;
    if (!('variant' in state.data)) return 'absent';
    return (await pathExists(this.file(state.data))) ? state.data : undefined;
  }

  /** In a cache that this build may only read, what is there stays: the channel is asked again the next time. */
  async write(state: KeptCopy | 'absent'): Promise<void> {
    try {
      await writeFileAtomic(this.#stateFile(), `${JSON.stringify(state === 'absent' ? { isAbsent: true } : state)}\n`);
    } catch (error) {
      if (!['EROFS', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      return;
    }
    await this.#removeOld(state === 'absent' ? '' : state.dataFile);
  }

  /** The next solve asks for a whole one. */
  async forget(): Promise<void> {
    await removeTree(this.#stateFile());
    await this.#removeOld('');
  }

  async #removeOld(kept: string): Promise<void> {
    await removeDayOldFiles(this.#dir, (name) => name.startsWith(`${this.#key}-`) && name !== kept);
  }

  #stateFile(): string {
    return path.join(this.#dir, `${this.#key}.state.json`);
  }
}

export function freshnessOf(copy: KeptCopy): Freshness {
  return { receivedAtMs: copy.receivedAtMs, freshMs: copy.freshMs };
}

/** Pure. Whether to ask for shards, where they were not there before. A time in the future says nothing. */
export function isTimeForShards(copy: KeptCopy | undefined, nowMs: number): boolean {
  const agoMs = nowMs - (copy?.noShardsAtMs ?? -Infinity);
  return agoMs < 0 || agoMs > SHARDS_AGAIN_MS;
}
