// Stage: one squashfs image out of the staged prefix, the same bytes for the same tree.
import type { SquashfsProfile } from '../config/site-config.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { chmod, digestFile, lstat, removeTree, syncPath, lutimes, walkTree, writeNewFile } from '../system/files.ts';
import { runCommand, type Command } from '../system/run-command.ts';
import path from 'node:path';

export interface PackedImage {
  readonly file: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Files, directories and links inside. */
  readonly inodes: number;
  /** Files with the content of another one: squashfs keeps it once. */
  readonly duplicateFiles: number;
}

/** mksquashfs's own default, a quarter of the machine's memory, is too much on a node that others use; more was no faster. */
const defaultMemoryMiB = 512;

/** mksquashfs(1) for a profile. File times are kept: they are the packages' own, and bytecode is valid only with them. */
export function planPack(root: string, image: string, profile: SquashfsProfile, sortFile?: string): Command {
  const compression =
    profile.compression === 'none'
      ? ['-noI', '-noId', '-noD', '-noF', '-noX']
      : ['-comp', profile.compression, ...planLevel(profile)];
  return {
    program: 'mksquashfs',
    args: [
      root,
      image,
      ...compression,
      '-b',
      String(profile.blockSizeBytes),
      '-noappend',
      '-no-progress',
      '-no-xattrs', // the staging file system's labels are not part of the environment
      '-all-root', // whoever builds, the image belongs to root
      '-mkfs-time',
      '0', // the super block's own time: equal trees give equal bytes
      ...(sortFile === undefined ? [] : ['-sort', sortFile]),
      ...(profile.processors === undefined ? [] : ['-processors', String(profile.processors)]),
      '-mem',
      `${profile.memoryMiB ?? defaultMemoryMiB}M`,
    ],
    writesTo: path.dirname(image),
    failureHint: 'df -h; condense doctor',
  };
}

function planLevel(profile: SquashfsProfile): string[] {
  if (profile.level === undefined || !['zstd', 'gzip'].includes(profile.compression)) return [];
  return ['-Xcompression-level', String(profile.level)];
}

/**
 * mksquashfs's sort file: first used, highest priority; what has no line has priority 0 (mksquashfs(1), -sort). Further
 * files than there are priorities share the last one. Names end at white space unless it is escaped (squashfs-tools,
 * sort.c); one with a line break cannot be written, and keeps its usual place.
 * @param files relative to the root of the image
 */
export function renderSortFile(files: readonly string[]): string {
  return files
    .filter((file) => !/\p{Cc}/u.test(file))
    .map((file, index) => `${file.replaceAll(/[\s\\]/gu, '\\$&')} ${Math.max(1, HIGHEST_PRIORITY - index)}\n`)
    .join('');
}
const HIGHEST_PRIORITY = 32_767;

/**
 * Packs and verifies: the image must list as many inodes as the tree has.
 * @param first files that stand together at the start of the image, relative to its root
 * @throws AppError IMAGE_INVALID
 */
export async function writeImage(
  root: string,
  image: string,
  profile: SquashfsProfile,
  signal?: AbortSignal,
  first: readonly string[] = [],
): Promise<PackedImage> {
  await removeTree(image);
  const inodes = await writeTimes(root);
  const sortFile = first.length === 0 ? undefined : `${image}.sort`;
  if (sortFile !== undefined) {
    await removeTree(sortFile);
    await writeNewFile(sortFile, renderSortFile(first));
  }
  const { stdout } = await runCommand({ ...planPack(root, image, profile, sortFile), signal });
  await chmod(image, 0o644);
  const listed = await readInodeCount(image, signal);
  if (listed !== inodes) {
    throw new AppError(EXIT.buildFailed, {
      code: 'IMAGE_INVALID',
      message: `the image lists ${listed} inodes, the prefix has ${inodes}`,
      at: image,
      hint: 'run the build again; check the disk if it repeats',
    });
  }
  await syncPath(image);
  const duplicateFiles = Number(/^Number of duplicate files found (\d+)$/m.exec(stdout.toString('utf8'))?.[1] ?? 0);
  const { size: sizeBytes } = await lstat(image);
  return { file: image, sha256: await digestFile(image), sizeBytes, inodes, duplicateFiles };
}

/**
 * Directories and links get their times from whoever made them last, and nothing depends on them: a fixed one keeps the
 * image reproducible.
 * @returns the inodes of the tree: a file that packages give several names (hard links) is one, in squashfs as well
 */
async function writeTimes(root: string): Promise<number> {
  let others = 1;
  const files = new Set<number>();
  const timeless: string[] = [root];
  for await (const entry of walkTree(root)) {
    if (entry.kind === 'file') files.add(entry.inode);
    else {
      others++;
      timeless.push(path.join(root, entry.path));
    }
  }
  for (const file of timeless) await lutimes(file, 0, 0);
  return others + files.size;
}

async function readInodeCount(image: string, signal?: AbortSignal): Promise<number> {
  const { stdout } = await runCommand({ program: 'unsquashfs', args: ['-stat', image], signal });
  const count = /^Number of inodes (\d+)$/m.exec(stdout.toString('utf8'))?.[1];
  return Number(count ?? Number.NaN);
}
