// `condense test`: the gate once more, on a release that is there, by what the configuration asks for now. Changes nothing.
import { describeFailedGate, testRelease } from '../build/gate.ts';
import { readManifest } from '../release/find-release.ts';
import type { GateResult } from '../release/gate-report.ts';
import { withLock } from '../release/site-lock.ts';
import { readCurrentGeneration } from '../release/site-state.ts';
import type { Layout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { planAll } from './plan.ts';
import { openBuild, type Session } from './session.ts';
import { listSubjects } from './verify.ts';

/**
 * Every one of them is tested, whatever becomes of the others.
 * @param what environments or full names (what is live of them), or `<full name>/<release id>`
 * @throws AppError GATE_FAILED (exit 6); ENVIRONMENT_NOT_LIVE (7), ENVIRONMENT_UNKNOWN, USAGE_INVALID (2), LOCK_HELD (11)
 */
export async function runTest(
  session: Session,
  what: readonly string[],
  { all }: { readonly all?: boolean | undefined },
): Promise<void> {
  const failures: AppError[] = [];
  for (const one of await chooseTested(session.layout, what, all)) {
    for (const { fullName, id } of await listSubjects(session, one)) {
      const failure = await testOne(session, fullName, id);
      if (failure) failures.push(failure);
    }
  }
  if (failures.length > 0)
    throw new AppError(
      EXIT.gateFailed,
      failures.flatMap(({ problems }) => problems),
    );
}

/** @param all everything that is live, as full names. @throws AppError USAGE_INVALID (exit 2), ENVIRONMENT_NOT_LIVE (7) */
export async function chooseTested(
  layout: Layout,
  what: readonly string[],
  all: boolean | undefined,
): Promise<readonly string[]> {
  if ((what.length === 0) !== (all ?? false)) {
    throw new AppError(EXIT.usage, {
      code: 'USAGE_INVALID',
      message: all
        ? '--all means everything that is live: name nothing besides'
        : 'nothing was named that is to be tested',
      hint: 'condense test <environment>, or condense test --all',
    });
  }
  if (!all) return [...new Set(what)];
  const live = [...((await readCurrentGeneration(layout))?.versions.keys() ?? [])];
  if (live.length > 0) return live;
  throw new AppError(EXIT.publishFailed, {
    ...{ code: 'ENVIRONMENT_NOT_LIVE', message: 'nothing is live, so there is nothing to test' },
    hint: 'condense list --releases',
  });
}

/** @returns what its gate failed for */
async function testOne(session: Session, fullName: string, id: string): Promise<AppError | undefined> {
  const { layout, output } = session;
  const manifest = await readManifest(layout, fullName, id);
  const [plan] = await planAll(session, [manifest.environment]);
  if (!plan) return undefined; // planAll throws for an environment that it does not know
  // The version that is configured may be the next one: the release's own counts.
  const own = { ...plan, fullName };
  const context = await openBuild(session);
  const report = await withLock(layout.lockFile(fullName), `test of ${fullName}/${id}`, () =>
    testRelease(context, own, manifest, []),
  );
  const count = (status: GateResult['status']): number => report.results.filter((one) => one.status === status).length;
  output.result({ gate: report }, [
    ...report.results.filter(({ status }) => status !== 'passed').map(describeResult),
    `${fullName}/${id}: ${count('passed')} checks passed, ${count('failed')} failed, ${count('skipped')} skipped, ${count('expected')} failed as expected, in ${report.seconds.toFixed(1)} s`,
  ]);
  if (report.verdict !== 'failed') return undefined;
  const hint = `nothing was changed; where users are harmed by it: condense rollback ${manifest.environment}`;
  return await describeFailedGate(layout, own, manifest, report, hint);
}

const describeResult = ({ name, status, reason, until }: GateResult): string =>
  `${status.padEnd(8)} ${name}${reason === undefined ? '' : ` (${reason}${until === undefined ? '' : `, until ${until}`})`}`;
