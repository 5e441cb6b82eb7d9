// Brings each channel's repodata to this machine's disk, asking the channel every time whether it has changed.
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { z } from 'zod';
import { AppError, errorMessage, type Problem } from '../system/app-error.ts';
import type { Report } from '../system/events.ts';
import { EXIT } from '../system/exit-codes.ts';
import { digestText, makeSharedDir, pathExists, readText, removeTree, writeFileAtomic } from '../system/files.ts';
import { isAbandonedStream, removeDayOldFiles, writeStream } from '../system/streamed-files.ts';
import { describeSystemError } from '../system/system-error.ts';
import type { Channel } from './channel.ts';
import { authorizeUrl, type ChannelAccess } from './channel-access.ts';
import { requestChannel, unexpectedAnswer } from './http.ts';
import { RequestRefused } from './http-refusal.ts';

/** One subdir of one channel; `file` is plain JSON, or zstd when its name ends in `.zst`. */
export interface SubdirRepodata {
  readonly channel: Channel;
  readonly subdir: string;
  readonly file: string;
}

export interface RepodataRequest {
  readonly channels: readonly Channel[];
  readonly access: ChannelAccess;
  /** `linux-64`; `noarch` is read besides. */
  readonly platform: string;
  readonly cacheDir: string;
  readonly report: Report;
  readonly signal?: AbortSignal | undefined;
}

/** Preferred first: conda's are a fifth of the size. */
const VARIANTS = ['repodata.json.zst', 'repodata.json'] as const;

/** What is beside the cached data: how to ask whether it is still so. */
const CacheState = z.object({
  variant: z.enum(VARIANTS),
  dataFile: z.string().regex(/^[0-9a-f]+-[0-9a-f]{64}\.json(\.zst)?$/),
  etag: z.string().optional(),
  lastModified: z.string().optional(),
});
type CacheState = z.infer<typeof CacheState>;

/**
 * @returns the subdirs that are there, channels in the order given
 * @throws AppError CHANNEL_UNREACHABLE for every channel that did not answer, all at once. A cached copy never stands in
 *   for a channel that cannot be asked: a build would silently be an old one.
 */
export async function fetchRepodata(request: RepodataRequest): Promise<readonly SubdirRepodata[]> {
  await makeSharedDir(request.cacheDir);
  await removeDayOldFiles(request.cacheDir, isAbandonedStream);
  const wanted = request.channels.flatMap((channel) =>
    ['noarch', request.platform].map((subdir) => ({ channel, subdir })),
  );
  const answers = await Promise.allSettled(wanted.map(({ channel, subdir }) => fetchSubdir(channel, subdir, request)));
  const found: SubdirRepodata[] = [];
  const problems = new Map<Channel, readonly Problem[]>();
  for (const [position, answer] of answers.entries()) {
    const { channel, subdir } = wanted[position] ?? {};
    if (channel === undefined || subdir === undefined) continue;
    if (answer.status === 'fulfilled') {
      if (answer.value !== undefined) found.push({ channel, subdir, file: answer.value });
      else request.report({ type: 'note', text: `channel ${channel.publicUrl} has no packages for ${subdir}` });
    } else if (!(answer.reason instanceof AppError) || answer.reason.exit !== EXIT.buildFailed) {
      throw answer.reason;
    } else if (!problems.has(channel)) problems.set(channel, answer.reason.problems);
  }
  if (problems.size > 0) throw new AppError(EXIT.buildFailed, [...problems.values()].flat());
  return found;
}

/** Forgets a copy that turned out to be unusable, so that the next run asks for a whole one. */
export async function removeCachedRepodata(cacheDir: string, file: string): Promise<void> {
  if (path.dirname(file) === path.resolve(cacheDir)) await removeTree(file);
}

