// Stage: leaves out of the staged prefix what the configuration says, and tells of it.
import path from 'node:path';
import { writeRecordsWithout } from '../conda/installed-records.ts';
import type { DropRules } from '../config/site-config.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import type { Report } from '../system/events.ts';
import { readLinkIfThere, removeEmptyDir, removeTree, walkTree } from '../system/files.ts';
import { planDrop, type DropCount, type PrefixEntry } from './drop-plan.ts';
import { describeSize } from '../system/describe-size.ts';

export interface DropRequest {
  readonly prefixOnDisk: string;
  readonly prefixInside: string;
  readonly rules: DropRules;
  /** Names in `bin` that the farm has links for. */
  readonly commands: readonly string[];
  /** Names of the host's commands. */
  readonly outside: readonly string[];
  readonly report: Report;
}

/**
 * @returns what went, by rule
 * @throws AppError DROP_REFUSED when a pattern would take what a command or conda needs: nothing is removed then
 */
export async function removeDropped(request: DropRequest): Promise<readonly DropCount[]> {
  const { prefixOnDisk, rules, report } = request;
  const outside = request.outside.filter((name) => request.commands.includes(name));
  if (!rules.staticLibraries && !rules.tests && rules.patterns.length === 0 && outside.length === 0) return [];
  const plan = planDrop(await readEntries(request), rules, request.commands, outside);
  const placeOf = (pattern: string): string | undefined => rules.patterns.find(({ text }) => text === pattern)?.at;
  if (plan.refused.length > 0) {
    throw new AppError(
      EXIT.buildFailed,
      plan.refused.map(({ pattern, path: at, neededBy }) => ({
        code: 'DROP_REFUSED',
        message: `the pattern '${pattern}' would drop ${at}, which ${neededBy} needs`,
        at: placeOf(pattern),
        hint: `write a narrower pattern, or add '${at}' to drop.keep`,
      })),
    );
  }
  for (const file of plan.files) await removeTree(path.join(prefixOnDisk, file));
  for (const dir of plan.directories) await removeEmptyDir(path.join(prefixOnDisk, dir));
  await writeRecordsWithout(prefixOnDisk, new Set(plan.files));
  for (const pattern of plan.unmatched)
    report({ type: 'note', text: `drop: '${pattern}' matches nothing (${placeOf(pattern) ?? ''})` });
  for (const { rule, files, bytes } of plan.report)
    report({ type: 'note', text: `dropped ${files} files, ${describeSize(bytes)}: ${rule}` });
  return plan.report;
}

async function readEntries({ prefixOnDisk, prefixInside }: DropRequest): Promise<PrefixEntry[]> {
  const entries: PrefixEntry[] = [];
  for await (const entry of walkTree(prefixOnDisk)) {
    const written = entry.kind === 'link' ? await readLinkIfThere(path.join(prefixOnDisk, entry.path)) : undefined;
    entries.push(written === undefined ? entry : { ...entry, target: withinPrefix(written, prefixInside) });
  }
  return entries;
}

/** An absolute target in the prefix's final place is one in the tree; any other leads out. */
function withinPrefix(target: string, prefixInside: string): string | undefined {
  if (!target.startsWith('/')) return target;
  return target.startsWith(`${prefixInside}/`) ? target.slice(prefixInside.length) : undefined;
}
