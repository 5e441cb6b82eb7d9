// How long to wait for a lock, as it is typed.

const WAIT = /^(\d{1,4}) ?(second|minute|hour|day)s?$/;
const UNIT_MS: Readonly<Record<string, number>> = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** @returns milliseconds of `90 seconds`, `30 minutes`, `2 hours`; undefined for any other text */
export function parseWait(text: string): number | undefined {
  const [, count = '', unit = ''] = WAIT.exec(text) ?? [];
  return unit === '' ? undefined : Number(count) * (UNIT_MS[unit] ?? 0);
}
