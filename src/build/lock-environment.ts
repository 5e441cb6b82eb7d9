// What `condense lock` makes of a spec and of the lock that is there: what fits stays; what does not is solved with as little
// change as can be; what is to be updated moves.
import type { ChannelAccess } from '../conda/channel-access.ts';
import { normalizeDistributionName } from '../conda/wheel-file.ts';
import type { EnvironmentLock, LockedDistribution, LockedPackage } from '../conda/lock.ts';
import { digestPipInputs } from '../pip/pip-section.ts';
import { isWithinLimit, planUploadLimit } from '../pip/upload-limit.ts';
import { withLock } from '../release/site-lock.ts';
import { describePlatform } from '../site/platform.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import type { BuildContext } from './build-context.ts';
import type { BuildPlan } from './build-plan.ts';
import { describeMisfits, describeStale, readPlannedAccess, solvePlanned, type LockContext } from './lock.ts';
import { readKnownPip, readPipPlan, type PipPlan } from './pip.ts';
import { resolvePip } from './staged-prefix.ts';
import { readyStore } from './store.ts';
import { makeTimed, type Timed } from './timed.ts';

/** Names of packages that are to move, `all`, or nothing: then only what does not fit moves. */
export type LockUpdate = readonly string[] | 'all' | undefined;

export interface LockWish {
  readonly plan: BuildPlan;
  /** What is locked for the plan's platform. */
  readonly before: EnvironmentLock | undefined;
  readonly update: LockUpdate;
  /** The lock's file, for messages. */
  readonly file: string;
  /** Only called where pip has to resolve. */
  readonly openBuild: () => Promise<BuildContext>;
}

/**
 * @returns the very lock that is there, where nothing is to change
 * @throws AppError as a solve and pip do; LOCK_STALE, PACKAGE_NOT_LOCKED where single packages are to move; PIP_ELSEWHERE
 */
export async function lockEnvironment(context: LockContext, wish: LockWish): Promise<EnvironmentLock> {
  const { plan, before, update } = wish;
  const timed = makeTimed(context.report, context.signal);
  const access = await readPlannedAccess(context, plan);
  const pip = await readPipPlan(plan, access);
  const misfits = before ? describeMisfits(context.config, plan, before, pip?.section) : [];
  if (before && update === undefined && misfits.length === 0) return before;
  for (const text of update === undefined ? misfits : [])
    context.report({ type: 'note', text: `${plan.fullName}: ${text}` });
  const moving = planMoving(wish, misfits);
  const isRight =
    before && describeMisfits(context.config, plan, { ...before, pip: undefined }, undefined).length === 0;
  const lock =
    isRight && update !== 'all' && (moving?.conda ?? []).length === 0
      ? before
      : await timed(
          'solve',
          () => solvePlanned(context, plan, access, planKeep(before, moving?.conda, update)),
          `${plan.spec.dependencies.length} specs for ${plan.platform}`,
        );
  return pip
    ? await lockPip({ context, wish, lock, pip, access, timed, moving: moving?.pip })
    : { ...lock, pip: undefined };
}

/** Of the packages that are to move, those of conda and of pip; nothing where all are, or only what must. */
function planMoving(
  { plan, before, update, file }: LockWish,
  misfits: readonly string[],
): { readonly conda: readonly string[]; readonly pip: readonly string[] } | undefined {
  if (update === undefined || update === 'all') return undefined;
  if (!before || misfits.length > 0) {
    const why = before ? misfits : [`${plan.platform} is not locked yet`];
    throw new AppError(EXIT.configuration, describeStale(plan, file, why));
  }
  const conda = update.filter((name) => before.packages.some((locked) => isCalled(locked, name)));
  const pip = update.filter((name) => before.pip?.packages.some((locked) => isSameDistribution(locked, name)));
  const unknown = update.filter((name) => !conda.includes(name) && !pip.includes(name));
  if (unknown.length > 0) {
    throw new AppError(EXIT.usage, {
      code: 'PACKAGE_NOT_LOCKED',
      message: `there is nothing called ${unknown.join(', ')} in the lock for ${plan.platform}`,
      at: file,
      hint: `to add a package, write it into ${plan.spec.file} and run: condense lock ${plan.environment.name}`,
    });
  }
  return { conda, pip };
}

const isCalled = (locked: LockedPackage, name: string): boolean => locked.name.toLowerCase() === name.toLowerCase();
const isSameDistribution = (locked: LockedDistribution, name: string): boolean =>
  locked.name === normalizeDistributionName(name);

function planKeep(
  before: EnvironmentLock | undefined,
  moving: readonly string[] | undefined,
  update: LockUpdate,
): { readonly packages: readonly LockedPackage[]; readonly how: 'prefer' | 'only' } | undefined {
  if (!before || update === 'all') return undefined;
  if (!moving) return { packages: before.packages, how: 'prefer' };
  return { packages: before.packages.filter((locked) => !moving.some((name) => isCalled(locked, name))), how: 'only' };
}

interface PipWish {
  readonly context: LockContext;
  readonly wish: LockWish;
  /** With the conda packages that are to be. */
  readonly lock: EnvironmentLock;
  readonly pip: PipPlan;
  readonly access: ChannelAccess;
  readonly timed: Timed;
  readonly moving: readonly string[] | undefined;
}

async function lockPip({ context, wish, lock, pip, access, timed, moving }: PipWish): Promise<EnvironmentLock> {
  const { plan, before, update } = wish;
  const digest = digestPipInputs(pip.section, lock.packages, lock.platform);
  const locked = before?.pip;
  const isWanted = update === 'all' || (moving !== undefined && moving.length > 0);
  if (before && !isWanted && locked?.inputsDigest === digest && isWithinLimit(before, lock))
    return { ...lock, pip: locked };
  const known = locked || isWanted ? undefined : await readKnownPip(context.layout, plan.fullName, lock, digest);
  if (known) return { ...lock, pip: known };
  refuseElsewhere(context, wish);
  planUploadLimit(lock, pip.section, plan.spec.file); // refused before packages are fetched
  const build = await wish.openBuild();
  const packages = (locked?.packages ?? []).filter((one) => !moving?.some((name) => isSameDistribution(one, name)));
  const keep = { packages: update === 'all' ? [] : packages, how: moving ? ('only' as const) : ('prefer' as const) };
  const { base } = await timed('base', () => readyStore(build));
  return await withLock(context.layout.lockFile(plan.fullName), `locking ${plan.fullName}`, () =>
    resolvePip(build, plan, { base, lock, pip, access, keep }, timed),
  );
}

/** pip resolves for the Python that runs it. @throws AppError PIP_ELSEWHERE, PIP_NOT_LOCKED */
function refuseElsewhere(context: LockContext, { plan, file }: LockWish): void {
  const here = describePlatform(process.arch);
  if (plan.platform !== here) {
    throw new AppError(EXIT.buildFailed, {
      code: 'PIP_ELSEWHERE',
      message: `the pip section can be resolved for ${plan.platform} only on such a machine; this is ${here}`,
      at: file,
      hint: `here: condense lock ${plan.environment.name} --platform ${here}; there: condense lock ${plan.environment.name} --platform ${plan.platform}`,
    });
  }
  if (context.offline) {
    throw new AppError(EXIT.buildFailed, {
      code: 'PIP_NOT_LOCKED',
      message: 'offline, and the pip section is not locked as it is now',
      at: file,
      hint: 'run it once without --offline',
    });
  }
}
