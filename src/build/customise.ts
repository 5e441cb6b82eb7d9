// Stage: what an environment has otherwise than its packages: without some of them, with links to the site's installations,
// with files of the site, and with what its hooks do.
import path from 'node:path';
import type { CustomRules, HookRule } from '../config/site-config.ts';
import { readInstalledRecords, writeRecordsWithout } from '../conda/installed-records.ts';
import type { ReleaseFacts } from '../release/manifest.ts';
import { AppError } from '../system/app-error.ts';
import type { Report } from '../system/events.ts';
import { EXIT } from '../system/exit-codes.ts';
import { makeDir, removeEmptyDir, removeTree, symlink } from '../system/files.ts';
import { listNames, lookAt } from '../system/host-files.ts';
import { settleNewTimes } from '../system/tree-writer.ts';
import { planCustom, SITE_DIRS, type CustomPlan, type SiteEntry, type Taker } from './custom-plan.ts';
import { writeExtraFiles } from './extra-files.ts';
import { compareHooked } from './hook-changes.ts';
import { readPrefixContent, type ImageContent } from './image-content.ts';

export type HookFacts = NonNullable<ReleaseFacts['hooks']>[number];
/** What a hook that came to its end is known by. */
export type HookRun = Pick<HookFacts, 'stage' | 'sha256' | 'seconds'>;

export interface CustomRequest {
  readonly prefixOnDisk: string;
  readonly prefixInside: string;
  readonly rules: CustomRules;
  /** Host directories that users' containers have. */
  readonly binds: readonly string[];
  /** Runs one in the container, with the prefix; throws where it fails. */
  readonly runHook: (hook: HookRule) => Promise<HookRun>;
  readonly report: Report;
}

export interface Customised extends Pick<CustomPlan, 'removed' | 'replaced'> {
  /** What the prefix had before. */
  readonly before: ImageContent;
  /** Who took what is not there any more. */
  readonly takers: ReadonlyMap<string, Taker>;
  readonly added: NonNullable<ReleaseFacts['added']>;
  readonly hooks: readonly HookFacts[];
}

/**
 * @throws AppError REMOVE_REFUSED, REPLACE_REFUSED: every problem at once, and nothing is changed then; FILES_REFUSED,
 *   HOOK_REFUSED; what `runHook` throws
 */
export async function customisePrefix(request: CustomRequest): Promise<Customised> {
  const { prefixOnDisk, prefixInside, rules, report } = request;
  const before = await readPrefixContent(prefixOnDisk);
  const takers = new Map<string, Taker>();
  const hooks: HookFacts[] = [];
  let content = await runHooks(request, 'stage', before, { takers, hooks });

  const records = await readInstalledRecords(prefixOnDisk);
  const sites = new Map(rules.replace.map((rule) => [rule.package, readSite(rule.by)]));
  const plan = planCustom({ rules, content, records, sites, prefixInside });
  for (const text of plan.notes) report({ type: 'note', text });
  if (plan.problems.length > 0) throw new AppError(EXIT.buildFailed, plan.problems);
  await writePlan(prefixOnDisk, plan);
  for (const [file, taker] of plan.gone) takers.set(file, taker);
  tell(plan, report);
  if (plan.gone.size > 0 || plan.links.size > 0) content = await readPrefixContent(prefixOnDisk);
  const added = await writeExtraFiles(prefixOnDisk, rules.files, content);
  if (added.length > 0) {
    report({ type: 'note', text: `added ${added.length} files of the site` });
    content = await readPrefixContent(prefixOnDisk);
  }

  await runHooks(request, 'customise', content, { takers, hooks });
  return { before, takers, removed: plan.removed, replaced: plan.replaced, added, hooks };
}

/** Whether anything is to be done to the prefix itself. */
export const isCustomised = ({ remove, replace, files, hooks }: CustomRules): boolean =>
  remove.length > 0 || replace.length > 0 || files.length > 0 || hooks.programs.some(({ stage }) => stage !== 'pack');

/** @returns what the prefix has then */
async function runHooks(
  { prefixOnDisk, prefixInside, binds, rules, runHook }: CustomRequest,
  stage: 'stage' | 'customise',
  content: ImageContent,
  { takers, hooks }: { readonly takers: Map<string, Taker>; readonly hooks: HookFacts[] },
): Promise<ImageContent> {
  const hook = rules.hooks.programs.find((one) => one.stage === stage);
  if (!hook) return content;
  const newest = [...content.values()].reduce((most, { modifiedMs }) => Math.max(most, modifiedMs ?? 0), 0);
  const run = await runHook(hook);
  const now = await readPrefixContent(prefixOnDisk);
  const changes = compareHooked({ hook, before: content, now, prefixInside, binds, prefixOnDisk });
  const { added, changed, removed } = changes;
  // The time of the newest file that was there, so that the same bytes give the same image on another day.
  settleNewTimes(prefixOnDisk, newest + 1, Math.floor(newest / 1000));
  for (const file of removed) takers.set(file, { rule: `hooks.${stage}`, at: hook.at });
  hooks.push({ ...run, added: added.length, changed: changed.length, removed: removed.length });
  return await readPrefixContent(prefixOnDisk);
}

function tell({ removed, replaced }: CustomPlan, report: Report): void {
  for (const { package: name, files } of removed) report({ type: 'note', text: `removed ${files} files of ${name}` });
  for (const { package: name, by, files, links } of replaced)
    report({ type: 'note', text: `replaced ${files} files of ${name} by ${links} links to ${by}` });
}

async function writePlan(prefixOnDisk: string, plan: CustomPlan): Promise<void> {
  for (const file of plan.gone.keys()) await removeTree(path.join(prefixOnDisk, file));
  for (const dir of plan.directories) await removeEmptyDir(path.join(prefixOnDisk, dir));
  await writeRecordsWithout(prefixOnDisk, new Set(plan.gone.keys()));
  for (const [link, target] of plan.links) {
    const file = path.join(prefixOnDisk, link);
    // The plan has seen to it that none of its parents is a link.
    await makeDir(path.dirname(file));
    await symlink(target, file);
  }
}

/** Files and links of an installation; undefined where there is no such directory. */
export function readSite(by: string): SiteEntry[] | undefined {
  if (lookAt(by) === undefined) return undefined;
  const entries: SiteEntry[] = [];
  const visit = (at: string): void => {
    const seen = lookAt(path.join(by, at));
    if (seen?.kind === 'directory') for (const name of listNames(path.join(by, at))) visit(`${at}/${name}`);
    else if (seen?.kind === 'file') entries.push({ path: at, kind: 'file', sizeBytes: seen.sizeBytes });
    else if (seen?.kind === 'link') entries.push({ path: at, kind: 'link', target: seen.target, sizeBytes: 0 });
  };
  // One that is a link itself (lib64 -> lib) has nothing of its own.
  for (const dir of SITE_DIRS) if (lookAt(path.join(by, dir))?.kind === 'directory') visit(dir);
  return entries;
}
