// Stage: the checks that a release must pass, through its own launcher, before users can get it.
import path from 'node:path';
import type { Waiver } from '../gate/exceptions.ts';
import { renderJUnit } from '../gate/render-junit.ts';
import { runGate } from '../gate/run-gate.ts';
import { quoteSh } from '../modules/quote-shell.ts';
import { renderGateRecord, type GateReport } from '../release/gate-report.ts';
import { renderManifest, type ReleaseManifest } from '../release/manifest.ts';
import { writeSignature } from '../release/signature.ts';
import type { Layout } from '../site/layout.ts';
import { readAccountName } from '../system/account.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { digestText, makePrivateDir, makeSharedDir, removeTree, writeFileAtomic } from '../system/files.ts';
import type { BuildContext } from './build-context.ts';
import type { BuildPlan } from './build-plan.ts';

/**
 * Writes the gate report of a release that passes, and its digest into the manifest, which then is signed where there is a key: only then can it be published.
 * One that does not pass is kept, with nothing but what failed: its gate can be tried again. The report is kept in the logs.
 * @throws AppError GATE_FAILED (exit 6), every failed check a problem of its own
 */
export async function passGate(
  context: BuildContext,
  plan: BuildPlan,
  manifest: ReleaseManifest,
  waivers: readonly Waiver[] = [],
): Promise<void> {
  const { layout, config } = context;
  const release = layout.release(plan.fullName, manifest.id);
  const report = await testRelease(context, plan, manifest, waivers);
  if (report.verdict === 'failed') {
    await writeFileAtomic(release.gateRecord, renderGateRecord(report), 0o444);
    throw await describeFailedGate(layout, plan, manifest, report);
  }
  const text = renderJUnit(report);
  const record = renderGateRecord(report);
  const gated = { ...manifest, gate: describeGate(report, text, record) };
  await writeFileAtomic(release.manifest, renderManifest(gated), 0o444);
  if (config.signing.key !== undefined) await writeSignature(release, config.signing.key);
  await writeFileAtomic(release.gateRecord, record, 0o444);
  // Last: with its gate report a release can be published.
  await writeFileAtomic(release.gateReport, text, 0o444);
}

/** Changes nothing in the release. Call it with the environment's build lock held. */
export async function testRelease(
  { layout, report, runtime, signal }: Pick<BuildContext, 'layout' | 'report' | 'runtime' | 'signal'>,
  plan: BuildPlan,
  manifest: ReleaseManifest,
  waivers: readonly Waiver[],
): Promise<GateReport> {
  const staging = layout.staging(plan.fullName);
  await makePrivateDir(path.dirname(staging.dir));
  try {
    return await runGate({
      ...{ layout, manifest, policy: plan.environment.gate, waivers, report, signal },
      tests: layout.gateTests(plan.spec.file),
      scratch: staging.gate,
      nsenter: runtime.nsenter,
    });
  } finally {
    await removeTree(staging.dir);
  }
}

function describeGate(report: GateReport, text: string, record: string): NonNullable<ReleaseManifest['gate']> {
  const { results, seconds } = report;
  const waived = results
    .filter(({ status }) => status === 'waived')
    .map(({ name, reason = '', failure = '' }) => ({ check: name, reason, by: readAccountName(), failure }));
  return {
    ...{ sha256: digestText(text), record: digestText(record), seconds },
    checks: results
      .filter(({ status }) => status !== 'waived')
      .map((one) => ({
        ...{ name: one.name, seconds: one.seconds },
        ...(one.status === 'skipped' || one.status === 'expected' ? { status: one.status, reason: one.reason } : {}),
      })),
    ...(waived.length > 0 ? { waived } : {}),
  };
}

/** @returns a way out of a failed check of a release that nobody sees yet */
function describeWayOut(environment: string, check: string, isEssential: boolean): string {
  const mend = 'nothing was published; correct the environment and build again';
  return isEssential
    ? mend
    : `${mend}, or let it pass without another build: condense build ${environment} --waive ${quoteSh(check)} --reason '...'`;
}

/** Keeps the report in the logs, and says every check that failed. @param hint of each; default: how to build one that passes */
export async function describeFailedGate(
  layout: Layout,
  { fullName, environment }: BuildPlan,
  { id }: ReleaseManifest,
  report: GateReport,
  hint?: string,
): Promise<AppError> {
  const kept = path.join(layout.logs, `${fullName}-${id}-gate.xml`);
  await makeSharedDir(layout.logs);
  await writeFileAtomic(kept, renderJUnit(report));
  await writeFileAtomic(kept.replace(/xml$/, 'json'), renderGateRecord(report));
  const failed = report.results.filter(({ status }) => status === 'failed');
  return new AppError(
    EXIT.gateFailed,
    failed.map(({ name, failure = '', essential }) => ({
      ...{ code: 'GATE_FAILED', message: `${fullName}: ${name}: ${failure}`, at: kept },
      hint: hint ?? describeWayOut(environment.name, name, essential === true),
    })),
  );
}
