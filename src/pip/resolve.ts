// A pip section to exact distributions: the environment's own pip says what it would install beside conda's packages.
import path from 'node:path';
import { distributionFileName, isItsOwnWheel } from '../conda/wheel-file.ts';
import type { LockedDistribution } from '../conda/lock.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { readText, writeNewFile } from '../system/files.ts';
import { redactUrls } from '../system/redact-urls.ts';
import type { CondaPrefix } from './conda-prefix.ts';
import { parseInstallationReport, type ReportedDistribution } from './installation-report.ts';
import { originalUrl } from './local-sources.ts';
import { withoutUserInfo } from './pip-access.ts';
import type { PipSection } from './pip-section.ts';
import { renderIndexOptions, renderRequirements } from './requirements-text.ts';
import { runPip, type PipScratch } from './run-pip.ts';

export interface ResolveRequest {
  readonly section: PipSection;
  readonly prefix: CondaPrefix;
  readonly scratch: PipScratch;
  /** Where the container has a path of this machine. */
  readonly located: (path: string) => string;
  /** environment.yml, for messages. */
  readonly specFile: string;
}

/** @throws AppError PIP_FAILED, PIP_REPLACES_CONDA, PIP_UNVERIFIABLE, INTERRUPTED */
export async function resolveDistributions(request: ResolveRequest): Promise<readonly LockedDistribution[]> {
  const { section, prefix, scratch, located, specFile } = request;
  const write = async (name: string, text: string): Promise<string> => {
    await writeNewFile(path.join(scratch.onDisk, name), text);
    return `${scratch.inside}/${name}`;
  };
  const requireHashes = section.flags.includes('--require-hashes') ? '--require-hashes\n' : '';
  const requirements = await write(
    'requirements.txt',
    requireHashes + renderIndexOptions(section, located) + renderRequirements(section.requirements, located),
  );
  const constraints = await write('constraints.txt', renderRequirements(section.constraints, located));
  const report = `${scratch.inside}/report.json`;
  await runPip(
    scratch,
    prefix.python,
    ['install', '--dry-run', '--report', report, '--progress-bar', 'off', '-r', requirements, '-c', constraints],
    { what: 'resolve the pip section', at: firstPlace(section, specFile), epochSeconds: prefix.epochSeconds },
  );
  const found = parseInstallationReport(await readText(path.join(scratch.onDisk, 'report.json')));
  if (typeof found === 'string') throw new Error(`pip's installation report cannot be read: ${found}`);
  const problems = [...findReplaced(found, prefix, section, specFile), ...findUnverifiable(found, section, specFile)];
  if (problems.length > 0) throw new AppError(EXIT.buildFailed, problems);
  return found.map((one) => lockDistribution(one, section, scratch)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function lockDistribution(one: ReportedDistribution, section: PipSection, scratch: PipScratch): LockedDistribution {
  const { name, version, kind, commit, subdirectory, requested, direct } = one;
  const url = lockedUrl(one, scratch);
  const sha256 =
    kind === 'directory' ? section.local.get(decodeURIComponent(new URL(url).pathname))?.digest : one.sha256;
  return {
    ...{ name, version, kind, url, requested, direct },
    ...(sha256 === undefined || kind === 'git' ? {} : { sha256 }),
    ...(commit === undefined ? {} : { commit }),
    ...(subdirectory === undefined ? {} : { subdirectory }),
  };
}

function lockedUrl(one: ReportedDistribution, scratch: PipScratch): string {
  const url = new URL(one.url.startsWith('file:') ? originalUrl(one.url, scratch.names) : withoutUserInfo(one.url));
  url.hash = '';
  return url.href;
}

/** Where the section names a distribution; else its first line. */
function placeOf(name: string, section: PipSection, specFile: string): string {
  const line = section.requirements.find(({ requirement }) => sameName(requirement.name, name))?.line;
  return line?.at ?? firstPlace(section, specFile);
}

const firstPlace = (section: PipSection, specFile: string): string => section.requirements[0]?.line.at ?? specFile;

const sameName = (written: string | undefined, name: string): boolean =>
  written?.replaceAll(/[-_.]+/g, '-').toLowerCase() === name;

/** conda lets pip overwrite its packages, and then each believes to own the files: here it ends before anything is written. */
function findReplaced(
  found: readonly ReportedDistribution[],
  prefix: CondaPrefix,
  section: PipSection,
  specFile: string,
): Problem[] {
  return found.flatMap((one): Problem[] => {
    const there = prefix.distributions.get(one.name);
    if (!there) return [];
    const wanting = found
      .filter(({ requires }) => requires.includes(one.name))
      .map(({ name, version }) => `${name} ${version}`);
    const by = one.requested ? 'the pip section names it' : `${wanting.join(', ') || 'a requirement'} wants it so`;
    return [
      {
        code: 'PIP_REPLACES_CONDA',
        at: placeOf(one.requested ? one.name : (wanting[0]?.split(' ')[0] ?? one.name), section, specFile),
        message: `pip would replace ${one.name} ${there.version} of the conda package ${there.package} by ${one.name} ${one.version} (${by}), which leaves neither whole`,
        hint: `write - ${there.package}=${one.version} among the conda packages, or another version of what wants it`,
      },
    ];
  });
}

/** What can be fetched again and known to be the same. */
function findUnverifiable(found: readonly ReportedDistribution[], section: PipSection, specFile: string): Problem[] {
  return found.flatMap((one): Problem[] => {
    const url = URL.parse(one.url);
    const isFile = one.kind === 'wheel' || one.kind === 'sdist';
    const why = !url
      ? 'has no URL'
      : url.search !== ''
        ? 'has a query in its URL, which may be a secret and cannot be locked'
        : isFile && !/^[0-9a-f]{64}$/.test(one.sha256 ?? '')
          ? 'has no sha256 in the index, so a download of it cannot be verified'
          : isFile && distributionFileName(one.url) === undefined
            ? 'has a file name that no wheel or sdist has'
            : one.kind === 'wheel' && !isItsOwnWheel(one.name, one.url)
              ? 'is in a file of another name'
              : one.kind === 'git' && !/^[0-9a-f]{40,64}$/.test(one.commit ?? '')
                ? 'is of no commit'
                : undefined;
    if (why === undefined) return [];
    return [
      {
        code: 'PIP_UNVERIFIABLE',
        at: placeOf(one.name, section, specFile),
        message: `${one.name} ${one.version} of ${redactUrls(one.url.split('?')[0] ?? '')} ${why}`,
        hint: 'choose another version or index; PEP 503 has a sha256 in the link of each file',
      },
    ];
  });
}
