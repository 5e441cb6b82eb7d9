// The way of the data: plan, solve, stage, activate, pack, release, gate. Publishing is the caller's next step.
import os from 'node:os';
import path from 'node:path';
import { nativeInstaller } from '../conda/native-installer.ts';
import { otherInstaller } from '../conda/other-installer.ts';
import type { EnvironmentLock } from '../conda/lock.ts';
import type { RunInside } from '../conda/installer.ts';
import { readChannelAccess, type ChannelAccess } from '../conda/channel-access.ts';
import { parseMirrors } from '../conda/channel-sources.ts';
import { listChannels, solveEnvironment, type SolveRequest } from '../conda/solve.ts';
import { probeVirtualPackages } from '../conda/virtual-packages.ts';
import { findRelease, readNextTime, removeAbandoned } from '../release/find-release.ts';
import type { ReleaseManifest } from '../release/manifest.ts';
import { withLock } from '../release/site-lock.ts';
import { writeNodeRuntime } from '../site/product.ts';
import { readAccountName } from '../system/account.ts';
import { digestFile, digestText, pathExists, removeTree } from '../system/files.ts';
import { redactUrls } from '../system/redact-urls.ts';
import { runCommand } from '../system/run-command.ts';
import { captureActivation } from './activate.ts';
import { planBase, readRootLinks, writeBase, type BasePlan } from './base.ts';
import type { BuildContext } from './build-context.ts';
import { planInputs, planLauncherFacts, planPackages, type ReleaseLauncherFacts } from './build-inputs.ts';
import type { BuildPlan } from './build-plan.ts';
import { completeBytecode } from './bytecode.ts';
import { planContainerCommand, type BuildContainer } from './container.ts';
import { removeDropped } from './drop.ts';
import { passGate } from './gate.ts';
import { traceOrder } from './order.ts';
import { writeImage } from './pack.ts';
import { PipStage, readPipPlan, withKnownPip, type PipPlan } from './pip.ts';
import { readGitCommit, readInputFile, readToolVersions } from './provenance.ts';
import { writeRelease } from './release.ts';
import { finishStagedPrefix, readCommands, writeStagedPrefix } from './stage.ts';

export interface BuildOutcome {
  readonly manifest: ReleaseManifest;
  /** False when a release of the very same inputs was there and had passed its gate. */
  readonly built: boolean;
}

export interface BuildOptions {
  /** Builds although there is a release of the same inputs. */
  readonly rebuild?: boolean | undefined;
}

/** Runs one stage, tells when it starts and ends, and keeps the seconds. */
type Timed = <T>(stage: string, work: () => Promise<T>, detail?: string) => Promise<T>;

/**
 * Builds a gated release; nothing that users see changes. Call it with the environment's build lock held.
 * @throws AppError with exit 4 (site), 5 (build) or 6 (gate)
 */
