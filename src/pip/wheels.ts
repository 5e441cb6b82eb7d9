// The wheels of a lock, in a directory that pip can install from: fetched and verified, or built from what the lock names.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cachedPackageFile } from '../conda/fetch.ts';
import { fetchVerified } from '../conda/fetch-verified.ts';
import type { EnvironmentLock, LockedDistribution } from '../conda/lock.ts';
import { distributionFileName, isItsOwnWheel } from '../conda/wheel-file.ts';
import { AppError } from '../system/app-error.ts';
import type { Report } from '../system/events.ts';
import { EXIT } from '../system/exit-codes.ts';
import {
  copyNewFile,
  digestFile,
  digestText,
  lstatIfThere,
  makeDir,
  makeSharedDir,
  readdir,
  writeNewFile,
} from '../system/files.ts';
import { readChunks, writeStream } from '../system/streamed-files.ts';
import type { CondaPrefix } from './conda-prefix.ts';
import { copyProject } from './local-sources.ts';
import type { PipAccess } from './pip-access.ts';
import { digestTree, type PipSection } from './pip-section.ts';
import { renderIndexOptions } from './requirements-text.ts';
import { runPip, type PipScratch } from './run-pip.ts';
import { planUploadLimit } from './upload-limit.ts';

export interface WheelRequest {
  readonly distributions: readonly LockedDistribution[];
  /** Its conda packages are what wheels are built with, and its limit holds for what a build asks an index for. */
  readonly lock: Pick<EnvironmentLock, 'packages' | 'platform' | 'excludeNewer'>;
  readonly section: PipSection;
  readonly prefix: CondaPrefix;
  readonly scratch: PipScratch;
  /** Where the container has a path of this machine. */
  readonly located: (path: string) => string;
  readonly access: PipAccess;
  readonly packageCache: string;
  readonly wheelCache: string;
  readonly specFile: string;
  readonly report: Report;
  readonly signal?: AbortSignal | undefined;
}

export interface Wheel {
  readonly distribution: LockedDistribution;
  readonly fileName: string;
  readonly sha256: string;
}

/** @throws AppError of fetching; PIP_FAILED, LOCAL_CHANGED, PIP_UNVERIFIABLE */
export async function writeWheels(request: WheelRequest): Promise<readonly Wheel[]> {
  const { distributions, scratch, packageCache } = request;
  const fetched = distributions.flatMap(({ kind, name, url, sha256 = '' }) =>
    kind === 'wheel' || kind === 'sdist' ? [{ name, url, sha256 }] : [],
  );
  const { access, report, signal } = request;
  const files = await fetchVerified({
    packages: fetched,
    access: access.access,
    cacheDir: packageCache,
    report,
    signal,
  });
  const wheels: Wheel[] = [];
  for (const distribution of distributions) {
    const { kind, url, sha256 = '' } = distribution;
    if (kind === 'wheel') {
      const fileName = distributionFileName(url) ?? '';
      await copyNewFile(
        files.get(sha256) ?? cachedPackageFile(packageCache, { url, sha256 }),
        wheelPath(scratch, fileName),
      );
      wheels.push({ distribution, fileName, sha256 });
    } else wheels.push(await writeBuiltWheel(distribution, files.get(sha256), request));
  }
  return wheels;
}

const wheelPath = (scratch: PipScratch, fileName: string): string => path.join(scratch.onDisk, 'wheels', fileName);

/**
 * Built once for the same source, conda packages and platform; what the build itself requires (PEP 518) comes from the
 * index as it is at that time, and is not locked.
 */
async function writeBuiltWheel(
  distribution: LockedDistribution,
  sdist: string | undefined,
  request: WheelRequest,
): Promise<Wheel> {
  const { scratch, wheelCache } = request;
  const { name, kind, url, sha256, commit, subdirectory } = distribution;
  const made = request.lock.packages.map((one) => one.sha256).toSorted();
  const source = kind === 'git' ? [url, commit] : [sha256];
  const key = digestText(JSON.stringify([kind, ...source, subdirectory ?? '', request.lock.platform, made]));
  const dir = path.join(wheelCache, key.slice(0, 2), key);
  const cached = await readCachedWheel(dir, name);
  const take = async (file: string, wheel: { fileName: string; sha256: string }): Promise<Wheel> => {
    await copyNewFile(file, wheelPath(scratch, wheel.fileName));
    return { distribution, ...wheel };
  };
  if (cached) return await take(path.join(dir, `${cached.sha256}--${cached.fileName}`), cached);
  const file = await buildWheel(distribution, sdist, request);
  const fileName = path.basename(file);
  await makeSharedDir(dir);
  const written = await writeStream(dir, readChunks(file), ({ sha256: digest }) => `${digest}--${fileName}`);
  return await take(file, { fileName, sha256: written.sha256 });
}

