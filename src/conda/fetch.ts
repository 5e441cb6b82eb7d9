// Downloads the packages of a lock into a content-addressed cache, verified while they come.
import path from 'node:path';
import pLimit from 'p-limit';
import { AppError } from '../system/app-error.ts';
import type { Report } from '../system/events.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, makeSharedDir } from '../system/files.ts';
import { isAbandonedStream, removeDayOldFiles } from '../system/streamed-files.ts';
import { OPEN_ACCESS, type ChannelAccess } from './channel-access.ts';
import { planSources } from './channel-sources.ts';
import { download, NotThere, stopIfAborted, WrongContent, type WantedPackage } from './download-package.ts';
import { describeFetchFailure, isOurDisk } from './fetch-problem.ts';
import { SourceHealth } from './source-health.ts';

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
    throw new AppError(EXIT.buildFailed, describeFetchFailure(wanted, file, error), { cause: error });
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
      : new AppError(EXIT.buildFailed, describeFetchFailure(wanted, file, error), { cause: error });
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
    failures.map(({ url, error }) => describeFetchFailure({ ...wanted, url }, file, error, wanted.url)),
    { cause: only?.error },
  );
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
