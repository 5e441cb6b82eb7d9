// What a package says of itself: info/index.json, paths.json, link.json (CEP 34), and the older files, has_prefix, no_link.
import { z } from 'zod';
import { parseMemberName } from './archive-members.ts';
import { packageHostile, packageInvalid } from './package-problem.ts';

const indexSchema = z.looseObject({
  name: z.string().min(1),
  version: z.string().min(1),
  build: z.string(),
  build_number: z.int().nonnegative(),
  depends: z.array(z.string()).default([]),
  constrains: z.array(z.string()).default([]),
  noarch: z.unknown().optional(),
  // Old conda-build wrote null for what it did not know.
  timestamp: z.number().nullish(),
  python_site_packages_path: z.string().nullish(),
});
const linkSchema = z.looseObject({
  noarch: z.looseObject({ type: z.string(), entry_points: z.array(z.string()).default([]) }).optional(),
});
const pathsSchema = z.object({
  paths_version: z.literal(1),
  paths: z.array(
    z.object({
      _path: z.string(),
      path_type: z.enum(['hardlink', 'softlink', 'directory']).default('hardlink'),
      file_mode: z.enum(['binary', 'text']).nullish(),
      prefix_placeholder: z.string().nullish(),
      no_link: z.boolean().nullish(),
      sha256: z.string().nullish(),
      size_in_bytes: z.int().nonnegative().nullish(),
    }),
  ),
});

type IndexJson = z.infer<typeof indexSchema>;

/** One thing that the package brings. */
export interface ManifestEntry {
  readonly path: string;
  readonly type: 'hardlink' | 'softlink' | 'directory';
  readonly placeholder?: { readonly text: string; readonly mode: 'text' | 'binary' } | undefined;
  readonly noLink: boolean;
  readonly sha256?: string | undefined;
  readonly sizeBytes?: number | undefined;
}

export interface PackageMetadata {
  readonly index: IndexJson;
  readonly noarchPython: boolean;
  /** `name = module:function`, for noarch python. */
  readonly entryPoints: readonly string[];
  readonly entries: readonly ManifestEntry[];
}

/** The placeholder of has_prefix lines that name none (CEP 34, `info/has_prefix`). */
const defaultPlaceholder = '/opt/anaconda1anaconda2anaconda3';

/** No info file needs more than some levels. */
const maxDepth = 100;

/** The info files that matter, as they are in the archive. */
export interface InfoFiles {
  readonly 'index.json'?: Buffer | undefined;
  readonly 'paths.json'?: Buffer | undefined;
  readonly 'link.json'?: Buffer | undefined;
  readonly 'package_metadata.json'?: Buffer | undefined;
  readonly files?: Buffer | undefined;
  readonly has_prefix?: Buffer | undefined;
  readonly no_link?: Buffer | undefined;
  readonly no_softlink?: Buffer | undefined;
}

/** Their names below info/. `package_metadata.json` was link.json's in 2016 (conda/gateways/disk/read.py, read_package_metadata). */
export const INFO_FILES: ReadonlySet<string> = new Set<keyof InfoFiles>([
  ...(['index.json', 'paths.json', 'link.json', 'package_metadata.json'] as const),
  ...(['files', 'has_prefix', 'no_link', 'no_softlink'] as const),
]);

/**
 * @param manifest what `parseManifest` made of info/paths.json, where it has been read already
 * @throws AppError PACKAGE_INVALID or PACKAGE_HOSTILE
 */
export function parsePackageMetadata(
  url: string,
  info: InfoFiles,
  manifest?: readonly ManifestEntry[],
): PackageMetadata {
  const index = parseJson(url, 'info/index.json', indexSchema, info['index.json']);
  const linkJson = info['link.json'] ?? info['package_metadata.json'];
  const link = linkJson ? parseJson(url, 'info/link.json', linkSchema, linkJson) : undefined;
  // In any case of letters; `true` was generic (conda/models/enums.py, NoarchType.coerce).
  const noarchPython = typeof index.noarch === 'string' && index.noarch.toLowerCase() === 'python';
  const entries =
    manifest ?? (info['paths.json'] ? parseManifest(url, info['paths.json']) : parseOldManifest(url, info));
  return { index, noarchPython, entryPoints: noarchPython ? (link?.noarch?.entry_points ?? []) : [], entries };
}

