// condense-report.json: which files of a report are condense's own. Without it a directory is no report.
import { z } from 'zod';
import type { ReportLayout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { readdirIfThere, readRegularText } from '../system/files.ts';

/** No part is `..`, none is hidden: a changed file names nothing outside. */
const Page = z.string().regex(/^(?:index|packages|(?:environments|releases)(?:\/[A-Za-z0-9_][A-Za-z0-9._-]*)+)\.html$/);

const ReportState = z.strictObject({
  reportVersion: z.literal(1),
  /** Some may not be there yet: it is written before them. */
  files: z.array(Page),
});

export function renderReportState(files: Iterable<string>): string {
  const state: z.infer<typeof ReportState> = { reportVersion: 1, files: [...new Set(files)].sort() };
  return `${JSON.stringify(state, null, 1)}\n`;
}

/**
 * @returns the files of the report that is there; none where there is no such directory, or an empty one
 * @throws AppError REPORT_NOT_OURS (a directory with other files in it), REPORT_INVALID (exit 2)
 */
export async function readReportState(layout: ReportLayout): Promise<readonly string[]> {
  const text = await readRegularText(layout.state);
  if (text === undefined) {
    const others = ((await readdirIfThere(layout.dir)) ?? []).filter((name) => !layout.isScratch(name));
    if (others.length === 0) return [];
    throw new AppError(EXIT.usage, {
      code: 'REPORT_NOT_OURS',
      message: `is neither empty nor a report that condense made: ${others.slice(0, 3).join(', ')}`,
      at: layout.dir,
      hint: 'name a new or an empty directory',
    });
  }
  const parsed = ReportState.safeParse(parseJson(text));
  if (parsed.success) return parsed.data.files;
  throw new AppError(EXIT.usage, {
    code: 'REPORT_INVALID',
    message: `is not of a report that this condense knows: ${parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')}`,
    at: layout.state,
    hint: 'name a new directory',
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
