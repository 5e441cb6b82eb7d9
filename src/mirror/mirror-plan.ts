// What a mirror of some locks holds, as pure data: one channel for each of theirs, each with exactly their packages.
import type { EnvironmentLock, LockedPackage } from '../conda/lock.ts';
import { distributionFileName } from '../conda/wheel-file.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { channelDirectory } from './channel-directory.ts';

export interface MirroredLock {
  /** Its name in the mirror, without an ending: tells two locks of one environment apart. */
  readonly name: string;
  /** What people call it. */
  readonly title: string;
  /** The file, as it is. */
  readonly text: string;
  readonly lock: EnvironmentLock;
}

export interface MirroredPackage {
  readonly locked: LockedPackage;
  /** Its file name, as in the channel. */
  readonly file: string;
  /** In the mirror: `conda/host/channel/noarch/tool-1.0-0.conda`. */
  readonly path: string;
}

export interface MirroredSubdir {
  readonly subdir: string;
  /** `conda/host/channel/noarch` */
  readonly path: string;
  /** Sorted by file name. */
  readonly packages: readonly MirroredPackage[];
}

export interface MirroredChannel {
  /** Of the channel that it mirrors, without credentials. */
  readonly url: string;
  /** `conda/host/channel` */
  readonly path: string;
  readonly subdirs: readonly MirroredSubdir[];
}

/** A wheel or an sdist that pip added. */
export interface MirroredDistribution {
  readonly locked: {
    readonly name: string;
    readonly url: string;
    readonly sha256: string;
    readonly sizeBytes?: undefined;
  };
  readonly version: string;
  readonly file: string;
  /** `pip/simple/greet/greet-1.0-py3-none-any.whl` */
  readonly path: string;
}

export interface MirrorPlan {
  /** Sorted by name. */
  readonly locks: readonly MirroredLock[];
  /** Sorted by path. */
  readonly channels: readonly MirroredChannel[];
  /** Sorted by path. */
  readonly distributions: readonly MirroredDistribution[];
  /** What a mirror cannot hold, for people. */
  readonly notes: readonly string[];
}

/** `locks/analysis3-26.11-20261121T044052Z-14180186.lock.yml` */
export const lockPath = (name: string): string => `locks/${name}.lock.yml`;

/**
 * Channels are kept apart as the locks have them: strict priority and `channel::name` then mean in the mirror what they mean
 * outside, also where two channels have files of one name. A channel that gave nothing is there, empty: specs name it.
 * @throws AppError MIRROR_CONFLICT, all at once, where one place of the mirror would hold two things
 */
export function planMirror(given: readonly MirroredLock[]): MirrorPlan {
  const locks = [...new Map(given.map((one) => [one.name, one])).values()].sort(by(({ name }) => name));
  const places = new Map<string, MirroredPackage & { readonly from: MirroredLock }>();
  const channels = new Map<string, { readonly url: string; readonly subdirs: Set<string> }>();
  const problems: Problem[] = [];
  for (const from of locks) {
    const { channels: urls, packages, platform } = from.lock;
    for (const url of new Set([...urls, ...packages.map(({ channel }) => channel)])) {
      const path = channelDirectory(url);
      const known = channels.get(path);
      if (known && known.url !== url) problems.push(conflict(`${url} and ${known.url} would both be ${path}`));
      // CEP 26: noarch makes it a channel; the platform's own spares clients a warning.
      channels.set(path, { url, subdirs: new Set([...(known?.subdirs ?? []), 'noarch', platform]) });
    }
    for (const locked of packages) {
      const channel = channelDirectory(locked.channel);
      const file = locked.url.slice(locked.url.lastIndexOf('/') + 1);
      const path = `${channel}/${locked.subdir}/${file}`;
      channels.get(channel)?.subdirs.add(locked.subdir);
      const known = places.get(path);
      if (known && known.locked.sha256 !== locked.sha256) {
        problems.push(
          conflict(
            `${locked.url} has the sha256 ${locked.sha256} in ${from.title} and ${known.locked.sha256} in ${known.from.title}`,
          ),
        );
      }
      // The one that says more: a lock may lack size and md5.
      if (!known || (known.locked.md5 ?? known.locked.sizeBytes) === undefined)
        places.set(path, { locked, file, path, from });
    }
  }
  const { distributions, notes } = planDistributions(locks, problems);
  if (problems.length > 0) throw new AppError(EXIT.buildFailed, problems);
  const packages = [...places.values()]
    .map(({ locked, file, path }) => ({ locked, file, path }))
    .sort(by(({ path }) => path));
  return {
    locks,
    channels: [...channels]
      .map(([path, { url, subdirs }]) => ({
        url,
        path,
        subdirs: [...subdirs].sort().map((subdir) => ({
          subdir,
          path: `${path}/${subdir}`,
          packages: packages.filter((one) => one.path === `${path}/${subdir}/${one.file}`),
        })),
      }))
      .sort(by(({ path }) => path)),
    distributions,
    notes,
  };
}

