// The lock that a build installs: the one beside the spec, where there is one, and nothing else then; or a solve's.
import { readChannelAccess, type ChannelAccess } from '../conda/channel-access.ts';
import { parseMirrors } from '../conda/channel-sources.ts';
import { findMisfits, findUnmetDependencies } from '../conda/lock-fit.ts';
import { parseLock, parseLocks, type EnvironmentLock } from '../conda/lock.ts';
import { listChannels, solveEnvironment, type SolveInputs, type SolveRequest } from '../conda/solve.ts';
import { probeVirtualPackages, translateVirtualPackages } from '../conda/virtual-packages.ts';
import { parseExcludeNewer } from '../config/exclude-newer.ts';
import type { SiteConfig } from '../config/site-config.ts';
import { digestPipInputs, type PipSection } from '../pip/pip-section.ts';
import type { ReleaseManifest } from '../release/manifest.ts';
import type { Layout } from '../site/layout.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import type { Report } from '../system/events.ts';
import { lstatIfThere, readText } from '../system/files.ts';
import type { BuildPlan } from './build-plan.ts';

/** What of a build's context locking needs: no runtime, no rights. */
export interface LockContext {
  readonly config: SiteConfig;
  readonly layout: Layout;
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly offline?: boolean | undefined;
}

/** The channels of an environment, and how to reach them. @throws AppError SPEC_INVALID, CHANNEL_INVALID, NETRC_INVALID */
export async function readPlannedAccess(context: LockContext, plan: BuildPlan): Promise<ChannelAccess> {
  const { alias, mirrors } = context.config.channels;
  return await readChannelAccess(listChannels(planSolve(context, plan)), process.env, {
    mirrors: parseMirrors(mirrors, alias),
    offline: context.offline,
    report: context.report,
  });
}

/** What is asked of whom. */
function planSolve(context: Pick<LockContext, 'config'>, plan: BuildPlan): Omit<SolveInputs, 'virtualPackages'> {
  return {
    specs: plan.spec.dependencies,
    pinned: plan.environment.pinned,
    channels: plan.channels,
    channelAlias: context.config.channels.alias,
    platform: plan.platform,
  };
}

/** @throws AppError as `solveEnvironment` does */
export async function solvePlanned(
  context: LockContext,
  plan: BuildPlan,
  access: ChannelAccess,
  keep?: SolveRequest['keep'],
): Promise<EnvironmentLock> {
  return await solveEnvironment({
    ...planSolve(context, plan),
    access,
    keep,
    excludeNewerMs: planCutoff(context.config),
    virtualPackages: translateVirtualPackages(
      await probeVirtualPackages(context.config.virtualPackages, process.env),
      plan.platform,
    ),
    repodataCacheDir: context.layout.repodataCache,
    report: context.report,
    signal: context.signal,
  });
}

const planCutoff = ({ channels }: SiteConfig): number | undefined =>
  channels.excludeNewer === undefined ? undefined : parseExcludeNewer(channels.excludeNewer, Date.now());

/** Every platform's lock; nothing where there is no file. @throws AppError LOCK_INVALID */
export async function readLocks(file: string): Promise<readonly EnvironmentLock[] | undefined> {
  return (await lstatIfThere(file)) ? parseLocks(await readText(file), file) : undefined;
}

/** Why a lock is not one of this plan, each in a line; empty where it fits. @param pip undefined: there is no pip section */
export function describeMisfits(
  config: SiteConfig,
  plan: BuildPlan,
  lock: EnvironmentLock,
  pip: PipSection | undefined,
): readonly string[] {
  const misfits = findMisfits(lock, {
    ...planSolve({ config }, plan),
    virtualPackages: translateVirtualPackages(config.virtualPackages, lock.platform),
    excludeNewerMs: planCutoff(config),
  });
  if (misfits.length > 0) return misfits;
  if (!pip) return lock.pip ? ['there is no pip section any more'] : [];
  if (!lock.pip) return ['the pip section is not locked'];
  const isSame = lock.pip.inputsDigest === digestPipInputs(pip, lock.packages, lock.platform);
  return isSame ? [] : ['the pip section changed, or a file that it names'];
}

export function describeStale(plan: BuildPlan, file: string, misfits: readonly string[]): Problem {
  return {
    code: 'LOCK_STALE',
    message: `the lock does not fit ${plan.spec.file} and the configuration:\n${misfits.map((text) => `- ${text}`).join('\n')}`,
    at: file,
    hint: `condense lock ${plan.environment.name}`,
  };
}

/**
 * What the lock beside the spec says is to be installed on this machine; nothing where there is no such file.
 * @throws AppError LOCK_INVALID, LOCK_STALE (configuration), LOCK_UNMET (build)
 */
export async function readBuildLock(
  context: LockContext,
  plan: BuildPlan,
  pip: PipSection | undefined,
): Promise<EnvironmentLock | undefined> {
  const file = context.layout.environmentLock(plan.environment);
  const locks = await readLocks(file);
  if (!locks) return undefined;
  const lock = locks.find(({ platform }) => platform === plan.platform);
  const misfits = lock
    ? describeMisfits(context.config, plan, lock, pip)
    : [`it has ${locks.map(({ platform }) => platform).join(', ')}, not ${plan.platform}`];
  if (misfits.length > 0 || !lock) throw new AppError(EXIT.configuration, describeStale(plan, file, misfits));
  const unmet = findUnmetDependencies(lock, await probeVirtualPackages(context.config.virtualPackages, process.env));
  if (unmet.length > 0) {
    throw new AppError(EXIT.buildFailed, {
      code: 'LOCK_UNMET',
      message: `this machine lacks what locked packages need:\n${unmet.map((text) => `- ${text}`).join('\n')}`,
      at: file,
      hint: `build elsewhere; or condense lock ${plan.environment.name} --update here; or, where the users' nodes have it, set virtual_packages`,
    });
  }
  return lock;
}

/** What a release was made from; nothing where that is damaged, or of another condense. */
export async function readReleaseLock(
  layout: Layout,
  { fullName, id }: Pick<ReleaseManifest, 'fullName' | 'id'>,
): Promise<EnvironmentLock | undefined> {
  const file = layout.release(fullName, id).lock;
  try {
    return parseLock(await readText(file), file);
  } catch (error) {
    if (error instanceof AppError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
