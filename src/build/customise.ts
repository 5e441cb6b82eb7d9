// Stage: what an environment has otherwise than its packages: without some of them, with links to the site's installations.
import path from 'node:path';
import type { CustomRules, ReplaceRule } from '../config/site-config.ts';
import { readInstalledRecords, writeRecordsWithout } from '../conda/installed-records.ts';
import { AppError } from '../system/app-error.ts';
import type { Report } from '../system/events.ts';
import { EXIT } from '../system/exit-codes.ts';
import { makeDir, removeEmptyDir, removeTree, symlink } from '../system/files.ts';
import { listNames, lookAt } from '../system/host-files.ts';
import { planCustom, SITE_DIRS, type CustomPlan, type SiteEntry, type Taker } from './custom-plan.ts';
import { readPrefixContent, type ImageContent } from './image-content.ts';

export interface CustomRequest {
  readonly prefixOnDisk: string;
  readonly prefixInside: string;
  readonly rules: CustomRules;
  readonly report: Report;
}

export interface Customised extends Pick<CustomPlan, 'removed' | 'replaced'> {
  /** What the prefix had before. */
  readonly before: ImageContent;
  /** Who took what is not there any more. */
  readonly takers: ReadonlyMap<string, Taker>;
}

/** @throws AppError REMOVE_REFUSED, REPLACE_REFUSED: every problem at once, and nothing is changed then */
export async function customisePrefix(request: CustomRequest): Promise<Customised> {
  const { prefixOnDisk, prefixInside, rules, report } = request;
  const before = await readPrefixContent(prefixOnDisk);
  const records = await readInstalledRecords(prefixOnDisk);
  const sites = new Map(rules.replace.map((rule) => [rule.package, readSite(rule)]));
  const plan = planCustom({ rules, content: before, records, sites, prefixInside });
  for (const text of plan.notes) report({ type: 'note', text });
  if (plan.problems.length > 0) throw new AppError(EXIT.buildFailed, plan.problems);
  await writePlan(prefixOnDisk, plan);
  for (const { package: name, files } of plan.removed)
    report({ type: 'note', text: `removed ${files} files of ${name}` });
  for (const { package: name, by, files, links } of plan.replaced)
    report({ type: 'note', text: `replaced ${files} files of ${name} by ${links} links to ${by}` });
  return { before, takers: plan.gone, removed: plan.removed, replaced: plan.replaced };
}

export const isCustomised = (rules: CustomRules): boolean => rules.remove.length > 0 || rules.replace.length > 0;

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
export function readSite({ by }: ReplaceRule): SiteEntry[] | undefined {
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
