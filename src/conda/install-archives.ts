// From verified package archives to a prefix: unpack, plan, link, scripts, bytecode, records.
import path from 'node:path';
import { EXIT } from '../system/exit-codes.ts';
import { chmod, digestFile, makeDir, mkdtemp, readdir, removeTree } from '../system/files.ts';
import { describeFullDisk } from '../system/system-error.ts';
import { settleTimes } from '../system/tree-writer.ts';
import { writeBytecode } from './bytecode.ts';
import { recordName, renderHistory, renderRecord, writeCondaMeta } from './conda-meta.ts';
import { environmentEpoch } from './epoch.ts';
import type { InstallRequest, InstalledPrefix } from './installer.ts';
import { linkItems, throwIfInterrupted, type Linked } from './link.ts';
import { linkOrder, type OrderedPackage } from './link-order.ts';
import { planLinks, type LinkPlan, type UnpackedPackage } from './link-plan.ts';
import { runPostLink, scriptPath } from './post-link.ts';
import { planPython, type PythonLayout } from './python-linking.ts';
import { unpackPackages } from './unpack-packages.ts';

/**
 * Installs into an empty directory. On failure it is left as it is: the caller removes it.
 * @param archives verified archives, by sha256
 */
export async function installArchives(
  request: Omit<InstallRequest, 'cacheDir'>,
  archives: ReadonlyMap<string, string>,
): Promise<InstalledPrefix> {
  try {
    return await install(request, archives);
  } catch (error) {
    throw describeFullDisk(error, EXIT.buildFailed);
  }
}

async function install(
  request: Omit<InstallRequest, 'cacheDir'>,
  archives: ReadonlyMap<string, string>,
): Promise<InstalledPrefix> {
  const { lock, prefixOnDisk, prefixInside, requestedSpecs, report, signal } = request;
  await makeDir(prefixOnDisk);
  if ((await readdir(prefixOnDisk)).length > 0) throw new Error(`${prefixOnDisk} is not empty`);
  await chmod(prefixOnDisk, 0o755);
  // In the prefix, so that files are moved, not copied; no package may bring such a name.
  const scratch = await mkdtemp(path.join(prefixOnDisk, '.condense-unpack-'));
  const unpacked = await unpackPackages({ packages: lock.packages, archives, scratch, prefixInside, report, signal });
  const packages = linkOrder(unpacked.map((one) => ({ one, ...orderFacts(one) }))).map(({ one }) => one);
  const python = environmentPython(packages);
  const epochSeconds = environmentEpoch(packages.map(({ metadata }) => metadata.index.timestamp));

  const plan = planLinks({ packages, prefixInside, python, epochSeconds });
  const linked = await linkItems({ plan, prefixOnDisk, prefixInside, signal });
  await removeTree(scratch);

  const said = await runScripts(request, packages, plan);
  throwIfInterrupted(signal);
  const times = new Map(plan.items.map((item) => [item.path, item.mtimeSeconds]));
  const hasScripts = packages.some((one) => times.has(scriptPath(one.locked.name, 'post-link')));
  // Scripts write with the time of today. Before compiling: bytecode names the time of its source.
  if (hasScripts) settleTimes(prefixOnDisk, (at) => times.get(at), epochSeconds);
  const bytecode = await compile(request, plan, linked, python);
  throwIfInterrupted(signal);
  await writeRecords({
    ...{ packages, plan, linked, bytecode, prefixOnDisk, prefixInside, requestedSpecs, epochSeconds },
    pinnedSpecs: request.pinnedSpecs ?? [],
  });
  for (const [source, pyc] of bytecode) times.set(pyc, times.get(source) ?? epochSeconds);
  settleTimes(prefixOnDisk, (at) => times.get(at), epochSeconds);

  const notes = [...plan.notes, ...describeIgnored(packages), ...said];
  for (const text of notes) report({ type: 'note', text });
  return { packages: packages.length, files: linked.files + bytecode.size, bytes: linked.bytes, notes };
}

function orderFacts({ locked, metadata }: UnpackedPackage): OrderedPackage {
  const { channel, subdir, name, version, build } = locked;
  const { depends, constrains } = metadata.index;
  const distribution = `${channel}/${subdir}::${name}-${version}-${build}`;
  return { name, distribution, depends, constrains, noarchPython: metadata.noarchPython };
}

