// What conda's records say is in a prefix that somebody else made, and what of it is not as they say (CEP 32).
import path from 'node:path';
import { z } from 'zod';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { digestRegularFile, lstatIfThere, readdir, readRegularText, walkTree } from '../system/files.ts';
import type { LockedPackage } from './lock.ts';

const WrittenRecord = z.object({
  name: z.string(),
  version: z.string(),
  build: z.string(),
  build_number: z.int().nonnegative().default(0),
  subdir: z.string(),
  url: z.string(),
  sha256: z.string().optional(),
  md5: z.string().optional(),
  size: z.int().nonnegative().optional(),
  depends: z.array(z.string()).default([]),
  requested_spec: z.string().nullish(),
  files: z.array(z.string()).default([]),
  paths_data: z
    .object({
      paths: z.array(
        z.object({
          _path: z.string(),
          path_type: z.string().optional(),
          sha256: z.string().nullish(),
          sha256_in_prefix: z.string().nullish(),
        }),
      ),
    })
    .default({ paths: [] }),
});
type WrittenRecord = z.infer<typeof WrittenRecord>;

export interface PrefixRecords {
  readonly packages: readonly LockedPackage[];
  /** What people had asked for: as recorded, else the packages that no other one needs. */
  readonly specs: readonly string[];
  /** Of the packages, in the order of how many come from each. */
  readonly channels: readonly string[];
  /** Every path of the records, with the sha256 that it must have, where they say one. */
  readonly files: ReadonlyMap<string, string | undefined>;
}

/**
 * @throws AppError PREFIX_INVALID, RECORD_INVALID, all records at once: without URL and sha256 of a package nobody can say
 *   that what is installed again is the same
 */
export async function readPrefixRecords(prefix: string): Promise<PrefixRecords> {
  const dir = path.join(prefix, 'conda-meta');
  const names = (await lstatIfThere(dir))?.isDirectory() ? await readdir(dir) : [];
  const records: WrittenRecord[] = [];
  const problems: Problem[] = [];
  for (const name of names.filter((each) => each.endsWith('.json')).sort()) {
    const file = path.join(dir, name);
    const parsed = WrittenRecord.safeParse(parseJson(await readRegularText(file)));
    const why = parsed.success
      ? parsed.data.sha256 === undefined
        ? 'has no sha256: it was installed by a conda that recorded none'
        : undefined
      : `is no record of a package from a channel: ${parsed.error.issues.map(({ path: at, message }) => `${at.join('.')} ${message}`).join('; ')}`;
    if (why !== undefined) {
      const hint = `install ${name.replace(/\.json$/, '')} again from a channel with a conda of today; or write an environment.yml and condense install`;
      problems.push({ code: 'RECORD_INVALID', message: why, at: file, hint });
    } else if (parsed.success) records.push(parsed.data);
  }
  if (problems.length > 0) throw new AppError(EXIT.buildFailed, problems);
  if (records.length > 0) return describeRecords(records);
  throw new AppError(EXIT.buildFailed, {
    code: 'PREFIX_INVALID',
    message: 'has no records of packages: it is no conda prefix',
    at: dir,
    hint: 'name the directory that has conda-meta, an image, or the top of an installed tree',
  });
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined; // which is no record
  }
}

function describeRecords(records: readonly WrittenRecord[]): PrefixRecords {
  const packages = records.map(lockRecord);
  const asked = records
    .map(({ requested_spec: spec }) => spec)
    .filter((spec) => typeof spec === 'string' && !/^(None)?$/.test(spec));
  const needed = new Set(records.flatMap(({ depends }) => depends.map((text) => text.split(/[\s=<>!~]/)[0])));
  const leaves = records.filter(({ name }) => !needed.has(name)).map(({ name, version }) => `${name}=${version}`);
  const count = new Map<string, number>();
  for (const { channel } of packages) count.set(channel, (count.get(channel) ?? 0) + 1);
  return {
    packages,
    specs: (asked.length > 0 ? asked.filter((spec) => spec !== undefined && spec !== null) : leaves).toSorted(),
    channels: [...count].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([channel]) => channel),
    files: new Map([
      ...records.flatMap(({ files }) => files.map((file) => [file, undefined] as const)),
      ...records.flatMap(({ paths_data: { paths } }) =>
        paths.map(
          (one) =>
            [
              one._path,
              (one.path_type === 'softlink' ? undefined : (one.sha256_in_prefix ?? one.sha256)) ?? undefined,
            ] as const,
        ),
      ),
    ]),
  };
}

/** A lock's values are checked where it is read: here they are only put in their places. */
function lockRecord(record: WrittenRecord): LockedPackage {
  const { name, version, build, build_number, subdir, sha256 = '', md5, size } = record;
  // Credentials of whoever installed it are not passed on.
  const url = record.url.replace(/^(\w+:\/\/)[^/@]*@/, '$1').replace(/^(https?:\/\/[^/]+)\/t\/[^/]+/, '$1');
  const channel = url.replace(/\/[^/]+\/[^/]+$/, '');
  return { name, version, build, buildNumber: build_number, channel, subdir, url, sha256, md5, sizeBytes: size };
}

export interface PrefixChanges {
  /** Of packages, but with another content, another kind, or gone. */
  readonly changed: readonly string[];
  /** Of no package. */
  readonly unknown: readonly string[];
}

/**
 * What would not come along when the same packages are installed again. Bytecode is made anew anyway.
 * @param others files that pip put there, relative to the prefix
 */
export async function findPrefixChanges(
  prefix: string,
  { files }: Pick<PrefixRecords, 'files'>,
  others: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<PrefixChanges> {
  const there = new Map<string, 'file' | 'directory' | 'link'>();
  for await (const entry of walkTree(prefix)) there.set(entry.path, entry.kind);
  const changed: string[] = [];
  for (const [file, sha256] of files) {
    if (isBytecode(file)) continue;
    const kind = there.get(file);
    if (kind === undefined) changed.push(`${file} (gone)`);
    else if (sha256 !== undefined && kind !== 'file') changed.push(`${file} (a ${kind} now)`);
    // A pipe or a device counts as a file where a tree is walked.
    else if (sha256 !== undefined && !(await lstatIfThere(path.join(prefix, file)))?.isFile())
      changed.push(`${file} (no regular file now)`);
    else if (sha256 !== undefined && (await digestRegularFile(path.join(prefix, file), { signal })) !== sha256)
      changed.push(file);
  }
  const unknown = [...there]
    .filter(([file, kind]) => kind !== 'directory' && !files.has(file) && !others.has(file) && !isKnown(file))
    .map(([file]) => file);
  return { changed: changed.sort(), unknown: unknown.sort() };
}

const isBytecode = (file: string): boolean => file.endsWith('.pyc');

/** conda's own notes, and condense's marker. */
const isKnown = (file: string): boolean =>
  isBytecode(file) || file.startsWith('conda-meta/') || file === '.condense' || file === '.condarc';
