// Tells the site's own program what has just changed for users: a chat, a mail, a cache of modules that is to be made anew.
import type { SiteConfig } from '../config/site-config.ts';
import { errorMessage, type Problem } from '../system/app-error.ts';
import { runCommand } from '../system/run-command.ts';
import type { FaceChange } from './generation-record.ts';
import type { JournalEntry } from './journal.ts';

/** What it reads from stdin, as one line of JSON (docs/admin.md). */
export interface Notice extends JournalEntry {
  readonly generation: number;
  readonly changes: readonly FaceChange[];
  readonly restores?: number | undefined;
}

/** @returns NOTIFY_FAILED where it failed: what is live stays so */
export async function runNotify(
  { notify: { command, timeoutSeconds }, site, prefix }: SiteConfig,
  notice: Notice,
): Promise<Problem | undefined> {
  const [program, ...args] = command;
  if (program === undefined) return undefined;
  const input = `${JSON.stringify({ v: 1, type: 'published', site, prefix, ...notice })}\n`;
  try {
    await runCommand({ program, args, input, timeoutMs: timeoutSeconds * 1000, ownGroup: true });
    return undefined;
  } catch (error) {
    return {
      code: 'NOTIFY_FAILED',
      message: `generation ${notice.generation} is live, but nobody was told: ${errorMessage(error)}`,
      hint: 'mend notify.command of the configuration; users have the new generation, so nothing is to be published again',
    };
  }
}
