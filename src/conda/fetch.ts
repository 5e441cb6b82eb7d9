// Downloads the packages of a lock into a content-addressed cache, verified while they come.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pLimit from 'p-limit';
import { AppError, errorMessage, type Problem } from '../system/app-error.ts';
import type { Report } from '../system/events.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, makeSharedDir } from '../system/files.ts';
import {
  isAbandonedStream,
  readChunks,
  removeDayOldFiles,
  removePartial,
  takePartial,
  writeStream,
  type PartialStream,
} from '../system/streamed-files.ts';
import { describeSystemError } from '../system/system-error.ts';
import { authorizeRequest, OPEN_ACCESS, type ChannelAccess } from './channel-access.ts';
import { planSources } from './channel-sources.ts';
import { requestChannel, unexpectedAnswer } from './http.ts';
import { SourceHealth } from './source-health.ts';
import { RequestRefused } from './http-refusal.ts';
import type { LockedPackage } from './lock.ts';

type WantedPackage = Pick<LockedPackage, 'name' | 'url' | 'sha256' | 'sizeBytes'>;

export interface FetchRequest {
  /** Their URLs are without credentials, as locks have them. */
  readonly packages: readonly WantedPackage[];
  readonly access?: ChannelAccess | undefined;
  /** Shared by builds, by several processes at once too; safe to delete. */
  readonly cacheDir: string;
  readonly report: Report;
  readonly signal?: AbortSignal | undefined;
  /** Downloads at a time. Default 8. */
  readonly concurrency?: number | undefined;
}

/** What came is not what the lock says. */
class WrongContent extends Error {
  override readonly name = 'WrongContent';
}

/** Somebody answers, and has no such file. */
class NotThere extends Error {
  override readonly name = 'NotThere';
}

/** Where the lock does not say how large a package is: more is an attack or a mistake. */
const MAX_PACKAGE_BYTES = 2 ** 35;

/** `<cacheDir>/ab/abcd….conda` */
export function cachedPackageFile(cacheDir: string, wanted: Pick<WantedPackage, 'url' | 'sha256'>): string {
  const known = ['.conda', '.tar.bz2', '.whl', '.tar.gz', '.zip'];
  const extension = known.find((each) => wanted.url.endsWith(each)) ?? '';
  return path.join(cacheDir, wanted.sha256.slice(0, 2), `${wanted.sha256}${extension}`);
}

/**
 * Brings every package into the cache. A file that is there is trusted by its name and its size: it was verified when it
 * was written, and renamed into place whole. Should the disk have spoilt it since, extracting it fails: whoever extracts
 * removes `cachedPackageFile(...)` and calls this again.
 * @returns sha256 to path
 * @throws AppError PACKAGE_HASH_MISMATCH, PACKAGE_UNREACHABLE, CACHE_NOT_WRITABLE, PACKAGE_NOT_CACHED (all packages that failed at once), INTERRUPTED
 */
export async function fetchPackages(request: FetchRequest): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const missing: WantedPackage[] = [];
  for (const wanted of request.packages) {
    if (files.has(wanted.sha256)) continue;
    const file = cachedPackageFile(request.cacheDir, wanted);
    files.set(wanted.sha256, file);
    if (!(await isCached(file, wanted))) missing.push(wanted);
  }
  const total = missing.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0);
  let done = 0;
  const count = (bytes: number): void => {
    done += bytes;
    // Where the lock has no sizes, the total is only known at the end.
    request.report({ type: 'progress', stage: 'fetch', done, total: Math.max(done, total), unit: 'bytes' });
  };
  if (request.access?.offline) refuseOffline(missing, request);
  const health = new SourceHealth();
  const limit = pLimit(request.concurrency ?? 8);
  const results = await Promise.allSettled(
    missing.map((wanted) => limit(() => fetchPackage(wanted, files.get(wanted.sha256) ?? '', request, health, count))),
  );
  const failures = results.flatMap((result): unknown[] => (result.status === 'rejected' ? [result.reason] : []));
  if (failures.length > 0) throw gatherFailures(failures);
  return files;
}

