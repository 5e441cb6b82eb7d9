// What `remove` and `replace` do to a prefix: which files of which package go, and which links to the site come. Pure.
import path from 'node:path';
import type { CustomRules, RemoveRule, ReplaceRule } from '../config/site-config.ts';
import type { InstalledRecord } from '../conda/installed-records.ts';
import { ContainerView } from '../site/container-view.ts';
import type { Problem } from '../system/app-error.ts';
import { findEmptied } from './drop-plan.ts';
import type { ImageContent } from './image-content.ts';

/** A file or link of a site's installation, its path relative to the top of it. */
export interface SiteEntry {
  readonly path: string;
  readonly kind: 'file' | 'link';
  /** Of a link, as written. */
  readonly target?: string | undefined;
  readonly sizeBytes: number;
}

/** Who took a file: a line of the configuration, as `remove: openssh`. */
export interface Taker {
  readonly rule: string;
  readonly at: string;
}

export interface CustomPlan {
  /** Files and links to take out, relative to the prefix. */
  readonly gone: ReadonlyMap<string, Taker>;
  /** Directories that hold nothing then, innermost first. */
  readonly directories: readonly string[];
  /** Links to make, path → target. */
  readonly links: ReadonlyMap<string, string>;
  readonly removed: readonly { readonly package: string; readonly files: number; readonly spared: readonly string[] }[];
  readonly replaced: readonly {
    readonly package: string;
    readonly by: string;
    readonly files: number;
    readonly links: number;
  }[];
  readonly notes: readonly string[];
  readonly problems: readonly Problem[];
}

/** What of an installation has a place in a prefix; lib64 is a prefix's lib, where conda's programs look. */
export const SITE_DIRS = ['bin', 'etc', 'include', 'lib', 'lib64', 'libexec', 'share'] as const;

export function planCustom(request: {
  readonly rules: Pick<CustomRules, 'remove' | 'replace'>;
  readonly content: ImageContent;
  readonly records: readonly InstalledRecord[];
  /** By package; undefined where there is no such directory. */
  readonly sites: ReadonlyMap<string, readonly SiteEntry[] | undefined>;
  readonly prefixInside: string;
}): CustomPlan {
  const { rules, content, records, sites, prefixInside } = request;
  const planned = new Planned(content, records, prefixInside, rules);
  for (const rule of rules.remove) planned.remove(rule);
  for (const rule of rules.replace) planned.replace(rule, sites.get(rule.package));
  return planned.finish();
}

class Planned {
  readonly #content: ImageContent;
  readonly #records: readonly InstalledRecord[];
  readonly #view: ContainerView;
  /** Packages that go, whole or for others in their place. */
  readonly #going: ReadonlySet<string>;
  readonly #owners = new Map<string, string[]>();
  readonly #gone = new Map<string, Taker>();
  readonly #links = new Map<string, string>();
  readonly #removed: CustomPlan['removed'][number][] = [];
  readonly #replaced: CustomPlan['replaced'][number][] = [];
  readonly #notes: string[] = [];
  readonly #problems: Problem[] = [];

  constructor(
    content: ImageContent,
    records: readonly InstalledRecord[],
    prefixInside: string,
    rules: Pick<CustomRules, 'remove' | 'replace'>,
  ) {
    this.#content = content;
    this.#records = records;
    this.#view = new ContainerView({ prefixInside, tree: content, binds: [] });
    this.#going = new Set([...rules.remove, ...rules.replace].map((rule) => rule.package));
    for (const record of records)
      for (const listed of record.files) {
        const file = this.#placeOf(listed);
        if (file !== undefined) this.#owners.set(file, [...(this.#owners.get(file) ?? []), record.name]);
      }
  }

