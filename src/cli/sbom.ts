// `condense sbom`: a bill of materials of one release for people and scanners, or the licences of what is in it.
import product from '../../package.json' with { type: 'json' };
import { findMeantRelease } from '../release/find-meant-release.ts';
import { readManifest } from '../release/find-release.ts';
import { planBill, type Bill } from '../sbom/bill.ts';
import { renderCycloneDx } from '../sbom/cyclonedx.ts';
import { planLicenceReport, renderLicenceReport } from '../sbom/licence-report.ts';
import { readLicences } from '../sbom/read-licences.ts';
import { renderSpdx } from '../sbom/spdx.ts';
import { readOwnLock } from './own-lock.ts';
import type { Session } from './session.ts';

export interface SbomOptions {
  readonly format: 'spdx' | 'cyclonedx';
  readonly licences?: boolean | undefined;
}

/**
 * Changes nothing. The same release gives the same document.
 * @param text a release, or what is live: see `findMeantRelease`
 * @throws AppError SUBJECT_UNKNOWN (exit 2), RELEASE_MISSING, LOCK_CHANGED (exit 7), TOOL_FAILED
 */
export async function runSbom(session: Session, text: string, options: SbomOptions): Promise<void> {
  const { output } = session;
  const bill = await readBill(session, text);
  const release = `${bill.fullName}/${bill.releaseId}`;
  if (options.licences) {
    const report = planLicenceReport(bill);
    output.result(
      { release, ...report },
      renderLicenceReport(`licences of ${release}, as its packages state them`, report),
    );
    return;
  }
  const document = options.format === 'spdx' ? renderSpdx(bill) : renderCycloneDx(bill);
  output.result({ release, format: options.format, document }, JSON.stringify(document, null, 2).split('\n'));
}

async function readBill({ layout, config, signal }: Session, text: string): Promise<Bill> {
  const { fullName, id } = await findMeantRelease(layout, text);
  const manifest = await readManifest(layout, fullName, id);
  const lock = await readOwnLock(layout, manifest);
  const licences = await readLicences(layout, manifest, signal);
  return planBill({
    ...{ manifest, lock, licences, alias: config.channels.alias },
    ...{ tool: product.name, toolVersion: product.version },
  });
}
