// <admin>/journal.ndjson: who changed what, and when. A record for people: what is live is read from the links alone.
import os from 'node:os';
import type { Layout } from '../site/layout.ts';
import { readAccountName } from '../system/account.ts';
import { errorMessage, type Problem } from '../system/app-error.ts';
import { appendLine } from '../system/files.ts';

/** A line of the journal, without its time. */
export interface JournalEntry {
  readonly action: 'publish' | 'promote' | 'remove' | 'rollback' | 'unlock' | 'collect';
  /** What was asked for, as a person types it. */
  readonly subject: string;
  readonly user: string;
  readonly host: string;
  /** The generation that it made. */
  readonly generation?: number | undefined;
}

/** An entry of this account on this host. */
export function describeEntry(action: JournalEntry['action'], subject: string): JournalEntry {
  return { action, subject, user: readAccountName(), host: os.hostname() };
}

/**
 * Adds a line for something that is done already.
 * @param done what holds although the line could not be written, for the message
 * @returns JOURNAL_NOT_WRITTEN where it could not
 */
export async function writeJournal(layout: Layout, entry: JournalEntry, done: string): Promise<Problem | undefined> {
  const line = JSON.stringify({ time: new Date().toISOString(), ...entry });
  try {
    await appendLine(layout.journal, line);
    return undefined;
  } catch (error) {
    return {
      code: 'JOURNAL_NOT_WRITTEN',
      message: `${done}, but the journal could not be written: ${errorMessage(error)}`,
      at: layout.journal,
      hint: `mend that, then add this line to it: ${line}`,
    };
  }
}
