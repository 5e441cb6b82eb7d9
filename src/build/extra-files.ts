// `files`: what the site puts into an image besides the packages.
import path from 'node:path';
import type { FileRule } from '../config/site-config.ts';
import type { ReleaseFacts } from '../release/manifest.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { copyNewFile, digestFile, lutimes, makeDir, realpath, stat, symlink } from '../system/files.ts';
import { listNames, lookAt } from '../system/host-files.ts';
import { isWithin } from '../system/within.ts';
import type { ImageContent } from './image-content.ts';

/** One file or link to come, `to` relative to the prefix. */
interface ExtraFile {
  readonly to: string;
  readonly from: string;
  readonly kind: 'file' | 'link';
  readonly isProgram: boolean;
  readonly target?: string | undefined;
}

type AddedFiles = NonNullable<ReleaseFacts['added']>;

/** What a line names on this machine: paths, kinds and digests. A name that is not there, or a pipe, is said by `writeExtraFiles`. */
export async function digestExtraFiles(rules: readonly FileRule[]): Promise<unknown> {
  const found = [];
  for (const { to, from, kind, isProgram, target } of (await readExtraFiles(rules)).files)
    found.push([to, isProgram, kind === 'file' ? await digestFile(from) : target]);
  return [rules.map(({ to }) => to), found];
}

/**
 * Puts them into a staged prefix; all have the same time, so that the same files give the same image.
 * @param content what the prefix has
 * @throws AppError FILES_REFUSED, every problem at once, and nothing is written then
 */
export async function writeExtraFiles(
  prefixOnDisk: string,
  rules: readonly FileRule[],
  content: ImageContent,
): Promise<AddedFiles> {
  const { files, problems } = await readExtraFiles(rules);
  const places = new Map<string, string>();
  for (const { to, from } of files) {
    const obstacle = findObstacle(to, content, places);
    places.set(to, from);
    if (obstacle === undefined) continue;
    const rule = rules.find((one) => isWithin(to, one.to));
    problems.push({
      code: 'FILES_REFUSED',
      message: `files: ${to} cannot be put into the image: ${obstacle}`,
      at: rule?.at,
      hint: 'choose another place; what packages brought is never replaced',
    });
  }
  if (problems.length > 0) throw new AppError(EXIT.buildFailed, problems);
  const added = [];
  for (const { to, from, kind, isProgram, target } of files) {
    const file = path.join(prefixOnDisk, to);
    // None of its parents is a link: what is there was looked at.
    await makeDir(path.dirname(file));
    if (kind === 'link') await symlink(target ?? '', file);
    else {
      await copyNewFile(from, file, isProgram ? 0o755 : 0o644);
      added.push({ path: to, sha256: await digestFile(file), sizeBytes: (await stat(file)).size });
    }
    await lutimes(file, 0, 0);
  }
  return added.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function readExtraFiles(rules: readonly FileRule[]): Promise<{ files: ExtraFile[]; problems: Problem[] }> {
  const files: ExtraFile[] = [];
  const problems: Problem[] = [];
  for (const { to, from, at } of rules) {
    const refuse = (message: string): void => {
      problems.push({ code: 'FILES_REFUSED', message: `files: ${message}`, at, hint: `ls -l ${from}` });
    };
    // The configuration may name it by a link; links that are in it are taken as they are.
    const top = lookAt(from) && (await realpath(from).catch(() => undefined));
    const visit = (name: string): void => {
      const source = path.join(top ?? from, name);
      const seen = lookAt(source);
      const entry = { to: path.posix.join(to, name), from: source };
      if (seen?.kind === 'directory') for (const one of listNames(source)) visit(path.posix.join(name, one));
      else if (seen?.kind === 'file') files.push({ ...entry, kind: 'file', isProgram: (seen.mode & 0o100) !== 0 });
      else if (seen?.kind === 'link' && staysBelow(name, seen.target ?? ''))
        files.push({ ...entry, kind: 'link', isProgram: false, target: seen.target });
      else if (seen?.kind === 'link') refuse(`${source} is a link that leads out of ${from}`);
      else refuse(`${source} is ${seen === undefined ? 'not there' : 'neither a file nor a directory'}`);
    };
    if (top === undefined) refuse(`${from} is not there`);
    else visit('');
  }
  return { files, problems };
}

/** Whether a relative link in a directory leads to a place in it. */
function staysBelow(name: string, target: string): boolean {
  const end = path.posix.normalize(path.posix.join(path.posix.dirname(name), target));
  return !target.startsWith('/') && end !== '..' && !end.startsWith('../');
}

/** What is in the way: something by that name, or one of its directories that is none. */
function findObstacle(to: string, content: ImageContent, places: ReadonlyMap<string, string>): string | undefined {
  if (content.has(to) || places.has(to)) return `${to} is there already`;
  for (let dir = path.posix.dirname(to); dir !== '.'; dir = path.posix.dirname(dir)) {
    const kind = places.has(dir) ? 'file' : content.get(dir)?.kind;
    if (kind !== undefined && kind !== 'directory') return `${dir} is a ${kind}`;
  }
  return [...places.keys()].some((one) => one.startsWith(`${to}/`)) ? `${to} is a directory` : undefined;
}
