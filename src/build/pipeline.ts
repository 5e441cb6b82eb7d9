// The way of the data: plan, solve, stage, activate, pack, release, gate. Publishing is the caller's next step.
import os from 'node:os';
import path from 'node:path';
import type { EnvironmentLock } from '../conda/lock.ts';
import type { ChannelAccess } from '../conda/channel-access.ts';
import { findRelease, readNextTime, removeAbandoned } from '../release/find-release.ts';
import type { ReleaseManifest } from '../release/manifest.ts';
import { readAccountName } from '../system/account.ts';
import { digestFile, digestText, removeTree } from '../system/files.ts';
import { captureActivation } from './activate.ts';
import type { BasePlan } from './base.ts';
import type { BuildContext } from './build-context.ts';
import { planInputs, planLauncherFacts, planPackages, type ReleaseLauncherFacts } from './build-inputs.ts';
import type { BuildPlan } from './build-plan.ts';
import { completeBytecode } from './bytecode.ts';
import { removeDropped } from './drop.ts';
import { passGate } from './gate.ts';
import { readBuildLock, readPlannedAccess, solvePlanned } from './lock.ts';
import { traceOrder } from './order.ts';
import { writeImage } from './pack.ts';
import { readPipPlan, withKnownPip, type PipPlan } from './pip.ts';
import { readGitCommit, readInputFile, readToolVersions } from './provenance.ts';
import { writeRelease } from './release.ts';
import { finishStagedPrefix, readCommands } from './stage.ts';
import { openStagedPrefix } from './staged-prefix.ts';
import { readyStore } from './store.ts';
import { makeTimed, type Timed } from './timed.ts';

export interface BuildOutcome {
  readonly manifest: ReleaseManifest;
  /** False when a release of the very same inputs was there and had passed its gate. */
  readonly built: boolean;
}

export interface BuildOptions {
  /** Builds although there is a release of the same inputs. */
  readonly rebuild?: boolean | undefined;
  /** Of a stored plan, and then whatever is beside the spec: the caller has seen to it that they agree. */
  readonly lock?: EnvironmentLock | undefined;
}

/**
 * Builds a gated release; nothing that users see changes. Call it with the environment's build lock held.
 * @throws AppError with exit 4 (site), 5 (build) or 6 (gate)
 */
