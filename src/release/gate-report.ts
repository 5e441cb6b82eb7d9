// gate.json: what the gate found in one release, check by check. Nothing is published without one that holds.
import { z } from 'zod';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import type { ReleaseManifest } from './manifest.ts';

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);

const Result = z.strictObject({
  /** `import iris`: the same in every run, and what exceptions and waivers name. */
  name: z.string().min(1),
  /**
   * skipped: not tried, by the configuration or since it has no meaning here; expected: failed, as the configuration says
   * that it may; waived: failed, and somebody let it pass.
   */
  status: z.enum(['passed', 'failed', 'skipped', 'expected', 'waived']),
  seconds: z.number().nonnegative(),
  /** Of one that failed, whatever was made of it. */
  failure: z.string().optional(),
  /** Of one that counts although it did not pass. */
  reason: z.string().optional(),
  /** The last day of an exception. */
  until: z.string().optional(),
  /** Without it nothing else is known: it cannot be waived. */
  essential: z.literal(true).optional(),
});
export type GateResult = z.infer<typeof Result>;

const Report = z.strictObject({
  reportVersion: z.literal(1),
  /** `<full name>/<release id>` */
  release: z.string(),
  /** Of the image that the checks ran in. */
  imageSha256: hex64,
  /** ISO 8601, UTC. */
  time: z.iso.datetime(),
  seconds: z.number().nonnegative(),
  results: z.array(Result).min(1),
  /** Stands last: a report that was cut short has none. */
  verdict: z.enum(['passed', 'failed']),
});
export type GateReport = z.infer<typeof Report>;

export const describeVerdict = (results: readonly GateResult[]): GateReport['verdict'] =>
  results.length > 0 && results.every(({ status }) => status !== 'failed') ? 'passed' : 'failed';

export function renderGateRecord(report: GateReport): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** @throws AppError GATE_REPORT_INVALID (exit 7) for what is empty, cut short or no such report */
export function parseGateRecord(text: string, file: string): GateReport {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = Report.safeParse(value);
  if (parsed.success) return parsed.data;
  const why =
    text.trim() === ''
      ? 'is empty'
      : value === undefined
        ? 'is cut short, or no JSON'
        : `is no report of a gate: ${parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')}`;
  throw new AppError(EXIT.publishFailed, {
    code: 'GATE_REPORT_INVALID',
    message: `${why}: no release counts as gated by it`,
    at: file,
    hint: 'build the release again',
  });
}

/**
 * Why a report does not let this release through: it must be about this very image, and say nothing that contradicts its
 * verdict.
 */
export function findReportProblems(report: GateReport, manifest: ReleaseManifest, file: string): Problem[] {
  const name = `${manifest.fullName}/${manifest.id}`;
  const problem = (code: string, message: string): Problem => ({
    ...{ code, message: `${message} (release ${name})`, at: file },
    hint: `condense install --rebuild ${manifest.environment}`,
  });
  const problems: Problem[] = [];
  if (report.release !== name) problems.push(problem('GATE_OTHER_RELEASE', `is the report of ${report.release}`));
  if (report.imageSha256 !== manifest.image.sha256)
    problems.push(
      problem(
        'GATE_OTHER_IMAGE',
        `is about an image with sha256 ${report.imageSha256}, and the release has ${manifest.image.sha256}: what users would get was never checked`,
      ),
    );
  const failed = report.results.filter(({ status }) => status === 'failed').map((result) => result.name);
  const unclear = report.results
    .filter(
      ({ status, failure, reason }) =>
        (status === 'passed' && failure !== undefined) || (status !== 'passed' && status !== 'failed' && !reason),
    )
    .map((result) => result.name);
  if (failed.length > 0 && report.verdict === 'passed')
    problems.push(problem('GATE_REPORT_LIES', `says that the gate was passed, and that ${failed.join(', ')} failed`));
  else if (report.verdict !== 'passed') problems.push(problem('GATE_FAILED', `says that the gate was not passed`));
  if (unclear.length > 0)
    problems.push(problem('GATE_REPORT_LIES', `does not say why ${unclear.join(', ')} counts as passed`));
  return problems;
}
