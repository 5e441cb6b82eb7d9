// `condense history`: who changed what users see, when, and what changed.
import { describeFaceChanges } from '../release/face-changes.ts';
import { readHistory, type HistoryEntry } from '../release/history.ts';
import type { Session } from './session.ts';

export interface HistoryOptions {
  /** How many generations, newest first; 20 when undefined. */
  readonly last?: number | undefined;
  readonly all?: boolean | undefined;
}

const LAST = 20;

export async function runHistory({ layout, output }: Session, { last = LAST, all }: HistoryOptions): Promise<void> {
  const history = await readHistory(layout, all ? Infinity : last + 1);
  const shown = all ? history : history.slice(0, last);
  output.result({ generations: shown }, [
    ...shown.flatMap((entry, index) => [
      `${index === 0 ? '*' : ' '} ${entry.generation}  ${describeAuthor(entry)}`,
      ...describeFaceChanges(entry.changes).map((line) => `      ${line}`),
    ]),
    ...(shown.length === 0 ? ['nothing is published'] : []),
    ...(shown.length < history.length ? ['there are older ones: condense history --all'] : []),
  ]);
}

/** `2026-11-21T03:33:06.000Z  alice on login1: publish a-1/<id>` */
export function describeAuthor({ time, user, host, action, subject, restores }: HistoryEntry): string {
  const what = `${action ?? 'unknown'} ${subject ?? ''}`.trimEnd();
  const restored = restores === undefined ? '' : `, what generation ${restores} showed`;
  return `${time ?? '(no record of who and when)'}  ${user ?? '?'} on ${host ?? '?'}: ${what}${restored}`;
}
