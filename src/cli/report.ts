// `condense report`: the catalogue of the site as static pages for people.
import path from 'node:path';
import { readCatalogue } from '../report/read-catalogue.ts';
import { renderReport } from '../report/render-report.ts';
import { planReportChange, writeReport } from '../report/write-report.ts';
import type { Session } from './session.ts';

export interface ReportOptions {
  readonly out: string;
  readonly dryRun?: boolean | undefined;
}

/** @throws AppError REPORT_NOT_OURS, REPORT_INVALID (exit 2), LOCK_HELD, CURRENT_DANGLING */
export async function runReport(session: Session, options: ReportOptions): Promise<void> {
  const { config, layout, output, signal } = session;
  const dir = path.resolve(options.out);
  const catalogue = await readCatalogue(config, layout, signal);
  for (const { fullName, id, damages } of catalogue.environments.flatMap(({ releases }) => releases))
    if (damages.length > 0)
      output.report({ type: 'warning', text: `${fullName}/${id} is damaged (${damages.join(', ')}): condense verify` });
  const pages = renderReport(catalogue);
  const change = options.dryRun ? await planReportChange(dir, pages) : await writeReport(dir, pages);
  const { written, removed } = change;
  const data = { directory: dir, pages: pages.size, ...change };
  if (options.dryRun) {
    output.result(data, [
      `report   ${dir}: ${pages.size} pages`,
      ...written.map((page) => `write    ${page}`),
      ...removed.map((page) => `remove   ${page}`),
    ]);
    return;
  }
  const nothing = written.length + removed.length === 0;
  output.result({ ...data, changed: !nothing }, [
    nothing
      ? `${dir} has these ${pages.size} pages already: nothing to do`
      : `${dir} has ${pages.size} pages: ${written.length} written, ${removed.length} removed`,
    `  ${path.join(dir, 'index.html')}`,
  ]);
}
