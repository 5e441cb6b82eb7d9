// A bill of materials of one release, before it has a format: what is in the image, from its lock and its manifest. Pure.
import type { EnvironmentLock } from '../conda/lock.ts';
import { parseMatchSpec } from '../conda/match-spec.ts';
import type { ReleaseManifest } from '../release/manifest.ts';
import { digestText } from '../system/files.ts';
import type { Licence } from './licence.ts';
import { renderCondaUrl, renderPypiUrl } from './package-url.ts';

export interface Bill {
  /** `analysis3-26.11` */
  readonly fullName: string;
  readonly releaseId: string;
  /** ISO 8601, UTC, whole seconds. */
  readonly createdAt: string;
  readonly imageSha256: string;
  /** The same for the same release, whoever asks and when. */
  readonly uuid: string;
  /** Facts of the build that a reader may want to check: name to value. */
  readonly facts: Readonly<Record<string, string>>;
  /** condense and its version. */
  readonly tool: string;
  readonly toolVersion: string;
  /** Sorted: conda's, then pip's. */
  readonly items: readonly BillItem[];
  /** `purl` of those that the environment.yml asks for; of all where the lock does not say. */
  readonly requested: readonly string[];
}

export interface BillItem {
  readonly source: 'conda' | 'pip';
  readonly name: string;
  readonly version: string;
  /** Unlike that of any other item of the bill. */
  readonly purl: string;
  readonly url: string;
  /** Of the file at the URL. Absent for what is built from a repository. */
  readonly sha256?: string | undefined;
  readonly md5?: string | undefined;
  readonly licence: Licence;
  /** `purl` of what it needs in this environment; absent where the lock does not say. */
  readonly needs?: readonly string[] | undefined;
  /** The installation of the host that has stood in for its files since the build. */
  readonly replacedBy?: string | undefined;
}

/** By `conda <name>` and `pip <name>`, the name in lower case. */
export type Licences = ReadonlyMap<string, Licence>;

export interface BillRequest {
  readonly manifest: ReleaseManifest;
  readonly lock: EnvironmentLock;
  readonly licences: Licences;
  /** Where bare channel names are found. */
  readonly alias: string;
  readonly tool: string;
  readonly toolVersion: string;
}

export function planBill({ manifest, lock, licences, alias, tool, toolVersion }: BillRequest): Bill {
  // Locked and installed, but taken out of the image again: no part of what users have.
  const removed = new Set((manifest.removed ?? []).map((one) => one.package.toLowerCase()));
  const replaced = new Map((manifest.replaced ?? []).map((one) => [one.package.toLowerCase(), one.by]));
  const packages = lock.packages.filter(({ name }) => !removed.has(name.toLowerCase()));
  const urls = new Map(packages.map((one) => [one.name.toLowerCase(), renderCondaUrl(one, alias)]));
  const urlOf = (dependency: string): string | undefined => urls.get(nameOf(dependency));
  const conda = packages.map((one): BillItem => {
    const { name, version, url, sha256, md5, depends } = one;
    return {
      ...{ source: 'conda', name, version, purl: renderCondaUrl(one, alias), url, sha256, md5 },
      licence: licences.get(`conda ${name.toLowerCase()}`) ?? {},
      needs: depends && unique(depends.map(urlOf).filter((purl) => purl !== undefined)),
      replacedBy: replaced.get(name.toLowerCase()),
    };
  });
  const pip = (lock.pip?.packages ?? []).map((one): BillItem => {
    const { name, version, kind, url, commit } = one;
    return {
      ...{
        source: 'pip',
        name,
        version,
        purl: renderPypiUrl(one),
        sha256: kind === 'directory' ? undefined : one.sha256,
      },
      url: kind === 'git' ? `git+${url}@${commit ?? ''}` : url,
      licence: licences.get(`pip ${name}`) ?? {},
    };
  });
  const items = [...sortByName(conda), ...sortByName(pip)];
  const asked = [
    ...(lock.specs ?? []).map(urlOf),
    ...pip.filter((_, index) => lock.pip?.packages[index]?.requested).map(({ purl }) => purl),
  ].filter((purl) => purl !== undefined);
  return {
    ...{
      fullName: manifest.fullName,
      releaseId: manifest.id,
      imageSha256: manifest.image.sha256,
      items,
      tool,
      toolVersion,
    },
    createdAt: manifest.createdAt.replace(/\.\d+Z$/, 'Z'),
    uuid: planUuid(`${manifest.fullName}/${manifest.id} ${manifest.image.sha256}`),
    facts: {
      platform: lock.platform,
      inputsDigest: manifest.inputsDigest,
      baseSha256: manifest.base.sha256,
      ...(manifest.gitCommit === undefined ? {} : { gitCommit: manifest.gitCommit }),
      ...(removed.size === 0 ? {} : { removed: [...removed].sort().join(' ') }),
      // No package brings these: who checks the image wants to know of them.
      ...listOwn('added', manifest.added ?? [], ({ path }) => path),
      ...listOwn('hooks', manifest.hooks ?? [], ({ stage }) => `after ${stage}`),
    },
    requested: asked.length > 0 ? unique(asked) : items.map(({ purl }) => purl),
  };
}

/** What of the site went into the image, each with its digest, in a line. */
function listOwn<T extends { readonly sha256: string }>(
  name: string,
  own: readonly T[],
  describe: (one: T) => string,
): Record<string, string> {
  if (own.length === 0) return {};
  return { [name]: own.map((one) => `${describe(one)} sha256:${one.sha256}`).join('\n') };
}

/** The name that a spec of the lock or a dependency asks for. */
function nameOf(spec: string): string {
  const parsed = parseMatchSpec(spec);
  return (typeof parsed === 'string' ? (spec.split(/[\s=<>!~[]/, 1)[0] ?? '') : parsed.name).toLowerCase();
}

const unique = (texts: readonly string[]): string[] => [...new Set(texts)].sort();

const sortByName = (items: readonly BillItem[]): BillItem[] => items.toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** A UUID of version 8, whose bits are the maker's own (RFC 9562, section 5.8). */
function planUuid(text: string): string {
  const hex = digestText(text);
  const variant = '89ab'[Number.parseInt(hex[16] ?? '0', 16) % 4] ?? '8';
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
