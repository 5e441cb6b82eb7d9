// A pip section to exact distributions: the environment's own pip says what it would install beside conda's packages.
import path from 'node:path';
import { cachedPackageFile } from '../conda/fetch.ts';
import type { LockedDistribution } from '../conda/lock.ts';
import { distributionFileName } from '../conda/wheel-file.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { makeSharedDir, readdir, readText, writeNewFile } from '../system/files.ts';
import { readChunks, writeStream } from '../system/streamed-files.ts';
import type { CondaPrefix } from './conda-prefix.ts';
import { parseInstallationReport, type ReportedDistribution } from './installation-report.ts';
import { originalUrl } from './local-sources.ts';
import { withoutUserInfo } from './pip-access.ts';
import type { PipSection } from './pip-section.ts';
import { findReplaced, findUnlockable, firstPlace } from './resolve-problems.ts';
import { renderIndexOptions, renderRequirements } from './requirements-text.ts';
import { DOWNLOADED, runPip, type PipScratch } from './run-pip.ts';

export interface ResolveRequest {
  readonly section: PipSection;
  readonly prefix: CondaPrefix;
  readonly scratch: PipScratch;
  /** Where the container has a path of this machine. */
  readonly located: (path: string) => string;
  /** Gets what pip downloaded to look into it, so that nothing of it is downloaded again. */
  readonly packageCache: string;
  /** environment.yml, for messages. */
  readonly specFile: string;
  /** Options of pip, of `planUploadLimit`. */
  readonly uploadLimit: readonly string[];
}

/** @throws AppError PIP_FAILED, PIP_REPLACES_CONDA, PIP_UNVERIFIABLE, INTERRUPTED */
export async function resolveDistributions(request: ResolveRequest): Promise<readonly LockedDistribution[]> {
  const { section, prefix, scratch, located, specFile } = request;
  if (section.requirements.length === 0) return [];
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
    [
      ...['install', '--dry-run', '--report', report, '--progress-bar', 'off', ...request.uploadLimit],
      ...['-r', requirements, '-c', constraints],
    ],
    {
      what: 'resolve the pip section',
      at: firstPlace(section, specFile),
      epochSeconds: prefix.epochSeconds,
      keepsDownloads: true,
    },
  );
  const found = parseInstallationReport(await readText(path.join(scratch.onDisk, 'report.json')));
  if (typeof found === 'string') throw new Error(`pip's installation report cannot be read: ${found}`);
  const locked = found.map((one) => lockDistribution(one, section, scratch)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const problems = [...findReplaced(found, prefix, section, specFile), ...findUnlockable(locked, section, specFile)];
  if (problems.length > 0) throw new AppError(EXIT.buildFailed, problems);
  await keepDownloads(locked, request);
  return locked;
}

/** Into the cache of packages, where they are looked for by digest; what pip looked at and did not take is left. */
async function keepDownloads(
  locked: readonly LockedDistribution[],
  { scratch, packageCache }: ResolveRequest,
): Promise<void> {
  const dir = path.join(scratch.onDisk, DOWNLOADED);
  const names = new Set(await readdir(dir));
  for (const { kind, url, sha256 } of locked) {
    const name = distributionFileName(url) ?? '';
    if ((kind !== 'wheel' && kind !== 'sdist') || sha256 === undefined || !names.has(name)) continue;
    const cached = cachedPackageFile(packageCache, { url, sha256 });
    await makeSharedDir(path.dirname(cached));
    try {
      await writeStream(path.dirname(cached), readChunks(path.join(dir, name)), (written) => {
        if (written.sha256 !== sha256) throw new OtherFile();
        return path.basename(cached);
      });
    } catch (error) {
      if (!(error instanceof OtherFile)) throw error;
    }
  }
}

/** Of the same name as what is locked: that is downloaded when it is installed. */
class OtherFile extends Error {
  override readonly name = 'OtherFile';
}

function lockDistribution(one: ReportedDistribution, section: PipSection, scratch: PipScratch): LockedDistribution {
  const { name, version, kind, commit, subdirectory, requested, direct } = one;
  const url = lockedUrl(one, scratch);
  const sha256 =
    kind === 'directory' ? section.local.get(decodeURIComponent(URL.parse(url)?.pathname ?? ''))?.digest : one.sha256;
  return {
    ...{ name, version, kind, url, requested, direct },
    ...(sha256 === undefined || kind === 'git' ? {} : { sha256 }),
    ...(commit === undefined ? {} : { commit }),
    ...(subdirectory === undefined ? {} : { subdirectory }),
  };
}

function lockedUrl(one: ReportedDistribution, scratch: PipScratch): string {
  const written = one.url.startsWith('file:') ? originalUrl(one.url, scratch.names) : withoutUserInfo(one.url);
  const url = URL.parse(written);
  if (!url) return written; // no lock can have it
  url.hash = '';
  return url.href;
}
