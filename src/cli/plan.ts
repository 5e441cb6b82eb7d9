// `condense plan`: what would be built and why, what it would write to and how much; stored, for `condense build --plan`.
import path from 'node:path';
import { planBuild, planEnvironment, type BuildPlan } from '../build/build-plan.ts';
import { parsePlanDocument, renderPlanDocument, type PlannedBuild } from '../build/plan-document.ts';
import { readTestsDigest } from '../gate/user-tests.ts';
import { planRelease, readPlannedLock } from '../build/plan-release.ts';
import type { BuildContext } from '../build/build-context.ts';
import type { EnvironmentLock } from '../conda/lock.ts';
import { readEnvironmentSpec } from '../config/read-config.ts';
import { readPipSection } from '../pip/pip-section.ts';
import { describePlatform } from '../site/platform.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, readText, writeFileAtomic } from '../system/files.ts';
import { openBuild, type Session } from './session.ts';
import { describeSize } from '../system/describe-size.ts';

export interface PlanOptions {
  readonly out?: string | undefined;
  readonly offline?: boolean | undefined;
}

/** @param names none means every environment */
export async function runPlan(session: Session, names: readonly string[], options: PlanOptions): Promise<void> {
  const { config, output } = session;
  const wanted = names.length > 0 ? names : [...config.environments.keys()];
  const context = await openBuild(session, options.offline);
  const builds: PlannedBuild[] = [];
  for (const plan of await planAll(session, wanted)) {
    const planned = await planRelease(context, plan, { publish: true });
    builds.push(planned);
    output.result(planned, renderPlanned(planned));
  }
  if (options.out === undefined) return;
  const file = path.resolve(options.out);
  const { version } = context.product;
  const document = {
    planVersion: 1 as const,
    createdAt: new Date().toISOString(),
    condense: version,
    config: config.file,
  };
  await writeFileAtomic(file, renderPlanDocument({ ...document, builds }));
  output.report({ type: 'note', text: `the plan is in ${file}: condense build --plan ${options.out}` });
}

/** @throws AppError of the configuration: what is wrong with the last of them is said before the first is built */
export async function planAll(session: Session, names: readonly string[]): Promise<BuildPlan[]> {
  const { config, layout } = session;
  const plans: BuildPlan[] = [];
  for (const name of names) {
    const environment = planEnvironment(config, name);
    const spec = await readEnvironmentSpec(environment.specFile);
    for (const note of spec.notes) session.output.report({ type: 'note', text: `${note.at}  ${note.text}` });
    await readPipSection(spec.pip, spec.file);
    plans.push(
      planBuild(
        config,
        layout,
        environment,
        spec,
        describePlatform(process.arch),
        await readTestsDigest(layout.gateTests(spec.file)),
      ),
    );
  }
  return plans;
}

/** One build of a stored plan. */
export interface HeldBuild {
  readonly plan: BuildPlan;
  /** Its lock, when nothing changed since. @throws AppError PLAN_STALE */
  readonly readLock: () => Promise<EnvironmentLock>;
}

/**
 * What a stored plan wants to have built.
 * @throws AppError PLAN_MISSING, PLAN_INVALID, PLAN_STALE for all of it, before anything is built
 */
export async function readPlannedBuilds(
  session: Session,
  context: BuildContext,
  name: string,
): Promise<readonly HeldBuild[]> {
  const file = path.resolve(name);
  if (!(await lstatIfThere(file))) {
    const message = 'there is no such file';
    throw new AppError(EXIT.usage, { code: 'PLAN_MISSING', message, at: file, hint: `condense plan --out ${name}` });
  }
  const { builds } = parsePlanDocument(await readText(file), file);
  const wanted: HeldBuild[] = [];
  for (const planned of builds) {
    for (const plan of await planAll(session, [planned.environment]))
      wanted.push({ plan, readLock: () => readPlannedLock(context, plan, planned, file) });
  }
  for (const { readLock } of wanted) await readLock();
  return wanted;
}

export function renderPlanned(planned: PlannedBuild): string[] {
  const { fullName, action, release, reasons, lock, space, steps } = planned;
  if (action === 'none') return [`${fullName} release ${release ?? ''} is up to date: nothing to build`];
  return [
    `${fullName} would be built${release === undefined ? '' : `; against its newest release ${release}`}:`,
    ...reasons.flatMap(({ input, what, details }) => [
      `why      ${input}: ${what}`,
      ...details.map((detail) => `           ${detail}`),
    ]),
    `lock     ${lock.packages} packages, ${lock.from === 'file' ? 'as locked beside the spec' : 'solved now'}`,
    `download ${space.downloads} packages, ${describeSize(space.downloadBytes)}; in the cache ${describeSize(space.cachedBytes)}`,
    `room     image about ${describeSize(space.imageBytes)} with ${space.inodes} inodes inside, staging ${describeSize(space.stagingBytes)} (${space.estimatedFrom === 'release' ? 'as its newest release' : 'as a typical environment'})`,
    ...steps.map(({ step, what }) => `${step.padEnd(8)} ${what}`),
  ];
}
