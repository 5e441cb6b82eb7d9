// Stage: one squashfs image out of the staged prefix, the same bytes for the same tree.
import type { SquashfsProfile } from '../config/site-config.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { chmod, digestFile, lstat, removeTree, syncPath, lutimes, walkTree } from '../system/files.ts';
import { runCommand, type Command } from '../system/run-command.ts';
import path from 'node:path';

export interface PackedImage {
  readonly file: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Files, directories and links inside. */
  readonly inodes: number;
}

/** mksquashfs(1) for a profile. File times are kept: they are the packages' own, and bytecode is valid only with them. */
export function planPack(root: string, image: string, profile: SquashfsProfile): Command {
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
      ...(profile.processors === undefined ? [] : ['-processors', String(profile.processors)]),
      ...(profile.memoryMiB === undefined ? [] : ['-mem', `${profile.memoryMiB}M`]),
    ],
    failureHint: 'df -h; condense doctor',
  };
}

function planLevel(profile: SquashfsProfile): string[] {
  if (profile.level === undefined || !['zstd', 'gzip'].includes(profile.compression)) return [];
  return ['-Xcompression-level', String(profile.level)];
}

/**
 * Packs and verifies: the image must list as many inodes as the tree has.
 * @throws AppError IMAGE_INVALID
 */
export async function writeImage(
  root: string,
  image: string,
  profile: SquashfsProfile,
  signal?: AbortSignal,
): Promise<PackedImage> {
  await removeTree(image);
  const inodes = await writeTimes(root);
  await runCommand({ ...planPack(root, image, profile), signal });
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
  return { file: image, sha256: await digestFile(image), sizeBytes: (await lstat(image)).size, inodes };
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
