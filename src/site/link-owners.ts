// The directories that condense writes through: a link that somebody else planted among them is not followed.
import path from 'node:path';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstat, lstatIfThere, pathExists, readdir } from '../system/files.ts';
import type { Layout } from './layout.ts';

/**
 * As the kernel's protected_symlinks (proc_sys_fs(5)), but in every directory: a link counts that belongs to root, to this
 * account, or to the owner of the directory it is in, who could put anything there anyway.
 * @throws AppError LINK_NOT_TRUSTED (exit 4), each link a problem of its own
 */
export async function checkLinkOwners(layout: Layout): Promise<void> {
  const problems = await findForeignLinks(await listWrittenThrough(layout));
  if (problems.length > 0) throw new AppError(EXIT.siteNotReady, problems);
}

/** With the directories of the versions, which are not known beforehand. */
async function listWrittenThrough(layout: Layout): Promise<string[]> {
  const versions = (await pathExists(layout.releases)) ? await readdir(layout.releases) : [];
  return [...layout.writtenThrough, ...versions.map((fullName) => layout.releasesOf(fullName))];
}

/** @param files absolute; every directory above them is looked at as well, and what is not there is no problem */
export async function findForeignLinks(files: readonly string[]): Promise<Problem[]> {
  const seen = new Set<string>();
  const problems: Problem[] = [];
  for (const file of files) {
    for (const part of listWay(file)) {
      if (seen.has(part)) continue;
      seen.add(part);
      const at = await lstatIfThere(part);
      if (!at) break;
      if (!at.isSymbolicLink() || [0, process.geteuid?.()].includes(Number(at.uid))) continue;
      if (at.uid === (await lstat(path.dirname(part))).uid) continue;
      problems.push({
        code: 'LINK_NOT_TRUSTED',
        message: `is a link of uid ${at.uid}, which is neither this account, nor root, nor the owner of the directory: it is not followed`,
        at: part,
        hint: `ls -ld ${path.dirname(part)} ${part}; remove the link, or chown -h root ${part} if it is right`,
      });
    }
  }
  return problems;
}

/** `/a`, `/a/b`, `/a/b/c` */
export function listWay(file: string): string[] {
  const parts = file.split('/').filter((part) => part !== '');
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
}
