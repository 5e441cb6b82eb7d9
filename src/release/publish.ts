// Publishing: a generation is written beside the live one, then one rename of one link shows it.
import path from 'node:path';
import type { Layout } from '../site/layout.ts';
import { AppError, errorMessage, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import {
  lstatIfThere,
  makeSharedDir,
  pathExists,
  readdirIfThere,
  readLinkIfThere,
  removeTree,
  rename,
  replaceLink,
  symlink,
  syncPath,
  writeNewFile,
} from '../system/files.ts';
import { planFaceChanges } from './face-changes.ts';
import { readManifest } from './find-release.ts';
import { readGatedRelease } from './gated-release.ts';
import type { FaceChange, GenerationRecord } from './generation-record.ts';
import { checkFace, NOTHING_PUBLISHED, planGeneration, type GenerationPlan, type PublicFace } from './generation.ts';
import { writeJournal, type JournalEntry } from './journal.ts';
import type { ReleaseManifest } from './manifest.ts';
import { compareReleases } from './release-diff.ts';
import { environmentOf } from './release-name.ts';
import { readCurrentGeneration, readCurrentNumber } from './site-state.ts';

export interface Published {
  readonly number: number;
  readonly changes: readonly FaceChange[];
  /** What went wrong although users see the new face: JOURNAL_NOT_WRITTEN, GENERATION_NOT_FLUSHED (exit 8). */
  readonly problems: readonly Problem[];
}

/**
 * Makes `face` what users see. Call it with the publish lock held.
 * @param restores the generation whose content it is, where it is a rollback
 * @throws AppError PUBLIC_PATH_TAKEN, RELEASE_INCOMPLETE, ALIAS_DANGLING, ALIAS_TAKEN (exit 7): nothing that users see has
 *   changed
 */
export async function publishFace(
  layout: Layout,
  face: PublicFace,
  entry: JournalEntry,
  restores?: number,
): Promise<Published> {
  const plan = await readPublishPlan(layout, face, entry, restores);
  await makeSharedDir(layout.generations);
  for (const leftover of plan.leftovers) await removeTree(leftover);
  await writeGeneration(plan.generation);
  await writePublicLinks(layout);
  const unflushed = await commit(layout, plan.generation);
  const unwritten = await writeJournal(layout, { ...plan.record, ...entry }, 'users see the new generation');
  const problems = [unflushed, unwritten].filter((problem) => problem !== undefined);
  return { number: plan.record.generation, changes: plan.record.changes, problems };
}

export interface PublishPlan {
  readonly generation: GenerationPlan;
  readonly record: GenerationRecord;
  /** Below `generations`: what killed publishes left, and nobody ever saw. */
  readonly leftovers: readonly string[];
}

/**
 * Everything that publishing a face would do, and whether it may; touches nothing.
 * @throws AppError as publishFace with exit 7
 */
export async function readPublishPlan(
  layout: Layout,
  face: PublicFace,
  entry: JournalEntry,
  restores?: number,
): Promise<PublishPlan> {
  checkFace(face);
  const current = (await readCurrentGeneration(layout)) ?? NOTHING_PUBLISHED;
  await checkReleases(layout, current, face);
  await checkPublicLinks(layout);
  const { number, leftovers } = await readNextNumber(layout);
  const restored = restores === undefined ? {} : { restores };
  const record: GenerationRecord = {
    recordVersion: 1,
    time: new Date().toISOString(),
    ...{ ...entry, ...restored },
    generation: number,
    changes: await readChanges(layout, current, face),
  };
  return { generation: planGeneration(layout, { ...face, number, ...restored }, record), record, leftovers };
}

/** What differs, with what differs inside of releases whose manifests can be read. */
async function readChanges(layout: Layout, before: PublicFace, after: PublicFace): Promise<FaceChange[]> {
  const manifests = new Map<string, ReleaseManifest>();
  const read = async (fullName: string, id: string): Promise<void> => {
    try {
      manifests.set(`${fullName}/${id}`, await readManifest(layout, fullName, id));
    } catch (error) {
      if (!(error instanceof AppError)) throw error; // that one cannot be compared; what is shown is checked elsewhere
    }
  };
  for (const { kind, name, from, to } of planFaceChanges(before, after)) {
    if (kind === 'version' && from !== undefined && to !== undefined) {
      await read(name, from);
      await read(name, to);
    }
  }
  return planFaceChanges(before, after, (fullName, from, to) => {
    const [then, now] = [manifests.get(`${fullName}/${from}`), manifests.get(`${fullName}/${to}`)];
    return then && now && compareReleases(then, now);
  });
}

/** @returns what is wrong although users see the new generation: the rename was made, and flushing it failed */
async function commit(layout: Layout, plan: GenerationPlan): Promise<Problem | undefined> {
  const target = path.relative(path.dirname(layout.current), plan.dir);
  try {
    await replaceLink(layout.current, target);
    return undefined;
  } catch (error) {
    const isShown = await readLinkIfThere(layout.current).then(
      (shown) => shown === target,
      () => undefined,
    );
    if (isShown === false) throw error;
    if (isShown === undefined) {
      return {
        code: 'GENERATION_UNKNOWN',
        message: `the disk failed while generation ${plan.number} was shown to users, and does not say which one they see: ${errorMessage(error)}`,
        at: layout.current,
        hint: `mend the disk, then: readlink ${layout.current}`,
      };
    }
    return {
      code: 'GENERATION_NOT_FLUSHED',
      message: `users see the new generation, but the disk did not confirm that it is written: ${errorMessage(error)}`,
      at: layout.current,
      hint: `mend the disk, then: sync -f ${path.dirname(layout.current)} && readlink ${layout.current}`,
    };
  }
}

/**
 * A generation may only show releases that are whole and passed the gate. One that is live already is not looked at: that
 * it was damaged must not keep another from being put back.
 */
async function checkReleases(layout: Layout, current: PublicFace, face: PublicFace): Promise<void> {
  const problems: Problem[] = [];
  for (const [fullName, id] of face.versions) {
    if (current.versions.get(fullName) === id) continue;
    const release = layout.release(fullName, id);
    const before = problems.length;
    for (const file of [release.image, release.launcher, release.tclModule, release.manifest, release.gateReport]) {
      if (!(await pathExists(file))) {
        problems.push({
          code: 'RELEASE_INCOMPLETE',
          message: `is missing, so release ${fullName}/${id} cannot be shown to users`,
          at: file,
          hint: `condense install ${environmentOf(fullName)}`,
        });
      }
    }
    if (problems.length > before) continue;
    try {
      await readGatedRelease(layout, fullName, id);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new AppError(EXIT.publishFailed, problems);
}

/**
 * The number of the next generation, and what a killed publish left: numbers above the live one, which nobody ever saw, and
 * half-written ones. Where `current` is gone nobody can tell, and every number stays.
 */
async function readNextNumber(layout: Layout): Promise<{ number: number; leftovers: string[] }> {
  const live = await readCurrentNumber(layout);
  const names = (await readdirIfThere(layout.generations)) ?? [];
  const leftovers: string[] = [];
  let highest = live ?? 0;
  for (const name of names) {
    const number = Number(/^([1-9]\d*)(\.tmp)?$/.exec(name)?.[1] ?? Number.NaN);
    if (name.endsWith('.tmp') || (live !== undefined && number > live)) {
      leftovers.push(path.join(layout.generations, name));
    } else if (number > highest) highest = number;
  }
  return { number: highest + 1, leftovers };
}

/** Written under a name that counts as no generation, then renamed: a number always means a complete one. */
async function writeGeneration(plan: GenerationPlan): Promise<void> {
  const aside = `${plan.dir}.tmp`;
  const moved = (file: string): string => path.join(aside, path.relative(plan.dir, file));
  for (const directory of plan.directories) {
    await makeSharedDir(moved(directory));
  }
  for (const link of plan.links) await symlink(link.target, moved(link.path));
  for (const file of plan.files) {
    await writeNewFile(moved(file.path), file.text);
    await syncPath(moved(file.path));
  }
  for (const directory of plan.directories.toReversed()) await syncPath(moved(directory));
  await rename(aside, plan.dir);
  await syncPath(path.dirname(plan.dir));
}

/** What is not ours is never replaced. */
async function checkPublicLinks(layout: Layout): Promise<void> {
  const problems = [];
  for (const link of layout.publicLinks) {
    const there = await lstatIfThere(link.path);
    if (there && !there.isSymbolicLink()) {
      problems.push({
        code: 'PUBLIC_PATH_TAKEN',
        message: 'is in the way: condense puts a link there, and does not replace what is not its own',
        at: link.path,
        hint: `move it aside (mv ${link.path} ${link.path}.old), or choose another directory in install_config.yaml`,
      });
    }
  }
  if (problems.length > 0) throw new AppError(EXIT.publishFailed, problems);
}

export interface WrongLink {
  readonly path: string;
  readonly target: string;
  /** What it leads to now; undefined where there is no link. */
  readonly found?: string | undefined;
}

/** Public directories that do not lead to what is live: the configuration names others since, or somebody removed one. */
export async function readWrongLinks(layout: Layout): Promise<WrongLink[]> {
  const wrong: WrongLink[] = [];
  for (const link of layout.publicLinks) {
    const found = await readLinkIfThere(link.path);
    if (found !== link.target) wrong.push({ ...link, found });
  }
  return wrong;
}

/** `apps/conda_envs -> condense/current/envs` and its like, made once. Before the first publish they lead nowhere. */
async function writePublicLinks(layout: Layout): Promise<void> {
  for (const link of await readWrongLinks(layout)) {
    await makeSharedDir(path.dirname(link.path));
    await replaceLink(link.path, link.target);
  }
}
