// The formats of others, read: conda-lock.yml (version 1) and conda's explicit files. What they say is checked by a solve. Pure.
import { z } from 'zod';
import { parseYaml, type KeyPath, type YamlSource } from '../config/yaml-source.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { redactUrls } from '../system/redact-urls.ts';
import { parsePackageFile } from './package-file.ts';
import {
  DISTRIBUTION_NAME,
  DISTRIBUTION_VERSION,
  distributionFileName,
  normalizeDistributionName,
} from './wheel-file.ts';

/** What a foreign lock has for one platform. */
export interface ImportedLock {
  readonly platform: string;
  readonly packages: readonly ImportedPackage[];
  readonly pip: readonly ImportedDistribution[];
}

interface ImportedPackage {
  readonly name: string;
  readonly version: string;
  readonly build: string;
  readonly channel: string;
  readonly subdir: string;
  /** Without credentials. */
  readonly url: string;
  readonly sha256?: string | undefined;
  readonly md5?: string | undefined;
}

interface ImportedDistribution {
  readonly name: string;
  readonly version: string;
  readonly kind: 'wheel' | 'sdist';
  readonly url: string;
  readonly sha256: string;
}

/** @throws AppError IMPORT_INVALID, all problems at once, each with its place */
export function parseForeignLock(text: string, file: string): readonly ImportedLock[] {
  const isExplicit = /^@EXPLICIT\s*$/m.test(text);
  const problems: Problem[] = [];
  const complain = (at: string, message: string): void => {
    const hint = 'condense lock <environment> --from reads conda-lock.yml (version 1) and files with @EXPLICIT';
    problems.push({ code: 'IMPORT_INVALID', message, at, hint });
  };
  const locks = isExplicit ? [parseExplicit(text, file, complain)] : parseCondaLock(text, file, complain);
  for (const { platform, packages } of locks) {
    const names = packages.map(({ name }) => name.toLowerCase());
    for (const name of new Set(names.filter((one, index) => names.indexOf(one) !== index)))
      complain(file, `${name} is there twice for ${platform}`);
  }
  if (problems.length > 0) throw new AppError(EXIT.configuration, problems);
  return locks;
}

type Complain = (at: string, message: string) => void;

/** docs.conda.io, "Identical conda environments"; the pip lines are conda-lock's. */
function parseExplicit(text: string, file: string, complain: Complain): ImportedLock {
  const packages: ImportedPackage[] = [];
  const pip: ImportedDistribution[] = [];
  let platform = '';
  for (const [index, line] of text.split('\n').entries()) {
    const at = `${file}:${index + 1}:1`;
    const written = line.trim();
    platform = /^# platform: (linux-[a-z0-9]+)$/.exec(written)?.[1] ?? platform;
    const [, name, place = '', sha256 = ''] =
      /^# pip (\S+) @ (\S+?)(?: --hash=|#)sha256[:=]([0-9a-f]{64})$/.exec(written) ?? [];
    if (name !== undefined) {
      const one = readDistribution({ name, url: place, sha256 });
      if (typeof one === 'string') complain(at, one);
      else pip.push(one);
    }
    if (written === '' || written.startsWith('#') || written.startsWith('@')) continue;
    const [url = '', hash = ''] = written.split('#');
    const digest = /^(?:sha256:)?([0-9a-f]{64})$/.exec(hash)?.[1];
    const md5 = /^(?:md5:)?([0-9a-f]{32})$/.exec(hash)?.[1];
    const one = readPackage({ url, sha256: digest, md5 });
    if (hash !== '' && digest === undefined && md5 === undefined) complain(at, `${JSON.stringify(hash)} is no digest`);
    else if (typeof one === 'string') complain(at, one);
    else packages.push(one);
  }
  const subdir = packages.find((one) => one.subdir !== 'noarch')?.subdir ?? '';
  if (platform === '' && subdir === '')
    complain(file, 'it does not say which platform it is for: add # platform: linux-64');
  return { platform: platform === '' ? subdir : platform, packages, pip };
}

const WrittenCondaLock = z.looseObject({
  version: z.literal(1, 'this condense reads version 1 only'),
  package: z.array(
    z.looseObject({
      name: z.string(),
      version: z.string('must be text, in quotes'),
      manager: z.enum(['conda', 'pip']),
      platform: z.string().regex(/^[a-z]+-[a-z0-9]+$/, 'is not a platform such as linux-64'),
      url: z.string(),
      hash: z.looseObject({
        md5: z
          .string()
          .regex(/^[0-9a-f]{32}$/, 'is no md5')
          .optional(),
        sha256: z
          .string()
          .regex(/^[0-9a-f]{64}$/, 'is no sha256')
          .optional(),
      }),
      category: z.string().optional(),
    }),
  ),
});

