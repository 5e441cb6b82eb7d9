// The body of an answer in chunks, with limits: of the time without a byte, of slowness, and of size.

/** How slow an answer may be. Time counts only while we wait for the server, not while the disk is slow. */
export interface Pace {
  /** No byte for so long: the connection is given up. */
  readonly idleMs: number;
  /** Fewer than `minBytes` in so long: given up too, or a byte now and then would hold a build for ever. */
  readonly windowMs: number;
  readonly minBytes: number;
}

/** 1 kB/s: nobody waits for a package of 100 MB at less. */
export const HTTP_PACE: Pace = { idleMs: 60_000, windowMs: 60_000, minBytes: 60_000 };

/** What `use` throws when the answer was not whole, and asking again may bring the whole. */
export class IncompleteAnswer extends Error {
  override readonly name = 'IncompleteAnswer';
}

interface BodyLimits {
  readonly pace: Pace;
  /** Ends the request. */
  readonly idle: AbortController;
  /** Of what comes out of fetch: where an encoding is undone, a small answer may be a large one. */
  readonly maxBytes?: number | undefined;
}

/** @throws IncompleteAnswer; Error when it is too large */
export async function* limitedChunks(
  response: Response,
  { pace, idle, maxBytes }: BodyLimits,
): AsyncGenerator<Uint8Array> {
  if (!response.body) return;
  const chunks = response.body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  let total = 0;
  let waitedMs = 0;
  let bytes = 0;
  try {
    for (;;) {
      const since = performance.now();
      const timer = setTimeout(() => {
        idle.abort(new IncompleteAnswer(`nothing came for ${pace.idleMs / 1000} s`));
      }, pace.idleMs);
      const next = await chunks.next().finally(() => {
        clearTimeout(timer);
      });
      if (next.done) return;
      waitedMs += performance.now() - since;
      bytes += next.value.length;
      total += next.value.length;
      if (maxBytes !== undefined && total > maxBytes)
        throw new Error(`the answer is larger than ${maxBytes} bytes, the most that is taken`);
      if (waitedMs >= pace.windowMs) {
        if (bytes < pace.minBytes) {
          throw new IncompleteAnswer(`only ${bytes} bytes came in ${Math.round(waitedMs / 1000)} s`);
        }
        waitedMs = 0;
        bytes = 0;
      }
      yield next.value;
    }
  } finally {
    await chunks.return?.();
  }
}