export async function buildRelease(
  context: BuildContext,
  plan: BuildPlan,
  { rebuild }: BuildOptions = {},
): Promise<BuildOutcome> {
  const { layout, report } = context;
  const stageSeconds: Record<string, number> = {};
  const timed: Timed = async (stage, work, detail) => {
    report({ type: 'stage-started', stage, ...(detail === undefined ? {} : { detail }) });
    const started = performance.now();
    const result = await work();
    const seconds = Math.round(performance.now() - started) / 1000;
    stageSeconds[stage] = seconds;
    report({ type: 'stage-finished', stage, seconds });
    context.signal.throwIfAborted();
    return result;
  };
  await removeAbandoned(layout, plan.fullName);
  const { base, node } = await timed('base', () => readyStore(context));
  const { alias, mirrors } = context.config.channels;
  const access = await readChannelAccess(listChannels(solveInputs(context, plan)), process.env, {
    mirrors: parseMirrors(mirrors, alias),
    offline: context.offline,
    report,
  });
  const pip = await readPipPlan(plan, access);
  const solved = await timed('solve', () => solve(context, plan, access), `${plan.spec.dependencies.length} specs`);
  const launcher = planLauncherFacts(context, plan, base.file, node);
  const lock = await withKnownPip(layout, plan, solved, pip);
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

/** Building a base takes seconds, copying Node to a slow disk some more. */
const STORE_WAIT_MS = 300_000;

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

/** What every environment of the site shares. Two builds at once make it one after the other. */
async function readyStore(context: BuildContext): Promise<{ base: BasePlan; node: string }> {
  const work = async (): Promise<{ base: BasePlan; node: string }> => ({
    base: await readyBase(context),
    node: await writeNodeRuntime(context.layout),
  });
  return await withLock(context.layout.lockFile('store'), 'preparing the base container', work, {
    waitMs: STORE_WAIT_MS,
    signal: context.signal,
  });
}

async function readyBase(context: BuildContext): Promise<BasePlan> {
  const plan = planBase(context.layout, context.product.baseTemplate, {
    binds: context.config.binds,
    rootLinks: await readRootLinks(),
    runtimeVersion: context.runtime.version,
  });
  await writeBase(plan, context.runtime, context.signal);
  return plan;
}

/** What is asked of whom. */
function solveInputs(
  context: BuildContext,
  plan: BuildPlan,
): Pick<SolveRequest, 'specs' | 'pinned' | 'channels' | 'channelAlias'> {
  return {
    specs: plan.spec.dependencies,
    pinned: plan.environment.pinned,
    channels: plan.channels,
    channelAlias: context.config.channels.alias,
  };
}

async function solve(context: BuildContext, plan: BuildPlan, access: ChannelAccess): Promise<EnvironmentLock> {
  return await solveEnvironment({
    ...solveInputs(context, plan),
    access,
    platform: plan.platform,
    virtualPackages: await probeVirtualPackages(context.config.virtualPackages, process.env),
    repodataCacheDir: context.layout.repodataCache,
    report: context.report,
    signal: context.signal,
  });
}

async function build(context: BuildContext, plan: BuildPlan, prepared: Prepared, timed: Timed): Promise<BuildOutcome> {
  const { config, layout, report, signal } = context;
  const { pip } = prepared;
  const staging = layout.staging(plan.fullName);
  const binds: string[] = [];
  for (const dir of [...config.binds.run, ...config.binds.build]) if (await pathExists(dir)) binds.push(dir);
  binds.push(...(context.installer?.binds ?? []));
  const container: BuildContainer = {
    runtime: context.runtime.program,
    base: prepared.base.file,
    binds,
    prefixOnDisk: staging.prefix,
    prefixInside: plan.condaPrefix,
  };
  const runIn =
    (box: BuildContainer): RunInside =>
    (command) =>
      runCommand(planContainerCommand(box, { ...command, signal }));
  const runInside = runIn(container);
  const lookInside = runIn({ ...container, readOnly: true });
  try {
    const staged = await timed('stage', () =>
      writeStagedPrefix(context.installer ? otherInstaller(context.installer) : nativeInstaller, staging, {
        lock: prepared.lock,
        requestedSpecs: plan.spec.dependencies.map((line) => redactUrls(line.text)),
        pinnedSpecs: plan.environment.pinned.map((line) => redactUrls(line.text)),
        prefixInside: plan.condaPrefix,
        access: prepared.access,
        cacheDir: layout.packageCache,
        runInside,
        report,
        signal,
      }),
    );
    let { lock } = prepared;
    const pipContainer = { ...container, scratch: { onDisk: staging.pip, inside: layout.pipScratch } };
    const work =
      pip &&
      (await PipStage.open(context, plan, pip, {
        runInside: runIn(pipContainer),
        buildInside: runIn({ ...pipContainer, readOnly: true }),
      }));
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
          notes: [...staged.notes, ...(added?.notes ?? [])],
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
