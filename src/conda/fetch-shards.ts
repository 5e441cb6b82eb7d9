// Brings shards (CEP 16) into a cache where each has the name of its sha256: what is there is never asked for again.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pLimit from 'p-limit';
import { AppError, errorMessage } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { digestText, makeSharedDir, pathExists, readBytes, removeTree } from '../system/files.ts';
import { readChunks, writeStream } from '../system/streamed-files.ts';
import { describeSystemError } from '../system/system-error.ts';
import { authorizeRequest, type ChannelAccess } from './channel-access.ts';
import { planSources } from './channel-sources.ts';
import { requestChannel, unexpectedAnswer } from './http.ts';
import type { SubdirRepodata } from './repodata.ts';

export interface ShardsRequest {
  readonly of: Pick<SubdirRepodata, 'channel' | 'subdir' | 'source'>;
  /** As the index has it. */
  readonly shardsBaseUrl: string;
  readonly digests: readonly string[];
  readonly access: ChannelAccess;
  readonly cacheDir: string;
  readonly signal?: AbortSignal | undefined;
}

/** A shard that the index names cannot be had: the index and the shards are not of one state. */
export class ShardsMissing extends Error {
  override readonly name = 'ShardsMissing';
}

/** As it comes, compressed. conda-forge's largest is 0.5 MB. */
const MAX_SHARD_BYTES = 2 ** 24;
/** Names that one solve reaches: conda-forge has some thirty thousand in all. */
const MAX_SHARDS = 200_000;
/** As many as conda (SHARDS_CONNECTIONS_DEFAULT) and some more: each is a few kilobytes. */
const AT_ONCE = 16;

/** @returns the shards in the order of their digests, each verified @throws ShardsMissing; AppError INTERRUPTED, or where it is the cache that fails */
export async function fetchShards(request: ShardsRequest): Promise<readonly Uint8Array[]> {
  if (request.digests.length > MAX_SHARDS) throw new ShardsMissing(`${request.digests.length} shards are too many`);
  const base = planShardsBase(request);
  const limit = pLimit(AT_ONCE);
  const answers = await Promise.allSettled(
    request.digests.map((digest) => limit(() => readShard(digest, base, request))),
  );
  const failures = answers.flatMap((answer): unknown[] => (answer.status === 'rejected' ? [answer.reason] : []));
  const other = answers.find((answer) => answer.status === 'rejected' && !(answer.reason instanceof ShardsMissing));
  if (other?.status === 'rejected') throw other.reason;
  if (failures.length > 0) {
    const shown = failures.slice(0, 3).map((failure) => errorMessage(failure));
    const more = failures.length > 3 ? `; and ${failures.length - 3} more` : '';
    throw new ShardsMissing(`${failures.length} shards of its index cannot be had: ${shown.join('; ')}${more}`);
  }
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
}

/** CEP 16: absolute, or relative to the index; with or without a slash at the end. @throws ShardsMissing */
function planShardsBase({ of, shardsBaseUrl }: ShardsRequest): string {
  const written = shardsBaseUrl === '' || shardsBaseUrl.endsWith('/') ? shardsBaseUrl : `${shardsBaseUrl}/`;
  const base = URL.parse(written, `${of.channel.publicUrl}/${of.subdir}/`);
  const isAllowed = base && /^https?:$/.test(base.protocol) && base.search === '' && base.hash === '';
  if (!isAllowed || base.username !== '' || base.password !== '')
    throw new ShardsMissing('shards_base_url is no http(s) URL (CEP 16)');
  return base.href;
}

async function readShard(digest: string, base: string, request: ShardsRequest): Promise<Uint8Array> {
  const dir = path.join(path.resolve(request.cacheDir), 'shards', digest.slice(0, 2));
  const file = path.join(dir, `${digest}.msgpack.zst`);
  if (await pathExists(file)) {
    const bytes = await readBytes(file);
    if (digestText(bytes) === digest) return bytes;
    await removeTree(file); // the disk has changed it
  }
  const url = `${base}${digest}.msgpack.zst`;
  if (request.access.offline) throw new ShardsMissing(`${url} is not in the cache`);
  const sources = planSources({ url, publicUrl: url }, request.access.mirrors);
  // Who gave the index has what it names, if anybody has.
  const ordered = sources.toSorted(
    (a, b) =>
      Number(b.publicUrl.startsWith(request.of.source.publicUrl)) -
      Number(a.publicUrl.startsWith(request.of.source.publicUrl)),
  );
  const whys: string[] = [];
  for (const [position, source] of ordered.entries()) {
    try {
      const bytes = await download(source.publicUrl, digest, request, position === ordered.length - 1 ? undefined : 2);
      await makeSharedDir(dir);
      await writeStream(dir, once(bytes), () => path.basename(file));
      return bytes;
    } catch (error) {
      if (error instanceof AppError) throw error;
      // Our own disk: no other source would do better, and the channel is not at fault.
      const known = describeSystemError(error, EXIT.buildFailed);
      if (known?.problems[0]?.at?.startsWith(dir)) throw known;
      whys.push(`${source.publicUrl}: ${errorMessage(error)}`);
    }
  }
  throw new ShardsMissing(whys.join('; '));
}

async function download(
  url: string,
  digest: string,
  { access, signal }: ShardsRequest,
  tries: number | undefined,
): Promise<Buffer> {
  const gather = async (chunks: AsyncIterable<Uint8Array>): Promise<Buffer> => {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    const bytes = Buffer.concat(parts);
    if (digestText(bytes) !== digest) throw new Error('it is not what its name says (sha256)');
    return bytes;
  };
  if (url.startsWith('file:')) return await gather(readChunks(fileURLToPath(url)));
  const authorized = authorizeRequest(url, access);
  return await requestChannel({ ...authorized, signal, tries, maxBytes: MAX_SHARD_BYTES }, async (response, body) => {
    if (response.status !== 200) throw unexpectedAnswer(response, url);
    return await gather(body);
  });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
