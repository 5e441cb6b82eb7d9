// The facts that `condense gc` decides from: what is in the store, the cache and the scratch directory, and who uses it.
import path from 'node:path';
import { fullName, type SiteConfig } from '../config/site-config.ts';
import type { Layout } from '../site/layout.ts';
import { readOldestJob } from '../site/scheduler.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, readdir, realpath, stat, walkTree } from '../system/files.ts';
import { isAside } from '../system/move-aside.ts';
import { probeProcesses, type ProcessUses } from '../system/process-files.ts';
import type { CachedFile, CollectFacts, ItemKind, StoredRelease, StoredThing } from './collect-plan.ts';
import { readManifest } from './find-release.ts';
import { describeOwner, lockOfClaim, readClaims } from './lock-claim.ts';
import { readCurrentNumber, readGenerations } from './site-state.ts';
import { readVenvUses } from './venvs.ts';

type Leftover = CollectFacts['leftovers'][number];

/** Facts, and what could not be looked at. */
export interface CollectLook {
  readonly facts: CollectFacts;
  /** Processes of other accounts. */
  readonly hidden: number;
  readonly unreadable: readonly string[];
}

/**
 * @param mine full names that the caller has locked for building: nobody else builds them
 * @throws AppError CURRENT_MISSING (exit 7) where generations are there and nobody can tell which one is live
 */
export async function readCollectFacts(
  config: SiteConfig,
  layout: Layout,
  mine: ReadonlySet<string> = new Set(),
): Promise<CollectLook> {
  const leftovers: Leftover[] = [];
  const generations = await readDatedGenerations(layout, leftovers);
  const releases = await readReleases(layout, leftovers);
  const bases = await readThings(layout, layout.bases, 'base', leftovers);
  const runtimes = await readThings(layout, layout.runtime, 'runtime', leftovers);
  const names = new Set([...config.environments.values()].map(fullName));
  for (const release of releases) names.add(release.fullName);
  const processes = await probeUses(layout, releases);
  const { uses, venvs, unreadable } = await readUsers(config, layout, generations.at(-1)?.aliases, processes);
  return {
    facts: {
      nowMs: Date.now(),
      rules: config.gc,
      generations,
      leftovers,
      releases,
      bases,
      runtimes,
      scratch: await readScratch(layout, names),
      jobs: await readJobs(layout),
      cache: [
        ...(await readCache(layout.packageCache, 'packages')),
        ...(await readExtracted(layout.extractedCache)),
        ...(await readCache(layout.wheelCache, 'wheels')),
        ...(await readCache(layout.repodataCache, 'repodata')),
      ],
      uses,
      venvs,
      builds: await readBuilds(layout, mine),
      oldestJob: await readOldestJob(config.gc.scheduler),
    },
    hidden: processes.hidden,
    unreadable,
  };
}

/** Names in a directory; none where there is no such directory, or a link in its place: that is never followed. */
async function readNames(dir: string): Promise<string[]> {
  return (await lstatIfThere(dir))?.isDirectory() ? (await readdir(dir)).sort() : [];
}

/** Who else may remove it. */
function describeForeignOwner(uid: number | bigint): string | undefined {
  const me = process.geteuid?.();
  return me === 0 || Number(uid) === me ? undefined : `uid ${uid}`;
}

async function readThing(layout: Layout, file: string, name: string): Promise<StoredThing | undefined> {
  const at = await lstatIfThere(file);
  if (!at || (!at.isFile() && !at.isDirectory())) return undefined;
  const owner = at.isDirectory() ? describeForeignOwner(at.uid) : undefined;
  const sizeBytes = at.isFile() ? Number(at.size) : 0;
  return { name, path: path.relative(layout.store, file), sizeBytes, ...(owner === undefined ? {} : { owner }) };
}

async function addLeftover(
  layout: Layout,
  leftovers: Leftover[],
  kind: ItemKind,
  file: string,
  why = 'half removed: a gc was killed',
): Promise<void> {
  const thing = await readThing(layout, file, path.relative(layout.store, file));
  if (thing) leftovers.push({ ...thing, kind, why });
}

async function readDatedGenerations(layout: Layout, leftovers: Leftover[]): Promise<CollectFacts['generations']> {
  const live = await readCurrentNumber(layout);
  const names = await readNames(layout.generations);
  for (const name of names) {
    const file = path.join(layout.generations, name);
    if (isAside(name)) await addLeftover(layout, leftovers, 'generation', file);
    else if (/^[1-9]\d*(\.tmp)?$/.test(name)) {
      if (live === undefined) {
        throw new AppError(EXIT.publishFailed, {
          code: 'CURRENT_MISSING',
          message: 'is missing, so nobody can tell which generation is live, and nothing is removed',
          at: layout.current,
          hint: `ls ${layout.generations}; then: ln -s generations/<number> ${layout.current}`,
        });
      }
      if (name.endsWith('.tmp') || Number(name) > live)
        await addLeftover(layout, leftovers, 'generation', file, 'nobody ever saw it: its publish was killed');
    }
  }
  const generations = await readGenerations(layout);
  return await Promise.all(
    generations.map(async (generation) => ({
      ...generation,
      madeMs: (await stat(layout.generation(generation.number).dir)).mtimeMs,
    })),
  );
}

