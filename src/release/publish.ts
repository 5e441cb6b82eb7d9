// Publishing: a generation is written beside the live one, then one rename of one link shows it.
import path from 'node:path';
import type { Layout } from '../site/layout.ts';
import { AppError, errorMessage, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import {
  lstatIfThere,
  makeSharedDir,
  pathExists,
  readdir,
  readLinkIfThere,
  removeTree,
  rename,
  replaceLink,
  symlink,
  syncPath,
  writeNewFile,
} from '../system/files.ts';
import { planGeneration, type GenerationPlan, type PublicFace } from './generation.ts';
import { writeJournal, type JournalEntry } from './journal.ts';
import { readCurrentNumber } from './site-state.ts';

/**
 * Makes `face` what users see. Call it with the publish lock held.
 * @returns the number of the new generation
 * @throws AppError PUBLIC_PATH_TAKEN, RELEASE_INCOMPLETE (exit 7): nothing that users see has changed;
 *   JOURNAL_NOT_WRITTEN, GENERATION_NOT_FLUSHED (exit 8): they see the new face
 */
export async function publishFace(
  layout: Layout,
  face: PublicFace,
  entry: JournalEntry,
  restores?: number,
): Promise<number> {
  await checkReleases(layout, face);
  await checkPublicLinks(layout);
  await makeSharedDir(layout.generations);
  const number = await clearNextNumber(layout);
  const plan = planGeneration(layout, { ...face, number, ...(restores === undefined ? {} : { restores }) });
  await writeGeneration(plan);
  await writePublicLinks(layout);
  const unflushed = await commit(layout, plan);
  const unwritten = await writeJournal(layout, { generation: number, ...entry }, 'users see the new generation');
  const problems = [unflushed, unwritten].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new AppError(EXIT.followUpFailed, problems);
  return number;
}

/** @returns what is wrong although users see the new generation: the rename was made, and flushing it failed */
async function commit(layout: Layout, plan: GenerationPlan): Promise<Problem | undefined> {
  const target = path.relative(path.dirname(layout.current), plan.dir);
  try {
    await replaceLink(layout.current, target);
    return undefined;
  } catch (error) {
    if ((await readLinkIfThere(layout.current)) !== target) throw error;
    return {
      code: 'GENERATION_NOT_FLUSHED',
      message: `users see the new generation, but the disk did not confirm that it is written: ${errorMessage(error)}`,
      at: layout.current,
      hint: `mend the disk, then: sync -f ${path.dirname(layout.current)} && readlink ${layout.current}`,
    };
  }
}

/** A generation may only show releases that are whole and passed the gate. */
async function checkReleases(layout: Layout, face: PublicFace): Promise<void> {
  const problems = [];
  for (const [fullName, id] of face.versions) {
    const release = layout.release(fullName, id);
    for (const file of [release.image, release.launcher, release.tclModule, release.manifest, release.gateReport]) {
      if (!(await pathExists(file))) {
        problems.push({
          code: 'RELEASE_INCOMPLETE',
          message: `is missing, so release ${fullName}/${id} cannot be shown to users`,
          at: file,
          hint: `condense install ${fullName.replace(/-[^-]*$/, '')}`,
        });
      }
    }
  }
  if (problems.length > 0) throw new AppError(EXIT.publishFailed, problems);
}

/**
 * The number of the next generation, with what a killed publish left cleared away: numbers above the live one, which
 * nobody ever saw, and half-written ones. Where `current` is gone nobody can tell, and every number stays.
 */
async function clearNextNumber(layout: Layout): Promise<number> {
  const live = await readCurrentNumber(layout);
  let highest = live ?? 0;
  for (const name of await readdir(layout.generations)) {
    const number = Number(/^([1-9]\d*)(\.tmp)?$/.exec(name)?.[1] ?? Number.NaN);
    if (name.endsWith('.tmp') || (live !== undefined && number > live)) {
      await removeTree(path.join(layout.generations, name));
    } else if (number > highest) highest = number;
  }
  return highest + 1;
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

/** `apps/conda_envs -> condense/current/envs` and its like, made once. Before the first publish they lead nowhere. */
async function writePublicLinks(layout: Layout): Promise<void> {
  for (const link of layout.publicLinks) {
    if ((await readLinkIfThere(link.path)) === link.target) continue;
    await makeSharedDir(path.dirname(link.path));
    await replaceLink(link.path, link.target);
  }
}
