// Brings each channel's repodata to this machine's disk: both subdirs of a channel from one source, so that they are of one
// state; from the next mirror where a source fails.
import path from 'node:path';
import { AppError, errorMessage, type Problem } from '../system/app-error.ts';
import type { Report } from '../system/events.ts';
import { EXIT } from '../system/exit-codes.ts';
import { makeSharedDir, removeTree } from '../system/files.ts';
import { isAbandonedStream, removeDayOldFiles } from '../system/streamed-files.ts';
import type { Channel } from './channel.ts';
import type { ChannelAccess } from './channel-access.ts';
import { planSources } from './channel-sources.ts';
import { fetchSubdir, NotCached, type SubdirCopy } from './fetch-subdir.ts';
import { RequestRefused } from './http-refusal.ts';

/** One subdir of one channel; the file is compressed with zstd when its name ends in `.zst`. */
export interface SubdirRepodata extends SubdirCopy {
  readonly channel: Channel;
  readonly subdir: string;
  /** Who gave it: the channel, or a mirror of it. */
  readonly source: Channel;
}

export interface RepodataRequest {
  readonly channels: readonly Channel[];
  readonly access: ChannelAccess;
  /** `linux-64`; `noarch` is read besides. */
  readonly platform: string;
  readonly cacheDir: string;
  readonly report: Report;
  readonly signal?: AbortSignal | undefined;
  /** URLs of sources that gave what cannot be read: they are not asked. */
  readonly unusable?: ReadonlySet<string> | undefined;
  /** `<URL of a source>/<subdir>`: its shards cannot be used, so all records are asked for. */
  readonly whole?: ReadonlySet<string> | undefined;
}

/** What one source said to the question for one channel. */
interface Attempt {
  readonly source: Channel;
  readonly found: readonly SubdirRepodata[];
  readonly missing: readonly string[];
  readonly failures: readonly { readonly subdir: string; readonly error: unknown }[];
}

/**
 * @returns the subdirs that are there, channels in the order given
 * @throws AppError CHANNEL_UNREACHABLE for every channel that did not answer, CHANNEL_NOT_CACHED offline, all at once. A copy
 *   whose time is over never stands in for a channel that cannot be asked: a build would silently be an old one.
 */
export async function fetchRepodata(request: RepodataRequest): Promise<readonly SubdirRepodata[]> {
  await makeSharedDir(request.cacheDir);
  await removeDayOldFiles(request.cacheDir, isAbandonedStream);
  const answers = await Promise.allSettled(request.channels.map((channel) => fetchChannel(channel, request)));
  const found: SubdirRepodata[] = [];
  const problems: Problem[] = [];
  for (const answer of answers) {
    if (answer.status === 'fulfilled') found.push(...answer.value);
    else if (!(answer.reason instanceof AppError) || answer.reason.exit !== EXIT.buildFailed) throw answer.reason;
    else problems.push(...answer.reason.problems);
  }
  if (problems.length > 0) throw new AppError(EXIT.buildFailed, problems);
  return found;
}

/** Forgets a copy that turned out to be unusable, so that the next run asks for a whole one. */
export async function removeCachedRepodata(cacheDir: string, file: string): Promise<void> {
  if (path.dirname(file) === path.resolve(cacheDir)) await removeTree(file);
}

