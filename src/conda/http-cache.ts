// How long a copy of an answer may be used without asking. RFC 9111 for a private cache, as far as conda follows it:
// conda/gateways/repodata/__init__.py, RepodataCache.stale() with local_repodata_ttl 1, its default. Pure.

/** The longest, whatever a server says: a wrong header or clock must not hide what a channel adds for longer. */
const MAX_FRESH_MS = 24 * 60 * 60 * 1000;

export interface Freshness {
  /** When the answer came, by this machine's clock. */
  readonly receivedAtMs: number;
  /** For how long it may be used unasked from then on. */
  readonly freshMs: number;
}

/** @param previous what the copy had that an answer 304 says to be unchanged: its own headers count (RFC 9111, 4.3.4) */
export function planFreshness(headers: Headers, nowMs: number, previous?: Freshness): Freshness {
  const written = headers.get('cache-control');
  if (written === null && previous && headers.get('expires') === null)
    return { receivedAtMs: nowMs, freshMs: previous.freshMs };
  const directives = parseCacheControl(written ?? '');
  if (directives.has('no-cache') || directives.has('no-store')) return { receivedAtMs: nowMs, freshMs: 0 };
  // 4.2.3: what the answer has spent in caches on its way. A clock of ours that is fast makes it older: asked sooner.
  const date = Date.parse(headers.get('date') ?? '');
  const apparentMs = Number.isNaN(date) ? 0 : Math.max(0, nowMs - date);
  const ageMs = Math.max(apparentMs, readSeconds(headers.get('age') ?? '0') ?? 0);
  // 4.2.1: max-age overrides Expires; `immutable` (RFC 8246) only speaks of the time that these give.
  const maxAge = directives.has('max-age') ? (readSeconds(directives.get('max-age') ?? '') ?? 0) : undefined;
  const expires = Date.parse(headers.get('expires') ?? '');
  const lifetimeMs = maxAge ?? (Number.isNaN(expires) || Number.isNaN(date) ? 0 : expires - date);
  return { receivedAtMs: nowMs, freshMs: Math.min(MAX_FRESH_MS, Math.max(0, lifetimeMs - ageMs)) };
}

/** Whether an answer may be kept at all. */
export function isStorable(headers: Headers): boolean {
  return !parseCacheControl(headers.get('cache-control') ?? '').has('no-store');
}

/** A copy that comes from the future is not fresh: a clock was set back, and nobody knows how old it is. */
export function isFresh({ receivedAtMs, freshMs }: Freshness, nowMs: number): boolean {
  const ageMs = nowMs - receivedAtMs;
  return ageMs >= 0 && ageMs < Math.min(freshMs, MAX_FRESH_MS);
}

/** 5.2: names in any case, a value with or without quotes. Of two equal names the first counts. */
function parseCacheControl(text: string): ReadonlyMap<string, string> {
  const directives = new Map<string, string>();
  for (const [, name = '', quoted, bare = ''] of text.matchAll(/([\w-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,]*)))?/g)) {
    const key = name.toLowerCase();
    if (!directives.has(key)) directives.set(key, quoted ?? bare);
  }
  return directives;
}

/** 1.2.2 "Delta Seconds": whole numbers; what is none is stale (4.2.1). @returns milliseconds */
function readSeconds(text: string): number | undefined {
  return /^\s*\d+\s*$/.test(text) ? Math.min(Number(text), 2 ** 31) * 1000 : undefined;
}
