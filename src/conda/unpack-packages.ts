// From verified archives to directories with their metadata, on all processors that there are for it.
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import pLimit from 'p-limit';
import { stat } from '../system/files.ts';
import type { Report } from '../system/events.ts';
import { countProcessors } from '../system/processors.ts';
import { unpackError } from '../system/sent-error.ts';
import type { ExtractedCache } from './extracted-cache.ts';
import type { UnpackedPackage } from './link-plan.ts';
import type { LockedPackage } from './lock.ts';
import { unpackPackage, type PackageToUnpack, type UnpackNotes } from './unpack-package.ts';
import type { UnpackAnswer, UnpackOrder } from './unpack-worker.ts';

/** A thread takes a tenth of a second to start, and some 60 MB: for less than this it does not pay. */
const threadsPayAbove = 16 << 20;
/** More of them write to the same disk. */
const maxThreads = 8;
/** Without threads: decompression runs beside the main thread; more only wait for it. */
const atOnce = 4;

export interface UnpackRequest {
  readonly packages: readonly LockedPackage[];
  /** The file of each package, by sha256; their bytes have been verified. */
  readonly archives: ReadonlyMap<string, string>;
  /** An existing directory on the prefix's file system; the caller removes it. */
  readonly scratch: string;
  readonly prefixInside: string;
  /** Each package becomes one file with all its bytes, not a directory. Default: no. */
  readonly isSpooled?: boolean | undefined;
  /** Of what was extracted before. Default: every package is unpacked. */
  readonly extracted?: ExtractedCache | undefined;
  readonly report: Report;
  readonly signal?: AbortSignal | undefined;
  /** Default: one for each processor, where it pays. */
  readonly threads?: number | undefined;
}

/** When it throws, nothing writes to the scratch any more. */
export async function unpackPackages(request: UnpackRequest): Promise<UnpackedPackage[]> {
  const { packages, archives, scratch, prefixInside, isSpooled = false, report } = request;
  const sized = await Promise.all(
    packages.map(async (locked, index) => {
      const file = archives.get(locked.sha256);
      if (file === undefined) throw new Error(`${locked.url} was not fetched`);
      const place = path.join(scratch, String(index));
      const wanted: PackageToUnpack = { locked, file, place, isSpooled, prefixInside };
      return { wanted, index, bytes: (await stat(file)).size };
    }),
  );
  const total = sized.reduce((sum, { bytes }) => sum + bytes, 0);
  const threads =
    request.threads ??
    (total < threadsPayAbove ? 0 : Math.min(countProcessors(process.env), maxThreads, packages.length));
  // The largest first: one that begins last would be waited for by all.
  sized.sort((a, b) => b.bytes - a.bytes || a.index - b.index);

  // One failure ends them all.
  const failed = new AbortController();
  const signal = request.signal ? AbortSignal.any([request.signal, failed.signal]) : failed.signal;
  const pool = threads > 0 ? new UnpackThreads(threads, signal) : undefined;
  let first: { readonly error: unknown } | undefined;
  let done = 0;
  const limit = pLimit(pool ? threads : atOnce);
  const notes: UnpackNotes = { warnings: [], isCacheOver: false };
  try {
    const unpacked: UnpackedPackage[] = [];
    await Promise.all(
      sized.map(({ wanted, index }) =>
        limit(async () => {
          if (first) return;
          try {
            const extracted = notes.isCacheOver ? undefined : request.extracted;
            const whole = { ...wanted, extracted };
            unpacked[index] = await (pool ? pool.unpack(whole, notes) : unpackPackage(whole, signal, notes));
            done += 1;
            report({ type: 'progress', stage: 'unpack', done, total: packages.length, unit: 'packages' });
          } catch (error) {
            first ??= { error };
            failed.abort();
          }
        }),
      ),
    );
    if (first) throw first.error;
    return unpacked;
  } finally {
    for (const text of new Set(notes.warnings)) report({ type: 'warning', text });
    await pool?.end();
  }
}

/** Threads that each unpack one package at a time. */
class UnpackThreads {
  readonly #all: readonly Worker[];
  readonly #idle: Worker[];
  #failure: { readonly error: unknown } | undefined;

  /** @param signal stops what is being unpacked, which then fails */
  constructor(count: number, signal: AbortSignal) {
    // Built, the worker is a file beside the bundle; in the source tree, Node runs the TypeScript.
    const file = import.meta.url.endsWith('.ts') ? './unpack-worker.ts' : './unpack-worker.mjs';
    this.#all = Array.from({ length: count }, () => {
      const worker = new Worker(new URL(file, import.meta.url));
      // Also while nobody waits for it: an error without a listener would end the process.
      return worker.on('error', (error) => (this.#failure ??= { error }));
    });
    this.#idle = [...this.#all];
    const stop = (): void => {
      for (const worker of this.#all) worker.postMessage({ kind: 'stop' } satisfies UnpackOrder);
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  }

  async unpack(wanted: PackageToUnpack, notes: UnpackNotes): Promise<UnpackedPackage> {
    if (this.#failure) throw this.#failure.error;
    const worker = this.#idle.pop();
    if (!worker) throw new Error('more packages at once than threads');
    const { promise, resolve, reject } = Promise.withResolvers<UnpackAnswer>();
    const ended = (): void => {
      reject(new Error(`the thread that unpacked ${wanted.locked.url} ended`));
    };
    worker.once('message', resolve).once('error', reject).once('exit', ended);
    try {
      worker.postMessage({ kind: 'unpack', wanted } satisfies UnpackOrder);
      const answer = await promise;
      if (answer.kind === 'failed') throw unpackError(answer.error);
      this.#idle.push(worker);
      notes.warnings.push(...answer.notes.warnings);
      notes.isCacheOver ||= answer.notes.isCacheOver;
      return answer.one;
    } catch (error) {
      this.#idle.push(worker);
      throw error;
    } finally {
      worker.off('message', resolve).off('error', reject).off('exit', ended);
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#all.map((worker) => worker.terminate()));
  }
}
