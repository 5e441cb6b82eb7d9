// The way of the data: plan, solve, stage, activate, pack, release, gate. Publishing is the caller's next step.
import os from 'node:os';
import path from 'node:path';
import type { EnvironmentLock } from '../conda/lock.ts';
import type { ChannelAccess } from '../conda/channel-access.ts';
import type { Waiver } from '../gate/exceptions.ts';
import { findRelease, readGateState, readNextTime, removeAbandoned } from '../release/find-release.ts';
import type { ReleaseManifest } from '../release/manifest.ts';
import { compareInputs } from '../release/release-diff.ts';
import { findMissingCommands } from '../site/outside-commands.ts';
import { isBound } from '../site/run-binds.ts';
import { readAccountName } from '../system/account.ts';
import { digestFile, digestText, removeTree } from '../system/files.ts';
import type { BuildContext } from './build-context.ts';
import { planInputs, planLauncherFacts, planPackages, type ReleaseLauncherFacts } from './build-inputs.ts';
import type { BuildPlan } from './build-plan.ts';
import { readCustomDigest } from './custom-inputs.ts';
import type { Customised, HookFacts } from './customise.ts';
import { runPackHook } from './hooks.ts';
import { passGate } from './gate.ts';
import { writeImageFromArchives } from './image-from-archives.ts';
import { writeImageFromTree } from './image-from-tree.ts';
import type { FindSame, ImageRequest, StagedImage } from './image-request.ts';
import { readBuildLock, readPlannedAccess, solvePlanned } from './lock.ts';
import { readPipPlan, withKnownPip, type PipPlan } from './pip.ts';
import { readDownloads } from './plan-space.ts';
import { readGitCommit, readInputFile, readToolVersions } from './provenance.ts';
import { writeRelease } from './release.ts';
import { checkRoom, listNeeds } from './room.ts';
import type { PrefixRequest } from './staged-prefix.ts';
import { readyStore } from './store.ts';
import { makeTimed, type Timed } from './timed.ts';
import { readyFailedRelease } from './try-again.ts';

export interface BuildOutcome {
  readonly manifest: ReleaseManifest;
  /** False when a release of the very same inputs was there and had passed its gate; one that had failed it is gated again. */
  readonly built: boolean;
  /** Of one that was built although there was another: which inputs changed since that one. */
  readonly because?: { readonly since: string; readonly inputs: readonly string[] } | undefined;
}

export interface BuildOptions {
  /** Builds although there is a release of the same inputs. */
  readonly rebuild?: boolean | undefined;
  /** Of a stored plan, and then whatever is beside the spec: the caller has seen to it that they agree. */
  readonly lock?: EnvironmentLock | undefined;
  /** Checks of the gate that may fail, with the reason of whoever says so. */
  readonly waivers?: readonly Waiver[] | undefined;
  /** Where that lock is what somebody else had installed: for the manifest. */
  readonly adopted?: ReleaseManifest['adopted'];
}

/**
 * Builds a gated release; nothing that users see changes. Call it with the environment's build lock held.
 * @throws AppError with exit 4 (site), 5 (build) or 6 (gate)
 */
export async function buildRelease(
  context: BuildContext,
  plan: BuildPlan,
  { rebuild, lock: given, adopted, waivers }: BuildOptions = {},
): Promise<BuildOutcome> {
  const { layout } = context;
  const stageSeconds: Record<string, number> = {};
  const timed = makeTimed(context.report, context.signal, stageSeconds);
  await removeAbandoned(layout, plan.fullName);
  const access = await readPlannedAccess(context, plan);
  const pip = await readPipPlan(plan, access);
  // What is locked is installed, and only that: a build never updates.
  const locked = given ?? (await readBuildLock(context, plan, pip?.section));
  const { base, node } = await timed('base', () => readyStore(context));
  const lock = locked ?? (await solveAnew(context, plan, access, pip, timed));
  const launcher = planLauncherFacts(context, plan, base.file, node);
  const baseSha256 = await digestFile(base.file);
  const customise = await readCustomDigest(plan);
  let reason: { readonly because: BuildOutcome['because'] } | undefined;
  const findSame: FindSame = async (whole) => {
    const inputs = planInputs(context, plan, whole, baseSha256, launcher, customise);
    const inputsDigest = digestText(JSON.stringify(inputs));
    // What is adopted is recorded, so a release from elsewhere will not do.
    const fits = (manifest: ReleaseManifest): boolean =>
      adopted === undefined || JSON.stringify(manifest.adopted) === JSON.stringify(adopted);
    const isSame = (manifest: ReleaseManifest): boolean => manifest.inputsDigest === inputsDigest && fits(manifest);
    const same = rebuild
      ? undefined
      : ((await findRelease(layout, plan.fullName, isSame)) ??
        (await readyFailedRelease(context, plan, { inputs, inputsDigest, lock: whole, launcher, fits })));
    if (!same) await removeAbandoned(layout, plan.fullName, { failed: true }); // another one is made
    if (!same && !reason) {
      const before = await findRelease(layout, plan.fullName, () => true);
      reason = { because: before && { since: before.id, inputs: compareInputs(before.inputs, inputs) } };
      context.report({ type: 'note', text: describeReason(plan.fullName, reason.because) });
    }
    return { inputs, inputsDigest, same };
  };
  const finish = async (manifest: ReleaseManifest): Promise<BuildOutcome> => {
    if ((await readGateState(layout, plan.fullName, manifest.id)) === 'passed') return { manifest, built: false };
    await timed('gate', () => passGate(context, plan, manifest, waivers));
    return { manifest, built: true, because: reason?.because };
  };
  const { same } = pip && !lock.pip ? {} : await findSame(lock);
  if (same) return await finish(same);
  const { packageCache } = layout;
  const downloads = await readDownloads(packageCache, lock);
  await checkRoom(listNeeds({ packageCache, staging: layout.staging(plan.fullName).dir }, downloads), context.signal);

  try {
    const made = await timed('build', () =>
      build(context, plan, { base, baseSha256, lock, pip, access, launcher, findSame, stageSeconds, adopted }, timed),
    );
    return await finish(made);
  } catch (error) {
    await removeAbandoned(layout, plan.fullName); // whole, but its gate did not come to an end: nobody can publish it
    throw error;
  }
}

