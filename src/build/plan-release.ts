// What `condense plan` finds out: the lock, the inputs, what of them changed since the newest release. Builds and publishes nothing.
import { digestLock, parseLock, renderLock, type EnvironmentLock } from '../conda/lock.ts';
import type { ChannelAccess } from '../conda/channel-access.ts';
import type { PipSection } from '../pip/pip-section.ts';
import { findRelease } from '../release/find-release.ts';
import type { ReleaseManifest } from '../release/manifest.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { digestFile, digestText, lstatIfThere } from '../system/files.ts';
import type { BuildContext } from './build-context.ts';
import { planInputs, planLauncherFacts } from './build-inputs.ts';
import { planSteps, type BuildPlan } from './build-plan.ts';
import { readCustomDigest } from './custom-inputs.ts';
import { describeMisfits, readBuildLock, readPlannedAccess, readReleaseLock, solvePlanned } from './lock.ts';
import { readPipPlan, withKnownPip, type PipPlan } from './pip.ts';
import type { PlannedBuild } from './plan-document.ts';
import { planReasons } from './plan-reasons.ts';
import { readSpace } from './plan-space.ts';
import { readInputFile } from './provenance.ts';
import { planStoreBase } from './store.ts';
import { makeTimed } from './timed.ts';
import { findFailedRelease } from './try-again.ts';

/** @throws AppError as a build does before it stages anything */
export async function planRelease(
  context: BuildContext,
  plan: BuildPlan,
  options: { readonly publish: boolean },
): Promise<PlannedBuild> {
  const { layout } = context;
  const access = await readPlannedAccess(context, plan);
  const pip = await readPipPlan(plan, access);
  const locked = await readBuildLock(context, plan, pip?.section);
  const lock = locked ?? (await solve(context, plan, access, pip));
  const isPipOpen = pip !== undefined && lock.pip === undefined;
  const inputs = await readInputs(context, plan, lock);
  const inputsDigest = digestText(JSON.stringify(inputs));
  const same = isPipOpen
    ? undefined
    : await findRelease(layout, plan.fullName, (one) => one.inputsDigest === inputsDigest);
  const failed = same || isPipOpen ? undefined : await findFailedRelease(layout, plan.fullName, inputs);
  const newest = same ?? (await findRelease(layout, plan.fullName, () => true));
  const before = newest && { manifest: newest, lock: await readReleaseLock(layout, newest) };
  const now = { inputs, lock, isPipOpen, config: (await readInputFile(context.config.file)).text };
  const was = before && { inputs: newest.inputs, lock: before.lock, config: newest.config?.text };
  return {
    environment: plan.environment.name,
    fullName: plan.fullName,
    platform: plan.platform,
    action: same ? 'none' : 'build',
    ...(newest ? { release: newest.id } : {}),
    reasons: same ? [] : [...planReasons(was, now, plan.environment.name), ...(failed ? [describeFailed(failed)] : [])],
    inputs,
    lock: {
      ...{ from: locked ? ('file' as const) : ('solve' as const), isPipOpen, text: renderLock(lock) },
      packages: lock.packages.length + (lock.pip?.packages.length ?? 0),
    },
    space: await readSpace(layout.packageCache, lock, before),
    steps: same ? [] : [...planSteps(plan, layout, options)],
  };
}

const describeFailed = ({ id }: ReleaseManifest): PlannedBuild['reasons'][number] => ({
  input: 'gate',
  what: `${id} was built from the same and failed its gate: only its gate runs again, nothing is built`,
  details: [],
});

/**
 * The lock of a stored plan, when everything is still as it was then.
 * @throws AppError PLAN_STALE, naming each input that is not
 */
export async function readPlannedLock(
  context: BuildContext,
  plan: BuildPlan,
  planned: PlannedBuild,
  file: string,
): Promise<EnvironmentLock> {
  const lock = parseLock(planned.lock.text, `${file} (${planned.fullName})`);
  const changes: string[] = [];
  if (plan.fullName !== planned.fullName) changes.push(`it is for ${planned.fullName}, not for ${plan.fullName}`);
  const pip = (await readPipPlan(plan, await readPlannedAccess(context, plan)))?.section;
  changes.push(...describeMisfits(context.config, plan, lock, planned.lock.isPipOpen ? undefined : pip));
  changes.push(...(await compareLockFile(context, plan, planned, lock, pip)));
  const inputs = await readInputs(context, plan, lock);
  for (const name of new Set([...Object.keys(planned.inputs), ...Object.keys(inputs)])) {
    // A base that had to be made then may be there now.
    if (planned.inputs[name] === inputs[name] || (name === 'base' && planned.inputs[name] === undefined)) continue;
    const isListed = changes.length > 0 && (name === 'spec' || name === 'lock');
    if (!isListed) changes.push(`${name} is not what it was`);
  }
  if (changes.length === 0) return lock;
  throw new AppError(EXIT.configuration, {
    code: 'PLAN_STALE',
    message: `what ${planned.fullName} is made from changed since the plan:\n${changes.map((text) => `- ${text}`).join('\n')}`,
    at: file,
    hint: `condense plan ${planned.environment} --out ${file}`,
  });
}

async function compareLockFile(
  context: BuildContext,
  plan: BuildPlan,
  { lock: { from, isPipOpen } }: PlannedBuild,
  lock: EnvironmentLock,
  pip: PipSection | undefined,
): Promise<string[]> {
  const file = context.layout.environmentLock(plan.environment);
  const isThere = (await lstatIfThere(file)) !== undefined;
  if (isThere !== (from === 'file')) return [isThere ? `there is a ${file} now` : `${file} is gone`];
  if (!isThere || isPipOpen) return [];
  const current = await readBuildLock(context, plan, pip);
  return current && digestLock(current) !== digestLock(lock) ? [`${file} has other packages`] : [];
}

async function readInputs(
  context: BuildContext,
  plan: BuildPlan,
  lock: EnvironmentLock,
): Promise<Record<string, string>> {
  const base = await planStoreBase(context);
  const isMade = (await lstatIfThere(base.file)) !== undefined;
  const launcher = planLauncherFacts(context, plan, base.file, context.layout.node(process.versions.node));
  const { base: sha256, ...inputs } = planInputs(
    context,
    plan,
    lock,
    isMade ? await digestFile(base.file) : '',
    launcher,
    await readCustomDigest(plan),
  );
  return isMade && sha256 !== undefined ? { base: sha256, ...inputs } : inputs;
}

async function solve(
  context: BuildContext,
  plan: BuildPlan,
  access: ChannelAccess,
  pip: PipPlan | undefined,
): Promise<EnvironmentLock> {
  const solved = await makeTimed(context.report, context.signal)('solve', () => solvePlanned(context, plan, access));
  return await withKnownPip(context.layout, plan, solved, pip);
}