/** Offline only what is in files can still be had. @throws AppError PACKAGE_NOT_CACHED, naming all that is missing */
function refuseOffline(missing: readonly WantedPackage[], { access, cacheDir }: FetchRequest): void {
  const unreachable = missing.filter(({ url }) =>
    planSources({ url, publicUrl: url }, access?.mirrors).every(({ publicUrl }) => !publicUrl.startsWith('file:')),
  );
  if (unreachable.length === 0) return;
  const list = unreachable.map(({ url }) => `\n  ${url}`).join('');
  throw new AppError(EXIT.buildFailed, {
    code: 'PACKAGE_NOT_CACHED',
    message: `offline, and ${unreachable.length} packages are not in the cache ${cacheDir}:${list}`,
    hint: 'run it once without --offline; or copy them with condense mirror where there is a network, and name that copy in channels.mirrors',
  });
}

async function isCached(file: string, wanted: WantedPackage): Promise<boolean> {
  const at = await lstatIfThere(file).catch((error: unknown) => {
    throw new AppError(EXIT.buildFailed, describeFailure(wanted, file, error), { cause: error });
  });
  const { sizeBytes } = wanted;
  return at !== undefined && at.isFile() && (sizeBytes === undefined || at.size === sizeBytes);
}

async function fetchPackage(
  wanted: WantedPackage,
  file: string,
  request: FetchRequest,
  health: SourceHealth,
  count: (bytes: number) => void,
): Promise<void> {
  stopIfAborted(request.signal);
  try {
    await makeSharedDir(path.dirname(file));
    await removeDayOldFiles(path.dirname(file), isAbandonedStream);
    await fetchFromSources(wanted, file, request, health, count);
  } catch (error) {
    stopIfAborted(request.signal);
    throw error instanceof AppError
      ? error
      : new AppError(EXIT.buildFailed, describeFailure(wanted, file, error), { cause: error });
  }
}

/** From the first source that has it; what is wrong with each is told when none has. */
async function fetchFromSources(
  wanted: WantedPackage,
  file: string,
  request: FetchRequest,
  health: SourceHealth,
  count: (bytes: number) => void,
): Promise<void> {
  const { access = OPEN_ACCESS } = request;
  const sources = planSources({ url: wanted.url, publicUrl: wanted.url }, access.mirrors).map(
    ({ publicUrl }) => publicUrl,
  );
  const failures: { url: string; error: unknown }[] = [];
  for (const [position, url] of health.order(sources).entries()) {
    const tries = position === sources.length - 1 ? undefined : 2;
    const ask = (): Promise<void> => download({ ...wanted, url }, file, request, tries, count);
    try {
      // Twice: a proxy may have given something stale or cut short, once.
      await ask().catch(async (error: unknown) => {
        if (!(error instanceof WrongContent)) throw error;
        await ask();
      });
      return;
    } catch (error) {
      if (request.signal?.aborted || isOurDisk(error, url)) throw error;
      failures.push({ url, error });
      // One that answers, if with something else, costs nothing to ask.
      if (!(error instanceof WrongContent || error instanceof NotThere)) health.noteFailure(url);
    }
  }
  const [only] = failures;
  if (failures.length === 1 && only?.url === wanted.url) throw only.error;
  throw new AppError(
    EXIT.buildFailed,
    failures.map(({ url, error }) => describeFailure({ ...wanted, url }, file, error, wanted.url)),
    { cause: only?.error },
  );
}

