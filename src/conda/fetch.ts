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
import { authorizeUrl, OPEN_ACCESS, type ChannelAccess } from './channel-access.ts';
import { requestChannel, unexpectedAnswer } from './http.ts';
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
 * @throws AppError PACKAGE_HASH_MISMATCH, PACKAGE_UNREACHABLE, CACHE_NOT_WRITABLE (all packages that failed at once), INTERRUPTED
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
  const limit = pLimit(request.concurrency ?? 8);
  const results = await Promise.allSettled(
    missing.map((wanted) => limit(() => fetchPackage(wanted, files.get(wanted.sha256) ?? '', request, count))),
  );
  const failures = results.flatMap((result): unknown[] => (result.status === 'rejected' ? [result.reason] : []));
  if (failures.length > 0) throw gatherFailures(failures);
  return files;
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
  count: (bytes: number) => void,
): Promise<void> {
  stopIfAborted(request.signal);
  try {
    await makeSharedDir(path.dirname(file));
    await removeDayOldFiles(path.dirname(file), isAbandonedStream);
    // Twice: a proxy may have given something stale or cut short, once.
    await download(wanted, file, request, count).catch(async (error: unknown) => {
      if (!(error instanceof WrongContent)) throw error;
      await download(wanted, file, request, count);
    });
  } catch (error) {
    stopIfAborted(request.signal);
    throw error instanceof AppError
      ? error
      : new AppError(EXIT.buildFailed, describeFailure(wanted, file, error), { cause: error });
  }
}

async function download(
  wanted: WantedPackage,
  file: string,
  { access = OPEN_ACCESS, signal }: FetchRequest,
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
  const headers = partial ? { range: `bytes=${partial.sizeBytes}-`, 'accept-encoding': 'identity' } : {};
  try {
    await requestChannel({ url: authorizeUrl(wanted.url, access), headers, signal }, async (response, body) => {
      if (response.status === 200) await store(body);
      else if (partial && response.status === 206) {
        const from = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
        if (from !== String(partial.sizeBytes) || !(await lstatIfThere(partial.file)))
          throw new WrongContent('the server sent another part than was asked for');
        await store(body, partial);
      } else if (partial && response.status === 416) throw new WrongContent('the server has less than came before');
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

function describeFailure(wanted: WantedPackage, file: string, error: unknown): Problem {
  if (error instanceof WrongContent) {
    return {
      code: 'PACKAGE_HASH_MISMATCH',
      message: `${wanted.url} is not the package that was locked: ${error.message}`,
      hint: 'the file and the index of the channel disagree: run the command again when the channel is whole, or tell its maintainers',
    };
  }
  const { code, path: at } = error as NodeJS.ErrnoException;
  const known = describeSystemError(error)?.problems[0];
  const isSource = wanted.url.startsWith('file:') && at === fileURLToPath(wanted.url);
  if (code !== undefined && !isSource && (known !== undefined || code === 'EEXIST' || code === 'ENOTDIR')) {
    return {
      code: 'CACHE_NOT_WRITABLE',
      message: `${wanted.url} cannot be stored: ${known?.message ?? errorMessage(error)}`,
      at: file,
      hint: known?.hint ?? `ls -ld ${path.dirname(file)}`,
    };
  }
  return {
    code: 'PACKAGE_UNREACHABLE',
    message: `${wanted.url} cannot be downloaded: ${errorMessage(error)}`,
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
