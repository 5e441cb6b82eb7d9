// A release that failed its gate, for another try: its image is what a build of the same inputs would make again.
import os from 'node:os';
import path from 'node:path';
import type { EnvironmentLock } from '../conda/lock.ts';
import { findRelease, readNextTime } from '../release/find-release.ts';
import { pickFacts, type ReleaseManifest } from '../release/manifest.ts';
import { compareInputs } from '../release/release-diff.ts';
import type { Layout } from '../site/layout.ts';
import { readAccountName } from '../system/account.ts';
import { removeTree } from '../system/files.ts';
import type { BuildContext } from './build-context.ts';
import type { ReleaseLauncherFacts } from './build-inputs.ts';
import type { BuildPlan } from './build-plan.ts';
import { readGitCommit, readInputFile } from './provenance.ts';
import { writeRelease } from './release.ts';

/** A release of these inputs that failed its gate, whatever its gate asked for. */
export async function findFailedRelease(
  layout: Layout,
  fullName: string,
  inputs: Readonly<Record<string, string>>,
  fits: (manifest: ReleaseManifest) => boolean = () => true,
): Promise<ReleaseManifest | undefined> {
  const isSame = (manifest: ReleaseManifest): boolean =>
    fits(manifest) && compareInputs(manifest.inputs, inputs).every((name) => name === 'gate');
  return await findRelease(layout, fullName, isSame, 'failed');
}

export interface SameInputs {
  readonly inputs: Readonly<Record<string, string>>;
  readonly inputsDigest: string;
  /** With its pip part. */
  readonly lock: EnvironmentLock;
  readonly launcher: ReleaseLauncherFacts;
  readonly fits: (manifest: ReleaseManifest) => boolean;
}

/**
 * One of the same inputs. Where only what the gate asks for is another now (a test was mended, an exception added), a release
 * with the same image takes its place: a manifest never changes. Call it with the build lock held.
 */
export async function readyFailedRelease(
  context: BuildContext,
  plan: BuildPlan,
  { inputs, inputsDigest, lock, launcher, fits }: SameInputs,
): Promise<ReleaseManifest | undefined> {
  const { layout, config, product, report } = context;
  const { fullName } = plan;
  const failed = await findFailedRelease(layout, fullName, inputs, fits);
  if (!failed) return undefined;
  report({
    type: 'note',
    text: `${fullName}/${failed.id} was built from the same and failed its gate: nothing is built`,
  });
  if (failed.inputsDigest === inputsDigest) return failed;
  const release = layout.release(fullName, failed.id);
  const renewed = await writeRelease(layout, {
    facts: {
      ...pickFacts(failed),
      ...{ inputs: { ...inputs }, inputsDigest },
      createdAt: await readNextTime(layout, fullName),
      createdBy: { user: readAccountName(), host: os.hostname() },
      ...(await readGitCommit(path.dirname(config.file))),
      spec: await readInputFile(plan.spec.file),
      config: await readInputFile(config.file),
    },
    ...{ lock, launcher, image: release.image, site: config.site, access: context.access },
    ...{ moduleTemplates: product.moduleTemplates, module: plan.environment.module, plannerCode: product.plannerCode },
  });
  await removeTree(release.dir);
  return renewed;
}