/** conda_lock/lockfile/v1/models.py; of its categories `main` is what is installed. */
function parseCondaLock(text: string, file: string, complain: Complain): readonly ImportedLock[] {
  const source = parseYaml(text, file);
  for (const { at, message } of source.isReadable ? source.problems : source.problems.slice(0, 1))
    complain(at ?? file, message);
  const parsed = source.isReadable ? WrittenCondaLock.safeParse(withText(source, source.value)) : undefined;
  for (const { path, message } of parsed?.error?.issues ?? []) {
    const keys = path.filter((key) => typeof key !== 'symbol');
    complain(source.at(keys), `${keys.join('.')} ${message}`.trim());
  }
  const locks = new Map<string, { platform: string; packages: ImportedPackage[]; pip: ImportedDistribution[] }>();
  for (const [index, written] of (parsed?.data?.package ?? []).entries()) {
    if ((written.category ?? 'main') !== 'main') continue;
    const { platform, manager, name, version, url, hash } = written;
    const lock = locks.get(platform) ?? { platform, packages: [], pip: [] };
    locks.set(platform, lock);
    const at = source.at(['package', index, 'url']);
    if (manager === 'conda') {
      const one = readPackage({ url, ...hash });
      if (typeof one === 'string') complain(at, one);
      else if (one.name.toLowerCase() !== name.toLowerCase() || one.version !== version)
        complain(at, `it is the URL of ${one.name} ${one.version}, not of ${name} ${version}`);
      else lock.packages.push(one);
    } else {
      const one = readDistribution({ name, version, url, sha256: hash.sha256 });
      if (typeof one === 'string') complain(at, one);
      else lock.pip.push(one);
    }
  }
  return [...locks.values()];
}

/** conda-lock writes YAML 1.1, in which `1e5`, the end of a digest maybe, is text without quotes (PyYAML's resolver wants a dot). */
function withText(source: YamlSource, value: unknown, path: KeyPath = []): unknown {
  if (typeof value === 'number') {
    const written = source.written(path) ?? '';
    return /^\d+e\d+$/i.test(written) ? written : value;
  }
  if (Array.isArray(value)) return value.map((one, index) => withText(source, one, [...path, index]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withText(source, one, [...path, key])]));
}

/** @returns the package, or why it is none */
function readPackage(written: Pick<ImportedPackage, 'url' | 'sha256' | 'md5'>): ImportedPackage | string {
  const place = readPlace(written.url);
  if (!place) return `${JSON.stringify(redactUrls(written.url))} is not the URL of a package`;
  const parts = /^(.*)\/(noarch|[a-z]+-[a-z0-9]+)\/([^/]+)$/.exec(place);
  const [, channel = '', subdir = '', name = ''] = parts ?? [];
  const file = parsePackageFile(name);
  if (!file) return `${JSON.stringify(place)} is not the URL of a conda package`;
  const { sha256, md5 } = written;
  return { name: file.name, version: file.version, build: file.build, channel, subdir, url: place, sha256, md5 };
}

function readDistribution(written: {
  readonly name: string;
  readonly version?: string;
  readonly url: string;
  readonly sha256: string | undefined;
}): ImportedDistribution | string {
  const name = normalizeDistributionName(written.name);
  const url = readPlace(written.url);
  const file = distributionFileName(url ?? '');
  if (url === undefined || file === undefined || !/\.(?:whl|tar\.gz|zip|tar\.bz2)$/.test(file))
    return `${JSON.stringify(redactUrls(written.url))} is not the URL of a wheel or sdist`;
  if (written.sha256 === undefined) return `${name} has no sha256`;
  const version = written.version ?? file.replace(/\.(?:whl|tar\.gz|zip|tar\.bz2)$/, '').split('-')[1] ?? '';
  if (!DISTRIBUTION_NAME.test(name) || !DISTRIBUTION_VERSION.test(version))
    return `${JSON.stringify(written.name)} ${JSON.stringify(version)} is not a distribution`;
  return { name, version, kind: file.endsWith('.whl') ? 'wheel' : 'sdist', url, sha256: written.sha256 };
}

/** http(s) or file, without what is secret in it; `undefined` for anything else. */
function readPlace(text: string): string | undefined {
  const url = URL.parse(text);
  if (!url || !/^(?:https?|file):$/.test(url.protocol) || url.search !== '') return undefined;
  url.hash = '';
  return redactUrls(url.href);
}