/** info/paths.json; what it lists below info/ is not the package's to link (CEP 34: it must not be listed). */
export function parseManifest(url: string, bytes: Buffer): ManifestEntry[] {
  const { paths } = parseJson(url, 'info/paths.json', pathsSchema, bytes);
  return paths.flatMap((entry): ManifestEntry[] => {
    const path = manifestPath(url, entry._path);
    if (path.startsWith('info/')) return [];
    const text = entry.prefix_placeholder;
    return [
      {
        path,
        type: entry.path_type,
        noLink: entry.no_link ?? false,
        placeholder: text ? { text, mode: entry.file_mode ?? 'text' } : undefined,
        sha256: entry.sha256 ?? undefined,
        sizeBytes: entry.size_in_bytes ?? undefined,
      },
    ];
  });
}

/** Packages from before paths.json (conda-build 1). */
function parseOldManifest(url: string, info: InfoFiles): ManifestEntry[] {
  if (!info.files) throw packageInvalid(url, 'has neither info/paths.json nor info/files');
  const files = lines(info.files);
  const placeholders = new Map<string, { text: string; mode: 'text' | 'binary' }>();
  for (const line of lines(info.has_prefix)) {
    const { path, text, mode } = parseHasPrefix(url, line, files);
    if (text === '') throw packageInvalid(url, `info/has_prefix says ${JSON.stringify(line)}`);
    placeholders.set(manifestPath(url, path), { text, mode });
  }
  const copied = new Set([...lines(info.no_link), ...lines(info.no_softlink)]);
  return files.map((line) => {
    const path = manifestPath(url, line);
    return { path, type: 'hardlink', noLink: copied.has(line), placeholder: placeholders.get(path) };
  });
}

/**
 * `path`, or `placeholder mode path`, each part in double or single quotes where it has spaces; older conda took a path with
 * spaces as it is (conda/gateways/disk/read.py, read_has_prefix: shlex.split, quotes stripped).
 */
function parseHasPrefix(
  url: string,
  line: string,
  files: readonly string[],
): { readonly path: string; readonly text: string; readonly mode: 'text' | 'binary' } {
  const [, first = '', mode, rest] =
    /^("[^"]*"|'[^']*'|[^\s"']\S*)(?:\s+["']?(text|binary)["']?\s+(.+))?$/.exec(line) ?? [];
  if (mode !== undefined && rest !== undefined)
    return { path: unquoted(rest), text: unquoted(first), mode: mode === 'binary' ? 'binary' : 'text' };
  if (first === '' && !files.includes(line)) throw packageInvalid(url, `info/has_prefix says ${JSON.stringify(line)}`);
  return { path: first === '' ? line : unquoted(first), text: defaultPlaceholder, mode: 'text' };
}

const unquoted = (text: string): string => text.replaceAll(/^["']+|["']+$/g, '');

/** Without empty ones and comments, as conda reads these files (conda/gateways/disk/read.py, yield_lines). */
function lines(bytes: Buffer | undefined): string[] {
  return (bytes?.toString('utf8') ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

function manifestPath(url: string, name: string): string {
  const parsed = parseMemberName(name);
  if ('refused' in parsed) throw packageHostile(url, name, `of its manifest ${parsed.refused}`);
  if (parsed.path === '') throw packageHostile(url, name, 'of its manifest has no name');
  return parsed.path;
}

function parseJson<T>(url: string, member: string, schema: z.ZodType<T>, bytes: Buffer | undefined): T {
  if (!bytes) throw packageInvalid(url, `has no ${member}`);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw packageInvalid(url, `${member} is not JSON`);
  }
  const parsed = schema.safeParse(value);
  // Keys that we do not know go into the record as they are.
  if (parsed.success && isNestedDeeply(parsed.data, maxDepth))
    throw packageInvalid(url, `${member} is nested too deeply`);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw packageInvalid(url, `${member}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is not what it must be'}`);
}

/** What is nested without end can be parsed, but not written: that takes a function call for each level. */
function isNestedDeeply(value: unknown, levelsLeft: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levelsLeft === 0 || Object.values(value).some((inner) => isNestedDeeply(inner, levelsLeft - 1));
}