async function readReleases(layout: Layout, leftovers: Leftover[]): Promise<StoredRelease[]> {
  const releases: StoredRelease[] = [];
  for (const name of await readNames(layout.releases)) {
    const dir = layout.releasesOf(name);
    if (!(await lstatIfThere(dir))?.isDirectory()) {
      releases.push(describeForeign(layout, name, ''));
      continue;
    }
    for (const id of await readNames(dir)) {
      if (isAside(id)) await addLeftover(layout, leftovers, 'release', path.join(dir, id));
      else releases.push(await readRelease(layout, name, id));
    }
  }
  return releases;
}

function describeForeign(layout: Layout, name: string, id: string): StoredRelease {
  const at = path.relative(layout.store, path.join(layout.releasesOf(name), id));
  return { fullName: name, id, path: at, sizeBytes: 0, kind: 'foreign', gated: false };
}

async function readRelease(layout: Layout, name: string, id: string): Promise<StoredRelease> {
  const release = layout.release(name, id);
  const at = await lstatIfThere(release.dir);
  const isRelease = /^\d{8}T\d{6}Z-/.test(id);
  if (!at?.isDirectory() || (!isRelease && !id.startsWith('.incoming-'))) return describeForeign(layout, name, id);
  const image = await lstatIfThere(release.image);
  const owner = describeForeignOwner(at.uid);
  return {
    fullName: name,
    id,
    path: path.relative(layout.store, release.dir),
    sizeBytes: image?.isFile() ? Number(image.size) : 0,
    kind: isRelease ? 'release' : 'half-made',
    gated: (await lstatIfThere(release.gateReport)) !== undefined,
    ...(owner === undefined ? {} : { owner }),
    ...(await readNeeds(layout, name, id)),
  };
}

async function readNeeds(layout: Layout, name: string, id: string): Promise<Pick<StoredRelease, 'needs'>> {
  try {
    const { base, node, tools, packages } = await readManifest(layout, name, id);
    return {
      needs: { base: base.digest, node: node?.version ?? tools['node'], sha256: packages.map(({ sha256 }) => sha256) },
    };
  } catch (error) {
    if (error instanceof AppError) return {};
    throw error;
  }
}

/** `bases/<digest>.sif` by their digest, `runtime/node-<version>` by the version; what is half made by its whole name. */
async function readThings(
  layout: Layout,
  dir: string,
  kind: 'base' | 'runtime',
  leftovers: Leftover[],
): Promise<StoredThing[]> {
  const things: StoredThing[] = [];
  for (const name of await readNames(dir)) {
    const file = path.join(dir, name);
    if (isAside(name)) await addLeftover(layout, leftovers, kind, file);
    else {
      const thing = await readThing(layout, file, name.replace(/^node-|\.sif$/g, ''));
      if (thing) things.push(thing);
    }
  }
  return things;
}

/** Only directories of the names that builds use, of this account: the scratch directory may be shared with others. */
async function readScratch(layout: Layout, names: ReadonlySet<string>): Promise<StoredThing[]> {
  const things: StoredThing[] = [];
  for (const name of names) {
    const { dir } = layout.staging(name);
    const at = await lstatIfThere(dir);
    if (!at?.isDirectory()) continue;
    const owner = describeForeignOwner(at.uid);
    things.push({ name, path: dir, sizeBytes: 0, ...(owner === undefined ? {} : { owner }) });
  }
  return things;
}

/** `<admin>/jobs/<id>`: what succeeded is not there any more. */
async function readJobs(layout: Layout): Promise<CollectFacts['jobs']> {
  const jobs = [];
  for (const name of await readNames(layout.jobs)) {
    const { dir } = layout.job(name);
    const at = await lstatIfThere(dir);
    if (!at?.isDirectory() || !/^\d{8}T\d{6}Z-[0-9a-f]{8}$/.test(name)) continue;
    const owner = describeForeignOwner(at.uid);
    let [sizeBytes, modifiedMs] = [0, Number(at.mtimeMs)];
    // Of another account nothing can be read, and nothing will be removed.
    if (owner === undefined) {
      for await (const entry of walkTree(dir)) {
        if (entry.kind !== 'file') continue;
        sizeBytes += entry.sizeBytes;
        modifiedMs = Math.max(modifiedMs, entry.modifiedMs);
      }
    }
    jobs.push({ name, path: dir, sizeBytes, modifiedMs, ...(owner === undefined ? {} : { owner }) });
  }
  return jobs;
}

