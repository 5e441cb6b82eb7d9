// Makes and updates a mirror. Packages first, then the indexes that name them, then what nothing names any more: whoever
// reads meanwhile finds every file of the index that they have read.
import path from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import type { ChannelAccess } from '../conda/channel-access.ts';
import { fetchVerified } from '../conda/fetch-verified.ts';
import { readPackageIndex } from '../conda/read-package-index.ts';
import { withLock } from '../release/site-lock.ts';
import { MirrorLayout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import type { Report } from '../system/events.ts';
import { EXIT } from '../system/exit-codes.ts';
import {
  digestFile,
  lstatIfThere,
  makeSharedDir,
  pathExists,
  publishFile,
  readBytes,
  readText,
  realpath,
  removeTree,
  removeUnfinished,
  rmdir,
  writeFileAtomic,
} from '../system/files.ts';
import { readChannelRecords } from './channel-records.ts';
import {
  listFiles,
  listPackages,
  listSimplePages,
  lockPath,
  planMirror,
  type MirroredDistribution,
  type MirroredLock,
  type MirroredPackage,
  type MirrorPlan,
} from './mirror-plan.ts';
import { renderMirrorPage } from './mirror-page.ts';
import { renderSimplePage } from './simple-index.ts';
import { completeRecord, parseRepodata, renderRepodata, type PackageRecord } from './mirror-records.ts';
import { readMirror, renderMirrorState, type Mirror } from './mirror-state.ts';

export interface MirrorRequest {
  readonly dir: string;
  readonly locks: readonly MirroredLock[];
  /** Keep nothing that these locks do not need. */
  readonly prune: boolean;
  /** Where the site finds bare channel names: for the page. */
  readonly alias: string;
  readonly access: ChannelAccess;
  readonly packageCacheDir: string;
  readonly repodataCacheDir: string;
  readonly report: Report;
  readonly signal: AbortSignal;
}

export interface MirrorChange {
  readonly plan: MirrorPlan;
  /** Packages and distributions that are not there yet. */
  readonly missing: readonly (MirroredPackage | MirroredDistribution)[];
  /** Files of condense that no lock needs: looked for with `prune` only. */
  readonly unneeded: readonly string[];
}

export interface MirrorOutcome extends MirrorChange {
  readonly changed: boolean;
}

/** What `writeMirror` would do. Asks nobody and writes nothing. */
export async function planMirrorChange(request: Pick<MirrorRequest, 'dir' | 'locks' | 'prune'>): Promise<MirrorChange> {
  const layout = new MirrorLayout(request.dir);
  return await compare(layout, await readMirror(layout), request);
}

/** @throws AppError MIRROR_NOT_OURS, MIRROR_INVALID, MIRROR_CONFLICT, LOCK_HELD, those of fetching, PACKAGE_INVALID */
export async function writeMirror(request: MirrorRequest): Promise<MirrorOutcome> {
  const layout = new MirrorLayout(request.dir);
  await readMirror(layout); // before anything is written into what may be somebody's home directory
  return await withLock(layout.lockFile, 'mirroring', () => write(layout, request));
}

async function compare(
  layout: MirrorLayout,
  mirror: Mirror,
  { locks, prune }: Pick<MirrorRequest, 'locks' | 'prune'>,
): Promise<MirrorChange> {
  const plan = planMirror(prune ? locks : [...mirror.locks, ...locks]);
  const missing: (MirroredPackage | MirroredDistribution)[] = [];
  const known = new Set(mirror.files);
  for (const one of [...listPackages(plan), ...plan.distributions]) {
    const at = await lstatIfThere(layout.file(one.path));
    const { sizeBytes } = one.locked;
    const isThere = at?.isFile() === true && (sizeBytes === undefined || at.size === sizeBytes);
    if (!isThere || !known.has(one.path)) missing.push(one);
  }
  const wanted = new Set(listFiles(plan));
  return { plan, missing, unneeded: prune ? mirror.files.filter((file) => !wanted.has(file)) : [] };
}

async function write(layout: MirrorLayout, request: MirrorRequest): Promise<MirrorOutcome> {
  const mirror = await readMirror(layout);
  const change = await compare(layout, mirror, request);
  const { plan, missing, unneeded } = change;
  const files = listFiles(plan);
  let changed = false;
  const put = async (file: string, data: string | Uint8Array): Promise<void> => {
    if ((await lstatIfThere(file))?.isFile() && Buffer.from(data).equals(await readBytes(file))) return;
    await writeFileAtomic(file, data);
    changed = true;
  };
  // Before anything else: a run that is killed leaves nothing that nobody knows, nor a directory that is no mirror.
  if (files.some((file) => !mirror.files.includes(file)))
    await put(layout.state, renderMirrorState(mirror.locks, [...mirror.files, ...files]));
  const dirs = new Set([...files, 'mirror.json'].map((file) => path.dirname(layout.file(file))));
  for (const dir of dirs) {
    await makeSharedDir(dir);
    // Whoever waits for the lock makes its claim in the mirror's own directory.
    await removeUnfinished(dir, (name) => name.startsWith(path.basename(layout.lockFile)));
  }
  await addPackages(layout, missing, request);
  const records = await readRecords(layout, plan, request);
  const recordOf = (one: MirroredPackage): PackageRecord => records.get(one.path) ?? {};
  for (const subdir of plan.channels.flatMap(({ subdirs }) => subdirs)) {
    const text = renderRepodata(subdir, recordOf);
    await put(layout.file(`${subdir.path}/repodata.json.zst`), zstdCompressSync(text));
    await put(layout.file(`${subdir.path}/repodata.json`), text);
  }
  for (const [file, listed] of listSimplePages(plan)) await put(layout.file(file), renderSimplePage(file, listed));
  for (const { name, text } of plan.locks) await put(layout.file(lockPath(name)), text);
  await put(layout.page, renderMirrorPage(plan, recordOf, request.alias));
  for (const file of unneeded) {
    await removeOwnFile(layout, file);
    changed = true;
  }
  await put(layout.state, renderMirrorState(plan.locks, request.prune ? files : [...mirror.files, ...files]));
  return { ...change, changed: changed || missing.length > 0 };
}

async function addPackages(
  layout: MirrorLayout,
  missing: MirrorChange['missing'],
  { access, packageCacheDir: cacheDir, report, signal }: MirrorRequest,
): Promise<void> {
  const packages = missing.map(({ locked }) => locked);
  const archives = await fetchVerified({ packages, access, cacheDir, report, signal });
  let done = 0;
  for (const { locked, path: at } of missing) {
    signal.throwIfAborted();
    const archive = archives.get(locked.sha256);
    if (archive === undefined) throw new Error(`${locked.url} was not fetched`);
    await publishFile(archive, layout.file(at));
    done += 1;
    report({ type: 'progress', stage: 'mirror', done, total: missing.length, unit: 'packages' });
  }
}

/** By path: the channel's record if it still has the very file, else the one of before, else what the package says. */
async function readRecords(
  layout: MirrorLayout,
  plan: MirrorPlan,
  request: MirrorRequest,
): Promise<ReadonlyMap<string, PackageRecord>> {
  const records = new Map<string, PackageRecord>();
  for (const channel of plan.channels) {
    const packages = channel.subdirs.flatMap((subdir) => subdir.packages);
    if (packages.length === 0) continue;
    const said = await readChannelRecords(channel, packages, request);
    for (const subdir of channel.subdirs) {
      const index = layout.file(`${subdir.path}/repodata.json`);
      const before = (await pathExists(index))
        ? parseRepodata(await readText(index))
        : new Map<string, PackageRecord>();
      for (const one of subdir.packages) {
        request.signal.throwIfAborted();
        const file = layout.file(one.path);
        const kept = before.get(one.file);
        const same = kept?.['sha256'] === one.locked.sha256 ? kept : undefined;
        const listed = said.get(one.path) ?? same;
        const written = listed ?? (await readPackageIndex(file, one.locked.url));
        const sizeBytes = Number((await lstatIfThere(file))?.size ?? 0);
        const md5 = one.locked.md5 ?? md5Of(listed) ?? (await digestFile(file, 'md5'));
        records.set(one.path, completeRecord(one, written, { md5, sizeBytes }));
      }
    }
  }
  return records;
}

function md5Of(record: PackageRecord | undefined): string | undefined {
  const md5 = record?.['md5'];
  return typeof md5 === 'string' && /^[0-9a-f]{32}$/.test(md5) ? md5 : undefined;
}

/** Removes a file that the mirror's state names, and the directories that it leaves empty; nothing through a link. */
async function removeOwnFile(layout: MirrorLayout, file: string): Promise<void> {
  const at = layout.file(file);
  let dir = path.dirname(at);
  if (!(await pathExists(dir))) return;
  if ((await realpath(dir)) !== path.join(await realpath(layout.dir), path.dirname(file))) {
    throw new AppError(EXIT.usage, {
      code: 'MIRROR_INVALID',
      message: 'is reached through a link, so nothing is removed there',
      at,
      hint: `ls -ld ${dir}`,
    });
  }
  await removeTree(at);
  for (; dir !== layout.dir; dir = path.dirname(dir)) {
    try {
      await rmdir(dir);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY' || (error as NodeJS.ErrnoException).code === 'EEXIST')
        return;
      throw error;
    }
  }
}
