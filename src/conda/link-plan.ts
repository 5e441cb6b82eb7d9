// What goes where in the prefix, and which package's file it is where several bring one: a pure function of all packages.
import { posix } from 'node:path';
import type { Span } from '../system/spool-writer.ts';
import type { UnpackedMember } from './archive.ts';
import type { LockedPackage } from './lock.ts';
import type { ManifestEntry, PackageMetadata } from './package-metadata.ts';
import { packageHostile, packageInvalid } from './package-problem.ts';
import { resolveDirectory, type LinkLookup } from './link-resolution.ts';
import {
  isNoarchSource,
  noarchTarget,
  parseEntryPoint,
  renderEntryPoint,
  type PythonLayout,
} from './python-linking.ts';

export interface UnpackedPackage {
  readonly locked: LockedPackage;
  readonly metadata: PackageMetadata;
  readonly members: ReadonlyMap<string, UnpackedMember>;
  /** A directory with the members, or a file with their bytes. */
  readonly place: string;
  /** Where they are in that file, by member. */
  readonly spans?: ReadonlyMap<string, Span> | undefined;
}

type LinkSource =
  | { readonly kind: 'file'; readonly entry: ManifestEntry; readonly mode: number }
  | { readonly kind: 'link'; readonly entry: ManifestEntry; readonly target: string }
  | { readonly kind: 'generated'; readonly text: string; readonly mode: number };

/** One path of the prefix that a package brings. */
export interface LinkItem {
  /** Relative to the prefix; no part above it is a link. */
  readonly path: string;
  readonly owner: UnpackedPackage;
  readonly source: LinkSource;
  readonly mtimeSeconds: number;
  /** To be compiled by the environment's python. */
  readonly isSource: boolean;
}

export interface LinkPlan {
  /** Directories that are to be there even when empty. */
  readonly directories: readonly string[];
  /** One per path. */
  readonly items: readonly LinkItem[];
  /** Everything that each package brings, also what another package's file has replaced. */
  readonly brought: ReadonlyMap<UnpackedPackage, readonly LinkItem[]>;
  /** Where the paths that packages name below links really are. */
  readonly moved: ReadonlyMap<string, string>;
  readonly notes: readonly string[];
}

export interface LinkPlanRequest {
  /** In link order. */
  readonly packages: readonly UnpackedPackage[];
  readonly prefixInside: string;
  readonly python: PythonLayout | undefined;
  /** The time of what has none of its own. */
  readonly epochSeconds: number;
}

/**
 * Where two packages bring one path, the later in link order has it, as when conda links them in turn with its
 * `path_conflict: clobber` (conda/core/link.py; CEP 32 asks for no more than a warning).
 * @throws AppError PACKAGE_HOSTILE or PACKAGE_INVALID
 */
export function planLinks(request: LinkPlanRequest): LinkPlan {
  const items = new Map<string, LinkItem>();
  const brought = new Map<UnpackedPackage, LinkItem[]>();
  const moved = new Map<string, string>();
  const clobbers = new Clobbers();
  const directories = new Map<string, UnpackedPackage>();
  const put = (item: LinkItem): void => {
    const loser = items.get(item.path);
    if (loser && loser.owner !== item.owner) clobbers.add(loser, item);
    items.set(item.path, item);
  };
  const commands: LinkItem[] = [];
  for (const one of request.packages) {
    const listed = packageItems(one, request);
    const made = entryPointItems(one, request);
    brought.set(one, listed.items.concat(made));
    commands.push(...made);
    for (const item of listed.items) put(item);
    for (const dir of listed.directories) directories.set(dir, one);
  }
  // conda makes the commands of all packages after it has linked them all, so they win (conda/core/link.py, _execute).
  for (const item of commands) put(item);
  const lookup: LinkLookup = (path) => {
    const item = items.get(path);
    if (!item) return undefined;
    return {
      url: item.owner.locked.url,
      target: item.source.kind === 'link' ? item.source.target : undefined,
    };
  };
  // A path below another package's link (`lib64 -> lib`) goes where the link leads, inside the prefix.
  for (const item of [...items.values()]) {
    const path = realPath(item.path, item.owner.locked.url, lookup);
    if (path === item.path) continue;
    assertNotReserved(path, item.owner.locked.url);
    items.delete(item.path);
    moved.set(item.path, path);
    put({ ...item, path });
  }
  for (const item of items.values()) {
    assertPlainParents(item.path, item.owner.locked.url, lookup);
    // Python reads a source through a link too. Where the link leads elsewhere, what is there is not the package's.
    if (item.isSource && !leadsToFile(item.path, items)) items.set(item.path, { ...item, isSource: false });
  }
  const wanted = [...directories].map(([dir, owner]) => {
    const real = resolveDirectory(dir, owner.locked.url, lookup);
    assertNotReserved(real, owner.locked.url);
    return real;
  });
  return {
    directories: [...new Set(wanted)].sort(),
    items: [...items.values()],
    brought,
    moved,
    notes: [...clobbers.describe(), ...describeOutsideLinks(items.values()), ...describeCaseClashes(items.values())],
  };
}

