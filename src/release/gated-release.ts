// A release that has passed its gate: the only kind that can become part of what users see.
import type { Layout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { digestText, readRegularText } from '../system/files.ts';
import { readManifest } from './find-release.ts';
import { findReportProblems, parseGateRecord } from './gate-report.ts';
import { environmentOf, type ReleaseName } from './release-name.ts';

declare const passed: unique symbol;

/** Made by `readGatedRelease` and by nothing else, so whoever takes one need not ask whether it passed. */
export interface GatedRelease extends ReleaseName {
  readonly environment: string;
  readonly [passed]: true;
}

/**
 * Reads manifest and gate report, not the image: `verifyRelease` compares that with the manifest.
 * @throws AppError (exit 7) RELEASE_MISSING, RELEASE_INCOMPLETE, NOT_GATED, GATE_REPORT_INVALID, GATE_REPORT_CHANGED,
 *   GATE_REPORT_LIES, GATE_FAILED, GATE_OTHER_RELEASE, GATE_OTHER_IMAGE
 */
export async function readGatedRelease(layout: Layout, fullName: string, id: string): Promise<GatedRelease> {
  const manifest = await readManifest(layout, fullName, id);
  const release = layout.release(fullName, id);
  const { gate, environment } = manifest;
  const gated = { fullName, id, environment } as GatedRelease;
  const refuse = (
    code: string,
    at: string,
    message: string,
    hint = `condense install --rebuild ${environmentOf(fullName)}`,
  ): AppError =>
    new AppError(EXIT.publishFailed, {
      ...{ code, at, message: `${message}, so release ${fullName}/${id} cannot be shown to users`, hint },
    });
  const readReport = async (file: string, sha256?: string): Promise<string> => {
    const text = await readRegularText(file);
    if (text === undefined) throw refuse('RELEASE_INCOMPLETE', file, 'is missing');
    if (text.trim() === '') throw refuse('GATE_REPORT_INVALID', file, 'is empty');
    if (sha256 !== undefined && digestText(text) !== sha256)
      throw refuse('GATE_REPORT_CHANGED', file, 'is not the report that its manifest names');
    return text;
  };
  // Manifests of the first condense named no report; later ones do, once they have passed.
  if (!gate && manifest.manifestVersion > 1)
    throw refuse('NOT_GATED', release.manifest, 'names no gate report', `condense build ${environment}`);
  await readReport(release.gateReport, gate?.sha256);
  // Older releases have no record. That their image is the one that was checked, their manifest says by naming both.
  if (gate?.record === undefined) return gated;
  const report = parseGateRecord(await readReport(release.gateRecord, gate.record), release.gateRecord);
  const problems = findReportProblems(report, manifest, release.gateRecord);
  if (problems.length > 0) throw new AppError(EXIT.publishFailed, problems);
  return gated;
}
