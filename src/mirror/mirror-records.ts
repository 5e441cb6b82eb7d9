// A mirror's repodata.json (CEP 36): what the channel said of exactly these packages, or else what they say of themselves.
import { z } from 'zod';
import { packageInvalid } from '../conda/package-problem.ts';
import type { MirroredPackage, MirroredSubdir } from './mirror-plan.ts';

export type PackageRecord = Readonly<Record<string, unknown>>;

/** Digest and size of the file in the mirror. */
export interface FileFacts {
  readonly md5: string;
  readonly sizeBytes: number;
}

/** Where the package would be fetched from, were these believed: its place in the mirror is the one that holds. */
const PLACES = ['base_url', 'channel', 'fn', 'url'];

/**
 * @param written the channel's record, or the package's info/index.json
 * @throws AppError PACKAGE_INVALID where it is not of the package that was locked
 */
export function completeRecord({ locked }: MirroredPackage, written: PackageRecord, facts: FileFacts): PackageRecord {
  for (const key of ['name', 'version', 'build'] as const) {
    const said = written[key];
    const same = key === 'name' ? String(said).toLowerCase() === locked.name.toLowerCase() : said === locked[key];
    if (!same)
      throw packageInvalid(locked.url, `its ${key} is ${JSON.stringify(said)}, but it was locked as ${locked[key]}`);
  }
  // Old conda-build wrote null for what it did not know.
  const known = Object.entries(written).filter(([key, value]) => value !== null && !PLACES.includes(key));
  return sorted({
    ...Object.fromEntries(known),
    build_number: locked.buildNumber,
    md5: facts.md5,
    sha256: locked.sha256,
    size: facts.sizeBytes,
    subdir: locked.subdir,
  });
}

/** As conda-index writes it: .tar.bz2 below `packages`, .conda below `packages.conda`. Equal packages give equal bytes. */
export function renderRepodata(
  { subdir, packages }: MirroredSubdir,
  recordOf: (one: MirroredPackage) => PackageRecord,
): string {
  const section = (ending: string): Record<string, PackageRecord> =>
    Object.fromEntries(packages.filter(({ file }) => file.endsWith(ending)).map((one) => [one.file, recordOf(one)]));
  const repodata = {
    info: { subdir },
    packages: section('.tar.bz2'),
    'packages.conda': section('.conda'),
    removed: [],
    repodata_version: 1,
  };
  return `${JSON.stringify(repodata, null, 1)}\n`;
}

const Written = z.object({
  packages: z.record(z.string(), z.looseObject({})).default({}),
  'packages.conda': z.record(z.string(), z.looseObject({})).default({}),
});

/** The records of a mirror's own repodata.json, by file name; none where it is damaged: it is then written anew. */
export function parseRepodata(text: string): ReadonlyMap<string, PackageRecord> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return new Map();
  }
  const parsed = Written.safeParse(value);
  if (!parsed.success) return new Map();
  return new Map([...Object.entries(parsed.data.packages), ...Object.entries(parsed.data['packages.conda'])]);
}

function sorted(record: PackageRecord): PackageRecord {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