/** A wheel that the disk has changed is none. */
async function readCachedWheel(
  dir: string,
  name: string,
): Promise<{ readonly fileName: string; readonly sha256: string } | undefined> {
  if (!(await lstatIfThere(dir))) return undefined;
  for (const entry of (await readdir(dir)).sort()) {
    const [, sha256, fileName] = /^([0-9a-f]{64})--(.+\.whl)$/.exec(entry) ?? [];
    if (sha256 === undefined || fileName === undefined || !isItsOwnWheel(name, `file:///${fileName}`)) continue;
    if ((await digestFile(path.join(dir, entry))) === sha256) return { fileName, sha256 };
  }
  return undefined;
}

/** @returns the wheel */
async function buildWheel(
  distribution: LockedDistribution,
  sdist: string | undefined,
  request: WheelRequest,
): Promise<string> {
  const { scratch, section, prefix, specFile, report } = request;
  const { name, version } = distribution;
  report({
    type: 'note',
    text: `${name} ${version} is built from ${distribution.url}; what its build requires is not locked`,
  });
  const source = await placeSource(distribution, sdist, request);
  const requirements = `sources/${name}/requirements.txt`;
  await writeNewFile(
    path.join(scratch.onDisk, requirements),
    `${renderIndexOptions(section, request.located)}${source}\n`,
  );
  await runPip(
    scratch,
    prefix.python,
    [
      ...['wheel', '--no-deps', '--progress-bar', 'off', '--wheel-dir', `${scratch.inside}/built/${name}`],
      ...[...planUploadLimit(request.lock, section, specFile), '-r', `${scratch.inside}/${requirements}`],
    ],
    { what: `build a wheel of ${name} ${version}`, at: specFile, epochSeconds: prefix.epochSeconds },
  );
  const [built, ...more] = await readdir(path.join(scratch.onDisk, 'built', name));
  if (built === undefined || more.length > 0 || !isItsOwnWheel(name, `file:///${built}`)) {
    throw new AppError(EXIT.buildFailed, {
      code: 'PIP_UNVERIFIABLE',
      at: specFile,
      message: `building ${name} ${version} gave ${[built, ...more].join(', ') || 'nothing'}, which is not its wheel`,
      hint: `tell the maintainers of ${name}, or choose another version of it`,
    });
  }
  return path.join(scratch.onDisk, 'built', name, built);
}

/** @returns what pip is told to build */
async function placeSource(
  distribution: LockedDistribution,
  sdist: string | undefined,
  { scratch }: WheelRequest,
): Promise<string> {
  const { name, kind, url, commit = '', subdirectory, sha256 } = distribution;
  const dir = path.join(scratch.onDisk, 'sources', name);
  const inside = `${scratch.inside}/sources/${name}`;
  const fragment = subdirectory === undefined ? '' : `#subdirectory=${subdirectory}`;
  await makeDir(dir);
  if (kind === 'git') return `git+${url}@${commit}${fragment}`;
  if (kind === 'directory') {
    const from = fileURLToPath(url);
    if ((await digestTree(from)) !== sha256) {
      throw new AppError(EXIT.buildFailed, {
        code: 'LOCAL_CHANGED',
        at: from,
        message: `is not the ${name} that was locked: its files have changed since`,
        hint: 'run the command again when nobody writes to it',
      });
    }
    await copyProject(from, path.join(dir, 'project'));
    return `${inside}/project`;
  }
  const fileName = distributionFileName(url) ?? '';
  await copyNewFile(sdist ?? '', path.join(dir, fileName));
  return fragment === '' ? `${inside}/${fileName}` : `file://${inside}/${fileName}${fragment}`;
}
