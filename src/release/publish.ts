// Publishing: a generation is written beside the live one, then one rename of one link shows it.
import path from 'node:path';
import type { Layout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import {
  appendLine,
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
import { readCurrentNumber } from './site-state.ts';

/** A line of `<admin>/journal.ndjson`. */
export interface JournalEntry {
  readonly action: 'publish' | 'rollback';
  readonly subject: string;
  readonly user: string;
  readonly host: string;
}

/**
 * Makes `face` what users see. Call it with the publish lock held.
 * @returns the number of the new generation
 * @throws AppError PUBLIC_PATH_TAKEN, RELEASE_INCOMPLETE; before the rename nothing that users see has changed
 */
export async function publishFace(
  layout: Layout,
  face: PublicFace,
  entry: JournalEntry,
  restores?: number,
): Promise<number> {
  await checkReleases(layout, face);
  await makeSharedDir(layout.generations);
  const number = (await readHighestNumber(layout)) + 1;
  const plan = planGeneration(layout, { ...face, number, ...(restores === undefined ? {} : { restores }) });
  await writeGeneration(plan);
  await writePublicLinks(layout);
  await replaceLink(layout.current, path.relative(path.dirname(layout.current), plan.dir)); // the commit point
  await appendLine(layout.journal, JSON.stringify({ time: new Date().toISOString(), generation: number, ...entry }));
  return number;
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

async function readHighestNumber(layout: Layout): Promise<number> {
  const numbers = (await readdir(layout.generations)).filter((name) => /^[1-9]\d*$/.test(name)).map(Number);
  return Math.max(0, (await readCurrentNumber(layout)) ?? 0, ...numbers);
}

/** Written under a name that counts as no generation, then renamed: a number always means a complete one. */
async function writeGeneration(plan: GenerationPlan): Promise<void> {
  const aside = `${plan.dir}.tmp`;
  await removeTree(aside);
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

/** `apps/conda_envs -> condense/current/envs` and its like, made once. Before the first publish they lead nowhere. */
async function writePublicLinks(layout: Layout): Promise<void> {
  for (const link of layout.publicLinks) {
    const there = await lstatIfThere(link.path);
    if (there && !there.isSymbolicLink()) {
      throw new AppError(EXIT.publishFailed, {
        code: 'PUBLIC_PATH_TAKEN',
        message: 'is in the way: condense puts a link there, and does not replace what is not its own',
        at: link.path,
        hint: `move it aside (mv ${link.path} ${link.path}.old), or choose another directory in install_config.yaml`,
      });
    }
  }
  for (const link of layout.publicLinks) {
    if ((await readLinkIfThere(link.path)) === link.target) continue;
    await makeSharedDir(path.dirname(link.path));
    await replaceLink(link.path, link.target);
  }
}