/** @returns the file, or `undefined` where the channel has no such subdir */
async function fetchSubdir(channel: Channel, subdir: string, request: RepodataRequest): Promise<string | undefined> {
  try {
    const file = channel.url.startsWith('file:')
      ? await findLocal(channel, subdir)
      : await fetchRemote(channel, subdir, request);
    if (file !== undefined || subdir !== 'noarch') return file;
  } catch (error) {
    if (error instanceof AppError) throw error;
    const atFault = describeSystemError(error, EXIT.buildFailed);
    if (atFault?.problems[0]?.at?.startsWith(path.resolve(request.cacheDir))) throw atFault;
    throw unreachable(channel, subdir, errorMessage(error), error);
  }
  // CEP 26: "noarch/repodata.json MUST be present to consider the parent location a channel". conda refuses it likewise.
  throw unreachable(channel, subdir, 'there is no noarch/repodata.json, so this is not a conda channel');
}

async function findLocal(channel: Channel, subdir: string): Promise<string | undefined> {
  for (const variant of VARIANTS) {
    const file = path.join(fileURLToPath(channel.url), subdir, variant);
    if (await pathExists(file)) return file;
  }
  return undefined;
}

async function fetchRemote(channel: Channel, subdir: string, request: RepodataRequest): Promise<string | undefined> {
  // By the public URL: a token that is renewed keeps its cache, and none is in a file name.
  const key = digestText(`${channel.publicUrl}/${subdir}`).slice(0, 16);
  const cacheDir = path.resolve(request.cacheDir);
  const stateFile = path.join(cacheDir, `${key}.state.json`);
  const known = await readState(cacheDir, stateFile);
  for (const variant of VARIANTS) {
    const state = await fetchVariant(`${channel.publicUrl}/${subdir}/${variant}`, variant, key, known, request);
    if (state === undefined) continue;
    if (state !== known) {
      await writeFileAtomic(stateFile, `${JSON.stringify(state)}\n`);
      await removeDayOldFiles(cacheDir, (name) => name.startsWith(`${key}-`) && name !== state.dataFile);
    }
    return path.join(cacheDir, state.dataFile);
  }
  return undefined;
}

/** @returns `known` when it is still so, a new state, or `undefined` where the channel has no such file */
async function fetchVariant(
  url: string,
  variant: CacheState['variant'],
  key: string,
  known: CacheState | undefined,
  request: RepodataRequest,
): Promise<CacheState | undefined> {
  const same = known?.variant === variant ? known : undefined;
  const headers: Record<string, string> = {};
  if (same?.etag !== undefined) headers['if-none-match'] = same.etag;
  if (same?.lastModified !== undefined) headers['if-modified-since'] = same.lastModified;
  return await requestChannel(
    { url: authorizeUrl(url, request.access), headers, signal: request.signal },
    async (response, body) => {
      if (response.status === 304 && same) return same;
      // Object stores say 403 for what is not there; for the last variant that may also be a missing permission.
      if (response.status === 404 || (response.status === 403 && variant !== 'repodata.json')) return undefined;
      if (response.status !== 200) throw unexpectedAnswer(response, url);
      let dataFile = '';
      await writeStream(path.resolve(request.cacheDir), body, ({ sha256 }) => {
        dataFile = `${key}-${sha256}${variant.slice('repodata'.length)}`;
        return dataFile;
      });
      return {
        variant,
        dataFile,
        etag: response.headers.get('etag') ?? undefined,
        lastModified: response.headers.get('last-modified') ?? undefined,
      };
    },
  );
}

/** A state that cannot be read, or whose data is gone, is none: the data is asked for anew. */
async function readState(cacheDir: string, stateFile: string): Promise<CacheState | undefined> {
  if (!(await pathExists(stateFile))) return undefined;
  let written: unknown;
  try {
    written = JSON.parse(await readText(stateFile));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const state = CacheState.safeParse(written);
  return state.success && (await pathExists(path.join(cacheDir, state.data.dataFile))) ? state.data : undefined;
}

function unreachable(channel: Channel, subdir: string, why: string, cause?: unknown): AppError {
  const repodata = `${channel.publicUrl}/${subdir}/repodata.json`;
  return new AppError(
    EXIT.buildFailed,
    {
      code: 'CHANNEL_UNREACHABLE',
      message: `channel ${channel.publicUrl} cannot be read (${subdir}): ${why}`,
      hint:
        cause instanceof RequestRefused
          ? cause.hint
          : channel.url.startsWith('file:')
            ? `ls ${channel.publicUrl.slice('file://'.length)}/${subdir}`
            : `curl -fsSIL ${repodata}`,
    },
    { cause },
  );
}
