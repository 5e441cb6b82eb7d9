// What `condense gc` keeps and what goes, with the reasons: decided from facts alone.
import type { CollectRules } from '../config/site-config.ts';
import type { OldestJob } from '../site/scheduler.ts';
import type { Generation } from './generation.ts';

/** A directory of `releases/<full name>`. */
export interface StoredRelease {
  readonly fullName: string;
  readonly id: string;
  readonly path: string;
  readonly sizeBytes: number;
  /** Half-made ones have another name than an id; what is none of condense's is `foreign`. */
  readonly kind: 'release' | 'half-made' | 'foreign';
  readonly gated: boolean;
  /** Set where only another account may remove it. */
  readonly owner?: string | undefined;
  /** Absent where its manifest cannot be read. */
  readonly needs?:
    { readonly base: string; readonly node: string | undefined; readonly sha256: readonly string[] } | undefined;
}

/** A file or directory that no release is: bases, runtimes, scratch. */
export interface StoredThing {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly owner?: string | undefined;
}

export interface CachedFile extends StoredThing {
  readonly kind: 'packages' | 'extracted' | 'wheels' | 'repodata';
  readonly modifiedMs: number;
  /** Of packages, of the archives of extracted ones, and of wheels. */
  readonly sha256?: string | undefined;
}

export interface CollectFacts {
  readonly nowMs: number;
  readonly rules: CollectRules;
  /** Oldest first, up to the live one; when each was made. */
  readonly generations: readonly (Generation & { readonly madeMs: number })[];
  /** What a killed publish left in `generations`, and a killed gc anywhere. */
  readonly leftovers: readonly (StoredThing & { readonly kind: ItemKind; readonly why: string })[];
  readonly releases: readonly StoredRelease[];
  readonly bases: readonly StoredThing[];
  readonly runtimes: readonly StoredThing[];
  readonly scratch: readonly StoredThing[];
  /** What jobs of condense itself left that did not succeed, and when it was last written to. */
  readonly jobs: readonly (StoredThing & { readonly modifiedMs: number })[];
  readonly cache: readonly CachedFile[];
  /** `<full name>/<id>`, or a base's name, to who uses it. */
  readonly uses: ReadonlyMap<string, readonly string[]>;
  /** Full names, or aliases, that venvs stand on. */
  readonly venvs: ReadonlyMap<string, readonly string[]>;
  /** Full names that somebody builds now, to who does. */
  readonly builds: ReadonlyMap<string, string>;
  readonly oldestJob: OldestJob;
}

export type ItemKind = 'generation' | 'release' | 'base' | 'runtime' | 'scratch' | 'job' | 'cache';

