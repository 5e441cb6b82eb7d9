// environment.lock.yml: the exact packages of one environment, and its text.
import { Document, stringify } from 'yaml';
import { z } from 'zod';
import { parseYaml, type KeyPath } from '../config/yaml-source.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { digestText } from '../system/files.ts';
import { isPath } from './channel.ts';
import { parseDependencyName } from './match-spec.ts';
import { DISTRIBUTION_NAME, DISTRIBUTION_VERSION, distributionFileName, isItsOwnWheel } from './wheel-file.ts';
import { PACKAGE_BUILD, PACKAGE_NAME, PACKAGE_VERSION, parsePackageFile, SHA256 } from './package-file.ts';

export interface EnvironmentLock {
  readonly lockVersion: 1;
  /** conda's name of the platform, e.g. `linux-64`. */
  readonly platform: string;
  /** Hex sha256 of the specs, channels and virtual packages that were solved: tells whether the lock is stale. */
  readonly inputsDigest: string;
  /** Channel URLs, highest priority first, without credentials. */
  readonly channels: readonly string[];
  /** The specs and pins that were solved, sorted, without credentials: says what changed when the digest is another. */
  readonly specs?: readonly string[] | undefined;
  readonly pinned?: readonly string[] | undefined;
  /** ISO 8601, UTC: packages from then on were not considered. */
  readonly excludeNewer?: string | undefined;
  /** The virtual packages that it was solved for, e.g. `__glibc: '2.36'`. */
  readonly virtualPackages: Readonly<Record<string, string>>;
  /** Sorted by name. */
  readonly packages: readonly LockedPackage[];
  /** What pip adds, where the environment.yml has a pip section. */
  readonly pip?: PipLock | undefined;
}

export interface PipLock {
  /** Hex sha256 of what pip resolved from: the conda packages, the lines, the files that they name. */
  readonly inputsDigest: string;
  /** Sorted by name. */
  readonly packages: readonly LockedDistribution[];
}

/**
 * One distribution as pip's installation report has it (pip documentation, "Installation Report"; PEP 610). Wheels and
 * sdists are files, which a mirror can hold; the others are built from what is elsewhere.
 */
export interface LockedDistribution {
  /** As PEP 503 normalises it: lower case, single hyphens. */
  readonly name: string;
  readonly version: string;
  readonly kind: 'wheel' | 'sdist' | 'git' | 'directory';
  /** http(s):// or file:// of the file, the repository or the directory. */
  readonly url: string;
  /** Of the file; of a directory's files and their names. A git repository has a commit instead. */
  readonly sha256?: string | undefined;
  readonly commit?: string | undefined;
  /** Where in the sdist or the repository the project is. */
  readonly subdirectory?: string | undefined;
  /** Whether a line names it; others came as dependencies. */
  readonly requested: boolean;
  /** Whether a line names it by URL or path, not by index: PEP 610's direct_url.json says so in the environment. */
  readonly direct: boolean;
}

export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  readonly build: string;
  readonly buildNumber: number;
  /** Channel URL without the subdir. */
  readonly channel: string;
  readonly subdir: string;
  /** http(s):// or file:// */
  readonly url: string;
  readonly sha256: string;
  readonly md5?: string | undefined;
  readonly sizeBytes?: number | undefined;
  /** As the repodata had it when it was solved. The archive has the last word on what is linked first. */
  readonly depends?: readonly string[] | undefined;
}

const HEADER = '# Written by condense; do not edit. Beside an environment.yml, condense lock writes it anew.\n';

/** http, https or file, without credentials: those belong to a machine, not into a file that is passed on. */
const publicUrl = z.string().refine((text) => {
  const url = URL.parse(text);
  if (!url || !/^(?:https?|file):$/.test(url.protocol)) return false;
  if (url.protocol === 'file:' && !isPath(url)) return false;
  return url.username === '' && url.password === '' && url.search === '' && url.hash === '';
}, 'must be an http://, https:// or file:// URL without credentials');

const WrittenPackage = z
  .strictObject({
    name: z.string().regex(PACKAGE_NAME, 'has characters that conda does not allow in a name'),
    version: z
      .string('must be text, in quotes')
      .regex(PACKAGE_VERSION, 'has characters that conda does not allow in a version'),
    build: z
      .string('must be text, in quotes')
      .regex(PACKAGE_BUILD, 'has characters that conda does not allow in a build'),
    buildNumber: z.int().nonnegative(),
    channel: publicUrl,
    subdir: z.string().regex(/^(?:noarch|[a-z0-9]+-[a-z0-9]+)$/, 'is not a subdir such as linux-64 or noarch'),
    url: publicUrl,
    sha256: z.string('must be text, in quotes').regex(SHA256, 'must be 64 hexadecimal digits, lower case'),
    md5: z
      .string('must be text, in quotes')
      .regex(/^[0-9a-f]{32}$/, 'must be 32 hexadecimal digits, lower case')
      .optional(),
    sizeBytes: z.int().nonnegative().optional(),
    depends: z
      .array(z.string().refine((text) => parseDependencyName(text) !== undefined, 'is not a dependency'))
      .optional(),
  })
  .refine(isItsOwnFile, { path: ['url'], error: 'must end in name-version-build.conda or .tar.bz2 of this package' });

