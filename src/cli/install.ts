// `condense install` and `build`: from an environment.yml to a gated release, and to what users load.
import type { BuildPlan } from '../build/build-plan.ts';
import { planRelease } from '../build/plan-release.ts';
import type { Waiver } from '../gate/exceptions.ts';
import { buildRelease, type BuildOutcome } from '../build/pipeline.ts';
import { publishChange } from '../release/change-face.ts';
import { checkProtected } from '../release/face-plan.ts';
import { NOTHING_PUBLISHED } from '../release/generation.ts';
import { readHistory, type HistoryEntry } from '../release/history.ts';
import { findHold } from '../release/hold.ts';
import type { ReleaseName } from '../release/release-name.ts';
import { withLock } from '../release/site-lock.ts';
import { readCurrentGeneration } from '../release/site-state.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { describeFullDisk } from '../system/system-error.ts';
import { checkFollowUp } from './face.ts';
import { planAll, readPlannedBuilds, renderPlanned, type HeldBuild } from './plan.ts';
import { planPublishing } from './publish.ts';
import { openBuild, type Session } from './session.ts';
import { writeArtifacts, writeFailedGate } from './artifacts.ts';
import { chooseEnvironments } from './choose-environments.ts';
import { parseWait } from './wait-time.ts';

export interface InstallOptions {
  readonly dryRun?: boolean | undefined;
  readonly offline?: boolean | undefined;
  /** Builds although there is a release of the same inputs: it may be damaged. */
  readonly rebuild?: boolean | undefined;
  /** Also into a version that is stable and protected. */
  readonly stable?: boolean | undefined;
  /** Every environment of the configuration. */
  readonly all?: boolean | undefined;
  /** How long to wait for another build of the same version, as written. */
  readonly wait?: string | undefined;
  /** A directory for copies of what a CI keeps. */
  readonly artifacts?: string | undefined;
}

export interface BuildCommand extends InstallOptions {
  /** The file of a stored plan. */
  readonly plan?: string | undefined;
  /** Names of checks of the gate that may fail. */
  readonly waive?: readonly string[] | undefined;
  readonly reason?: string | undefined;
}

/** Builds, gates and publishes: all of the environments, or none of those after the first that fails. */
export async function runInstall(session: Session, named: readonly string[], options: InstallOptions): Promise<void> {
  const names = chooseEnvironments(session.config, 'install', named, options.all);
  if (names.length === 0) throw noEnvironment('no environment was named', 'condense install <environment>');
  const plans = await planAll(session, names);
  const followUp: Problem[] = [];
  if (!options.stable) {
    const face = (await readCurrentGeneration(session.layout)) ?? NOTHING_PUBLISHED;
    const releases = plans.map(({ fullName, environment }) => ({ fullName, environment: environment.name }));
    checkProtected(face, releases, session.config); // before hours of building, not after them
  }
  for (const plan of plans) {
    if (options.dryRun) {
      await printPlan(session, plan, options, true);
      continue;
    }
    const { manifest, built, because } = await build(session, plan, options);
    const release = { fullName: plan.fullName, id: manifest.id };
    const hold = built ? undefined : await readHold(session, release);
    if (hold) {
      reportHeld(session, release, hold);
      continue;
    }
    const published = await publishChange(session, planPublishing(session, [release], options), (text) => {
      session.output.report({ type: 'warning', text });
    });
    const { generation, changed } = published;
    followUp.push(...published.followUp); // the others are built all the same
    const state = changed ? `is live as generation ${generation ?? ''}` : `was live already: nothing to do`;
    session.output.result({ environment: plan.fullName, release: manifest.id, generation, changed, built, because }, [
      `${plan.fullName} release ${manifest.id} ${state}`,
      ...describeUse(session, plan.fullName),
    ]);
  }
  checkFollowUp(followUp);
}

/** Of what is live nobody has to look through the whole history. */
async function readHold({ layout }: Session, { fullName, id }: ReleaseName): Promise<HistoryEntry | undefined> {
  const isLive = (await readCurrentGeneration(layout))?.versions.get(fullName) === id;
  return isLive ? undefined : findHold(await readHistory(layout), fullName, id);
}

/** A run by the clock must not undo what somebody did at night. */
function reportHeld({ output }: Session, { fullName, id }: ReleaseName, hold: HistoryEntry): void {
  const { generation, time = '', user = 'somebody' } = hold;
  output.report({
    type: 'warning',
    text: `${fullName} stays as it is: ${user} rolled its release ${id} back (generation ${generation}, ${time}), and nothing was changed since that would build another`,
  });
  output.result(
    { environment: fullName, release: id, changed: false, built: false, held: { generation, time, user } },
    [`show it again: condense publish ${fullName}/${id}`],
  );
}

