// Wheels to an installed environment: pip puts them there, without index and dependencies; then what it left is checked
// against what conda has, and made independent of when and where it was done.
import path from 'node:path';
import { writeBytecode } from '../conda/bytecode.ts';
import { normalizeDistributionName } from '../conda/wheel-file.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, lutimes, readdir, readText, removeTree, writeNewFile } from '../system/files.ts';
import type { CondaPrefix } from './conda-prefix.ts';
import { parseRecord, planDirectUrl, renderRecordLine } from './dist-info.ts';
import { runPip, type PipScratch } from './run-pip.ts';
import type { Wheel } from './wheels.ts';

export interface InstallWheelsRequest {
  readonly wheels: readonly Wheel[];
  readonly prefix: CondaPrefix;
  readonly scratch: PipScratch;
  readonly specFile: string;
}

export interface InstalledWheels {
  /** Files, bytecode too. */
  readonly files: number;
  /** Files that several wheels bring. */
  readonly notes: readonly string[];
}

/** @throws AppError PIP_FAILED, PIP_CLOBBERS, INTERRUPTED */
export async function installWheels(request: InstallWheelsRequest): Promise<InstalledWheels> {
  const { wheels, prefix, scratch, specFile } = request;
  if (wheels.length === 0) return { files: 0, notes: [] };
  const locked = wheels.map(
    ({ distribution: { name, version }, sha256 }) => `${name}==${version} --hash=sha256:${sha256}\n`,
  );
  await writeNewFile(path.join(scratch.onDisk, 'locked.txt'), locked.join(''));
  await runPip(
    scratch,
    prefix.python,
    [
      ...['install', '--no-deps', '--no-index', '--no-compile', '--require-hashes', '--no-warn-script-location'],
      ...['--root-user-action', 'ignore', '--progress-bar', 'off', '--find-links', `${scratch.inside}/wheels`],
      ...['-r', `${scratch.inside}/locked.txt`],
    ],
    { what: 'install what the lock names', at: specFile, epochSeconds: prefix.epochSeconds, installs: true },
  );
  const installed = await readInstalled(request);
  const problems = findClobbered(installed, prefix);
  if (problems.length > 0) throw new AppError(EXIT.buildFailed, problems);
  for (const one of installed) await writeOrigin(one, request);
  const files = [...new Set(installed.flatMap((one) => one.files))].sort();
  await settle(files, request);
  const sources = files.filter((file) => file.endsWith('.py') && file.startsWith(`${prefix.python.sitePackages}/`));
  const bytecode = await writeBytecode({
    sources,
    prefixInside: scratch.prefixInside,
    interpreter: prefix.python.interpreter,
    runInside: scratch.runInside,
  });
  return { files: files.length + bytecode.size, notes: describeShared(installed) };
}

interface Installed {
  readonly wheel: Wheel;
  /** `lib/python3.13/site-packages/foo-1.0.dist-info` */
  readonly distInfo: string;
  /** As RECORD lists them, relative to the prefix; RECORD too. */
  readonly files: readonly string[];
}

async function readInstalled({
  wheels,
  prefix,
  scratch,
  specFile,
}: InstallWheelsRequest): Promise<readonly Installed[]> {
  const { sitePackages } = prefix.python;
  const names = await readdir(path.join(scratch.prefixOnDisk, sitePackages));
  const dirs = new Map<string, string>();
  for (const name of names) {
    const [, project] = /^([^-]+)-.*\.dist-info$/.exec(name) ?? [];
    const isConda = prefix.owners.has(`${sitePackages}/${name}/METADATA`);
    if (project !== undefined && !isConda) dirs.set(normalizeDistributionName(project), `${sitePackages}/${name}`);
  }
  const installed: Installed[] = [];
  for (const wheel of wheels) {
    const { name } = wheel.distribution;
    const distInfo = dirs.get(name);
    if (distInfo === undefined) throw new Error(`pip installed no ${name}`);
    const record = await readText(path.join(scratch.prefixOnDisk, distInfo, 'RECORD'));
    const listed = parseRecord(record, sitePackages);
    if (typeof listed === 'string')
      throw new AppError(EXIT.buildFailed, {
        code: 'PIP_CLOBBERS',
        at: specFile,
        message: `${wheel.fileName} ${listed}`,
        hint: `leave ${name} out, and tell its maintainers`,
      });
    installed.push({ wheel, distInfo, files: listed });
  }
  return installed;
}

/** Each conda package's files stay its own: conda would take them away, or update them, with that package. */
function findClobbered(installed: readonly Installed[], { owners }: CondaPrefix): Problem[] {
  return installed.flatMap(({ wheel, files }): Problem[] => {
    const clobbered = files.filter((file) => owners.has(file));
    const [first] = clobbered;
    if (first === undefined) return [];
    const packages = [...new Set(clobbered.map((file) => owners.get(file) ?? ''))].join(', ');
    const more = clobbered.length > 1 ? `, and ${clobbered.length - 1} more` : '';
    return [
      {
        code: 'PIP_CLOBBERS',
        at: first,
        message: `${wheel.fileName} of the pip section has overwritten this file of the conda package ${packages}${more}`,
        hint: `leave one of ${wheel.distribution.name} and ${packages} out of environment.yml`,
      },
    ];
  });
}

function describeShared(installed: readonly Installed[]): string[] {
  const first = new Map<string, string>();
  const notes: string[] = [];
  for (const { wheel, files } of installed) {
    for (const file of files) {
      const other = first.get(file);
      if (other === undefined) first.set(file, wheel.fileName);
      else if (other !== wheel.fileName)
        notes.push(`${file} is in ${other} and in ${wheel.fileName}; pip keeps the last`);
    }
  }
  return notes;
}

/**
 * pip took all of them for requested, and for found by name: PEP 376's REQUESTED and PEP 610's direct_url.json are made what
 * they would be had pip installed the section itself. Nothing names a path of the building machine.
 */
async function writeOrigin({ wheel, distInfo }: Installed, { prefix, scratch }: InstallWheelsRequest): Promise<void> {
  const { distribution } = wheel;
  const dir = path.join(scratch.prefixOnDisk, distInfo);
  const inRecord = distInfo.slice(prefix.python.sitePackages.length + 1);
  const direct = planDirectUrl(distribution);
  if (distribution.requested && direct === undefined) return;
  const recordFile = path.join(dir, 'RECORD');
  let lines = (await readText(recordFile)).split('\n');
  if (!distribution.requested) {
    await removeTree(path.join(dir, 'REQUESTED'));
    lines = lines.filter((line) => !line.startsWith(`${inRecord}/REQUESTED,`));
  }
  if (direct !== undefined) {
    await writeNewFile(path.join(dir, 'direct_url.json'), direct);
    lines.splice(-1, 0, renderRecordLine(`${inRecord}/direct_url.json`, direct));
  }
  await removeTree(recordFile);
  await writeNewFile(recordFile, lines.join('\n'));
}

/** Before compiling: bytecode names the time of its source. */
async function settle(files: readonly string[], { prefix, scratch }: InstallWheelsRequest): Promise<void> {
  for (const file of files) {
    const at = path.join(scratch.prefixOnDisk, file);
    if (await lstatIfThere(at)) await lutimes(at, prefix.epochSeconds, prefix.epochSeconds);
  }
}
