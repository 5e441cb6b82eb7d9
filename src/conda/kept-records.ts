// Which of the records a solver is given when some packages are locked already, or when the newest are not to be taken. Pure.
import type { SelectedRecord, Selection } from './repodata-selection.ts';
import type { KeptFile, SolveTask } from './solve-task.ts';

/** What the quarantine leaves. Channels give milliseconds, and seconds for what is very old (conda/models/records.py). */
export function excludeNewer(selection: Selection, cutoffMs: number | undefined): Selection {
  if (cutoffMs === undefined) return selection;
  const madeMs = (time: number): number => (time > 253_402_300_799 ? time : time * 1000);
  const kept = [...selection.records].filter(
    ([, { record }]) => record.timestamp !== undefined && madeMs(record.timestamp) < cutoffMs,
  );
  return { ...selection, records: new Map(kept) };
}

export function describeExcluded(count: number, cutoffMs: number | undefined): string[] {
  if (cutoffMs === undefined || count === 0) return [];
  const since = new Date(cutoffMs).toISOString();
  return [`${count} records of ${since} and later, or without a time, were not considered (exclude_newer)`];
}

export const isKept = (
  file: {
    readonly channel: number;
    readonly subdir: string;
    readonly file: string;
    readonly sha256?: string | undefined;
  },
  kept: KeptFile,
): boolean =>
  file.channel === kept.channel &&
  file.subdir === kept.subdir &&
  file.file === kept.file &&
  (file.sha256 === undefined || kept.sha256 === undefined || file.sha256 === kept.sha256);

const isKeptRecord = ({ record, file, from }: SelectedRecord, kept: KeptFile): boolean =>
  isKept({ channel: from.channel, subdir: from.subdir, file, sha256: record.sha256 }, kept);

export function findGone({ records }: Selection, kept: readonly KeptFile[]): string[] {
  // A name that no spec leads to any more is nobody's loss.
  const names = new Set([...records.values()].map(({ record }) => record.name));
  return kept
    .filter((one) => names.has(one.name))
    .filter((one) => {
      const there = records.get(`${one.subdir}/${one.file}`);
      return !there || !isKeptRecord(there, one);
    })
    .map(({ name }) => name);
}

export function keepOnly(selection: Selection, keep: SolveTask['keep']): Selection {
  if (keep?.how !== 'only') return selection;
  const byName = new Map(keep.packages.map((kept) => [kept.name, kept]));
  const records = [...selection.records].filter(([, selected]) => {
    const kept = byName.get(selected.record.name);
    return !kept || isKeptRecord(selected, kept);
  });
  return { ...selection, records: new Map(records) };
}

/** The others of each name of which one is there and preferred. */
export function findLessPreferred({ records }: Selection, preferred: readonly KeptFile[]): ReadonlySet<string> {
  const byName = new Map(
    preferred.flatMap((kept) => {
      const there = records.get(`${kept.subdir}/${kept.file}`);
      return there && isKeptRecord(there, kept) ? [[kept.name, kept] as const] : [];
    }),
  );
  return new Set(
    [...records].flatMap(([key, selected]) => {
      const kept = byName.get(selected.record.name);
      return kept && !isKeptRecord(selected, kept) ? [key] : [];
    }),
  );
}