  remove(rule: RemoveRule): void {
    const { package: name, spared, at } = rule;
    if (!this.#isInstalled(name)) {
      this.#notes.push(`remove: ${name} is not installed (${at})`);
      return;
    }
    const dependents = this.#records
      .filter((record) => record.depends.includes(name) && !this.#going.has(record.name))
      .map((record) => record.name)
      .sort();
    const needy = dependents.filter((dependent) => !spared.includes(dependent));
    if (needy.length > 0)
      this.#problems.push({
        code: 'REMOVE_REFUSED',
        message: `remove: ${name} is what ${needy.join(', ')} ${needy.length === 1 ? 'depends' : 'depend'} on`,
        at,
        hint: `where they do without it, write ${name}: [${[...spared, ...needy].join(', ')}]`,
      });
    for (const one of spared.filter((each) => !dependents.includes(each)))
      this.#notes.push(`remove: ${one} does not depend on ${name} (${at})`);
    const files = this.#take(name, { rule: `remove: ${name}`, at });
    this.#removed.push({ package: name, files, spared: dependents.filter((one) => spared.includes(one)) });
  }

  replace(rule: ReplaceRule, site: readonly SiteEntry[] | undefined): void {
    const { package: name, by, at } = rule;
    const refuse = (message: string, hint: string): void => {
      this.#problems.push({ code: 'REPLACE_REFUSED', message: `replace: ${name}: ${message}`, at, hint });
    };
    if (!this.#isInstalled(name)) {
      refuse('is not installed, so nothing says what would be replaced', 'remove the line, or add it to the spec');
      return;
    }
    if (site === undefined || site.length === 0) {
      refuse(`${by} has none of ${SITE_DIRS.join(', ')} on this machine`, `ls ${by}`);
      return;
    }
    const files = this.#take(name, { rule: `replace: ${name}`, at });
    const mirrored = planMirror(by, site);
    const inTheWay: string[] = [];
    for (const [link, target] of mirrored) {
      const obstacle = this.#links.has(link) ? 'another line of replace' : this.#findObstacle(link);
      if (obstacle === undefined) this.#links.set(link, target);
      else inTheWay.push(`${link} (${obstacle})`);
    }
    if (inTheWay.length > 0) {
      const others = [...new Set(inTheWay.map((text) => /\(of (\S+)\)$/.exec(text)?.[1]).filter((one) => one))];
      refuse(
        `${by} has files that the image has already: ${shorten(inTheWay)}`,
        others.length > 0
          ? `replace or remove ${others.join(', ')}, too, or choose an installation without them`
          : `choose an installation without them`,
      );
    }
    this.#replaced.push({ package: name, by, files, links: mirrored.size });
  }

  finish(): CustomPlan {
    const entries = [...this.#content.keys()].map((at) => ({ path: at }));
    return {
      gone: this.#gone,
      directories: findEmptied(entries, this.#gone),
      links: this.#links,
      ...{ removed: this.#removed, replaced: this.#replaced, notes: this.#notes, problems: this.#problems },
    };
  }

  #isInstalled(name: string): boolean {
    return this.#records.some((record) => record.name === name);
  }

  /** Where a path of a record is in the tree: its directory may be a link. Nothing outside of the prefix is ever named. */
  #placeOf(listed: string): string | undefined {
    const plain = path.posix.normalize(listed);
    if (plain.startsWith('conda-meta/')) return undefined;
    const kind = this.#content.get(plain)?.kind;
    if (kind !== undefined) return kind === 'directory' ? undefined : plain;
    const dir = this.#view.locate(path.posix.join(this.#view.prefixInside, path.posix.dirname(plain)))?.inImage;
    const file = dir === undefined ? undefined : `${dir}/${path.posix.basename(plain)}`;
    return file !== undefined && this.#content.has(file) && !file.startsWith('conda-meta/') ? file : undefined;
  }

  /** What another package that stays has, too, is left to it. */
  #take(name: string, taker: Taker): number {
    let count = 0;
    for (const [file, owners] of this.#owners) {
      if (!owners.includes(name) || owners.some((owner) => !this.#going.has(owner)) || this.#gone.has(file)) continue;
      this.#gone.set(file, taker);
      count += 1;
    }
    return count;
  }

  /** What stands where a link is to be, or in the way to it. */
  #findObstacle(link: string): string | undefined {
    const describe = (at: string): string => {
      const [owner] = this.#owners.get(at) ?? [];
      return owner === undefined ? `${at} is there` : `of ${owner}`;
    };
    const there = this.#content.get(link);
    if (there && !this.#gone.has(link)) return there.kind === 'directory' ? 'a directory' : describe(link);
    for (let dir = path.posix.dirname(link); dir !== '.'; dir = path.posix.dirname(dir)) {
      const entry = this.#content.get(dir);
      if (entry && entry.kind !== 'directory' && !this.#gone.has(dir)) return describe(dir);
    }
    return undefined;
  }
}

/**
 * A link for each file. Links within one directory stay as they are, so that a library has the same names and sonames as in
 * the installation; any other leads to the installation's own link.
 */
function planMirror(by: string, site: readonly SiteEntry[]): Map<string, string> {
  const links = new Map<string, string>();
  for (const { path: at, kind, target } of site) {
    const link = at.replace(/^lib64\//, 'lib/');
    // lib and lib64 of one installation: the first one has it.
    if (links.has(link)) continue;
    const isBeside = kind === 'link' && target !== undefined && !target.includes('/');
    links.set(link, isBeside ? target : path.posix.join(by, at));
  }
  return links;
}

/** Some names, not all of thousands. */
export function shorten(names: readonly string[], most = 5): string {
  const rest = names.length - most;
  return rest > 0 ? `${names.slice(0, most).join(', ')} and ${rest} more` : names.join(', ');
}
