// What happened to the public face, generation by generation: who did what, when, and what it changed.
import pLimit from 'p-limit';
import type { Layout } from '../site/layout.ts';
import { planFaceChanges } from './face-changes.ts';
import type { FaceChange } from './generation-record.ts';
import { NOTHING_PUBLISHED } from './generation.ts';
import { readGeneration, readGenerationNumbers, readGenerationRecord } from './site-state.ts';

/** Who, when and what is absent of a generation whose record is gone, or that an older condense made. */
export interface HistoryEntry {
  readonly generation: number;
  readonly time?: string | undefined;
  readonly user?: string | undefined;
  readonly host?: string | undefined;
  readonly action?: string | undefined;
  readonly subject?: string | undefined;
  /** The generation whose content a rollback put there. */
  readonly restores?: number | undefined;
  readonly changes: readonly FaceChange[];
}

/** Open files at a time: a site has thousands of generations, and a process may have 1,024 files open. */
const AT_ONCE = 32;

/**
 * @param last how many; every one that is left when undefined
 * @returns newest first; the first is the live one
 */
export async function readHistory(layout: Layout, last = Infinity): Promise<HistoryEntry[]> {
  const numbers = (await readGenerationNumbers(layout)).toReversed();
  const limit = pLimit(AT_ONCE);
  const entries = await Promise.all(
    numbers.slice(0, last).map((number, index) => limit(() => readEntry(layout, number, numbers[index + 1]))),
  );
  return entries.filter((entry) => entry !== undefined);
}

async function readEntry(
  layout: Layout,
  number: number,
  before: number | undefined,
): Promise<HistoryEntry | undefined> {
  const record = await readGenerationRecord(layout, number);
  if (record) {
    const { time, user, host, action, subject, restores, changes } = record;
    return { generation: number, time, user, host, action, subject, restores, changes };
  }
  const generation = readGeneration(layout, number);
  if (!generation) return undefined; // collected meanwhile
  const older = (before === undefined ? undefined : readGeneration(layout, before)) ?? NOTHING_PUBLISHED;
  const { restores } = generation;
  return {
    generation: number,
    ...(restores === undefined ? {} : { restores }),
    changes: planFaceChanges(older, generation),
  };
}

/** Since when a version or alias means what it means now, as far as the history goes back. */
export function findSince(
  history: readonly HistoryEntry[],
  kind: FaceChange['kind'],
  name: string,
  meaning: string,
): HistoryEntry | undefined {
  for (const entry of history) {
    const change = entry.changes.find((one) => one.kind === kind && one.name === name);
    if (change) return change.to === meaning ? entry : undefined;
  }
  return undefined;
}
