// What there is to adopt: a conda prefix, an image that holds one, or the top of a tree like hh5's; and what it says of itself.
import path from 'node:path';
import { stringify } from 'yaml';
import {
  findPrefixChanges,
  readPrefixRecords,
  type PrefixChanges,
  type PrefixRecords,
} from '../conda/found-records.ts';
import { parseLock, renderLock, type EnvironmentLock } from '../conda/lock.ts';
import { describeSolveInputs } from '../conda/solve.ts';
import { probeVirtualPackages } from '../conda/virtual-packages.ts';
import { findDistributions, type FoundDistributions } from '../pip/found-distributions.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, makePrivateDir, pathExists, readdir, removeTree, stat } from '../system/files.ts';
import { runUnsquash } from '../system/unsquash.ts';
import type { BuildContext } from './build-context.ts';
import type { BuildPlan } from './build-plan.ts';

export interface Adoptable {
  /** What was named, or the image that was found below it. */
  readonly source: string;
  readonly kind: 'prefix' | 'image';
  readonly records: PrefixRecords;
  readonly pip: FoundDistributions;
  readonly changes: PrefixChanges;
  /** Commands of an hh5-style farm that are not in the environment: what runs on the host. */
  readonly outsideCommands: readonly string[];
}

/**
 * Looks at what is to be adopted, and changes nothing of it. Images are unpacked into a scratch directory, which is removed.
 * @param scratch of this account's own; its parent is made
 * @throws AppError PREFIX_MISSING, PREFIX_INVALID, RECORD_INVALID
 */
export async function readAdoptable(
  source: string,
  fullName: string,
  scratch: string,
  signal: AbortSignal,
): Promise<Adoptable> {
  const found = await findSource(source, fullName);
  if (!found) {
    throw new AppError(EXIT.buildFailed, {
      code: 'PREFIX_MISSING',
      message: `is neither a conda prefix (no conda-meta), nor an image, nor a tree with ${fullName}.sqsh in its envs directories`,
      at: source,
      hint: `find ${source} -maxdepth 4 -name '*.sqsh' -o -maxdepth 4 -name conda-meta`,
    });
  }
  try {
    const prefix = found.kind === 'prefix' ? found.source : await unpackImage(found.source, scratch, signal);
    const records = await readPrefixRecords(prefix);
    const pip = await findDistributions(prefix, records.files);
    return {
      ...found,
      ...{ records, pip },
      changes: await findPrefixChanges(prefix, records, pip.files, signal),
      outsideCommands: await listOutside(source, fullName, prefix),
    };
  } finally {
    if (found.kind === 'image') await removeTree(scratch);
  }
}

async function findSource(source: string, fullName: string): Promise<Pick<Adoptable, 'source' | 'kind'> | undefined> {
  const isThere = await pathExists(source);
  if (isThere && (await stat(source)).isFile()) return { source, kind: 'image' };
  if (await pathExists(path.join(source, 'conda-meta'))) return { source, kind: 'prefix' };
  for (const dir of await listTree(source, 'envs')) {
    const image = path.join(dir, `${fullName}.sqsh`);
    if (await pathExists(image)) return { source: image, kind: 'image' };
  }
  return undefined;
}

/** `<top>/envs`, `<top>/apps/<any>/envs`: where hh5 and its descendants have things; of the farm the directory is its last part. */
async function listTree(top: string, last: string): Promise<string[]> {
  const apps = path.join(top, 'apps');
  const names = (await pathExists(apps)) ? (await readdir(apps)).sort() : [];
  return [path.join(top, last), ...names.map((name) => path.join(apps, name, last))];
}

/** @returns the one prefix that is in it */
async function unpackImage(image: string, scratch: string, signal: AbortSignal): Promise<string> {
  await makePrivateDir(path.dirname(scratch));
  await removeTree(scratch);
  await runUnsquash({
    ...{ image, dest: scratch, signal, writesTo: path.dirname(scratch) },
    failureHint: `file ${image}; is it a squashfs image?`,
  });
  const prefixes = await findPrefixes(scratch, 4);
  if (prefixes.length === 1 && prefixes[0] !== undefined) return prefixes[0];
  throw new AppError(EXIT.buildFailed, {
    code: 'PREFIX_INVALID',
    message: `has ${prefixes.length} conda prefixes, and must have one`,
    at: image,
    hint: `unsquashfs -l ${image} | grep conda-meta$`,
  });
}

async function findPrefixes(dir: string, depth: number): Promise<string[]> {
  // No link is followed: what is in an image decides nothing of what is read outside.
  if (!(await lstatIfThere(dir))?.isDirectory()) return [];
  if ((await lstatIfThere(path.join(dir, 'conda-meta')))?.isDirectory()) return [dir];
  if (depth === 0) return [];
  const found = [];
  for (const name of (await readdir(dir)).sort()) found.push(...(await findPrefixes(path.join(dir, name), depth - 1)));
  return found;
}

async function listOutside(top: string, fullName: string, prefix: string): Promise<string[]> {
  for (const dir of await listTree(top, `${fullName}.d`)) {
    const farm = path.join(dir, 'bin');
    if (!(await pathExists(farm))) continue;
    const outside = [];
    for (const name of (await readdir(farm)).sort())
      if (!name.startsWith('launcher') && !(await lstatIfThere(path.join(prefix, 'bin', name)))) outside.push(name);
    return outside;
  }
  return [];
}

/** An environment.yml that asks for what was found. */
export function renderAdoptedSpec(name: string, { records, pip }: Pick<Adoptable, 'records' | 'pip'>): string {
  const dependencies = [...records.specs, ...(pip.lines.length > 0 ? [{ pip: pip.lines }] : [])];
  return stringify({ name, channels: records.channels, dependencies }, { lineWidth: 0, singleQuote: true });
}

/**
 * The lock that says what was found, as one of the plan's specs.
 * @throws AppError LOCK_INVALID: the records are somebody else's text
 */
export async function lockAdopted(
  context: Pick<BuildContext, 'config'>,
  plan: BuildPlan,
  { records, source }: Adoptable,
): Promise<EnvironmentLock> {
  const virtualPackages = await probeVirtualPackages(context.config.virtualPackages, process.env);
  const inputs = describeSolveInputs({
    specs: plan.spec.dependencies,
    pinned: plan.environment.pinned,
    channels: plan.channels,
    channelAlias: context.config.channels.alias,
    platform: plan.platform,
    virtualPackages,
  });
  const lock: EnvironmentLock = {
    lockVersion: 1,
    platform: plan.platform,
    inputsDigest: inputs.digest,
    channels: [...new Set([...inputs.channels, ...records.channels])],
    specs: inputs.specs,
    ...(inputs.pinned.length > 0 ? { pinned: inputs.pinned } : {}),
    virtualPackages,
    packages: records.packages,
  };
  return parseLock(renderLock(lock), path.join(source, 'conda-meta'));
}