export async function buildRelease(
  context: BuildContext,
  plan: BuildPlan,
  { rebuild, lock: given }: BuildOptions = {},
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
  const findSame: FindSame = async (whole) => {
    const inputs = planInputs(context, plan, whole, baseSha256, launcher);
    const inputsDigest = digestText(JSON.stringify(inputs));
    const isSame = (manifest: ReleaseManifest): boolean => manifest.inputsDigest === inputsDigest;
    const same = rebuild ? undefined : await findRelease(layout, plan.fullName, isSame);
    return { inputs, inputsDigest, same };
  };
  const { same } = pip && !lock.pip ? {} : await findSame(lock);
  if (same) return { manifest: same, built: false };

  try {
    const outcome = await timed('build', () =>
      build(context, plan, { base, baseSha256, lock, pip, access, launcher, findSame, stageSeconds }, timed),
    );
    if (outcome.built) await timed('gate', () => passGate(layout, plan, outcome.manifest, context.signal));
    return outcome;
  } catch (error) {
    await removeAbandoned(layout, plan.fullName); // whole, but not gated: nobody can publish it
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

/** What a whole lock amounts to, and the release that was made from just that. */
type FindSame = (lock: EnvironmentLock) => Promise<{
  readonly inputs: Record<string, string>;
  readonly inputsDigest: string;
  readonly same?: ReleaseManifest | undefined;
}>;

interface Prepared {
  readonly base: BasePlan;
  /** Of its file: two builds of one base are not the same bytes. */
  readonly baseSha256: string;
  /** Without its pip part where that has to be resolved. */
  readonly lock: EnvironmentLock;
  readonly pip: PipPlan | undefined;
  readonly access: ChannelAccess;
  readonly launcher: ReleaseLauncherFacts;
  readonly findSame: FindSame;
  readonly stageSeconds: Record<string, number>;
}

async function build(context: BuildContext, plan: BuildPlan, prepared: Prepared, timed: Timed): Promise<BuildOutcome> {
  const { config, layout, report, signal } = context;
  const staging = layout.staging(plan.fullName);
  try {
    const { runInside, lookInside, notes, work } = await openStagedPrefix(context, plan, prepared, timed);
    let { lock } = prepared;
    if (work && !lock.pip) lock = await timed('resolve pip', () => work.resolve(prepared.lock));
    const { inputs, inputsDigest, same } = await prepared.findSame(lock);
    if (same) return { manifest: same, built: false };
    const distributions = lock.pip?.packages ?? [];
    const added =
      work && (await timed('pip', () => work.install(lock, distributions), `${distributions.length} distributions`));
    const commands = await finishStagedPrefix(
      staging,
      { name: path.basename(layout.marker(plan.fullName)), text: `${plan.fullName}\n` },
      plan.spec.variables,
    );
    const inside = { prefixOnDisk: staging.prefix, prefixInside: plan.condaPrefix, report };
    const bytecode = await timed('bytecode', () => completeBytecode({ ...inside, runInside }));
    const dropped = await timed('drop', () =>
      removeDropped({
        ...inside,
        ...{ rules: plan.environment.drop, commands, outside: plan.environment.outsideCommands },
      }),
    );
    const activation = await timed('activate', () =>
      captureActivation(staging.prefix, plan.condaPrefix, plan.fullName, runInside),
    );
    for (const text of activation.warnings) report({ type: 'warning', text });
    const first = await timed('order', () =>
      traceOrder({
        ...inside,
        runInside: lookInside,
        imports: config.squashfs.order === 'traced' ? plan.environment.gateImports : undefined,
      }),
    );
    const image = await timed('pack', () =>
      writeImage(
        staging.root,
        staging.image,
        config.squashfs,
        signal,
        first.map((file) => path.relative(staging.root, path.join(staging.prefix, file))),
      ),
    );
    const manifest = await timed('release', async () =>
      writeRelease(layout, {
        facts: {
          manifestVersion: 2,
          fullName: plan.fullName,
          environment: plan.environment.name,
          version: plan.environment.version,
          createdAt: await readNextTime(layout, plan.fullName),
          createdBy: { user: readAccountName(), host: os.hostname() },
          ...(await readGitCommit(path.dirname(config.file))),
          inputsDigest,
          inputs,
          tools: await readToolVersions(context),
          base: { digest: prepared.base.digest, sha256: prepared.baseSha256 },
          node: { version: process.versions.node, sha256: await digestFile(prepared.launcher.node) },
          spec: await readInputFile(plan.spec.file),
          config: await readInputFile(config.file),
          image: {
            sha256: image.sha256,
            sizeBytes: image.sizeBytes,
            inodes: image.inodes,
            duplicateFiles: image.duplicateFiles,
            orderedFiles: first.length,
            bytecode,
          },
          activation,
          commands: [...new Set([...(await readCommands(staging.prefix)), ...plan.environment.outsideCommands])].sort(),
          packages: planPackages(lock, added?.wheels ?? []),
          notes: [...notes, ...(added?.notes ?? [])],
          ...(dropped.length === 0 ? {} : { dropped }),
          stageSeconds: { ...prepared.stageSeconds },
        },
        lock,
        image: staging.image,
        site: config.site,
        moduleTemplates: context.product.moduleTemplates,
        plannerCode: context.product.plannerCode,
        launcher: prepared.launcher,
        access: context.access,
      }),
    );
    return { manifest, built: true };
  } finally {
    await removeTree(staging.dir);
  }
}