async function solveAnew(
  context: BuildContext,
  plan: BuildPlan,
  access: ChannelAccess,
  pip: PipPlan | undefined,
  timed: Timed,
): Promise<EnvironmentLock> {
  const solved = await timed(
    'solve',
    () => solvePlanned(context, plan, access),
    `${plan.spec.dependencies.length} specs`,
  );
  return await withKnownPip(context.layout, plan, solved, pip);
}

function describeReason(fullName: string, because: BuildOutcome['because']): string {
  if (!because) return `${fullName} is built because it has no whole, gated release yet`;
  const { since, inputs } = because;
  return inputs.length === 0
    ? `${fullName} is built again although nothing changed since ${since}`
    : `${fullName} is built again because of: ${inputs.join(', ')} (changed since ${since})`;
}

interface Prepared extends PrefixRequest {
  /** Of its file: two builds of one base are not the same bytes. */
  readonly baseSha256: string;
  readonly launcher: ReleaseLauncherFacts;
  readonly findSame: FindSame;
  readonly stageSeconds: Record<string, number>;
  readonly adopted: ReleaseManifest['adopted'];
}

/** @returns a release that is whole: of one of the same inputs, where only pip's resolving could tell, maybe a gated one */
async function build(
  context: BuildContext,
  plan: BuildPlan,
  prepared: Prepared,
  timed: Timed,
): Promise<ReleaseManifest> {
  const request: ImageRequest = { ...prepared, context, plan, timed };
  try {
    const made = (await writeImageFromArchives(request)) ?? (await writeImageFromTree(request));
    if ('same' in made) return made.same;
    const hook = await runPackHook(context, plan, prepared.base, made.image.file, timed);
    const missing = await findMissingCommands(plan.environment.outsideCommands, context.layout);
    if (missing.length > 0)
      context.report({
        type: 'warning',
        text: `outside_commands that this machine does not have: ${missing.join(', ')}`,
      });
    for (const text of made.activation.warnings) context.report({ type: 'warning', text });
    return await timed('release', () => writeManifest(context, plan, prepared, { ...made, hook }));
  } finally {
    await removeTree(context.layout.staging(plan.fullName).dir);
  }
}

async function writeManifest(
  context: BuildContext,
  plan: BuildPlan,
  prepared: Prepared,
  { image, lock, hook, ...made }: StagedImage & { readonly hook: HookFacts | undefined },
): Promise<ReleaseManifest> {
  const { config, layout } = context;
  return await writeRelease(layout, {
    facts: {
      manifestVersion: 2,
      fullName: plan.fullName,
      environment: plan.environment.name,
      version: plan.environment.version,
      createdAt: await readNextTime(layout, plan.fullName),
      createdBy: { user: readAccountName(), host: os.hostname() },
      ...(await readGitCommit(path.dirname(config.file))),
      inputsDigest: made.inputsDigest,
      inputs: made.inputs,
      tools: await readToolVersions(context),
      base: { digest: prepared.base.digest, sha256: prepared.baseSha256 },
      node: { version: process.versions.node, sha256: await digestFile(prepared.launcher.node) },
      spec: await readInputFile(plan.spec.file),
      config: await readInputFile(config.file),
      ...(prepared.adopted ? { adopted: prepared.adopted } : {}),
      image: {
        sha256: image.sha256,
        sizeBytes: image.sizeBytes,
        inodes: image.inodes,
        duplicateFiles: image.duplicateFiles,
        orderedFiles: made.orderedFiles,
        bytecode: made.bytecode,
      },
      activation: made.activation,
      commands: [...new Set([...made.commands, ...plan.environment.outsideCommands])].sort(),
      packages: planPackages(lock, made.wheels),
      notes: made.notes,
      ...(made.dropped.length === 0 ? {} : { dropped: made.dropped }),
      ...describeCustomised(made.customised, hook, config.binds.run),
      libraries: made.libraries,
      stageSeconds: { ...prepared.stageSeconds },
    },
    lock,
    image: image.file,
    site: config.site,
    moduleTemplates: context.product.moduleTemplates,
    module: plan.environment.module,
    plannerCode: context.product.plannerCode,
    launcher: prepared.launcher,
    access: context.access,
  });
}

/** What the manifest says of it: nothing of what there is none of. */
function describeCustomised(
  done: Customised | undefined,
  hook: HookFacts | undefined,
  binds: readonly string[],
): Partial<ReleaseManifest> {
  const { removed = [], added = [] } = done ?? {};
  const replaced = done?.replaced.map((one) => (isBound(binds, one.by) ? one : { ...one, bound: true })) ?? [];
  const hooks = [...(done?.hooks ?? []), ...(hook ? [hook] : [])];
  return Object.fromEntries(Object.entries({ removed, replaced, added, hooks }).filter(([, list]) => list.length > 0));
}
