// `condense lock`: the lock beside each spec, which builds install and which a pull request shows.
import path from 'node:path';
import { describeMisfits, describeStale, readLocks, type LockContext } from '../build/lock.ts';
import { lockEnvironment, type LockUpdate } from '../build/lock-environment.ts';
import { planBuild, planEnvironment, type BuildPlan } from '../build/build-plan.ts';
import { compareLocks, renderLockDiff, type LockDiff } from '../conda/lock-diff.ts';
import { parseLocks, renderLocks, type EnvironmentLock } from '../conda/lock.ts';
import { parseExcludeNewer } from '../config/exclude-newer.ts';
import { readEnvironmentSpec } from '../config/read-config.ts';
import { fullName, type EnvironmentOptions, type SiteConfig } from '../config/site-config.ts';
import { readPipSection, type PipSection } from '../pip/pip-section.ts';
import { describePlatform } from '../site/platform.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, readText, writeFileAtomic } from '../system/files.ts';
import { useNetworkSettings } from '../system/network.ts';
import { runCommand } from '../system/run-command.ts';
import { openBuild, type Session } from './session.ts';

export interface LockOptions {
  readonly check?: boolean | undefined;
  /** True: everything. */
  readonly update?: readonly string[] | true | undefined;
  /** True: what git has. */
  readonly diff?: string | true | undefined;
  readonly platform?: readonly string[] | undefined;
  readonly excludeNewer?: string | undefined;
  readonly dryRun?: boolean | undefined;
  readonly offline?: boolean | undefined;
  /** A lock of another tool, which becomes this one. */
  readonly from?: string | undefined;
  readonly export?: 'conda-lock' | 'explicit' | undefined;
}

/** One environment's spec and lock. */
export interface LockedSpec {
  readonly environment: EnvironmentOptions;
  readonly file: string;
  readonly text: string | undefined;
  readonly locks: readonly EnvironmentLock[];
  /** One for each platform that is to be locked. */
  readonly plans: readonly BuildPlan[];
  readonly pip: PipSection | undefined;
}

/** @param names none means every environment */
export async function runLock(session: Session, names: readonly string[], options: LockOptions): Promise<void> {
  const config = planQuarantine(session.config, options.excludeNewer);
  const wanted = names.length > 0 ? names : [...config.environments.keys()];
  const environments = wanted.map((name) => planEnvironment(config, name));
  if (options.check) {
    await checkLocks(session, environments, options);
    return;
  }
  for (const environment of environments) {
    if (options.diff === undefined) await writeLock({ ...session, config }, environment, options);
    else await showDiff(session, environment, options.diff);
  }
}

/** The earlier of the configuration's and the command line's. */
function planQuarantine(config: SiteConfig, written: string | undefined): SiteConfig {
  if (written === undefined) return config;
  const now = Date.now();
  const asked = parseExcludeNewer(written, now);
  if (asked === undefined) {
    throw new AppError(EXIT.usage, {
      code: 'USAGE_INVALID',
      message: `--exclude-newer must be a date, a time (UTC) or an age, not ${JSON.stringify(written)}`,
      hint: `condense lock --exclude-newer '7 days', or --exclude-newer 2026-11-01`,
    });
  }
  const { excludeNewer } = config.channels;
  const configured = excludeNewer === undefined ? undefined : parseExcludeNewer(excludeNewer, now);
  if (configured !== undefined && configured <= asked) return config;
  return { ...config, channels: { ...config.channels, excludeNewer: written } };
}

/** @param isRepair a lock that cannot be read counts as none: it is written anew */
export async function readLockedSpec(
  session: Session,
  environment: EnvironmentOptions,
  { platform, isRepair = false }: Pick<LockOptions, 'platform'> & { readonly isRepair?: boolean },
): Promise<LockedSpec> {
  const { config, layout, output } = session;
  const spec = await readEnvironmentSpec(environment.specFile);
  const file = layout.environmentLock(environment);
  const text = (await lstatIfThere(file)) ? await readText(file) : undefined;
  let locks: readonly EnvironmentLock[] = [];
  try {
    if (text !== undefined) locks = parseLocks(text, file);
  } catch (error) {
    if (!isRepair || !(error instanceof AppError)) throw error;
    output.report({ type: 'warning', text: `${error.message}: it is made anew` });
  }
  return {
    ...{ environment, file, text, locks },
    plans: planPlatforms(environment, locks, platform).map((name) =>
      planBuild(config, layout, environment, spec, name),
    ),
    pip: spec.pip.length > 0 ? await readPipSection(spec.pip, spec.file) : undefined,
  };
}

/** The configuration's; without any, those that are locked and that of this machine. */
function planPlatforms(
  { name, platforms = [] }: EnvironmentOptions,
  locks: readonly EnvironmentLock[],
  asked: readonly string[] | undefined,
): readonly string[] {
  const here = describePlatform(process.arch);
  const all = platforms.length > 0 ? platforms : [...new Set([...locks.map(({ platform }) => platform), here])].sort();
  const foreign = (asked ?? []).filter((platform) => !all.includes(platform));
  if (foreign.length > 0) {
    throw new AppError(EXIT.usage, {
      code: 'PLATFORM_UNKNOWN',
      message: `${name} is not for ${foreign.join(', ')}; it is for ${all.join(', ')}`,
      hint: `set environments.${name}.platforms in the configuration`,
    });
  }
  return asked ?? all;
}

