// What a rollback took away from users stays away: an unattended install that finds nothing new to build must not show
// it again. What the generations say of it is all there is to know; `condense publish <release>` overrules it.
import type { HistoryEntry } from './history.ts';

/**
 * @param history newest first
 * @returns the rollback that took the release away from users, where nothing but rollbacks has changed that version since
 */
export function findHold(history: readonly HistoryEntry[], fullName: string, id: string): HistoryEntry | undefined {
  for (const entry of history) {
    const change = entry.changes.find(({ kind, name }) => kind === 'version' && name === fullName);
    if (!change) continue;
    // A rollback with --to brings back as well.
    if (entry.restores === undefined || change.to === id) return undefined;
    if (change.from === id) return entry;
  }
  return undefined;
}
