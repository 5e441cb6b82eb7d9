// Stage: the checks that a release must pass, through its own launcher, before users can get it.
import path from 'node:path';
import { planGate, renderGateReport } from '../gate/gate-checks.ts';
import { runGate } from '../gate/run-gate.ts';
import { renderManifest, type ReleaseManifest } from '../release/manifest.ts';
import { writeSignature } from '../release/signature.ts';
import type { Layout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { digestText, makeSharedDir, removeTree, writeFileAtomic } from '../system/files.ts';
import type { BuildPlan } from './build-plan.ts';

/**
 * Writes the gate report of a release that passes, and its digest into the manifest, which then is signed where there is a key: only then can it be published.
 * One that does not pass is removed, and its report is kept in the logs.
 * @throws AppError GATE_FAILED (exit 6), every failed check a problem of its own
 */
export async function passGate(
  layout: Layout,
  plan: BuildPlan,
  manifest: ReleaseManifest,
  signal: AbortSignal,
  signingKey?: string,
): Promise<void> {
  const release = layout.release(plan.fullName, manifest.id);
  const checks = planGate(release, {
    condaPrefix: plan.condaPrefix,
    marker: layout.marker(plan.fullName),
    commands: manifest.commands,
    imports: plan.environment.gateImports,
  });
  const report = await runGate(`${plan.fullName}/${manifest.id}`, checks, signal);
  const text = renderGateReport(report);
  const failed = report.results.filter((result) => result.failure !== undefined);
  if (failed.length === 0) {
    const checks = report.results.map(({ name, seconds }) => ({ name, seconds: Math.round(seconds * 1000) / 1000 }));
    const gated = { ...manifest, gate: { sha256: digestText(text), checks } };
    await writeFileAtomic(release.manifest, renderManifest(gated), 0o444);
    if (signingKey !== undefined) await writeSignature(release, signingKey);
    // Last: with its gate report a release can be published.
    await writeFileAtomic(release.gateReport, text, 0o444);
    return;
  }
  const kept = path.join(layout.logs, `${plan.fullName}-${manifest.id}-gate.xml`);
  await makeSharedDir(layout.logs);
  await writeFileAtomic(kept, text);
  await removeTree(release.dir);
  throw new AppError(
    EXIT.gateFailed,
    failed.map((result) => ({
      code: 'GATE_FAILED',
      message: `${plan.fullName}: ${result.name}: ${result.failure ?? ''}`,
      at: kept,
      hint: 'nothing was published; correct the environment and run the command again',
    })),
  );
}