async function readCache(dir: string, kind: CachedFile['kind']): Promise<CachedFile[]> {
  const files: CachedFile[] = [];
  if (!(await lstatIfThere(dir))?.isDirectory()) return files;
  for await (const entry of walkTree(dir)) {
    if (entry.kind !== 'file') continue;
    const sha256 = kind === 'repodata' ? undefined : /(?:^|\/)([0-9a-f]{64})\b[^/]*$/.exec(entry.path)?.[1];
    const { sizeBytes, modifiedMs } = entry;
    const file = path.join(dir, entry.path);
    files.push({
      kind,
      name: entry.path,
      path: file,
      sizeBytes,
      modifiedMs,
      ...(sha256 === undefined ? {} : { sha256 }),
    });
  }
  return files;
}

/** Of each extracted package its directory, and of what a killed build left of one. */
async function readExtracted(dir: string): Promise<CachedFile[]> {
  const entries: CachedFile[] = [];
  for (const shard of await readNames(dir)) {
    for (const name of await readNames(path.join(dir, shard))) {
      const entry = path.join(dir, shard, name);
      const at = await lstatIfThere(entry);
      if (!at?.isDirectory()) continue;
      const owner = describeForeignOwner(at.uid);
      let sizeBytes = 0;
      for await (const file of walkTree(entry)) sizeBytes += file.sizeBytes;
      entries.push({
        ...{ kind: 'extracted', name: `${shard}/${name}`, path: entry, sizeBytes, modifiedMs: Number(at.mtimeMs) },
        ...(/^[0-9a-f]{64}$/.test(name) ? { sha256: name } : {}),
        ...(owner === undefined ? {} : { owner }),
      });
    }
  }
  return entries;
}

async function readBuilds(layout: Layout, mine: ReadonlySet<string>): Promise<Map<string, string>> {
  const builds = new Map<string, string>();
  for (const { file, owner, state } of await readClaims(layout.locks)) {
    const name = lockOfClaim(path.basename(file))?.replace(/\.lock$/, '');
    if (name === undefined || SITE_LOCKS.has(name) || mine.has(name) || state === 'dead') continue;
    builds.set(name, describeOwner(owner));
  }
  return builds;
}

/** The locks that are no environment's. */
const SITE_LOCKS: ReadonlySet<string> = new Set(['publish', 'store', 'gc']);

async function probeUses(layout: Layout, releases: readonly StoredRelease[]): Promise<ProcessUses> {
  if (!(await lstatIfThere(layout.store))) return { uses: [], variables: [], hidden: 0 };
  const images = new Map<string, string>();
  for (const { fullName: name, id } of releases.filter(({ kind }) => kind === 'release')) {
    const { image } = layout.release(name, id);
    const at = await lstatIfThere(image);
    if (at?.isFile()) images.set(`${at.dev}:${at.ino}`, path.relative(layout.store, image));
  }
  return await probeProcesses(await realpath(layout.store), 'CONDENSE_RELEASE', images);
}

/** By what the plan calls it: `<full name>/<id>`, a base's digest, a runtime's version. */
async function readUsers(
  config: SiteConfig,
  layout: Layout,
  aliases: ReadonlyMap<string, string> | undefined,
  processes: ProcessUses,
): Promise<{ uses: Map<string, string[]>; venvs: Map<string, string[]>; unreadable: readonly string[] }> {
  const pids = new Map<string, Set<number>>();
  const note = (name: string | undefined, pid: number): void => {
    if (name !== undefined) pids.set(name, (pids.get(name) ?? new Set()).add(pid));
  };
  for (const { file, pid } of processes.uses) note(nameOfFile(file), pid);
  for (const { value, pid } of processes.variables) note(value, pid);
  const uses = new Map<string, string[]>();
  for (const [name, by] of pids) {
    const shown = [...by].map((pid) => (pid === 0 ? 'a mount' : `process ${pid}`));
    uses.set(name, [`in use on this node by ${shown.slice(0, 3).join(', ')}${shown.length > 3 ? ' and more' : ''}`]);
  }
  const venvs = new Map<string, string[]>();
  const found = await readVenvUses(layout, config.gc.venvs);
  for (const { venv, name, id } of found.uses) {
    const version = aliases?.get(name) ?? name;
    if (id !== undefined)
      uses.set(`${name}/${id}`, [...(uses.get(`${name}/${id}`) ?? []), `the venv ${venv} leads into it`]);
    venvs.set(version, [...(venvs.get(version) ?? []), venv]);
  }
  return { uses, venvs, unreadable: found.unreadable };
}

/** `releases/<full name>/<id>/...`, `bases/<digest>.sif`, `runtime/node-<version>/...` */
function nameOfFile(file: string): string | undefined {
  const [room, name = '', id] = file.split('/');
  if (room === 'releases') return id === undefined ? undefined : `${name}/${id}`;
  if (room === 'bases' || room === 'runtime') return name.replace(/^node-|\.sif$/g, '');
  return undefined;
}