const WrittenDistribution = z
  .strictObject({
    name: z.string().regex(DISTRIBUTION_NAME, 'is not a normalised name (PEP 503)'),
    version: z.string('must be text, in quotes').regex(DISTRIBUTION_VERSION, 'is not a version'),
    kind: z.enum(['wheel', 'sdist', 'git', 'directory']),
    url: publicUrl,
    sha256: z.string('must be text, in quotes').regex(SHA256, 'must be 64 hexadecimal digits, lower case').optional(),
    commit: z
      .string('must be text, in quotes')
      .regex(/^[0-9a-f]{40,64}$/, 'must be the full hexadecimal name of a commit')
      .optional(),
    subdirectory: z
      .string()
      .refine((text) => !text.split('/').some((part) => part === '' || part === '..'), 'leaves the project')
      .optional(),
    requested: z.boolean(),
    direct: z.boolean(),
  })
  .refine(({ kind, sha256, commit }) => (kind === 'git' ? commit : sha256) !== undefined, {
    error: 'must have a sha256, or a commit where kind is git',
  })
  .refine(({ kind, url, name }) => kind !== 'wheel' || isItsOwnWheel(name, url), {
    path: ['url'],
    error: 'must end in the file name of a wheel of this distribution',
  })
  .refine(({ kind, url }) => kind !== 'sdist' || distributionFileName(url) !== undefined, {
    path: ['url'],
    error: 'must end in the file name of an sdist',
  });

const WrittenLock = z.strictObject({
  lockVersion: z.literal(1, 'this condense reads lockVersion 1 only'),
  platform: z.string().regex(/^[a-z0-9]+-[a-z0-9]+$/, 'is not a platform such as linux-64'),
  inputsDigest: z.string('must be text, in quotes').regex(SHA256, 'must be 64 hexadecimal digits, lower case'),
  channels: z.array(publicUrl),
  specs: z.array(z.string()).optional(),
  pinned: z.array(z.string()).optional(),
  excludeNewer: z.iso.datetime('must be a time such as 2026-11-01T00:00:00Z').optional(),
  virtualPackages: z.record(z.string(), z.string('must be text, in quotes')),
  packages: z.array(WrittenPackage),
  pip: z
    .strictObject({
      inputsDigest: z.string('must be text, in quotes').regex(SHA256, 'must be 64 hexadecimal digits, lower case'),
      packages: z.array(WrittenDistribution),
    })
    .optional(),
});

/** Why a distribution cannot be in a lock: it could not be read back, or not be fetched again and known to be the same. */
export function describeUnlockable(distribution: LockedDistribution): string | undefined {
  const issues = WrittenDistribution.safeParse(distribution).error?.issues ?? [];
  return issues.length === 0
    ? undefined
    : issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim()).join('; ');
}

/** Hex sha256 of what a solve depends on, besides the repodata. The order of specs does not matter, that of channels does. */
export function digestInputs(inputs: {
  readonly specs: readonly string[];
  readonly channels: readonly string[];
  readonly platform: string;
  readonly virtualPackages: Readonly<Record<string, string>>;
}): string {
  return digestText(
    JSON.stringify([
      inputs.specs.toSorted(),
      inputs.channels,
      inputs.platform,
      Object.entries(inputs.virtualPackages).sort(([a], [b]) => (a < b ? -1 : 1)),
    ]),
  );
}

/** Hex sha256 of what a lock installs: without what was asked for, and what its packages say of each other. */
export function digestLock(lock: EnvironmentLock): string {
  const packages = lock.packages.map((locked) => ({ ...locked, depends: undefined }));
  return digestText(renderLock({ ...lock, packages, specs: undefined, pinned: undefined, excludeNewer: undefined }));
}

/** YAML; equal locks give equal bytes, whatever the order of their keys and packages. */
export function renderLock(lock: EnvironmentLock): string {
  return renderLocks([lock]);
}

/** One document for each platform, sorted. */
export function renderLocks(locks: readonly EnvironmentLock[]): string {
  const sorted = locks.toSorted((a, b) => (a.platform < b.platform ? -1 : 1));
  return HEADER + sorted.map(renderDocument).join('---\n');
}

