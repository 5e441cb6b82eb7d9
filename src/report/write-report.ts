// Puts the pages of a report in place: all are written aside first and flushed, then each is renamed, then what no page leads to
// any more is removed. Whoever reads meanwhile finds whole pages, and every page that they lead to.
import path from 'node:path';
import { withLock } from '../release/site-lock.ts';
import { ReportLayout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import {
  lstatIfThere,
  makeDir,
  makeSharedDir,
  readRegularText,
  removeTree,
  removeUnfinished,
  rename,
  syncPath,
  writeFileAtomic,
  writeNewFile,
} from '../system/files.ts';
import { readReportState, renderReportState } from './report-state.ts';

export interface ReportChange {
  /** Pages that are new or other than before, in the order in which they are put in place. */
  readonly written: readonly string[];
  /** Pages of before that are none any more. */
  readonly removed: readonly string[];
}

/** What `writeReport` would do. @throws AppError REPORT_NOT_OURS, REPORT_INVALID */
export async function planReportChange(dir: string, pages: ReadonlyMap<string, string>): Promise<ReportChange> {
  const layout = new ReportLayout(dir);
  const before = await readReportState(layout);
  const written: string[] = [];
  for (const [page, text] of pages) if ((await readRegularText(layout.file(page))) !== text) written.push(page);
  return { written, removed: before.filter((page) => !pages.has(page)) };
}

/** @throws AppError REPORT_NOT_OURS, REPORT_INVALID, LOCK_HELD */
export async function writeReport(dir: string, pages: ReadonlyMap<string, string>): Promise<ReportChange> {
  const layout = new ReportLayout(dir);
  await readReportState(layout); // before anything is written into what may be somebody's home directory
  await makeSharedDir(dir);
  return await withLock(layout.lockFile, 'writing the report', () => write(layout, pages));
}

async function write(layout: ReportLayout, pages: ReadonlyMap<string, string>): Promise<ReportChange> {
  const before = await readReportState(layout);
  const change = await planReportChange(layout.dir, pages);
  const { written, removed } = change;
  // Of a run that was killed. Whoever waits for the lock makes its claim in the same directory.
  await removeTree(layout.aside);
  await removeUnfinished(layout.dir, (name) => name.startsWith(path.basename(layout.lockFile)));
  if (written.length + removed.length === 0) return change;
  // First: a run that is killed leaves nothing that nobody knows.
  await writeFileAtomic(layout.state, renderReportState([...before, ...pages.keys()]));
  try {
    await makeDir(layout.aside);
    const asideOf = (index: number): string => path.join(layout.aside, String(index));
    for (const [index, page] of written.entries()) {
      await writeNewFile(asideOf(index), pages.get(page) ?? '');
      await syncPath(asideOf(index));
    }
    const dirs = new Set<string>();
    for (const [index, page] of written.entries()) {
      const parent = path.dirname(layout.file(page));
      if (!dirs.has(parent)) await makeInside(layout, parent);
      dirs.add(parent);
      await rename(asideOf(index), layout.file(page));
    }
    for (const parent of dirs) await syncPath(parent);
    for (const page of removed) await removePage(layout, page);
    await writeFileAtomic(layout.state, renderReportState(pages.keys()));
  } finally {
    await removeTree(layout.aside);
  }
  return change;
}

async function removePage(layout: ReportLayout, page: string): Promise<void> {
  const file = layout.file(page);
  if (!(await lstatIfThere(file))) return;
  await makeInside(layout, path.dirname(file));
  await removeTree(file);
}

/** Nothing is written or removed through a link that somebody put into the report: each directory of it is a real one. */
async function makeInside(layout: ReportLayout, dir: string): Promise<void> {
  if (dir === layout.dir) return;
  await makeInside(layout, path.dirname(dir));
  const there = await lstatIfThere(dir);
  if (!there) {
    await makeSharedDir(dir);
    return;
  }
  if (there.isDirectory()) return;
  throw new AppError(EXIT.usage, {
    code: 'REPORT_INVALID',
    message: 'is no directory, so nothing is written there',
    at: dir,
    hint: `ls -ld ${dir}; rm ${dir}`,
  });
}
