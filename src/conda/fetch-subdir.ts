// One subdir from one source (a channel or a mirror of it): from its files, from the cache, or asked for and kept.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXIT } from '../system/exit-codes.ts';
import { pathExists } from '../system/files.ts';
import { writeStream } from '../system/streamed-files.ts';
import { describeSystemError } from '../system/system-error.ts';
import { authorizeRequest, type ChannelAccess } from './channel-access.ts';
import type { Channel } from './channel.ts';
import { requestChannel, unexpectedAnswer } from './http.ts';
import { isFresh, isStorable, planFreshness } from './http-cache.ts';
import {
  freshnessOf,
  isTimeForShards,
  RepodataCache,
  VARIANTS,
  type KeptCopy,
  type Variant,
} from './repodata-cache.ts';

export interface SubdirRequest {
  readonly source: Channel;
  readonly subdir: string;
  readonly access: ChannelAccess;
  readonly cacheDir: string;
  readonly signal?: AbortSignal | undefined;
  readonly tries?: number | undefined;
  /** Shards of it turned out to be missing or wrong: all records are asked for, even where a copy of the index is fresh. */
  readonly isWhole?: boolean | undefined;
}

export interface SubdirCopy {
  readonly file: string;
  /** An index of shards (CEP 16), or all records. */
  readonly form: 'shards' | 'json';
  /** Whether it was there before: what is wrong with it may be wrong with the copy alone. */
  readonly reused: boolean;
}

/** Offline, and nothing of it is in the cache. */
export class NotCached extends Error {
  override readonly name = 'NotCached';
}

/** Four times conda-forge's largest, as it comes; conda-forge's index of shards is 0.6 MB. */
const MAX_BYTES: Readonly<Record<Variant, number>> = {
  'repodata_shards.msgpack.zst': 2 ** 25,
  'repodata.json.zst': 2 ** 29,
  'repodata.json': 2 ** 31,
};

const SHARDS: Variant = 'repodata_shards.msgpack.zst';

const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** A web server that answers 200 and a page for what it does not have. */
class NotShards extends Error {
  override readonly name = 'NotShards';
}

/**
 * @returns `undefined` where the source has no such subdir
 * @throws NotCached, Error, RequestRefused; AppError where it is the cache that fails: no other source would do better
 */
export async function fetchSubdir(request: SubdirRequest): Promise<SubdirCopy | undefined> {
  try {
    return await askOrReuse(request);
  } catch (error) {
    const atFault = describeSystemError(error, EXIT.buildFailed);
    if (atFault?.problems[0]?.at?.startsWith(path.resolve(request.cacheDir))) throw atFault;
    throw error;
  }
}

async function askOrReuse(request: SubdirRequest): Promise<SubdirCopy | undefined> {
  const { source, subdir } = request;
  if (source.url.startsWith('file:')) return await findLocal(source, subdir);
  const cache = new RepodataCache(request.cacheDir, source.publicUrl, subdir);
  const kept = await cache.read();
  if (request.access.offline) {
    if (kept === undefined) throw new NotCached('it is not in the cache');
    return kept === 'absent' ? undefined : describeCopy(kept, cache, true);
  }
  const isRefused = (variant: Variant): boolean => request.isWhole === true && variant === SHARDS;
  const known = kept === 'absent' || (kept && isRefused(kept.variant)) ? undefined : kept;
  const nowMs = Date.now();
  if (known && isFresh(freshnessOf(known), nowMs)) return describeCopy(known, cache, true);
  let noShardsAtMs = known?.noShardsAtMs;
  for (const variant of VARIANTS) {
    if (isRefused(variant) || (variant === SHARDS && !isTimeForShards(known, nowMs))) continue;
    const answer = await fetchVariant(variant, known, cache, request);
    if (answer !== undefined) {
      const { isKept, ...copy } = { ...answer, ...(noShardsAtMs === undefined ? {} : { noShardsAtMs }) };
      if (isKept) await cache.write(copy);
      else await cache.forget();
      return describeCopy(copy, cache, copy.dataFile === known?.dataFile);
    }
    if (variant === SHARDS) noShardsAtMs = nowMs;
  }
  // Where its shards were refused it is not known to have nothing.
  await (request.isWhole ? cache.forget() : cache.write('absent'));
  return undefined;
}

function describeCopy(copy: KeptCopy, cache: RepodataCache, reused: boolean): SubdirCopy {
  const form = copy.variant === SHARDS ? 'shards' : 'json';
  return { file: cache.file(copy), form, reused };
}

/** All of a file is there at once: shards would save nothing. */
async function findLocal(source: Channel, subdir: string): Promise<SubdirCopy | undefined> {
  for (const variant of ['repodata.json.zst', 'repodata.json']) {
    const file = path.join(fileURLToPath(source.url), subdir, variant);
    if (await pathExists(file)) return { file, form: 'json', reused: false };
  }
  return undefined;
}

/** @returns what to keep, or `undefined` where the source has no such file */
async function fetchVariant(
  variant: Variant,
  known: KeptCopy | undefined,
  cache: RepodataCache,
  request: SubdirRequest,
): Promise<(KeptCopy & { readonly isKept: boolean }) | undefined> {
  const url = `${request.source.publicUrl}/${request.subdir}/${variant}`;
  const same = known?.variant === variant ? known : undefined;
  const headers: Record<string, string> = {};
  if (same?.etag !== undefined) headers['if-none-match'] = same.etag;
  if (same?.lastModified !== undefined) headers['if-modified-since'] = same.lastModified;
  const authorized = authorizeRequest(url, request.access);
  const { signal, tries } = request;
  try {
    return await requestChannel(
      {
        url: authorized.url,
        headers: { ...headers, ...authorized.headers },
        signal,
        tries,
        maxBytes: MAX_BYTES[variant],
      },
      async (response, body) => {
        const nowMs = Date.now();
        const isKept = isStorable(response.headers);
        if (response.status === 304 && same)
          return { ...same, ...planFreshness(response.headers, nowMs, freshnessOf(same)), isKept };
        if (isMissing(response.status, variant)) return undefined;
        if (response.status !== 200) throw unexpectedAnswer(response, url);
        let dataFile = '';
        const chunks = variant === SHARDS ? zstdOnly(body) : body;
        await writeStream(path.resolve(request.cacheDir), chunks, ({ sha256 }) => {
          dataFile = cache.dataFile(variant, sha256);
          return dataFile;
        });
        return {
          variant,
          dataFile,
          etag: response.headers.get('etag') ?? undefined,
          lastModified: response.headers.get('last-modified') ?? undefined,
          ...planFreshness(response.headers, nowMs),
          isKept,
        };
      },
    );
  } catch (error) {
    if (error instanceof NotShards) return undefined;
    throw error;
  }
}

/** Object stores say 403 for what is not there; for the last variant that may also be a missing permission. */
function isMissing(status: number, variant: Variant): boolean {
  if (status === 404 || (status === 403 && variant !== 'repodata.json')) return true;
  // Repositories that know the older names only refuse this one in ways of their own.
  return variant === SHARDS && [400, 405, 406, 410].includes(status);
}

async function* zstdOnly(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (head === undefined) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < ZSTD_MAGIC.length) continue;
    if (!head.subarray(0, ZSTD_MAGIC.length).equals(ZSTD_MAGIC)) throw new NotShards('it is not compressed with zstd');
    yield head;
    head = undefined;
  }
  if (head !== undefined) throw new NotShards('it is not compressed with zstd');
}
