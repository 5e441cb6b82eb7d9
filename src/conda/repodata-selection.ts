// Picks from the channels' repodata the records that can matter to an environment, under strict channel priority.
import { parseDependencyName } from './match-spec.ts';
import { parsePackageFile, SHA256, type PackageFile } from './package-file.ts';
import type { RecordSource } from './record-source.ts';

/** What a solver reads of a record; everything in it has been checked. */
interface SolverRecord {
  readonly name: string;
  readonly version: string;
  readonly build: string;
  readonly build_number: number;
  readonly depends: readonly string[];
  readonly constrains: readonly string[];
  readonly subdir: string;
  readonly track_features?: string;
  readonly noarch?: string;
  readonly timestamp?: number;
  readonly size?: number;
  readonly md5?: string;
  readonly sha256?: string;
}

export interface IndexedSubdir {
  /** Position of the channel: 0 has the highest priority. */
  readonly channel: number;
  readonly subdir: string;
  readonly source: RecordSource;
}

export interface SelectedRecord {
  readonly record: SolverRecord;
  readonly file: string;
  readonly from: IndexedSubdir;
}

export interface Selection {
  /** By `subdir/file`. */
  readonly records: ReadonlyMap<string, SelectedRecord>;
  /** Records that were left out because they are not of conda's form: `subdir/file: why`. */
  readonly refused: readonly string[];
}

/**
 * Every record of the wanted names, and of all names that those depend on, transitively. Strict channel priority, as
 * docs.conda.io "Managing channels" has it: a name is taken from the first channel that has it, whether or not its
 * versions there will do, and is not seen in later ones.
 * @param pinned names that a spec wants from one channel (`channel::name`): taken from that one only
 * @param isVersion what the solver can compare: one version that it cannot read would fail the whole solve
 */
export async function selectRecords(
  subdirs: readonly IndexedSubdir[],
  wanted: readonly string[],
  pinned: ReadonlyMap<string, number>,
  isVersion: (version: string) => boolean,
): Promise<Selection> {
  const records = new Map<string, SelectedRecord>();
  const refused: string[] = [];
  const seen = new Set(wanted);
  const reader = { isVersion: remember(isVersion), dependencyName: remember(parseDependencyName) };
  for (let wave = [...seen]; wave.length > 0;) {
    const places = wave.map((name) => ({ name, channel: pinned.get(name) ?? firstChannelWith(subdirs, name) }));
    wave = [];
    const namesOf = (from: IndexedSubdir): string[] =>
      places.filter(({ channel }) => channel === from.channel).map(({ name }) => name);
    await Promise.all(subdirs.map((from) => from.source.load(namesOf(from))));
    for (const { name, channel } of places) {
      for (const from of subdirs) {
        if (from.channel !== channel) continue;
        const written = from.source.read(name);
        const files = new Set(written.map(({ file }) => file));
        for (const { file, value } of written) {
          // docs.conda.io "Package specification": where both formats are there, clients take .conda.
          if (file.endsWith('.tar.bz2') && files.has(file.replace(/\.tar\.bz2$/, '.conda'))) continue;
          const record = checkRecord(file, value, from.subdir, reader);
          if (typeof record === 'string') {
            refused.push(`${from.subdir}/${JSON.stringify(file)}: ${record}`);
            continue;
          }
          records.set(`${from.subdir}/${file}`, { record, file, from });
          for (const dependency of record.depends) {
            const needed = reader.dependencyName(dependency);
            if (needed === undefined || seen.has(needed)) continue;
            seen.add(needed);
            wave.push(needed);
          }
        }
      }
    }
  }
  return { records, refused };
}

/** The channel that has the name; `undefined` where none has. */
export function firstChannelWith(subdirs: readonly IndexedSubdir[], name: string): number | undefined {
  const having = subdirs.filter(({ source }) => source.has(name)).map(({ channel }) => channel);
  return having.length > 0 ? Math.min(...having) : undefined;
}

interface Reader {
  readonly isVersion: (version: string) => boolean;
  readonly dependencyName: (dependency: string) => string | undefined;
}

/** Half a million records say the same few things over and over. */
function remember<T>(read: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const value = read(text);
    known.set(text, value);
    return value;
  };
}

/** @returns the record, or why it is refused */
function checkRecord(
  file: string,
  value: unknown,
  subdir: string,
  { isVersion, dependencyName }: Reader,
): SolverRecord | string {
  const parsed = parsePackageFile(file);
  if (!parsed) return 'not a file name that conda allows';
  if (typeof value !== 'object' || value === null) return 'not a record';
  const written = value as Readonly<Record<string, unknown>>;
  const why = disagreement(parsed, written);
  if (why !== undefined) return why;
  if (!isVersion(parsed.version)) return `version ${JSON.stringify(parsed.version)} is not one of conda's`;
  const depends = textList(written['depends']);
  const constrains = textList(written['constrains']);
  if (!depends || !constrains) return 'depends or constrains is not a list of texts';
  const bad = [...depends, ...constrains].find((dependency) => dependencyName(dependency) === undefined);
  if (bad !== undefined) return `${JSON.stringify(bad)} is not a dependency`;
  const buildNumber = written['build_number'] ?? 0;
  if (!isCount(buildNumber)) return 'build_number is not a number';
  const { md5, sha256, size, timestamp, noarch } = written;
  const features = written['track_features'];
  return {
    name: parsed.name.toLowerCase(),
    version: parsed.version,
    build: parsed.build,
    build_number: buildNumber,
    depends,
    constrains,
    subdir,
    ...(typeof features === 'string' && features !== '' ? { track_features: features } : {}),
    ...(noarch === 'python' || noarch === 'generic' ? { noarch } : {}),
    ...(isCount(timestamp) ? { timestamp } : {}),
    ...(isCount(size) ? { size } : {}),
    ...(typeof md5 === 'string' && /^[0-9a-f]{32}$/.test(md5) ? { md5 } : {}),
    ...(typeof sha256 === 'string' && SHA256.test(sha256) ? { sha256 } : {}),
  };
}

/** The file name and the record must say the same, or two tools would install two things. */
function disagreement(file: PackageFile, record: Readonly<Record<string, unknown>>): string | undefined {
  const { name, version, build } = record;
  if (typeof name === 'string' && name.toLowerCase() !== file.name.toLowerCase())
    return `its name is ${JSON.stringify(name)}`;
  if (typeof version === 'string' && version !== file.version) return `its version is ${JSON.stringify(version)}`;
  if (typeof build === 'string' && build !== file.build) return `its build is ${JSON.stringify(build)}`;
  return [name, version, build].every((value) => typeof value === 'string')
    ? undefined
    : 'name, version or build is missing';
}

function textList(value: unknown): readonly string[] | undefined {
  if (value === undefined) return [];
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
