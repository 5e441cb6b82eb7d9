// `condense test`: the gate once more, on a release that is there, by what the configuration asks for now. Changes nothing.
import { describeFailedGate, testRelease } from '../build/gate.ts';
import { readManifest } from '../release/find-release.ts';
import type { GateResult } from '../release/gate-report.ts';
import { withLock } from '../release/site-lock.ts';
import { planAll } from './plan.ts';
import { openBuild, type Session } from './session.ts';
import { listSubjects } from './verify.ts';

/**
 * @param what an environment or full name (what is live of it), or `<full name>/<release id>`
 * @throws AppError GATE_FAILED (exit 6); ENVIRONMENT_NOT_LIVE (7), ENVIRONMENT_UNKNOWN (2), LOCK_HELD (11)
 */
export async function runTest(session: Session, what: string): Promise<void> {
  const { layout, output } = session;
  for (const { fullName, id } of await listSubjects(session, what)) {
    const manifest = await readManifest(layout, fullName, id);
    const [plan] = await planAll(session, [manifest.environment]);
    if (!plan) continue; // planAll throws for an environment that it does not know
    // The version that is configured may be the next one: the release's own counts.
    const own = { ...plan, fullName };
    const context = await openBuild(session);
    const report = await withLock(layout.lockFile(fullName), `test of ${fullName}/${id}`, () =>
      testRelease(context, own, manifest, []),
    );
    const count = (status: GateResult['status']): number =>
      report.results.filter((one) => one.status === status).length;
    output.result({ gate: report }, [
      ...report.results.filter(({ status }) => status !== 'passed').map(describeResult),
      `${fullName}/${id}: ${count('passed')} checks passed, ${count('failed')} failed, ${count('skipped')} skipped, ${count('expected')} failed as expected, in ${report.seconds.toFixed(1)} s`,
    ]);
    if (report.verdict === 'failed') {
      const hint = `nothing was changed; where users are harmed by it: condense rollback ${manifest.environment}`;
      throw await describeFailedGate(layout, own, manifest, report, hint);
    }
  }
}

const describeResult = ({ name, status, reason, until }: GateResult): string =>
  `${status.padEnd(8)} ${name}${reason === undefined ? '' : ` (${reason}${until === undefined ? '' : `, until ${until}`})`}`;
