// Stage: one squashfs image out of the staged prefix, the same bytes for the same tree.
import type { SquashfsProfile } from '../config/site-config.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { chmod, digestFile, lstat, removeTree, syncPath, lutimes, walkTree, writeNewFile } from '../system/files.ts';
import { countProcessors } from '../system/processors.ts';
import { minimalEnvironment, runCommand, type Command } from '../system/run-command.ts';
import { renderTar, type TarEntry } from '../system/tar-stream.ts';
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

/**
 * mksquashfs(1) for a profile. File times are kept: they are the packages' own, and bytecode is valid only with them.
 * @param source a directory, or `-` for a tar archive on stdin
 * @param newestSeconds the time of the newest file. The super block and the root have it too, so that equal content gives equal bytes
 * @param processors that this process may use; a profile can say otherwise
 */
export function planPack(
  source: string,
  image: string,
  profile: SquashfsProfile,
  newestSeconds: number,
  processors: number,
  sortFile?: string,
): Command {
  const compression =
    profile.compression === 'none'
      ? ['-noI', '-noId', '-noD', '-noF', '-noX']
      : ['-comp', profile.compression, ...planLevel(profile)];
  return {
    program: 'mksquashfs',
    args: [
      source,
      image,
      ...compression,
      '-b',
      String(profile.blockSizeBytes),
      '-noappend',
      '-no-progress',
      // Of directories it takes those files for sparse that have less blocks on disk than bytes: a question of the staging disk.
      '-no-sparse',
      '-no-xattrs', // the staging file system's labels are not part of the environment
      '-all-root', // whoever builds, the image belongs to root
      ...(source === '-' ? tarOptions : ['-mkfs-time', String(newestSeconds)]),
      ...(sortFile === undefined ? [] : ['-sort', sortFile]),
      // Else it takes all of the machine: 4.5 asks neither for affinity nor for the job.
      ...['-processors', String(profile.processors ?? processors)],
      '-mem',
      `${profile.memoryMiB ?? defaultMemoryMiB}M`,
    ],
    // A tar cannot tell the root's time, and 4.5 has no option that would; this one also stands for -mkfs-time.
    ...(source === '-' ? { env: { ...minimalEnvironment(), SOURCE_DATE_EPOCH: String(newestSeconds) } } : {}),
    writesTo: path.dirname(image),
    failureHint: 'df -h; condense doctor',
  };
}

/** As for a directory: with these, the same content in the same order gives the same bytes (measured with 4.5.1). */
const tarOptions = ['-tar', '-exports', '-no-tailends', '-root-mode', '755'];

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
 * Packs a tree and verifies: the image must list as many inodes as the tree has.
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
  const { inodes, newestSeconds } = await settleTree(root);
  const sortFile = first.length === 0 ? undefined : `${image}.sort`;
  if (sortFile !== undefined) {
    await removeTree(sortFile);
    await writeNewFile(sortFile, renderSortFile(first));
  }
  return await pack(
    { ...planPack(root, image, profile, newestSeconds, countProcessors(process.env), sortFile), signal },
    image,
    inodes,
  );
}

/**
 * Packs what no tree on disk has: the bytes are those that `writeImage` would make of it. It takes `hasTarInput`.
 * @param entries below the image's root, in the order of `compareTarPaths`, as it is to be in the image
 * @throws AppError IMAGE_INVALID
 */
export async function writeImageOf(
  entries: readonly TarEntry[],
  image: string,
  profile: SquashfsProfile,
  signal?: AbortSignal,
): Promise<PackedImage> {
  let newestSeconds = 0;
  for (const entry of entries) if (entry.kind === 'file') newestSeconds = Math.max(newestSeconds, entry.mtimeSeconds);
  const inodes = 1 + entries.filter(({ kind }) => kind !== 'hardlink').length;
  const command = planPack('-', image, profile, newestSeconds, countProcessors(process.env));
  return await pack({ ...command, input: renderTar(entries), signal }, image, inodes);
}

/** Whether mksquashfs reads tar archives: since 4.5. */
export async function hasTarInput(): Promise<boolean> {
  const { stdout } = await runCommand({ program: 'mksquashfs', args: ['-version'], okExitCodes: [0, 1] });
  const [, major = 0, minor = 0] = (/version (\d+)\.(\d+)/.exec(stdout.toString('utf8')) ?? []).map(Number);
  return major > 4 || (major === 4 && minor >= 5);
}

async function pack(command: Command, image: string, inodes: number): Promise<PackedImage> {
  await removeTree(image);
  const { stdout } = await runCommand(command);
  await chmod(image, 0o644);
  const listed = await readInodeCount(image, command.signal);
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
 * Directories and links get their times from whoever made them last, and nothing depends on them: fixed ones keep the
 * image reproducible.
 * @returns the inodes of the tree: a file that packages give several names (hard links) is one, in squashfs as well; and
 * the time of the newest file, which the root gets as well
 */
async function settleTree(root: string): Promise<{ inodes: number; newestSeconds: number }> {
  let others = 1;
  let newestSeconds = 0;
  const files = new Set<number>();
  const timeless: string[] = [];
  for await (const entry of walkTree(root)) {
    if (entry.kind === 'file') {
      files.add(entry.inode);
      newestSeconds = Math.max(newestSeconds, Math.floor(entry.modifiedMs / 1000));
    } else {
      others++;
      timeless.push(path.join(root, entry.path));
    }
  }
  for (const file of timeless) await lutimes(file, 0, 0);
  await lutimes(root, newestSeconds, newestSeconds);
  return { inodes: others + files.size, newestSeconds };
}

async function readInodeCount(image: string, signal?: AbortSignal): Promise<number> {
  const { stdout } = await runCommand({ program: 'unsquashfs', args: ['-stat', image], signal });
  const count = /^Number of inodes (\d+)$/m.exec(stdout.toString('utf8'))?.[1];
  return Number(count ?? Number.NaN);
}
