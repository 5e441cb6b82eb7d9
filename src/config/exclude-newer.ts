// The quarantine for new packages, as it is written: a date, a time, or an age.

const AGE = /^(\d{1,4}) ?(hour|day|week)s?$/;
const DATE = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}Z)?$/;
const UNIT_MS: Readonly<Record<string, number>> = { hour: 3_600_000, day: 86_400_000, week: 604_800_000 };

/**
 * `2026-11-01` (its beginning, UTC), `2026-11-01T12:00:00Z`, or `7 days` before now.
 * @returns milliseconds: what was made then or later is too new; `undefined` for any other text
 */
export function parseExcludeNewer(text: string, nowMs: number): number | undefined {
  const [, count = '', unit = ''] = AGE.exec(text) ?? [];
  if (unit !== '') return nowMs - Number(count) * (UNIT_MS[unit] ?? 0);
  const time = DATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