/** Builds and gates; publishes nothing. */
export async function runBuild(session: Session, names: readonly string[], options: BuildCommand): Promise<void> {
  const waivers = readWaivers(options);
  for (const { plan, readLock } of await chooseBuilds(session, names, options)) {
    if (options.dryRun) {
      await printPlan(session, plan, options, false);
      continue;
    }
    const { manifest, built, because } = await build(session, plan, options, { readLock, waivers });
    session.output.result({ environment: plan.fullName, release: manifest.id, built, because }, [
      `${plan.fullName} release ${manifest.id} ${built ? 'was built and passed the gate' : 'is up to date: nothing to build'}`,
      `publish it with: condense publish ${plan.fullName}/${manifest.id}`,
    ]);
  }
}

/** @throws AppError WAIVER_INVALID (exit 2): who reads the manifest in a year must see why a check did not count */
function readWaivers({ waive = [], reason }: BuildCommand): readonly Waiver[] {
  const refuse = (message: string): AppError =>
    new AppError(EXIT.usage, {
      ...{ code: 'WAIVER_INVALID', message },
      hint: `condense build <environment> --waive 'import iris' --reason 'upstream issue 1234, only plots are affected'`,
    });
  if (waive.length === 0 && reason !== undefined) throw refuse('a reason was given, and no check to waive');
  if (waive.length === 0) return [];
  if (reason === undefined || !/\S/.test(reason))
    throw refuse(`${waive.join(', ')} cannot be waived without a reason, which goes into the manifest`);
  return waive.map((check) => ({ check, reason: reason.trim() }));
}

/** Of environments by name, or of a stored plan. */
async function chooseBuilds(
  session: Session,
  named: readonly string[],
  { plan, offline, all }: BuildCommand,
): Promise<readonly (Pick<HeldBuild, 'plan'> & Partial<HeldBuild>)[]> {
  const names = chooseEnvironments(session.config, 'build', named, all);
  if ((plan === undefined) === (names.length === 0)) {
    throw noEnvironment(
      plan === undefined ? 'no environment was named' : 'a plan names its environments itself',
      'condense build <environment>, or condense build --plan plan.json',
    );
  }
  if (plan === undefined) return (await planAll(session, names)).map((each) => ({ plan: each }));
  return await readPlannedBuilds(session, await openBuild(session, offline), plan);
}

function noEnvironment(message: string, hint: string): AppError {
  return new AppError(EXIT.usage, { code: 'USAGE_INVALID', message, hint });
}

async function printPlan(
  session: Session,
  plan: BuildPlan,
  { offline }: InstallOptions,
  publish: boolean,
): Promise<void> {
  const planned = await planRelease(await openBuild(session, offline), plan, { publish });
  session.output.result({ plan: planned, environment: plan.fullName }, renderPlanned(planned));
}

async function build(
  session: Session,
  plan: BuildPlan,
  { offline, rebuild, wait, artifacts }: InstallOptions,
  {
    readLock,
    waivers,
  }: { readonly readLock?: HeldBuild['readLock'] | undefined; readonly waivers?: readonly Waiver[] } = {},
): Promise<BuildOutcome> {
  const context = await openBuild(session, offline);
  try {
    const outcome = await withLock(
      session.layout.lockFile(plan.fullName),
      `build of ${plan.fullName}`,
      async () => buildRelease(context, plan, { rebuild, lock: await readLock?.(), waivers }),
      {
        waitMs: parseWait(wait ?? '0 seconds') ?? 0,
        signal: session.signal,
        onWait: (text) => {
          session.output.report({ type: 'note', text });
        },
      },
    );
    if (artifacts !== undefined)
      await writeArtifacts(artifacts, plan.fullName, session.layout.release(plan.fullName, outcome.manifest.id));
    return outcome;
  } catch (error) {
    if (artifacts !== undefined) await writeFailedGate(artifacts, plan.fullName, error);
    throw describeFullDisk(error, EXIT.buildFailed);
  }
}

function describeUse(session: Session, name: string): string[] {
  const { layout } = session;
  return [
    `  module use ${layout.publicModuleRoot} && module load ${layout.moduleFamily}/${name}`,
    `  #!${layout.publicFarm(name)}/python3`,
  ];
}
