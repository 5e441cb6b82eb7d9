// `condense install`, `build` and `publish`: from an environment.yml to what users load.
import { describeBuildPlan, planBuild, planEnvironment, type BuildPlan } from '../build/build-plan.ts';
import { buildRelease, type BuildOutcome } from '../build/pipeline.ts';
import { readEnvironmentSpec } from '../config/read-config.ts';
import { readPipSection } from '../pip/pip-section.ts';
import { readManifest } from '../release/find-release.ts';
import { compareFaces, NOTHING_PUBLISHED, planPublish } from '../release/generation.ts';
import { publishFace } from '../release/publish.ts';
import { describeEntry } from '../release/journal.ts';
import { PUBLISH_WAIT_MS, withLock } from '../release/site-lock.ts';
import { readCurrentGeneration } from '../release/site-state.ts';
import { verifyFace } from '../release/verify-face.ts';
import { checkRelease } from '../release/verify-release.ts';
import { checkOwner } from '../site/permissions.ts';
import { describePlatform } from '../site/platform.ts';
import { EXIT } from '../system/exit-codes.ts';
import { describeFullDisk } from '../system/system-error.ts';
import { parseReleaseName } from './release-name.ts';
import { openBuild, type Session } from './session.ts';

export interface InstallOptions {
  readonly dryRun?: boolean | undefined;
  readonly offline?: boolean | undefined;
  /** Builds although there is a release of the same inputs: it may be damaged. */
  readonly rebuild?: boolean | undefined;
}

/** Builds, gates and publishes: all of the environments, or none of those after the first that fails. */
export async function runInstall(session: Session, names: readonly string[], options: InstallOptions): Promise<void> {
  for (const plan of await planAll(session, names)) {
    if (options.dryRun) {
      printPlan(session, plan);
      continue;
    }
    const outcome = await build(session, plan, options);
    const { generation, changed } = await publish(session, plan.fullName, outcome.manifest.id);
    const { manifest } = outcome;
    const state = changed ? `is live as generation ${generation}` : `was live already: nothing to do`;
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

/** @param release `<full name>/<release id>`, as `condense build` prints it */
export async function runPublish(session: Session, release: string, options: InstallOptions): Promise<void> {
  const { fullName: name, id } = parseReleaseName(release);
  if (options.dryRun) {
    session.output.result({ release }, [`publish  ${release} as a new generation of ${session.layout.generations}`]);
    return;
  }
  const { generation, changed } = await publish(session, name, id);
  session.output.result({ environment: name, release: id, generation, changed }, [
    changed ? `${release} is live as generation ${generation}` : `${release} was live already: nothing to do`,
  ]);
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

async function publish(session: Session, name: string, id: string): Promise<{ generation: number; changed: boolean }> {
  const { config, layout, output, signal } = session;
  await checkOwner(config);
  // Before the lock is taken: others can publish meanwhile. What is live already is looked at by `condense verify`.
  if ((await readCurrentGeneration(layout))?.versions.get(name) !== id)
    await checkRelease(layout, name, id, { report: output.report, signal });
  const work = async (): Promise<{ generation: number; changed: boolean }> => {
    const manifest = await readManifest(layout, name, id);
    const current = await readCurrentGeneration(layout);
    const { face, warnings } = planPublish(
      current ?? NOTHING_PUBLISHED,
      { fullName: name, id },
      config.environments.get(manifest.environment),
    );
    for (const text of warnings) output.report({ type: 'warning', text });
    if (current && compareFaces(face, current) && (await verifyFace(layout)).length === 0)
      return { generation: current.number, changed: false };
    const generation = await publishFace(layout, face, describeEntry('publish', `${name}/${id}`));
    return { generation, changed: true };
  };
  try {
    return await withLock(layout.lockFile('publish'), `publishing ${name}/${id}`, work, {
      waitMs: PUBLISH_WAIT_MS,
      signal,
    });
  } catch (error) {
    throw describeFullDisk(error, EXIT.publishFailed);
  }
}

function describeUse(session: Session, name: string): string[] {
  const { layout } = session;
  return [
    `  module use ${layout.publicModuleRoot} && module load ${layout.moduleFamily}/${name}`,
    `  #!${layout.publicFarm(name)}/python3`,
  ];
}