/** Below one simple index (PEP 503), whichever index they came from: pip looks a file up by name and digest. */
function planDistributions(
  locks: readonly MirroredLock[],
  problems: Problem[],
): Pick<MirrorPlan, 'distributions' | 'notes'> {
  const places = new Map<string, MirroredDistribution>();
  const notes = new Set<string>();
  for (const { lock, title } of locks) {
    for (const { name, version, kind, url, sha256 } of lock.pip?.packages ?? []) {
      const file = distributionFileName(url);
      if ((kind !== 'wheel' && kind !== 'sdist') || sha256 === undefined || file === undefined) {
        notes.add(`${name} ${version} of ${title} is built from ${url}, which no index can hold`);
        continue;
      }
      if (kind === 'sdist')
        notes.add(`${name} ${version} of ${title} is built from source: what its build requires is not locked`);
      const path = `pip/simple/${name}/${file}`;
      const known = places.get(path);
      if (known && known.locked.sha256 !== sha256)
        problems.push(
          conflict(`${file} has the sha256 ${sha256} in ${title} and ${known.locked.sha256} in another lock`),
        );
      places.set(path, { locked: { name, url, sha256 }, version, file, path });
    }
  }
  return { distributions: [...places.values()].sort(by(({ path }) => path)), notes: [...notes].sort() };
}

/** Every package of the plan, each place once. */
export function listPackages(plan: MirrorPlan): MirroredPackage[] {
  return plan.channels.flatMap(({ subdirs }) => subdirs.flatMap(({ packages }) => packages));
}

/** The pages of the simple index by path, with what each lists; none where pip added nothing. */
export function listSimplePages(plan: MirrorPlan): ReadonlyMap<string, readonly MirroredDistribution[]> {
  const pages = new Map<string, MirroredDistribution[]>();
  if (plan.distributions.length > 0) pages.set('pip/simple/index.html', [...plan.distributions]);
  for (const one of plan.distributions) {
    const page = `pip/simple/${one.locked.name}/index.html`;
    pages.set(page, [...(pages.get(page) ?? []), one]);
  }
  return pages;
}

/** Every file of the mirror besides its page and state, sorted. */
export function listFiles(plan: MirrorPlan): string[] {
  const indexes = plan.channels.flatMap(({ subdirs }) =>
    subdirs.flatMap(({ path }) => [`${path}/repodata.json`, `${path}/repodata.json.zst`]),
  );
  const packages = [...listPackages(plan), ...plan.distributions].map(({ path }) => path);
  return [
    ...indexes,
    ...listSimplePages(plan).keys(),
    ...packages,
    ...plan.locks.map(({ name }) => lockPath(name)),
  ].sort();
}

function conflict(message: string): Problem {
  return { code: 'MIRROR_CONFLICT', message, hint: 'mirror these locks into two directories' };
}

function by<T>(key: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
}
