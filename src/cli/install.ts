// `condense install` and `build`: from an environment.yml to a gated release, and to what users load.
import { describeBuildPlan, planBuild, planEnvironment, type BuildPlan } from '../build/build-plan.ts';
import { buildRelease, type BuildOutcome } from '../build/pipeline.ts';
import { readEnvironmentSpec } from '../config/read-config.ts';
import { readPipSection } from '../pip/pip-section.ts';
import { publishChange } from '../release/change-face.ts';
import { checkProtected } from '../release/face-plan.ts';
import { NOTHING_PUBLISHED } from '../release/generation.ts';
import { withLock } from '../release/site-lock.ts';
import { readCurrentGeneration } from '../release/site-state.ts';
import { describePlatform } from '../site/platform.ts';
import { EXIT } from '../system/exit-codes.ts';
import { describeFullDisk } from '../system/system-error.ts';
import { planPublishing } from './publish.ts';
import { openBuild, type Session } from './session.ts';

export interface InstallOptions {
  readonly dryRun?: boolean | undefined;
  readonly offline?: boolean | undefined;
  /** Builds although there is a release of the same inputs: it may be damaged. */
  readonly rebuild?: boolean | undefined;
  /** Also into a version that is stable and protected. */
  readonly stable?: boolean | undefined;
}

/** Builds, gates and publishes: all of the environments, or none of those after the first that fails. */
export async function runInstall(session: Session, names: readonly string[], options: InstallOptions): Promise<void> {
  const plans = await planAll(session, names);
  if (!options.stable) {
    const face = (await readCurrentGeneration(session.layout)) ?? NOTHING_PUBLISHED;
    const releases = plans.map(({ fullName, environment }) => ({ fullName, environment: environment.name }));
    checkProtected(face, releases, session.config); // before hours of building, not after them
  }
  for (const plan of plans) {
    if (options.dryRun) {
      printPlan(session, plan);
      continue;
    }
    const outcome = await build(session, plan, options);
    const { manifest } = outcome;
    const release = { fullName: plan.fullName, id: manifest.id };
    const { generation, changed } = await publishChange(
      session,
      planPublishing(session, [release], options),
      (text) => {
        session.output.report({ type: 'warning', text });
      },
    );
    const state = changed ? `is live as generation ${generation ?? ''}` : `was live already: nothing to do`;
    session.output.result(
      { environment: plan.fullName, release: manifest.id, generation, changed, built: outcome.built },
      [`${plan.fullName} release ${manifest.id} ${state}`, ...describeUse(session, plan.fullName)],
    );
  }
}

/** Builds and gates; publishes nothing. */
export async function runBuild(session: Session, names: readonly string[], options: InstallOptions): Promise<void> {
  for (const plan of await planAll(session, names)) {
    if (options.dryRun) {
      printPlan(session, plan);
      continue;
    }
    const { manifest, built } = await build(session, plan, options);
    session.output.result({ environment: plan.fullName, release: manifest.id, built }, [
      `${plan.fullName} release ${manifest.id} ${built ? 'was built and passed the gate' : 'is up to date: nothing to build'}`,
      `publish it with: condense publish ${plan.fullName}/${manifest.id}`,
    ]);
  }
}

/** @throws AppError of the configuration: what is wrong with the last of them is said before the first is built */
async function planAll(session: Session, names: readonly string[]): Promise<BuildPlan[]> {
  const { config, layout } = session;
  const plans: BuildPlan[] = [];
  for (const name of names) {
    const environment = planEnvironment(config, name);
    const spec = await readEnvironmentSpec(environment.specFile);
    for (const note of spec.notes) session.output.report({ type: 'note', text: `${note.at}  ${note.text}` });
    await readPipSection(spec.pip, spec.file);
    plans.push(planBuild(config, layout, environment, spec, describePlatform(process.arch)));
  }
  return plans;
}

function printPlan(session: Session, plan: BuildPlan): void {
  session.output.result({ environment: plan.fullName, plan }, [
    `${plan.fullName}:`,
    ...describeBuildPlan(plan, session.layout),
  ]);
}

async function build(session: Session, plan: BuildPlan, { offline, rebuild }: InstallOptions): Promise<BuildOutcome> {
  const context = await openBuild(session, offline);
  try {
    return await withLock(session.layout.lockFile(plan.fullName), `build of ${plan.fullName}`, () =>
      buildRelease(context, plan, { rebuild }),
    );
  } catch (error) {
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
