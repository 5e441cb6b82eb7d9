// conda-meta: what conda, mamba and people's scripts read to know what is in an environment (CEP 32).
import path from 'node:path';
import { z } from 'zod';
import { chmod, makeDir, removeTree, writeNewFile } from '../system/files.ts';
import type { LockedPackage } from './lock.ts';
import { parseMatchSpec } from './match-spec.ts';
import type { LinkItem, UnpackedPackage } from './link-plan.ts';

/** How conda itself says how a file came into the prefix (CEP 32, `link.type`). */
const linkTypeCopy = 3;

export interface RecordRequest {
  readonly package: UnpackedPackage;
  /** What it brings, in the manifest's order. */
  readonly brought: readonly LinkItem[];
  /** sha256 of the files that are not as in the package, by path. */
  readonly rewritten: ReadonlyMap<string, string>;
  /** The bytecode of its sources, by source. */
  readonly bytecode: ReadonlyMap<string, string>;
  readonly requestedSpecs: readonly string[];
  readonly prefixInside: string;
}

/** `numpy-2.1.0-py313h1234567_0.json` */
export function recordName(one: Pick<UnpackedPackage, 'locked'>): string {
  const { name, version, build } = one.locked;
  return `${name}-${version}-${build}.json`;
}

/**
 * conda-meta/<name>-<version>-<build>.json. The fields of index.json come from the package; the lock knows where it came from.
 * Nothing of the building machine is in it: the cache paths are those of a conda whose root is the environment.
 */
export function renderRecord(request: RecordRequest): string {
  const { locked, metadata } = request.package;
  // Once each: a command of an entry point replaces a script of the same name.
  const items = new Map(request.brought.map((item) => [item.path, item]));
  const paths = [...items.values()].map((item) => recordedPath(item, request.rewritten));
  const listed = new Set(paths.map(({ _path }) => _path));
  for (const item of request.brought) {
    const pyc = request.bytecode.get(item.path);
    // Bytecode that came with the package is listed already.
    if (pyc !== undefined && !listed.has(pyc)) paths.push({ _path: pyc, path_type: 'pyc_file' });
  }
  return renderPackageRecord({ ...request, locked, index: metadata.index, paths });
}

/** A record with these paths, whoever linked them. */
export function renderPackageRecord(request: {
  readonly locked: LockedPackage;
  /** info/index.json */
  readonly index: Readonly<Record<string, unknown>>;
  readonly paths: readonly RecordedPath[];
  readonly requestedSpecs: readonly string[];
  readonly prefixInside: string;
}): string {
  const { locked, paths } = request;
  const fn = path.posix.basename(new URL(locked.url).pathname);
  const stem = `${locked.name}-${locked.version}-${locked.build}`;
  const cached = `${request.prefixInside}/pkgs/${stem}`;
  const requested = request.requestedSpecs.filter((text) => {
    const spec = parseMatchSpec(text);
    return typeof spec !== 'string' && spec.name === locked.name;
  });
  // Old conda-build wrote null for what it did not know; conda does not read it back in each field.
  const index = Object.fromEntries(Object.entries(request.index).filter(([, value]) => value !== null));
  return sortedJson({
    ...index,
    build_number: locked.buildNumber,
    channel: locked.channel,
    extracted_package_dir: cached,
    files: paths.map((one) => one._path),
    fn,
    link: { source: cached, type: linkTypeCopy },
    md5: locked.md5,
    package_tarball_full_path: `${cached}${fn.endsWith('.conda') ? '.conda' : '.tar.bz2'}`,
    paths_data: { paths, paths_version: 1 },
    requested_spec: requested[0],
    requested_specs: requested.length > 0 ? requested : undefined,
    sha256: locked.sha256,
    size: locked.sizeBytes,
    subdir: locked.subdir,
    url: locked.url,
  });
}

interface RecordedPath {
  readonly _path: string;
  readonly [key: string]: unknown;
}