/** conda writes its records there (CEP 32: not for packages), we our marker and scratch. */
function assertNotReserved(path: string, url: string): void {
  const [top = ''] = path.split('/', 1);
  if (top === 'conda-meta' || top.startsWith('.condense'))
    throw packageHostile(url, path, 'is where only the installer may write');
}

function packageItems(
  one: UnpackedPackage,
  request: LinkPlanRequest,
): { readonly items: LinkItem[]; readonly directories: string[] } {
  const { url } = one.locked;
  const { metadata, members } = one;
  const { python } = request;
  if (metadata.noarchPython && !python)
    throw packageInvalid(url, 'is a noarch: python package, but the environment has no python');
  const items: LinkItem[] = [];
  const directories: string[] = [];
  for (const entry of metadata.entries) {
    const path = metadata.noarchPython && python ? noarchTarget(entry.path, python) : entry.path;
    assertNotReserved(path, url);
    const member = members.get(entry.path);
    if (entry.type === 'directory' || member?.kind === 'directory') {
      directories.push(path);
      continue;
    }
    if (!member) throw packageInvalid(url, `info/paths.json lists ${JSON.stringify(entry.path)}, but it is not there`);
    const isSource = metadata.noarchPython && isNoarchSource(entry.path);
    const source: LinkSource =
      member.kind === 'link'
        ? { kind: 'link', entry, target: member.target }
        : { kind: 'file', entry, mode: member.mode };
    items.push({ path, owner: one, source, mtimeSeconds: member.mtimeSeconds, isSource });
  }
  return { items, directories };
}

function entryPointItems(one: UnpackedPackage, { python, prefixInside, epochSeconds }: LinkPlanRequest): LinkItem[] {
  if (!python) return [];
  return one.metadata.entryPoints.map((written) => {
    const entryPoint = parseEntryPoint(one.locked.url, written);
    const text = renderEntryPoint(entryPoint, python, prefixInside);
    return {
      path: `bin/${entryPoint.command}`,
      owner: one,
      source: { kind: 'generated', text, mode: 0o755 },
      mtimeSeconds: epochSeconds,
      isSource: false,
    };
  });
}

function realPath(path: string, url: string, lookup: LinkLookup): string {
  const slash = path.lastIndexOf('/');
  if (slash === -1) return path;
  // A link to the prefix itself leads to no directory below it.
  return posix.join(resolveDirectory(path.slice(0, slash), url, lookup), path.slice(slash + 1));
}

function assertPlainParents(path: string, url: string, lookup: LinkLookup): void {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    const there = lookup(path.slice(0, end));
    if (there) throw packageHostile(url, path, `is below ${path.slice(0, end)}, no directory in ${there.url}`);
  }
}

/** Whether there is a file of a package at the end of the links that begin at `path`. */
function leadsToFile(path: string, items: ReadonlyMap<string, LinkItem>): boolean {
  let at = path;
  for (let links = 0; links < 40; links += 1) {
    const source = items.get(at)?.source;
    if (source?.kind !== 'link') return source !== undefined;
    at = posix.join(posix.dirname(at), source.target);
    if (source.target.startsWith('/') || at.startsWith('../')) return false;
  }
  return false;
}

