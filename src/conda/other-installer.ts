// The Installer of sites that insist on micromamba, mamba or conda: it runs in the build container, offline, with the
// verified archives of our cache, and what it leaves is made reproducible.
import path from 'node:path';
import type { InstallerProgram } from '../site/installer-program.ts';
import { AppError, errorMessage } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import {
  chmod,
  copyNewFile,
  digestFile,
  lstat,
  lstatIfThere,
  makeDir,
  pathExists,
  readdir,
  readText,
  realpath,
  removeTree,
  walkTree,
  writeNewFile,
} from '../system/files.ts';
import { settleNewTimes } from '../system/tree-writer.ts';
import { writeBytecode } from './bytecode.ts';
import { recordName, renderHistory, writeCondaMeta } from './conda-meta.ts';
import { environmentEpoch } from './epoch.ts';
import { fetchVerified } from './fetch-verified.ts';
import type { InstalledPrefix, Installer, InstallRequest } from './installer.ts';
import type { LockedPackage } from './lock.ts';
import {
  archivePath,
  planOtherInstall,
  planScratch,
  renderCondarc,
  renderExplicit,
  SCRATCH,
} from './other-installer-plan.ts';
import {
  listCompiled,
  listSources,
  parseWrittenRecord,
  renderOtherRecord,
  type WrittenRecord,
} from './other-records.ts';
import { packageHostile } from './package-problem.ts';
import { planPython } from './python-linking.ts';
import { readPackageIndex } from './read-package-index.ts';

type Index = Readonly<Record<string, unknown>>;

export function otherInstaller(program: InstallerProgram): Installer {
  return {
    name: program.version,
    install: (request) => installByProgram(program, request),
  };
}

async function installByProgram(installer: InstallerProgram, request: InstallRequest): Promise<InstalledPrefix> {
  const { lock, access, cacheDir, prefixOnDisk, report, signal } = request;
  const archives = await fetchVerified({ packages: lock.packages, access, cacheDir, report, signal });
  const indexes = new Map<LockedPackage, Index>();
  for (const locked of lock.packages)
    indexes.set(locked, await readPackageIndex(archives.get(locked.sha256) ?? '', locked.url));
  const sinceMs = await prepare(installer, request, archives);
  await run(installer, request);
  await removeTree(path.join(prefixOnDisk, SCRATCH));
  const notes = [`installed by ${installer.version}`, ...(await takeMessages(prefixOnDisk))];
  for (const text of notes) report({ type: 'note', text });
  await settle(installer, request, indexes, sinceMs);
  return { packages: lock.packages.length, ...(await measure(prefixOnDisk)), notes };
}

/** @returns when it began, by the clock of the file system */
async function prepare(
  installer: InstallerProgram,
  { lock, prefixOnDisk, prefixInside, signal }: InstallRequest,
  archives: ReadonlyMap<string, string>,
): Promise<number> {
  await makeDir(prefixOnDisk);
  if ((await readdir(prefixOnDisk)).length > 0) throw new Error(`${prefixOnDisk} is not empty`);
  await chmod(prefixOnDisk, 0o755);
  const at = planScratch(path.join(prefixOnDisk, SCRATCH));
  for (const dir of [at.home, at.temporary, at.packages, path.join(prefixOnDisk, 'conda-meta')]) await makeDir(dir);
  // With this file a directory is an environment, to conda and libmamba.
  const history = path.join(prefixOnDisk, 'conda-meta/history');
  await writeNewFile(history, '');
  for (const locked of lock.packages) {
    signal?.throwIfAborted();
    const file = path.join(at.channel, archivePath(locked));
    await makeDir(path.dirname(file));
    // A copy: scripts of packages run beside it, and other builds trust what is in the cache.
    await copyNewFile(archives.get(locked.sha256) ?? '', file);
  }
  const inside = planScratch(`${prefixInside}/${SCRATCH}`);
  await writeNewFile(at.explicit, renderExplicit(lock.packages, inside.channel, installer));
  await writeNewFile(at.condarc, renderCondarc(`${prefixInside}/${SCRATCH}`));
  return (await lstat(history)).mtimeMs;
}

async function run(installer: InstallerProgram, { prefixInside, runInside }: InstallRequest): Promise<void> {
  try {
    await runInside(planOtherInstall(installer, prefixInside));
  } catch (error) {
    if (error instanceof AppError && error.exit === EXIT.interrupted) throw error;
    throw new AppError(
      EXIT.buildFailed,
      {
        code: 'INSTALLER_FAILED',
        message: `${installer.version} did not install what is locked: ${errorMessage(error)}`,
        at: installer.program,
        hint: 'read what it says; without installer.program condense installs by itself',
      },
      { cause: error },
    );
  }
}

/** `.messages.txt` is shown once and removed, as conda does. A link could show any file of this machine. */
async function takeMessages(prefixOnDisk: string): Promise<string[]> {
  const file = path.join(prefixOnDisk, '.messages.txt');
  const there = await lstatIfThere(file);
  const text = there?.isFile() ? (await readText(file)).trim() : '';
  await removeTree(file);
  return text === '' ? [] : [text];
}