async function checkLocks(
  session: Session,
  environments: readonly EnvironmentOptions[],
  options: LockOptions,
): Promise<void> {
  const problems: Problem[] = [];
  const rows: { environment: string; file: string; platforms: readonly string[] }[] = [];
  for (const environment of environments) {
    try {
      const { file, text, locks, plans, pip } = await readLockedSpec(session, environment, options);
      for (const plan of plans) {
        const lock = locks.find(({ platform }) => platform === plan.platform);
        const misfits = lock
          ? describeMisfits(session.config, plan, lock, pip)
          : [text === undefined ? 'there is no such file' : `${plan.platform} is not locked`];
        if (misfits.length > 0) problems.push(describeStale(plan, file, misfits));
      }
      rows.push({ environment: fullName(environment), file, platforms: plans.map(({ platform }) => platform) });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new AppError(EXIT.configuration, problems);
  for (const row of rows) session.output.result(row, [`${row.file} fits: ${row.platforms.join(', ')}`]);
}

async function writeLock(session: Session, environment: EnvironmentOptions, options: LockOptions): Promise<void> {
  const { config, layout, output, signal } = session;
  const update: LockUpdate = options.update === true ? 'all' : options.update;
  const isRepair = update === 'all';
  const { file, text, locks, plans } = await readLockedSpec(session, environment, { ...options, isRepair });
  await useNetworkSettings(process.env);
  const context: LockContext = { config, layout, report: output.report, signal, offline: options.offline };
  const now = new Map<string, EnvironmentLock>();
  for (const plan of plans) {
    const before = locks.find(({ platform }) => platform === plan.platform);
    const wish = { plan, before, update, file, openBuild: () => openBuild(session, options.offline) };
    now.set(plan.platform, await lockEnvironment(context, wish));
  }
  await saveLocks(session, environment, { file, text, locks }, now, options);
}

/** Writes the locks of some platforms beside those that stay, and says what is different. */
export async function saveLocks(
  { output }: Session,
  environment: EnvironmentOptions,
  { file, text, locks }: Pick<LockedSpec, 'file' | 'text' | 'locks'>,
  now: ReadonlyMap<string, EnvironmentLock>,
  { dryRun }: Pick<LockOptions, 'dryRun'>,
): Promise<void> {
  const staying = keepLocks(environment, locks).map((lock) => [lock.platform, lock] as const);
  const all = [...new Map([...staying, ...now]).values()];
  const rendered = renderLocks(all);
  const changed = rendered !== text;
  if (changed && !dryRun) await writeFileAtomic(file, rendered);
  const platforms = describePlatforms(locks, all);
  const done = dryRun ? 'would be written' : 'was written';
  output.result({ environment: fullName(environment), file, changed, platforms }, [
    changed ? `${file} ${done}` : `${file} fits: nothing to do`,
    ...(changed ? renderPlatforms(platforms) : []),
  ]);
}

/** Where the configuration names platforms, others go. */
function keepLocks(
  { platforms = [] }: EnvironmentOptions,
  locks: readonly EnvironmentLock[],
): readonly EnvironmentLock[] {
  return platforms.length === 0 ? locks : locks.filter(({ platform }) => platforms.includes(platform));
}

interface PlatformChange {
  readonly platform: string;
  readonly packages: number;
  /** Nothing where one of the two has no such platform. */
  readonly diff?: LockDiff;
}

function describePlatforms(
  before: readonly EnvironmentLock[],
  after: readonly EnvironmentLock[],
): readonly PlatformChange[] {
  const names = [...new Set([...before, ...after].map(({ platform }) => platform))].sort();
  return names.map((platform) => {
    const [was, is] = [before, after].map((locks) => locks.find((lock) => lock.platform === platform));
    const packages = (is?.packages.length ?? 0) + (is?.pip?.packages.length ?? 0);
    return { platform, packages, ...(was && is ? { diff: compareLocks(was, is) } : {}) };
  });
}

function renderPlatforms(platforms: readonly PlatformChange[]): string[] {
  return platforms.flatMap(({ platform, packages, diff }) => [
    ...(platforms.length > 1 ? [`${platform}:`] : []),
    ...(diff ? renderLockDiff(diff) : [packages > 0 ? `${packages} packages, all new` : 'no more']),
  ]);
}

async function showDiff(session: Session, environment: EnvironmentOptions, other: string | true): Promise<void> {
  const file = session.layout.environmentLock(environment);
  const after = (await readLocks(file)) ?? [];
  const name = other === true ? 'HEAD' : other;
  const before = await readOtherLocks(file, name);
  const platforms = describePlatforms(before, after);
  session.output.result({ environment: fullName(environment), file, before: name, platforms }, [
    `${fullName(environment)}: ${name} to ${file}`,
    ...(platforms.length > 0 ? renderPlatforms(platforms) : ['neither has a lock']),
  ]);
}

/** @param name a file, or a revision of git, in which the lock has the same path; no lock there is an empty one */
async function readOtherLocks(file: string, name: string): Promise<readonly EnvironmentLock[]> {
  const other = await readLocks(path.resolve(name)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'EISDIR') return undefined; // a branch that is called like a directory
    throw error;
  });
  if (other) return other;
  const dir = path.dirname(file);
  const git = (...args: string[]): ReturnType<typeof runCommand> =>
    runCommand({ program: 'git', args: ['-C', dir, ...args], okExitCodes: [0, 1, 128] });
  const revision = await git('rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`);
  const commit = revision.stdout.toString('utf8').trim();
  if (revision.exitCode !== 0 || !/^[0-9a-f]{40,64}$/.test(commit)) {
    throw new AppError(EXIT.usage, {
      code: 'LOCK_MISSING',
      message: `${JSON.stringify(name)} is neither a lock file nor a revision of git here`,
      at: dir,
      hint: 'condense lock <environment> --diff main',
    });
  }
  const shown = await git('show', `${commit}:./${path.basename(file)}`);
  return shown.exitCode === 0 ? parseLocks(shown.stdout.toString('utf8'), `${name}:${path.basename(file)}`) : [];
}
