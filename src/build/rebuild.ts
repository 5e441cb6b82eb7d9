// Builds what a release was built from once more, aside, and compares the images: whether the release can be reproduced here.
import path from 'node:path';
import type { EnvironmentLock } from '../conda/lock.ts';
import { readRecordedConfig } from '../config/read-config.ts';
import { parseEnvironmentSpec } from '../config/parse-environment-spec.ts';
import type { ReleaseManifest } from '../release/manifest.ts';
import { compareInputs } from '../release/release-diff.ts';
import { describePlatform } from '../site/platform.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { digestFile, digestText, makeDir, removeTree } from '../system/files.ts';
import type { BuildContext } from './build-context.ts';
import { planInputs, planLauncherFacts } from './build-inputs.ts';
import { planBuild, type BuildPlan } from './build-plan.ts';
import { compareImages, type ImageDifference } from './compare-images.ts';
import { readCustomDigest } from './custom-inputs.ts';
import { writeImageFromArchives } from './image-from-archives.ts';
import { writeImageFromTree } from './image-from-tree.ts';
import type { ImageRequest } from './image-request.ts';
import { readPlannedAccess } from './lock.ts';
import { readPipPlan } from './pip.ts';
import { readDownloads } from './plan-space.ts';
import { readToolVersions } from './provenance.ts';
import { checkRoom, listNeeds } from './room.ts';
import { readyStore } from './store.ts';
import { makeTimed } from './timed.ts';

export interface Rebuilt {
  /** What the manifest says, and what came out now. */
  readonly released: string;
  readonly rebuilt: string;
  /** The first files that differ. Without any, but with another digest, the same files were packed otherwise. */
  readonly differences: readonly ImageDifference[];
  /** Inputs of the build that are not what they were, e.g. `base`; not all of them are in the image. */
  readonly inputs: readonly string[];
  readonly tools: readonly { readonly name: string; readonly from: string; readonly to: string }[];
}

/** Enough to see what is wrong. */
const MOST = 10;

/**
 * Takes the spec, the environment's options and the squashfs profile of the release, whatever the configuration says today.
 * Nothing but the caches and the staging directory is written to. Call it with the environment's build lock held.
 * @throws AppError REBUILD_UNKNOWN, DIGEST_DIFFERS (exit 7); those of a build
 */
export async function rebuildRelease(
  today: BuildContext,
  manifest: ReleaseManifest,
  lock: EnvironmentLock,
): Promise<Rebuilt> {
  const { context, plan } = planRebuild(today, manifest, lock);
  const { layout, signal, report } = context;
  const timed = makeTimed(report, signal);
  const access = await readPlannedAccess(context, plan);
  const pip = lock.pip && (await readPipPlan(plan, access));
  if (lock.pip && !pip) throw unknown(today, manifest, 'was made with a pip section that its manifest does not have');
  const { base, node } = await timed('base', () => readyStore(context));
  const facts = planLauncherFacts(context, plan, base.file, node);
  const inputs = planInputs(context, plan, lock, await digestFile(base.file), facts, await readCustomDigest(plan));
  const staging = layout.staging(plan.fullName);
  const { packageCache } = layout;
  const needs = listNeeds({ packageCache, staging: staging.dir }, await readDownloads(packageCache, lock));
  await checkRoom(needs, signal);
  const request: ImageRequest = {
    ...{ context, plan, base, lock, pip, access, timed },
    findSame: () => Promise.resolve({ inputs, inputsDigest: digestText(JSON.stringify(inputs)) }),
  };
  try {
    const made = (await writeImageFromArchives(request)) ?? (await writeImageFromTree(request));
    if ('same' in made) throw new Error('a rebuild found a release of the same inputs');
    const released = manifest.image.sha256;
    const rebuilt = made.image.sha256;
    const same = { released, rebuilt, differences: [], inputs: [], tools: [] };
    if (released === rebuilt) return same;
    return {
      ...same,
      differences: await timed('compare', () => compareWithRelease(context, manifest, made.image.file)),
      inputs: compareInputs(manifest.inputs, inputs),
      tools: compareTools(manifest.tools, await readToolVersions(context)),
    };
  } finally {
    await removeTree(staging.dir);
  }
}

/** The build of then, on the site of today. */
function planRebuild(
  today: BuildContext,
  manifest: ReleaseManifest,
  lock: EnvironmentLock,
): { readonly context: BuildContext; readonly plan: BuildPlan } {
  const { spec, config } = manifest;
  const here = describePlatform(process.arch);
  if (lock.platform !== here) throw unknown(today, manifest, `is for ${lock.platform}, and this machine is ${here}`);
  if (!spec || !config) throw unknown(today, manifest, 'does not say what it was made from: an early condense made it');
  const then = readRecordedConfig(config.text, config.file);
  const environment = then.environments.get(manifest.environment);
  if (!environment) throw unknown(today, manifest, `was made with a configuration without ${manifest.environment}`);
  const context = { ...today, config: { ...today.config, squashfs: then.squashfs } };
  const options = { ...environment, version: manifest.version };
  return {
    context,
    plan: planBuild(context.config, today.layout, options, parseEnvironmentSpec(spec.text, spec.file), lock.platform),
  };
}

function unknown({ layout }: BuildContext, { fullName, id, environment }: ReleaseManifest, why: string): AppError {
  return new AppError(EXIT.publishFailed, {
    code: 'REBUILD_UNKNOWN',
    message: `${why}, so it cannot be built again`,
    at: layout.release(fullName, id).manifest,
    hint: `condense install --rebuild ${environment}`,
  });
}

async function compareWithRelease(
  { layout, signal }: BuildContext,
  { fullName, id, image }: ReleaseManifest,
  rebuilt: string,
): Promise<ImageDifference[]> {
  const released = layout.release(fullName, id).image;
  if ((await digestFile(released)) !== image.sha256) {
    throw new AppError(EXIT.publishFailed, {
      code: 'DIGEST_DIFFERS',
      message: 'is not the image that the manifest names, so there is nothing to compare with',
      at: released,
      hint: `condense verify ${fullName}/${id}`,
    });
  }
  const scratch = path.join(layout.staging(fullName).dir, 'compare');
  await makeDir(scratch);
  return await compareImages({ released, rebuilt, scratch, most: MOST, signal });
}

function compareTools(then: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): Rebuilt['tools'] {
  return [...new Set([...Object.keys(then), ...Object.keys(now)])]
    .sort()
    .map((name) => ({ name, from: then[name] ?? 'none', to: now[name] ?? 'none' }))
    .filter(({ from, to }) => from !== to);
}