/** Times, bytecode and conda-meta: all that would differ between two runs. */
async function settle(
  installer: InstallerProgram,
  request: InstallRequest,
  indexes: ReadonlyMap<LockedPackage, Index>,
  sinceMs: number,
): Promise<void> {
  const { lock, prefixOnDisk, prefixInside, requestedSpecs, runInside } = request;
  const timestamps = [...indexes.values()].map(({ timestamp }) => (typeof timestamp === 'number' ? timestamp : 0));
  const epochSeconds = environmentEpoch(timestamps);
  const records = await readWrittenRecords(installer, prefixOnDisk, lock.packages);
  for (const [locked, record] of records)
    for (const pyc of listCompiled(record)) await removeCompiled(prefixOnDisk, pyc, locked);

  const python = lock.packages.find(({ name }) => name === 'python');
  let bytecode: ReadonlyMap<string, string> = new Map();
  if (python) {
    const sitePackagesPath = indexes.get(python)?.['python_site_packages_path'];
    const layout = planPython({
      ...{ url: python.url, version: python.version },
      sitePackagesPath: typeof sitePackagesPath === 'string' ? sitePackagesPath : undefined,
    });
    const sources = listSources(
      [...records].map(([locked, record]) => ({
        record,
        isNoarchPython: String(indexes.get(locked)?.['noarch']).toLowerCase() === 'python',
      })),
      layout.sitePackages,
    );
    // Bytecode names the time of its source: first the times, then the bytecode.
    settleNewTimes(prefixOnDisk, sinceMs, epochSeconds);
    bytecode = await writeBytecode({ sources, prefixInside, interpreter: layout.interpreter, runInside });
  }

  const compiled = new Set(bytecode.values());
  const recompiled = new Map<string, string>();
  for (const { paths_data: data } of records.values()) {
    for (const { _path, path_type } of data.paths)
      if (path_type !== 'pyc_file' && compiled.has(_path))
        recompiled.set(_path, await digestFile(path.join(prefixOnDisk, _path)));
  }
  const files = new Map<string, string>();
  for (const [locked, record] of records) {
    const index = indexes.get(locked) ?? {};
    files.set(
      recordName({ locked }),
      renderOtherRecord({ record, locked, index, bytecode, recompiled, requestedSpecs, prefixInside }),
    );
  }
  const packages = lock.packages.map((locked) => ({ locked }));
  files.set('history', renderHistory({ packages, requestedSpecs, epochSeconds }));
  const pins = request.pinnedSpecs ?? [];
  if (pins.length > 0) files.set('pinned', `${pins.join('\n')}\n`);
  for (const name of files.keys()) await removeTree(path.join(prefixOnDisk, 'conda-meta', name));
  await writeCondaMeta(prefixOnDisk, files);
  settleNewTimes(prefixOnDisk, sinceMs, epochSeconds);
}

/** @throws AppError PACKAGE_HOSTILE where a link of a package would lead out of the prefix */
async function removeCompiled(prefixOnDisk: string, pyc: string, { url }: LockedPackage): Promise<void> {
  const dir = path.join(prefixOnDisk, path.dirname(pyc));
  if (!(await pathExists(dir))) return;
  if ((await realpath(dir)) !== path.join(await realpath(prefixOnDisk), path.dirname(pyc)))
    throw packageHostile(url, pyc, 'is bytecode that is reached through a link');
  await removeTree(path.join(prefixOnDisk, pyc));
}

/** @throws AppError INSTALLER_FAILED where these are not the packages of the lock */
async function readWrittenRecords(
  installer: InstallerProgram,
  prefixOnDisk: string,
  packages: readonly LockedPackage[],
): Promise<ReadonlyMap<LockedPackage, WrittenRecord>> {
  const dir = path.join(prefixOnDisk, 'conda-meta');
  const entries = await readdir(dir, { withFileTypes: true });
  const written = new Set(entries.filter((one) => one.isFile() && one.name.endsWith('.json')).map(({ name }) => name));
  const records = new Map<LockedPackage, WrittenRecord>();
  const missing: string[] = [];
  for (const locked of packages) {
    const name = recordName({ locked });
    if (written.delete(name)) records.set(locked, parseWrittenRecord(await readText(path.join(dir, name)), locked));
    else missing.push(name);
  }
  if (missing.length === 0 && written.size === 0) return records;
  const wrong = [
    ...missing.map((name) => `${name} is missing`),
    ...[...written].map((name) => `${name} is not locked`),
  ];
  throw new AppError(EXIT.buildFailed, {
    code: 'INSTALLER_FAILED',
    message: `${installer.version} ended well, but conda-meta is not of the lock: ${wrong.slice(0, 5).join(', ')}`,
    at: installer.program,
    hint: 'try another version of it, or leave installer.program out: condense then installs by itself',
  });
}

async function measure(prefixOnDisk: string): Promise<{ files: number; bytes: number }> {
  let files = 0;
  let bytes = 0;
  for await (const entry of walkTree(prefixOnDisk)) {
    if (entry.kind === 'directory') continue;
    files += 1;
    bytes += entry.sizeBytes;
  }
  return { files, bytes };
}
