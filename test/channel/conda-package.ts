// Writes one conda package, .conda or .tar.bz2, from entries in memory.
// Formats: conda-build's "Conda package specification" (both archives, info/*), CEP 34 (paths.json, index.json, link.json).
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { ZipFile } from 'yazl';
import { runCommand } from '../../src/system/run-command.ts';
import { entryTime, writeTar, type PackageEntry } from './tar-archive.ts';

/** info/index.json */
export interface PackageIndex {
  readonly name: string;
  readonly version: string;
  readonly build: string;
  readonly build_number: number;
  readonly subdir: string;
  readonly depends: readonly string[];
  readonly constrains?: readonly string[];
  readonly noarch?: 'python' | 'generic';
  readonly track_features?: string;
  readonly license?: string;
  /** Milliseconds since 1970. */
  readonly timestamp?: number;
}

/** What repodata.json says about one package, and the name of its file. */
export interface PackageRecord {
  readonly fileName: string;
  readonly index: PackageIndex;
  readonly md5: string;
  readonly sha256: string;
  /** Bytes of the archive. */
  readonly size: number;
}

export interface CondaPackage {
  /** The channel; the package goes to `<dir>/<index.subdir>/`. */
  readonly dir: string;
  readonly format: 'conda' | 'tar.bz2';
  readonly index: PackageIndex;
  readonly files: readonly PackageEntry[];
  /** `name = module:function`, for noarch python: into info/link.json. */
  readonly entryPoints?: readonly string[];
  /** info/about.json */
  readonly about?: Readonly<Record<string, string>>;
  /** Further files of info/, or others in place of the ones made here, e.g. a broken `paths.json`; `undefined` leaves one out. */
  readonly infoFiles?: Readonly<Record<string, string | undefined>>;
}

const zstdCompress = promisify(zlib.zstdCompress);
const zstdLevel = { params: { [zlib.constants.ZSTD_c_compressionLevel]: 3 } };
// yazl writes local time: these components, not an instant, give equal bytes in every time zone.
const zipMember = () => ({
  mtime: new Date(2024, 5, 1),
  forceDosTimestamp: true,
  mode: 0o100644,
  compress: false,
});

/** @returns `name-version-build`, the stem of the file name and of the members of a .conda */
function packageStem(index: PackageIndex): string {
  return `${index.name}-${index.version}-${index.build}`;
}

/** Writes the archive; an existing one of that name is replaced. Not atomic. */
export async function writeCondaPackage(wanted: CondaPackage): Promise<PackageRecord> {
  const stem = packageStem(wanted.index);
  const info = infoEntries(wanted);
  const bytes =
    wanted.format === 'conda' ? await condaBytes(stem, info, wanted.files) : await bzip2([...info, ...wanted.files]);
  const fileName = `${stem}.${wanted.format}`;
  const subdir = path.join(wanted.dir, wanted.index.subdir);
  await mkdir(subdir, { recursive: true });
  await writeFile(path.join(subdir, fileName), bytes);
  return {
    fileName,
    index: wanted.index,
    md5: createHash('md5').update(bytes).digest('hex'),
    sha256: createHash('sha256').update(bytes).digest('hex'),
    size: bytes.length,
  };
}

/** A stored zip: metadata.json, then the payload, then info (the order of conda-package-handling). */
async function condaBytes(
  stem: string,
  info: readonly PackageEntry[],
  files: readonly PackageEntry[],
): Promise<Buffer> {
  const zip = new ZipFile();
  const bytes = buffer(zip.outputStream);
  zip.addBuffer(Buffer.from('{"conda_pkg_format_version": 2}'), 'metadata.json', zipMember());
  for (const [part, entries] of [
    ['pkg', files],
    ['info', info],
  ] as const) {
    zip.addBuffer(await zstdCompress(await writeTar(entries), zstdLevel), `${part}-${stem}.tar.zst`, zipMember());
  }
  zip.end();
  return bytes;
}

async function bzip2(entries: readonly PackageEntry[]): Promise<Buffer> {
  const tar = await writeTar(entries);
  return (await runCommand({ program: 'bzip2', args: ['-9', '--stdout'], input: tar })).stdout;
}

function infoEntries(wanted: CondaPackage): PackageEntry[] {
  const { index, files } = wanted;
  const notDirectories = files.filter((entry) => entry.type !== 'directory');
  const withPrefix = files.flatMap((entry) =>
    entry.type === 'file' && entry.placeholder
      ? [`${entry.placeholder.text} ${entry.placeholder.mode} ${entry.path}\n`]
      : [],
  );
  const noLink = files.flatMap((entry) => (entry.type === 'file' && entry.noLink ? [`${entry.path}\n`] : []));
  const texts: Record<string, string | undefined> = {
    'about.json': json(wanted.about ?? {}),
    files: notDirectories.map((entry) => `${entry.path}\n`).join(''),
    has_prefix: withPrefix.length > 0 ? withPrefix.join('') : undefined,
    'index.json': json(index),
    'link.json': index.noarch ? json(linkJson(index.noarch, wanted.entryPoints ?? [])) : undefined,
    no_link: noLink.length > 0 ? noLink.join('') : undefined,
    'paths.json': json({ paths: files.map((entry) => pathRecord(entry)), paths_version: 1 }),
    ...wanted.infoFiles,
  };
  return Object.entries(texts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, data]): PackageEntry[] =>
      data === undefined ? [] : [{ type: 'file', path: `info/${name}`, data }],
    );
}

function linkJson(noarch: 'python' | 'generic', entryPoints: readonly string[]): unknown {
  return {
    noarch: noarch === 'python' ? { entry_points: entryPoints, type: noarch } : { type: noarch },
    package_metadata_version: 1,
  };
}

function pathRecord(entry: PackageEntry): Record<string, unknown> {
  if (entry.type === 'directory') return { _path: entry.path, path_type: 'directory' };
  if (entry.type === 'symlink') return { _path: entry.path, path_type: 'softlink' };
  if (entry.type === 'hardlink') return { _path: entry.path, path_type: 'hardlink' };
  const data = Buffer.from(entry.data);
  return {
    _path: entry.path,
    path_type: 'hardlink',
    sha256: createHash('sha256').update(data).digest('hex'),
    size_in_bytes: data.length,
    ...(entry.noLink ? { no_link: true } : {}),
    ...(entry.placeholder ? { file_mode: entry.placeholder.mode, prefix_placeholder: entry.placeholder.text } : {}),
  };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** For records that need a time: that of every entry, in milliseconds. */
export const packageTimestamp = entryTime.getTime();