function recordedPath(item: LinkItem, rewritten: ReadonlyMap<string, string>): RecordedPath {
  const { path: at, source, owner } = item;
  if (source.kind === 'generated') return { _path: at, path_type: 'unix_python_entry_point' };
  const { entry } = source;
  // paths.json need not say it, and for hard links often does not.
  const member = owner.members.get(entry.path);
  const own = member?.kind === 'file' ? member.sha256 : undefined;
  return {
    _path: at,
    path_type: source.kind === 'link' ? 'softlink' : 'hardlink',
    file_mode: entry.placeholder?.mode,
    prefix_placeholder: entry.placeholder?.text,
    no_link: entry.noLink ? true : undefined,
    sha256: entry.sha256,
    sha256_in_prefix: rewritten.get(at) ?? own,
    size_in_bytes: entry.sizeBytes,
  };
}

/** json.dumps(indent=2, sort_keys=True), as conda writes; `undefined` is left out. */
function sortedJson(value: unknown): string {
  const sort = (_: string, inner: unknown): unknown =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner;
  return JSON.stringify(value, sort, 2);
}

const recordSchema = z.looseObject({
  files: z.array(z.string()).optional(),
  paths_data: z.looseObject({ paths: z.array(z.looseObject({ _path: z.string() })) }).optional(),
});

/**
 * A record that lists none of the dropped files any more; all else in it stays.
 * @returns undefined when it lists none of them
 */
export function dropFromRecord(text: string, dropped: ReadonlySet<string>): string | undefined {
  const record = recordSchema.parse(JSON.parse(text));
  const files = record.files?.filter((file) => !dropped.has(file));
  const paths = record.paths_data?.paths.filter(({ _path }) => !dropped.has(_path));
  if (files?.length === record.files?.length && paths?.length === record.paths_data?.paths.length) return undefined;
  return sortedJson({
    ...record,
    ...(files === undefined ? {} : { files }),
    ...(paths === undefined ? {} : { paths_data: { ...record.paths_data, paths } }),
  });
}

/** conda-meta/history: one block, dated by the packages so that equal environments have equal files. */
export function renderHistory(request: {
  readonly packages: readonly Pick<UnpackedPackage, 'locked'>[];
  readonly requestedSpecs: readonly string[];
  readonly epochSeconds: number;
}): string {
  const date = new Date(request.epochSeconds * 1000).toISOString().slice(0, 19).replace('T', ' ');
  const added = request.packages.map(({ locked }) => {
    const { channel, subdir, name, version, build } = locked;
    return `+${channel.replace(/\/$/, '')}/${subdir}::${name}-${version}-${build}`;
  });
  // A Python list, which is how conda reads it back.
  const specs = request.requestedSpecs.map((spec) => `'${spec.replace(/[\\']/g, String.raw`\$&`)}'`).join(', ');
  return [
    `==> ${date} <==`,
    '# cmd: condense install',
    ...added.sort(),
    ...(specs === '' ? [] : [`# update specs: [${specs}]`]),
    '',
  ].join('\n');
}

/** Puts the files there; names are file names, not paths. */
export async function writeCondaMeta(prefix: string, files: ReadonlyMap<string, string>): Promise<void> {
  const dir = path.join(prefix, 'conda-meta');
  await makeDir(dir);
  // Whatever the umask: everyone reads what is installed.
  await chmod(dir, 0o755);
  for (const [name, text] of files) await writeNewFile(path.join(dir, name), text);
}

/**
 * conda-meta/state: variables that activation sets, from the `variables` of an environment.yml (CEP 32). Replaces an earlier one.
 * @returns its path, relative to the prefix
 */
export async function writeCondaState(prefix: string, variables: Readonly<Record<string, string>>): Promise<string> {
  await removeTree(path.join(prefix, STATE));
  await writeCondaMeta(prefix, new Map([[path.posix.basename(STATE), renderCondaState(variables)]]));
  return STATE;
}

/** Where activation finds `renderCondaState`, relative to the prefix. */
export const STATE = 'conda-meta/state';

export const renderCondaState = (variables: Readonly<Record<string, string>>): string =>
  sortedJson({ env_vars: variables });
