// Stage: what pip adds to a staged prefix; resolved there where no release has a lock of the same inputs, then installed
// from the lock alone.
import type { ChannelAccess } from '../conda/channel-access.ts';
import type { EnvironmentLock, LockedDistribution, PipLock } from '../conda/lock.ts';
import { readCondaPrefix, type CondaPrefix } from '../pip/conda-prefix.ts';
import { installWheels } from '../pip/install-wheels.ts';
import { copyLocalSources } from '../pip/local-sources.ts';
import { planPipAccess, type PipAccess } from '../pip/pip-access.ts';
import { parsePipLines } from '../pip/pip-lines.ts';
import { digestPipInputs, readPipSection, type PipSection, type WantedRequirement } from '../pip/pip-section.ts';
import { resolveDistributions } from '../pip/resolve.ts';
import { writePipScratch, type PipScratch } from '../pip/run-pip.ts';
import { isWithinLimit, planUploadLimit } from '../pip/upload-limit.ts';
import { writeWheels, type Wheel } from '../pip/wheels.ts';
import { findRelease } from '../release/find-release.ts';
import type { Layout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { planNetworkVariables, readAuthorities } from '../system/network.ts';
import type { BuildContext } from './build-context.ts';
import type { BuildPlan } from './build-plan.ts';
import { readReleaseLock } from './lock.ts';

/** What is known of a pip section before anything is staged. */
export interface PipPlan {
  readonly section: PipSection;
  readonly access: PipAccess;
}

/** @throws AppError PIP_LINE_INVALID */
export async function readPipPlan(plan: BuildPlan, { logins, offline }: ChannelAccess): Promise<PipPlan | undefined> {
  if (plan.spec.pip.length === 0) return undefined;
  const section = await readPipSection(plan.spec.pip, plan.spec.file);
  const planned = planPipAccess(section, logins);
  return { section, access: { ...planned, access: { ...planned.access, offline } } };
}

/**
 * The lock with its pip part, where the newest release was made from the same inputs: then no index is asked.
 * @throws AppError PIP_NOT_LOCKED offline, where one would have to be
 */
export async function withKnownPip(
  layout: Layout,
  plan: BuildPlan,
  lock: EnvironmentLock,
  pip: PipPlan | undefined,
): Promise<EnvironmentLock> {
  if (!pip) return lock;
  const digest = digestPipInputs(pip.section, lock.packages, lock.platform);
  const known = await readKnownPip(layout, plan.fullName, lock, digest);
  if (known) return { ...lock, pip: known };
  planUploadLimit(lock, pip.section, plan.spec.file); // refused before packages are fetched
  if (!pip.access.access.offline) return lock;
  throw new AppError(EXIT.buildFailed, {
    code: 'PIP_NOT_LOCKED',
    message: 'offline, and the newest release was not made from the same conda packages and lines of the pip section',
    at: pip.section.requirements[0]?.line.at ?? plan.spec.file,
    hint: 'run it once without --offline',
  });
}

/** The pip part of the newest release, where it was made from inputs of this digest, within the limit of this lock. */
export async function readKnownPip(
  layout: Layout,
  fullName: string,
  lock: EnvironmentLock,
  digest: string,
): Promise<PipLock | undefined> {
  const newest = await findRelease(layout, fullName, () => true);
  const known = newest && (await readReleaseLock(layout, newest));
  return known?.pip?.inputsDigest === digest && isWithinLimit(known, lock) ? known.pip : undefined;
}

/** What has a URL of its own is fixed by its line. */
function planConstraint({ name, version, direct }: LockedDistribution): WantedRequirement[] {
  if (direct) return [];
  const line = { text: `${name}==${version}`, at: 'the lock' };
  return parsePipLines([line]).flatMap((item) =>
    item.kind === 'requirement' ? [{ requirement: item.requirement, hashes: [], line }] : [],
  );
}

/** pip at work in one staged prefix. */
export class PipStage {
  readonly #context: BuildContext;
  readonly #plan: BuildPlan;
  readonly #pip: PipPlan;
  readonly #scratch: PipScratch;
  readonly #prefix: CondaPrefix;
  readonly #located: (path: string) => string;

  /**
   * @param runInside a container that has the scratch, too
   * @param buildInside the same, its prefix read-only
   */
  static async open(
    context: BuildContext,
    plan: BuildPlan,
    pip: PipPlan,
    { runInside, buildInside }: Pick<PipScratch, 'runInside' | 'buildInside'>,
  ): Promise<PipStage> {
    const staging = context.layout.staging(plan.fullName);
    const scratch: PipScratch = {
      onDisk: staging.pip,
      inside: context.layout.pipScratch,
      prefixOnDisk: staging.prefix,
      prefixInside: plan.condaPrefix,
      runInside,
      buildInside,
      networkVariables: planNetworkVariables(process.env),
      authorities: readAuthorities(process.env),
      names: new Map(),
    };
    await writePipScratch(scratch, pip.access.netrc);
    const located = await copyLocalSources(pip.section, scratch);
    return new PipStage(context, plan, pip, scratch, await readCondaPrefix(staging.prefix), located);
  }

  private constructor(
    context: BuildContext,
    plan: BuildPlan,
    pip: PipPlan,
    scratch: PipScratch,
    prefix: CondaPrefix,
    located: (path: string) => string,
  ) {
    this.#context = context;
    this.#plan = plan;
    this.#pip = pip;
    this.#scratch = scratch;
    this.#prefix = prefix;
    this.#located = located;
  }

  /**
   * The lock with its pip part.
   * @param keep distributions that are to stay what they are, where they are needed
   */
  async resolve(lock: EnvironmentLock, keep: readonly LockedDistribution[] = []): Promise<EnvironmentLock> {
    const { section } = this.#pip;
    const packages = await resolveDistributions({
      section: { ...section, constraints: [...section.constraints, ...keep.flatMap(planConstraint)] },
      prefix: this.#prefix,
      scratch: this.#scratch,
      located: this.#located,
      packageCache: this.#context.layout.packageCache,
      specFile: this.#plan.spec.file,
      uploadLimit: planUploadLimit(lock, section, this.#plan.spec.file),
    });
    return { ...lock, pip: { inputsDigest: digestPipInputs(section, lock.packages, lock.platform), packages } };
  }

  /** @returns the wheels, and what a person should know */
  async install(
    lock: EnvironmentLock,
    distributions: readonly LockedDistribution[],
  ): Promise<{ readonly wheels: readonly Wheel[]; readonly notes: readonly string[] }> {
    const { layout, report, signal } = this.#context;
    const wheels = await writeWheels({
      distributions,
      lock,
      section: this.#pip.section,
      prefix: this.#prefix,
      scratch: this.#scratch,
      located: this.#located,
      access: this.#pip.access,
      packageCache: layout.packageCache,
      wheelCache: layout.wheelCache,
      specFile: this.#plan.spec.file,
      report,
      signal,
    });
    const { notes } = await installWheels({
      wheels,
      prefix: this.#prefix,
      scratch: this.#scratch,
      specFile: this.#plan.spec.file,
    });
    for (const text of notes) report({ type: 'note', text });
    return { wheels, notes };
  }
}
