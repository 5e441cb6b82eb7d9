// The one time of an environment: what has none of its own gets it, so that equal locks give equal trees. Pure.

/**
 * Seconds since 1970: when the newest package was built. It depends on the lock alone, as SOURCE_DATE_EPOCH would.
 * @param timestamps of the packages' index.json
 */
export function environmentEpoch(timestamps: Iterable<number | null | undefined>): number {
  // The start of 1980, from where every format can tell the time.
  let newest = 315_532_800;
  for (const timestamp of timestamps) {
    // Milliseconds; seconds in the oldest packages (conda/models/records.py, TimestampField).
    const seconds = Math.floor((timestamp ?? 0) > 253_402_300_799 ? (timestamp ?? 0) / 1000 : (timestamp ?? 0));
    if (seconds <= 0xffff_ffff) newest = Math.max(newest, seconds);
  }
  return newest;
}