function environmentPython(packages: readonly UnpackedPackage[]): PythonLayout | undefined {
  const python = packages.find(({ locked }) => locked.name === 'python');
  if (!python) return undefined;
  const { url, version } = python.locked;
  return planPython({ url, version, sitePackagesPath: python.metadata.index.python_site_packages_path });
}

async function runScripts(
  request: Omit<InstallRequest, 'cacheDir'>,
  packages: readonly UnpackedPackage[],
  plan: LinkPlan,
): Promise<string[]> {
  const { prefixOnDisk, prefixInside, runInside, report, signal } = request;
  const said: string[] = [];
  const present = new Set(plan.items.map((item) => item.path));
  for (const one of packages) {
    const { name } = one.locked;
    if (one.metadata.entries.some((entry) => entry.path === scriptPath(name, 'pre-link')))
      report({ type: 'warning', text: `${name} has a pre-link script, which is not run: conda deprecates them` });
    if (!present.has(scriptPath(name, 'post-link'))) continue;
    throwIfInterrupted(signal);
    said.push(...(await runPostLink({ package: one, prefixOnDisk, prefixInside, runInside })));
  }
  return said;
}

/**
 * Compiles the sources of noarch packages; and again those sources of other packages that the prefix was put into: the
 * bytecode that came with them names their old size, and python would compile them at each start.
 */
async function compile(
  request: Omit<InstallRequest, 'cacheDir'>,
  plan: LinkPlan,
  linked: Linked,
  python: PythonLayout | undefined,
): Promise<ReadonlyMap<string, string>> {
  const { prefixInside, runInside } = request;
  const compiledDirs = new Set(
    plan.items.filter((item) => item.path.endsWith('.pyc')).map((item) => path.posix.dirname(item.path)),
  );
  const isOutdated = (source: string): boolean =>
    source.endsWith('.py') &&
    linked.rewritten.has(source) &&
    compiledDirs.has(path.posix.join(path.posix.dirname(source), '__pycache__'));
  const sources = plan.items.filter((item) => item.isSource || isOutdated(item.path)).map((item) => item.path);
  if (!python || sources.length === 0) return new Map();
  return await writeBytecode({ sources: sources.sort(), prefixInside, interpreter: python.interpreter, runInside });
}

async function writeRecords(request: {
  readonly packages: readonly UnpackedPackage[];
  readonly plan: LinkPlan;
  readonly linked: Linked;
  readonly bytecode: ReadonlyMap<string, string>;
  readonly prefixOnDisk: string;
  readonly prefixInside: string;
  readonly requestedSpecs: readonly string[];
  readonly pinnedSpecs: readonly string[];
  readonly epochSeconds: number;
}): Promise<void> {
  const rewritten = new Map(request.linked.rewritten);
  const planned = new Set(request.plan.items.map((item) => item.path));
  for (const pyc of request.bytecode.values())
    if (planned.has(pyc)) rewritten.set(pyc, await digestFile(path.join(request.prefixOnDisk, pyc)));
  const files = new Map<string, string>();
  const owners = new Map(request.plan.items.map((item) => [item.path, item.owner]));
  for (const one of request.packages) {
    const brought = request.plan.brought.get(one) ?? [];
    // What is now at a path says nothing of the file of another package that it replaced.
    const own = brought.flatMap(({ path: listed }): [string, string][] => {
      const real = request.plan.moved.get(listed) ?? listed;
      const digest = owners.get(real) === one ? rewritten.get(real) : undefined;
      return digest === undefined ? [] : [[listed, digest]];
    });
    files.set(recordName(one), renderRecord({ ...request, package: one, brought, rewritten: new Map(own) }));
  }
  files.set('history', renderHistory(request));
  // One spec on each line: conda/core/solve.py, get_pinned_specs.
  if (request.pinnedSpecs.length > 0) files.set('pinned', `${request.pinnedSpecs.join('\n')}\n`);
  await writeCondaMeta(request.prefixOnDisk, files);
}

function describeIgnored(packages: readonly UnpackedPackage[]): string[] {
  const withMenus = packages.filter(({ metadata }) =>
    metadata.entries.some(({ path: at }) => at.startsWith('Menu/') && at.endsWith('.json')),
  );
  if (withMenus.length === 0) return [];
  const names = withMenus.map(({ locked }) => locked.name).join(', ');
  return [`desktop menus are not made: ${names}`];
}