export interface CollectItem {
  readonly kind: ItemKind;
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly keep: boolean;
  /** Why it is kept: all that holds; or why it goes. */
  readonly reasons: readonly string[];
  /** Of a cache: the files that go. */
  readonly files?: readonly string[] | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Pure. In the order in which to remove: nothing that is still there refers to what has gone. */
export function planCollection(facts: CollectFacts): CollectItem[] {
  const keptGenerations = planGenerations(facts);
  const generations = facts.generations.map((generation): CollectItem => {
    const reasons = keptGenerations.get(generation.number) ?? [];
    return {
      ...{
        kind: 'generation',
        name: String(generation.number),
        path: `generations/${generation.number}`,
        sizeBytes: 0,
      },
      keep: reasons.length > 0,
      reasons: reasons.length > 0 ? reasons : [`older than the ${facts.rules.generations} newest`],
    };
  });
  const leftovers = facts.leftovers.map((thing) => drop(thing.kind, thing, thing.why));
  const releases = planReleases(facts, new Set(keptGenerations.keys()));
  const kept = releases.filter((release) => release.keep);
  const keptReleases = facts.releases.filter(({ path }) => kept.some((item) => item.path === path));
  return [
    ...leftovers,
    ...generations,
    ...releases,
    ...planShared(facts, keptReleases),
    ...planScratch(facts),
    ...planJobs(facts),
    ...planCache(facts, keptReleases),
  ];
}

function drop(kind: ItemKind, thing: StoredThing, reason: string): CollectItem {
  const { name, path, sizeBytes, owner } = thing;
  return { kind, name, path, sizeBytes, keep: owner !== undefined, reasons: [reason, ...describeOwner(owner)] };
}

const describeOwner = (owner: string | undefined): string[] =>
  owner === undefined ? [] : [`belongs to ${owner}: only that account or root can remove it`];

/** Reasons by number; what is not in it goes. */
function planGenerations({ generations, rules }: CollectFacts): Map<number, string[]> {
  const kept = new Map<number, string[]>();
  const keep = (number: number, reason: string): void => {
    kept.set(number, [...(kept.get(number) ?? []), reason]);
  };
  const live = generations.at(-1);
  if (live) keep(live.number, 'live');
  for (const { number } of generations.slice(-rules.generations))
    keep(number, `one of the ${rules.generations} newest`);
  // What a rollback took away stays away (hold.ts) while its generation is there to tell.
  for (const fullName of live?.versions.keys() ?? []) {
    for (const [index, { number, versions, restores }] of [...generations.entries()].reverse()) {
      const before = generations[index - 1];
      if (!before || versions.get(fullName) === before.versions.get(fullName)) continue;
      if (restores === undefined) break;
      keep(number, `took back what was ${fullName}`);
    }
  }
  // A rollback goes on from the generation that the last one restored, so that one stays known.
  const byNumber = new Map(generations.map((generation) => [generation.number, generation]));
  for (const { number } of generations) {
    if (!kept.has(number)) continue;
    for (let at = byNumber.get(number); at?.restores !== undefined; at = byNumber.get(at.restores)) {
      const restored = at.restores;
      if (!byNumber.has(restored) || kept.has(restored)) break;
      keep(restored, `generation ${at.number} restored it`);
    }
  }
  return kept;
}

function planReleases(facts: CollectFacts, keptGenerations: ReadonlySet<number>): CollectItem[] {
  const { rules, generations } = facts;
  const live = generations.at(-1);
  const newest = new Set<string>();
  for (const fullName of new Set(facts.releases.map((release) => release.fullName))) {
    const ids = facts.releases.filter((one) => one.fullName === fullName && one.gated).map(({ id }) => id);
    for (const id of ids.sort().slice(-rules.releases)) newest.add(`${fullName}/${id}`);
  }
  return facts.releases.map((release): CollectItem => {
    const { fullName, id, path, sizeBytes } = release;
    const name = `${fullName}/${id}`;
    const item = { kind: 'release' as const, name, path, sizeBytes };
    if (release.kind === 'foreign') return { ...item, keep: true, reasons: ['is none of condense’s: left alone'] };
    const reasons: string[] = [];
    if (live?.versions.get(fullName) === id) reasons.push(describeLive(live, fullName));
    const shownBy = generations.filter((one) => keptGenerations.has(one.number) && one.versions.get(fullName) === id);
    const older = shownBy.map(({ number }) => number).filter((number) => number !== live?.number);
    if (older.length > 0) reasons.push(`a rollback can show it: generation ${abbreviate(older.map(String).reverse())}`);
    if (newest.has(name)) reasons.push(`one of the ${rules.releases} newest of ${fullName}`);
    if (rules.pinned.includes(name) || rules.pinned.includes(fullName)) reasons.push('pinned by gc: pinned');
    reasons.push(...(facts.uses.get(name) ?? []));
    if (release.gated) reasons.push(...describeVenvs(facts, release));
    const build = facts.builds.get(fullName);
    if (build !== undefined) reasons.push(`${fullName} is being built: ${build}`);
    const { end, wasLive } = readEnd(facts, release);
    if (release.kind === 'release' && release.gated) reasons.push(...describeAge(facts, end, wasLive));
    if (reasons.length > 0) return { ...item, keep: true, reasons };
    const why =
      release.kind === 'half-made'
        ? 'half made: its build was killed'
        : !release.gated
          ? 'never passed its gate'
          : `${wasLive ? `live until ${isoMinute(end)} at the latest` : `built ${isoMinute(end)} and never live`}; nothing is known to use it`;
    const owner = describeOwner(release.owner);
    return { ...item, keep: owner.length > 0, reasons: [why, ...owner] };
  });
}

function describeLive(live: Generation, fullName: string): string {
  const aliases = [...live.aliases].filter(([, target]) => target === fullName).map(([alias]) => alias);
  return `live${aliases.length > 0 ? ` as ${aliases.join(', ')}` : ''}`;
}

/** Of a version that venvs stand on and that is not live, the newest release: what would be published to mend them. */
function describeVenvs({ venvs, releases, generations }: CollectFacts, { fullName, id }: StoredRelease): string[] {
  if (generations.at(-1)?.versions.has(fullName)) return [];
  const newest = releases
    .filter((one) => one.fullName === fullName && one.gated)
    .map((one) => one.id)
    .sort()
    .at(-1);
  const users = venvs.get(fullName) ?? [];
  return newest === id && users.length > 0 ? [`venvs stand on ${fullName}: ${abbreviate(users)}`] : [];
}

/**
 * When somebody could last load it: the generation after the last one that showed it was made. A clock that was set back
 * cannot make that earlier than what came before. Where the generations that showed it are gone, or never were, it is
 * the time of the oldest one that is left, or its own.
 */
function readEnd(
  { generations, nowMs }: CollectFacts,
  { fullName, id }: StoredRelease,
): { readonly end: number; readonly wasLive: boolean } {
  let made = Math.max(0, parseIdTime(id) ?? 0);
  let end: number | undefined;
  for (const generation of generations) {
    made = Math.max(made, generation.madeMs);
    if (generation.versions.get(fullName) === id) end = Number.POSITIVE_INFINITY;
    else if (end === Number.POSITIVE_INFINITY) end = made;
  }
  if (end !== undefined) return { end: Math.min(end, nowMs), wasLive: true };
  const first = generations[0];
  const built = parseIdTime(id) ?? 0;
  return first && first.number > 1 && built < first.madeMs
    ? { end: first.madeMs, wasLive: true }
    : { end: built, wasLive: false };
}

/** @returns undefined for the name of a half-made one */
function parseIdTime(id: string): number | undefined {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-/.exec(id) ?? [];
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? undefined : time;
}

function describeAge({ rules, nowMs, oldestJob }: CollectFacts, end: number, wasLive: boolean): string[] {
  const what = wasLive ? `was live until ${isoMinute(end)}` : `was built ${isoMinute(end)}`;
  const reasons = [];
  if (end >= nowMs - rules.longestJobDays * DAY_MS)
    reasons.push(`${what}: younger than the longest job (${rules.longestJobDays} days)`);
  if (oldestJob.state === 'known' && end >= oldestJob.submittedMs)
    reasons.push(`${what}, and job ${oldestJob.job} runs that was submitted ${isoMinute(oldestJob.submittedMs)}`);
  if (oldestJob.state === 'unknown' && wasLive)
    reasons.push(`${what}, and nobody knows which jobs run: ${oldestJob.why}`);
  return reasons;
}

/** Bases and Node runtimes. While anything is built, and while a release does not say what it needs, all stay. */
function planShared(facts: CollectFacts, kept: readonly StoredRelease[]): CollectItem[] {
  const [building] = facts.builds.keys();
  const silent = kept.find(({ needs, kind }) => needs === undefined && kind === 'release');
  const everything =
    building !== undefined
      ? `${building} is being built`
      : silent && `the manifest of ${silent.fullName}/${silent.id} does not say what it needs`;
  const plan = (kind: 'base' | 'runtime', thing: StoredThing): CollectItem => {
    const users = kept.filter(({ needs }) => (kind === 'base' ? needs?.base : needs?.node) === thing.name);
    const reasons = [
      ...(users.length > 0
        ? [`used by ${abbreviate(users.map(({ fullName, id }) => `${fullName}/${id}`).reverse())}`]
        : []),
      ...(facts.uses.get(thing.name) ?? []),
      ...(everything === undefined ? [] : [everything]),
    ];
    if (reasons.length === 0) return drop(kind, thing, 'no release that stays uses it');
    return { kind, name: thing.name, path: thing.path, sizeBytes: thing.sizeBytes, keep: true, reasons };
  };
  return [...facts.bases.map((thing) => plan('base', thing)), ...facts.runtimes.map((thing) => plan('runtime', thing))];
}

function planScratch({ scratch, builds }: CollectFacts): CollectItem[] {
  return scratch.map((thing) => {
    const build = builds.get(thing.name);
    if (build === undefined) return drop('scratch', thing, 'left by a build that was killed');
    const { name, path, sizeBytes } = thing;
    return { kind: 'scratch', name, path, sizeBytes, keep: true, reasons: [`${name} is being built: ${build}`] };
  });
}

/** No job takes longer than `longest_job_days`, so one that wrote nothing for as long is over, and has been looked at or not. */
function planJobs({ jobs, nowMs, rules }: CollectFacts): CollectItem[] {
  const days = rules.longestJobDays;
  return jobs.map((thing) => {
    if (thing.modifiedMs < nowMs - days * DAY_MS)
      return drop('job', thing, `its last line is older than ${days} days (gc.longest_job_days)`);
    const { name, path, sizeBytes } = thing;
    return {
      kind: 'job',
      name,
      path,
      sizeBytes,
      keep: true,
      reasons: [`younger than ${days} days: it runs, or failed`],
    };
  });
}

function planCache({ cache, builds, nowMs, rules }: CollectFacts, kept: readonly StoredRelease[]): CollectItem[] {
  const [building] = builds.keys();
  const needed = new Set(kept.flatMap(({ needs }) => needs?.sha256 ?? []));
  const items: CollectItem[] = [];
  for (const kind of ['packages', 'extracted', 'wheels', 'repodata'] as const) {
    const files = cache.filter((file) => file.kind === kind);
    const old = files.filter(
      ({ sha256, modifiedMs, owner }) =>
        modifiedMs < nowMs - rules.cacheDays * DAY_MS &&
        owner === undefined &&
        !(sha256 !== undefined && needed.has(sha256)),
    );
    const going = building === undefined ? old : [];
    const young = files.filter((file) => !going.includes(file));
    const add = (list: readonly CachedFile[], keep: boolean, reason: string): void => {
      if (list.length === 0) return;
      items.push({
        ...{
          kind: 'cache',
          name: `cache/${kind}: ${list.length} ${kind === 'extracted' ? 'packages' : 'files'}`,
          path: `cache/${kind}`,
          keep,
          reasons: [reason],
        },
        sizeBytes: list.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        ...(keep ? {} : { files: list.map((file) => file.path) }),
      });
    };
    add(
      young,
      true,
      old.length > going.length
        ? `${building ?? ''} is being built`
        : `younger than ${rules.cacheDays} days, or a release that stays was made from it`,
    );
    add(going, false, `older than ${rules.cacheDays} days, and no release that stays was made from it`);
  }
  return items;
}

function abbreviate(list: readonly string[]): string {
  const shown = list.slice(0, 3).join(', ');
  return list.length > 3 ? `${shown} and ${list.length - 3} more` : shown;
}

function isoMinute(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString().replace(/:\d\d\.\d+Z$/, 'Z') : 'now';
}