function renderDocument(lock: EnvironmentLock): string {
  const virtualPackages = Object.entries(lock.virtualPackages).sort(([a], [b]) => (a < b ? -1 : 1));
  const ordered = {
    lockVersion: lock.lockVersion,
    platform: lock.platform,
    inputsDigest: lock.inputsDigest,
    channels: lock.channels,
    ...(lock.specs === undefined ? {} : { specs: lock.specs.toSorted() }),
    ...(lock.pinned === undefined || lock.pinned.length === 0 ? {} : { pinned: lock.pinned.toSorted() }),
    ...(lock.excludeNewer === undefined ? {} : { excludeNewer: lock.excludeNewer }),
    virtualPackages: Object.fromEntries(virtualPackages),
    packages: lock.packages
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((locked) => ({
        name: locked.name,
        version: locked.version,
        build: locked.build,
        buildNumber: locked.buildNumber,
        channel: locked.channel,
        subdir: locked.subdir,
        url: locked.url,
        sha256: locked.sha256,
        md5: locked.md5,
        sizeBytes: locked.sizeBytes,
        // One line: what changes with a package stays with it in a diff.
        depends: locked.depends && nodes.createNode(locked.depends.toSorted(), { flow: true }),
      })),
    ...(lock.pip === undefined ? {} : { pip: orderPip(lock.pip) }),
  };
  // Single quotes where YAML would read a version or a digest as a number; no folding of long URLs, no aliases.
  return stringify(ordered, { lineWidth: 0, singleQuote: true, aliasDuplicateObjects: false });
}

const nodes = new Document();

function orderPip(pip: PipLock): PipLock {
  return {
    inputsDigest: pip.inputsDigest,
    packages: pip.packages
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, version, kind, url, sha256, commit, subdirectory, requested, direct }) => ({
        ...{ name, version, kind, url, sha256, commit, subdirectory, requested, direct },
      })),
  };
}

/**
 * The lock of each platform. A line `---` is between two; no text in a lock has such a line.
 * @throws AppError LOCK_INVALID as `parseLock` does, also where a platform is there twice
 */
export function parseLocks(text: string, file: string): readonly EnvironmentLock[] {
  refuseMergeMarks(text, file);
  const locks: EnvironmentLock[] = [];
  let lines = 0;
  for (const document of text.split(/^---$\n?/m)) {
    // Empty lines before it keep the places in messages right.
    const lock = parseLock('\n'.repeat(lines) + document, file);
    if (locks.some(({ platform }) => platform === lock.platform)) {
      throw new AppError(EXIT.configuration, {
        code: 'LOCK_INVALID',
        message: `${lock.platform} is locked twice`,
        at: `${file}:${lines + 1}:1`,
        hint: RENEW,
      });
    }
    locks.push(lock);
    lines += document.split('\n').length;
  }
  return locks;
}

function refuseMergeMarks(text: string, file: string): void {
  const line = text.split('\n').findIndex((one) => /^(?:<{7}|={7}|>{7})(?: |$)/.test(one));
  if (line < 0) return;
  throw new AppError(EXIT.configuration, {
    code: 'LOCK_INVALID',
    message: 'has the marks of a merge that was not finished',
    at: `${file}:${line + 1}:1`,
    hint: `take one side, then let condense lock see to what differs: git checkout --theirs -- ${file}`,
  });
}

const RENEW =
  'condense lock <environment> --update writes one anew; that of a release is in its directory (condense list --releases)';

/**
 * @param file its name, for the places in errors
 * @throws AppError LOCK_INVALID, all problems at once, each with file:line:column
 */
export function parseLock(text: string, file: string): EnvironmentLock {
  const source = parseYaml(text, file);
  const hint = RENEW;
  const complain = (path: KeyPath, message: string): Problem => ({
    code: 'LOCK_INVALID',
    message,
    at: source.at(path),
    hint,
  });
  // One slip of grammar makes an error of each line after it.
  const unreadable = source.isReadable ? source.problems : source.problems.slice(0, 1);
  const problems: Problem[] = unreadable.map((problem) => ({ ...problem, code: 'LOCK_INVALID', hint }));
  const parsed = source.isReadable ? WrittenLock.safeParse(source.value) : undefined;
  for (const issue of parsed?.error?.issues ?? []) {
    const path = issue.path.filter((key) => typeof key !== 'symbol');
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) problems.push(complain([...path, key], `${key} is not a key of locks`));
    } else problems.push(complain(path, `${path.join('.')} ${issue.message}`.trim()));
  }
  if (parsed?.success) {
    problems.push(...findDuplicates(['packages'], parsed.data.packages, complain));
    problems.push(...findDuplicates(['pip', 'packages'], parsed.data.pip?.packages ?? [], complain));
  }
  if (!parsed?.success || problems.length > 0) throw new AppError(EXIT.configuration, problems);
  return parsed.data;
}

/** One prefix holds one package of a name. */
function findDuplicates(
  at: KeyPath,
  packages: readonly { readonly name: string }[],
  complain: (path: KeyPath, message: string) => Problem,
): Problem[] {
  const seen = new Set<string>();
  return packages.flatMap(({ name }, index) => {
    const known = name.toLowerCase();
    if (seen.has(known)) return [complain([...at, index, 'name'], `${name} is locked twice`)];
    seen.add(known);
    return [];
  });
}

function isItsOwnFile({
  name,
  version,
  build,
  url,
}: Pick<LockedPackage, 'name' | 'version' | 'build' | 'url'>): boolean {
  // None of the characters that conda allows is written otherwise in a URL's path: no decoding.
  const file = parsePackageFile(URL.parse(url)?.pathname.split('/').at(-1) ?? '');
  return file?.name.toLowerCase() === name.toLowerCase() && file.version === version && file.build === build;
}