async function fetchChannel(channel: Channel, request: RepodataRequest): Promise<readonly SubdirRepodata[]> {
  const sources = planSources(channel, request.access.mirrors).filter(
    ({ publicUrl }) => !request.unusable?.has(publicUrl),
  );
  const attempts: Attempt[] = [];
  for (const [position, source] of sources.entries()) {
    const attempt = await askSource(channel, source, request, position === sources.length - 1 ? undefined : 2);
    attempts.push(attempt);
    if (attempt.failures.length === 0 && attempt.missing.length === 0) break;
  }
  // A mirror without the platform's subdir may be one that is not whole: it counts when nobody else could be asked in vain.
  const whole = attempts.find(({ failures, missing }) => failures.length === 0 && missing.length === 0);
  const partial = attempts.every(({ failures }) => failures.length === 0) ? attempts[0] : undefined;
  const chosen = whole ?? partial;
  const problems = attempts.flatMap((attempt) => (attempt === chosen ? [] : describeAttempt(channel, attempt)));
  if (!chosen) throw new AppError(EXIT.buildFailed, problems, { cause: attempts[0]?.failures[0]?.error });
  for (const { message } of whole ? problems : []) request.report({ type: 'warning', text: message });
  for (const subdir of chosen.missing)
    request.report({ type: 'note', text: `channel ${channel.publicUrl} has no packages for ${subdir}` });
  return chosen.found;
}

async function askSource(
  channel: Channel,
  source: Channel,
  request: RepodataRequest,
  tries: number | undefined,
): Promise<Attempt> {
  const subdirs = ['noarch', request.platform];
  const isWhole = (subdir: string): boolean => request.whole?.has(`${source.publicUrl}/${subdir}`) === true;
  const answers = await Promise.allSettled(
    subdirs.map((subdir) =>
      fetchSubdir({ ...request, source, subdir, tries, isWhole: isWhole(subdir) }).then((copy) => ({ subdir, copy })),
    ),
  );
  const found: SubdirRepodata[] = [];
  const missing: string[] = [];
  const failures: { subdir: string; error: unknown }[] = [];
  for (const [position, answer] of answers.entries()) {
    const subdir = subdirs[position] ?? '';
    if (answer.status === 'rejected') {
      if (answer.reason instanceof AppError) throw answer.reason; // interrupted, or our own disk
      failures.push({ subdir, error: answer.reason });
    } else if (answer.value.copy) found.push({ ...answer.value.copy, channel, subdir, source });
    else if (isWhole(subdir)) failures.push({ subdir, error: new Error('it has shards alone, no repodata.json') });
    else if (subdir !== 'noarch') missing.push(subdir);
    else {
      // CEP 26: "noarch/repodata.json MUST be present to consider the parent location a channel". conda refuses it likewise.
      const error = new Error('there is no noarch/repodata.json, so this is not a conda channel');
      failures.push({ subdir, error });
    }
  }
  return { source, found, missing, failures };
}

/** One problem for each source: what is wrong with one subdir is mostly wrong with the other. */
function describeAttempt(channel: Channel, { source, missing, failures }: Attempt): Problem[] {
  const isMirror = source.publicUrl !== channel.publicUrl;
  const where = `channel ${channel.publicUrl}${isMirror ? ` at its mirror ${source.publicUrl}` : ''}`;
  const failure = failures[0];
  if (!failure) {
    const absent = missing.join(', ');
    return [
      { code: 'CHANNEL_UNREACHABLE', message: `${where} has no ${absent}`, hint: `ls or curl ${source.publicUrl}` },
    ];
  }
  const { subdir, error } = failure;
  if (error instanceof NotCached) {
    const names = failures.map(({ subdir: name }) => name).join(', ');
    return [
      {
        code: 'CHANNEL_NOT_CACHED',
        message: `${where} is not in the cache (${names}), and offline nobody is asked`,
        hint: 'run it once without --offline; or copy its packages with condense mirror and name that copy as a channel or mirror (file:///...)',
      },
    ];
  }
  return [
    {
      code: 'CHANNEL_UNREACHABLE',
      message: `${where} cannot be read (${subdir}): ${errorMessage(error)}`,
      hint: describeHint(source, subdir, error),
    },
  ];
}

function describeHint(source: Channel, subdir: string, error: unknown): string {
  if (error instanceof RequestRefused) return error.hint;
  if (source.url.startsWith('file:')) return `ls ${source.publicUrl.slice('file://'.length)}/${subdir}`;
  return `curl -fsSIL ${source.publicUrl}/${subdir}/repodata.json`;
}
