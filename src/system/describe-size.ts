// Sizes for people.

/** Decimal units, as disks are sold and quotas are counted: `0 B`, `12 kB`, `1.5 MB`, `154 MB`, `1.23 GB`. */
export function describeSize(bytes: number): string {
  if (bytes === 0) return '0 B';
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(bytes >= 1e8 ? 0 : 1)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}
