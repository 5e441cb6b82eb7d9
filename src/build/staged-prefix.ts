// A prefix that has the conda packages of a lock, and the ways to run programs in it: where pip, activation and order go on.
import type { ChannelAccess } from '../conda/channel-access.ts';
import type { InstallRequest, RunInside } from '../conda/installer.ts';
import type { EnvironmentLock, LockedDistribution } from '../conda/lock.ts';
import { nativeInstaller } from '../conda/native-installer.ts';
import { otherInstaller } from '../conda/other-installer.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { pathExists, removeTree } from '../system/files.ts';
import { redactUrls } from '../system/redact-urls.ts';
import { runCommand } from '../system/run-command.ts';
import type { BasePlan } from './base.ts';
import type { BuildContext } from './build-context.ts';
import { planRunBinds } from './build-inputs.ts';
import type { BuildPlan } from './build-plan.ts';
import { planContainerCommand, type BuildContainer } from './container.ts';
import { isCustomised } from './customise.ts';
import { PipStage, type PipPlan } from './pip.ts';
import { writeStagedPrefix } from './stage.ts';
import type { Timed } from './timed.ts';

export interface PrefixRequest {
  readonly base: BasePlan;
  readonly lock: EnvironmentLock;
  readonly pip: PipPlan | undefined;
  readonly access: ChannelAccess;
}

interface StagedPrefix {
  readonly runInside: RunInside;
  /** The same, the prefix read-only. */
  readonly lookInside: RunInside;
  readonly notes: readonly string[];
  /** Where there is a pip section. */
  readonly work: PipStage | undefined;
}

/** What is asked of an installer, wherever the prefix goes. */
export function planInstall(
  { config, layout, report, signal }: BuildContext,
  plan: BuildPlan,
  { lock, access, pip }: PrefixRequest,
): Omit<InstallRequest, 'prefixOnDisk' | 'runInside'> {
  return {
    lock,
    requestedSpecs: plan.spec.dependencies.map((line) => redactUrls(line.text)),
    pinnedSpecs: plan.environment.pinned.map((line) => redactUrls(line.text)),
    prefixInside: plan.condaPrefix,
    access,
    cacheDir: layout.packageCache,
    extracted: config.cache.extracted
      ? { dir: layout.extractedCache, mayHardLink: pip === undefined && !isCustomised(plan.environment.customise) }
      : undefined,
    report,
    signal,
  };
}

/** Binds what there is of the configured directories. */
export async function planBuildContainer(
  { config, installer, runtime }: BuildContext,
  plan: BuildPlan,
  base: BasePlan,
  prefix: BuildContainer['prefix'],
): Promise<BuildContainer> {
  const binds: string[] = [];
  for (const dir of [...planRunBinds(config, plan), ...config.binds.build]) if (await pathExists(dir)) binds.push(dir);
  binds.push(...(installer?.binds ?? []));
  return { runtime: runtime.program, base: base.file, binds, prefix, prefixInside: plan.condaPrefix };
}

/** The caller removes `layout.staging(...)` when it is done, whether this succeeds or not. */
export async function openStagedPrefix(
  context: BuildContext,
  plan: BuildPlan,
  request: PrefixRequest,
  timed: Timed,
): Promise<StagedPrefix> {
  const { layout, signal } = context;
  const staging = layout.staging(plan.fullName);
  const container: BuildContainer = await planBuildContainer(context, plan, request.base, { onDisk: staging.prefix });
  const runIn =
    (box: BuildContainer): RunInside =>
    (command) =>
      runCommand(planContainerCommand(box, { ...command, signal }));
  const runInside = runIn(container);
  const { notes } = await timed('stage', () =>
    writeStagedPrefix(context.installer ? otherInstaller(context.installer) : nativeInstaller, staging, {
      ...planInstall(context, plan, request),
      runInside,
    }),
  );
  const pipContainer = { ...container, scratch: { onDisk: staging.pip, inside: layout.pipScratch } };
  const { pip } = request;
  const work =
    pip &&
    (await PipStage.open(context, plan, pip, {
      runInside: runIn(pipContainer),
      buildInside: runIn({ ...pipContainer, readOnly: true }),
    }));
  return { runInside, lookInside: runIn({ ...container, readOnly: true }), notes, work };
}

/**
 * The lock with its pip part, for which its conda packages are installed and removed again. Call it with the build lock held.
 * @param keep distributions that are to stay: all of them, or else, where `how` is `prefer`, none has to
 */
export async function resolvePip(
  context: BuildContext,
  plan: BuildPlan,
  request: PrefixRequest & {
    readonly keep: { readonly packages: readonly LockedDistribution[]; readonly how: 'prefer' | 'only' };
  },
  timed: Timed,
): Promise<EnvironmentLock> {
  const { lock, keep } = request;
  try {
    const { work } = await openStagedPrefix(context, plan, request, timed);
    if (!work) return lock;
    return await timed('resolve pip', async () => {
      if (keep.how === 'only' || keep.packages.length === 0) return await work.resolve(lock, keep.packages);
      return await work.resolve(lock, keep.packages).catch((error: unknown) => {
        if (!(error instanceof AppError) || error.exit !== EXIT.buildFailed) throw error;
        context.report({
          type: 'note',
          text: 'what pip had locked does not go with the rest any more: it is resolved anew',
        });
        return work.resolve(lock);
      });
    });
  } finally {
    await removeTree(context.layout.staging(plan.fullName).dir);
  }
}
