// Locks in the formats of others, so that nobody has to stay: conda-lock.yml (version 1) and conda's explicit files. Pure.
import { stringify } from 'yaml';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import type { EnvironmentLock, LockedDistribution, LockedPackage } from './lock.ts';
import { parseDependencyName } from './match-spec.ts';

/**
 * For `conda-lock install`; its format is conda_lock/lockfile/v1/models.py of conda/conda-lock.
 * @param source the spec's name beside it
 * @throws AppError EXPORT_INCOMPLETE where it demands what the locks do not have
 */
export function renderCondaLock(locks: readonly EnvironmentLock[], source: string): string {
  const sorted = locks.toSorted((a, b) => (a.platform < b.platform ? -1 : 1));
  refuseMissing(
    locks.flatMap(({ packages }) => packages.filter(({ md5 }) => md5 === undefined).map(({ name }) => name)),
    'conda-lock demands an md5 of every conda package; the channel gives none of',
  );
  refuseUnlockable(locks);
  const channels = [...new Set(sorted.flatMap((lock) => lock.channels))];
  const document = {
    version: 1,
    metadata: {
      content_hash: Object.fromEntries(sorted.map(({ platform, inputsDigest }) => [platform, inputsDigest])),
      channels: channels.map((url) => ({ url, used_env_vars: [] })),
      platforms: sorted.map(({ platform }) => platform),
      sources: [source],
    },
    package: sorted.flatMap(({ platform, packages, pip }) => [
      ...packages.map((locked) => describePackage(locked, platform)),
      ...(pip?.packages ?? []).map((one) => describeDistribution(one, platform)),
    ]),
  };
  const header = '# Written by condense lock --export conda-lock; conda-lock install reads it.\n';
  return header + stringify(document, { lineWidth: 0, singleQuote: true, aliasDuplicateObjects: false });
}

function describePackage({ name, version, depends = [], url, md5, sha256 }: LockedPackage, platform: string): object {
  const dependencies = depends.map((text) => {
    const needed = parseDependencyName(text) ?? '';
    return [needed, text.slice(needed.length).trim()] as const;
  });
  return {
    ...{ name, version, manager: 'conda', platform, dependencies: Object.fromEntries(dependencies.sort()) },
    ...{ url, hash: { md5, sha256 }, category: 'main', optional: false },
  };
}

function describeDistribution({ name, version, url, sha256 }: LockedDistribution, platform: string): object {
  return {
    ...{ name, version, manager: 'pip', platform, dependencies: {} },
    ...{ url, hash: { sha256 }, category: 'main', optional: false },
  };
}

/**
 * For `conda create --file` and `micromamba create --file`: docs.conda.io, "Identical conda environments". What comes first
 * is needed by what follows. conda leaves the pip lines alone; `conda-lock install` reads them.
 * @throws AppError EXPORT_INCOMPLETE
 */
export function renderExplicit(lock: EnvironmentLock): string {
  refuseUnlockable([lock]);
  return [
    '# Written by condense lock --export explicit; to make an environment of it:',
    '# $ conda create --name <name> --file <this file>',
    `# platform: ${lock.platform}`,
    '@EXPLICIT',
    ...sortByNeed(lock.packages).map(({ url, md5, sha256 }) => `${url}#${md5 ?? `sha256:${sha256}`}`),
    ...(lock.pip?.packages ?? []).map(
      ({ name, url, sha256 }) => `# pip ${name} @ ${url} --hash=sha256:${sha256 ?? ''}`,
    ),
    '',
  ].join('\n');
}

/** Each after those that it depends on; in a circle, and where nothing is said of it, by name. */
function sortByNeed(packages: readonly LockedPackage[]): readonly LockedPackage[] {
  const byName = new Map(packages.map((locked) => [locked.name.toLowerCase(), locked]));
  const sorted = new Set<LockedPackage>();
  const visit = (locked: LockedPackage, above: ReadonlySet<LockedPackage>): void => {
    if (sorted.has(locked) || above.has(locked)) return;
    const path = new Set([...above, locked]);
    for (const text of (locked.depends ?? []).toSorted()) {
      const needed = byName.get(parseDependencyName(text) ?? '');
      if (needed) visit(needed, path);
    }
    sorted.add(locked);
  };
  for (const locked of packages.toSorted((a, b) => (a.name < b.name ? -1 : 1))) visit(locked, new Set());
  return [...sorted];
}

/** Both formats know files with digests only. */
function refuseUnlockable(locks: readonly EnvironmentLock[]): void {
  const others = locks.flatMap(({ pip }) =>
    (pip?.packages ?? []).filter(({ kind }) => kind !== 'wheel' && kind !== 'sdist'),
  );
  refuseMissing(
    others.map(({ name }) => name),
    'the format has no repositories and directories, from which pip makes',
  );
}

function refuseMissing(names: readonly string[], why: string): void {
  if (names.length === 0) return;
  throw new AppError(EXIT.buildFailed, {
    code: 'EXPORT_INCOMPLETE',
    message: `${why} ${[...new Set(names)].sort().join(', ')}`,
    hint: 'environment.lock.yml has all of it; condense mirror copies its packages',
  });
}