async function download(
  wanted: WantedPackage,
  file: string,
  { access = OPEN_ACCESS, signal }: FetchRequest,
  tries: number | undefined,
  count: (bytes: number) => void,
): Promise<void> {
  const dir = path.dirname(file);
  const store = async (chunks: AsyncIterable<Uint8Array>, partial?: PartialStream): Promise<void> => {
    let counted = 0;
    const countMore = (bytes: number): void => {
      counted += bytes;
      count(bytes);
    };
    countMore(partial?.sizeBytes ?? 0);
    try {
      await writeStream(
        dir,
        limited(chunks, wanted, signal, countMore, partial?.sizeBytes),
        (written) => {
          if (written.sha256 !== wanted.sha256) {
            throw new WrongContent(
              `expected sha256 ${wanted.sha256}, got ${written.sha256} (${written.sizeBytes} bytes)`,
            );
          }
          return path.basename(file);
        },
        { key: wanted.sha256, partial },
      );
    } catch (error) {
      count(-counted);
      throw error;
    }
  };
  const partial = await takePartial(dir, wanted.sha256);
  if (wanted.url.startsWith('file:')) {
    if (partial) await removePartial(partial);
    await store(readChunks(fileURLToPath(wanted.url)));
    return;
  }
  // Killed between the last byte and the rename.
  if (partial?.sizeBytes === wanted.sizeBytes && partial) {
    await store(nothing(), partial);
    return;
  }
  // RFC 9110, 14: the rest of it, of the bytes as they are. What it is part of is known by its digest.
  const authorized = authorizeRequest(wanted.url, access);
  const headers = {
    ...authorized.headers,
    ...(partial ? { range: `bytes=${partial.sizeBytes}-`, 'accept-encoding': 'identity' } : {}),
  };
  const maxBytes = wanted.sizeBytes === undefined ? MAX_PACKAGE_BYTES : undefined;
  try {
    await requestChannel({ url: authorized.url, headers, signal, tries, maxBytes }, async (response, body) => {
      if (response.status === 200) await store(body);
      else if (partial && response.status === 206) {
        const from = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
        if (from !== String(partial.sizeBytes) || !(await lstatIfThere(partial.file)))
          throw new WrongContent('the server sent another part than was asked for');
        await store(body, partial);
      } else if (partial && response.status === 416) throw new WrongContent('the server has less than came before');
      else if (response.status === 404) throw new NotThere(unexpectedAnswer(response, wanted.url).message);
      else throw unexpectedAnswer(response, wanted.url);
    });
  } finally {
    if (partial) await removePartial(partial); // where the server sent the whole: after a rename nothing has that name
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // Every byte is there.
}

/** Stops as soon as more comes than the lock says: a server cannot fill the disk. */
async function* limited(
  chunks: AsyncIterable<Uint8Array>,
  { sha256, sizeBytes }: WantedPackage,
  signal: AbortSignal | undefined,
  count: (bytes: number) => void,
  before = 0,
): AsyncGenerator<Uint8Array> {
  let received = before;
  for await (const chunk of chunks) {
    stopIfAborted(signal);
    received += chunk.length;
    if (sizeBytes !== undefined && received > sizeBytes) {
      throw new WrongContent(`expected ${sizeBytes} bytes with sha256 ${sha256}, got more`);
    }
    count(chunk.length);
    yield chunk;
  }
}

/** Whether it is our cache that fails: then no other source would do better. */
function isOurDisk(error: unknown, url: string): boolean {
  const { code, path: at } = error as NodeJS.ErrnoException;
  const isSource = url.startsWith('file:') && at === fileURLToPath(url);
  if (code === undefined || isSource) return false;
  return describeSystemError(error) !== undefined || code === 'EEXIST' || code === 'ENOTDIR';
}

/** @param locked the URL of the lock, where another was asked in its place */
function describeFailure(wanted: WantedPackage, file: string, error: unknown, locked = wanted.url): Problem {
  const what = wanted.url === locked ? wanted.url : `${wanted.url} (mirror of ${locked})`;
  if (error instanceof WrongContent) {
    return {
      code: 'PACKAGE_HASH_MISMATCH',
      message: `${what} is not the package that was locked: ${error.message}`,
      hint: 'the file and the index of the channel disagree: run the command again when the channel is whole, or tell its maintainers',
    };
  }
  if (isOurDisk(error, wanted.url)) {
    const known = describeSystemError(error)?.problems[0];
    return {
      code: 'CACHE_NOT_WRITABLE',
      message: `${what} cannot be stored: ${known?.message ?? errorMessage(error)}`,
      at: file,
      hint: known?.hint ?? `ls -ld ${path.dirname(file)}`,
    };
  }
  return {
    code: 'PACKAGE_UNREACHABLE',
    message: `${what} cannot be downloaded: ${errorMessage(error)}`,
    hint:
      error instanceof RequestRefused
        ? error.hint
        : wanted.url.startsWith('file:')
          ? `ls -l ${fileURLToPath(wanted.url)}`
          : `curl -fsSIL ${wanted.url}`,
  };
}

function gatherFailures(failures: readonly unknown[]): unknown {
  const ours = failures.filter((failure) => failure instanceof AppError);
  const bug = failures.find((failure) => !(failure instanceof AppError));
  const interrupted = ours.find(({ exit }) => exit === EXIT.interrupted);
  if (bug !== undefined || interrupted) return bug ?? interrupted;
  return new AppError(
    EXIT.buildFailed,
    ours.flatMap(({ problems }) => problems),
  );
}

function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw new AppError(EXIT.interrupted, { code: 'INTERRUPTED', message: 'the download was interrupted' });
}