/** Which packages bring the same paths, in conda's words (conda/exceptions.py, SharedLinkPathClobberError). */
class Clobbers {
  readonly #pairs = new Map<
    string,
    { packages: string; winner: string; count: number; differ: number; first: string }
  >();

  add(loser: LinkItem, winner: LinkItem): void {
    const [one, other] = [loser, winner].map(({ owner }) => {
      const { name, version, build } = owner.locked;
      return `${name}-${version}-${build}`;
    });
    const packages = `${one ?? ''}, ${other ?? ''}`;
    const pair = this.#pairs.get(packages) ?? {
      ...{ packages, winner: other ?? '', count: 0, differ: 0, first: winner.path },
    };
    const differs = !isSameContent(loser, winner);
    // The path that is told is one that matters, if any does.
    if (differs && pair.differ === 0) pair.first = winner.path;
    pair.count += 1;
    if (differs) pair.differ += 1;
    this.#pairs.set(packages, pair);
  }

  describe(): string[] {
    return [...this.#pairs.values()].map(({ packages, winner, count, differ, first }) => {
      const what = count === 1 ? 'a shared path' : `${count} shared paths`;
      const which = `packages: ${packages}; path: '${first}'`;
      if (differ === 0) return `packages have ${what}, with equal contents. ${which}`;
      const how = differ === count ? '' : `, ${differ} of which differ`;
      return `ClobberWarning: incompatible packages due to ${what}${how}. ${which}; ${winner} is linked last and wins`;
    });
  }
}

function isSameContent(a: LinkItem, b: LinkItem): boolean {
  if (a.source.kind === 'link' && b.source.kind === 'link') return a.source.target === b.source.target;
  if (a.source.kind !== 'file' || b.source.kind !== 'file') return false;
  const digest = ({ owner }: LinkItem, { path }: ManifestEntry): string | undefined => {
    const member = owner.members.get(path);
    return member?.kind === 'file' ? member.sha256 : undefined;
  };
  return digest(a, a.source.entry) === digest(b, b.source.entry);
}

/** Two files here, but one where case does not count: on a colleague's laptop that unpacks or shares the image. */
function describeCaseClashes(items: Iterable<LinkItem>): string[] {
  const byLower = new Map<string, LinkItem>();
  const clashes: string[] = [];
  for (const item of items) {
    const lower = item.path.toLowerCase();
    const other = byLower.get(lower);
    if (other)
      clashes.push(`${other.path} of ${other.owner.locked.name} and ${item.path} of ${item.owner.locked.name}`);
    else byLower.set(lower, item);
  }
  const [first] = clashes;
  if (first === undefined) return [];
  const count = clashes.length === 1 ? 'two paths differ' : `${clashes.length} pairs of paths differ`;
  return [`${count} in case only: ${first}`];
}

/** conda allows such links; in an image they show what the node has there, or nothing. */
function describeOutsideLinks(items: Iterable<LinkItem>): string[] {
  const byPackage = new Map<string, { count: number; first: string }>();
  for (const { path, source, owner } of items) {
    if (source.kind !== 'link') continue;
    const depth = path.split('/').length - 1;
    let at = depth;
    let isOutside = source.target.startsWith('/');
    for (const part of source.target.split('/')) {
      if (part === '..') at -= 1;
      else if (part !== '' && part !== '.') at += 1;
      if (at < 0) isOutside = true;
    }
    if (!isOutside) continue;
    const said = byPackage.get(owner.locked.name) ?? { count: 0, first: `${path} -> ${source.target}` };
    byPackage.set(owner.locked.name, { ...said, count: said.count + 1 });
  }
  return [...byPackage].map(
    ([name, { count, first }]) =>
      `${name} has ${count === 1 ? 'a link' : `${count} links`} out of the environment: ${first}`,
  );
}
