// From verified package archives to a prefix: unpack, plan, link, scripts, bytecode, records.
import path from 'node:path';
import { EXIT } from '../system/exit-codes.ts';
import { chmod, digestFile, makeDir, mkdtemp, readdir, removeTree } from '../system/files.ts';
import { describeFullDisk } from '../system/system-error.ts';
import { settleTimes } from '../system/tree-writer.ts';
import { writeBytecode } from './bytecode.ts';
import { writeCondaMeta } from './conda-meta.ts';
import { openExtractedCache } from './extracted-cache.ts';
import type { InstallRequest, InstalledPrefix } from './installer.ts';
import { linkItems, throwIfInterrupted, type Linked } from './link.ts';
import type { LinkPlan } from './link-plan.ts';
import { reportPrefix, listPostLink, unpackAndPlan, type PlannedPrefix } from './plan-prefix.ts';
import { runPostLink } from './post-link.ts';
import { renderRecords } from './prefix-records.ts';
import type { PythonLayout } from './python-linking.ts';

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
  const { prefixOnDisk, prefixInside, report, signal } = request;
  await makeDir(prefixOnDisk);
  if ((await readdir(prefixOnDisk)).length > 0) throw new Error(`${prefixOnDisk} is not empty`);
  await chmod(prefixOnDisk, 0o755);
  // In the prefix, so that files are moved, not copied; no package may bring such a name.
  const scratch = await mkdtemp(path.join(prefixOnDisk, '.condense-unpack-'));
  const planned = await unpackShared(request, archives, scratch);
  const { packages, python, epochSeconds, plan } = planned;
  const told = reportPrefix(planned, report);
  const linked = await linkItems({ plan, prefixOnDisk, prefixInside, signal });
  await removeTree(scratch);

  const said = await runScripts(request, planned);
  throwIfInterrupted(signal);
  const times = new Map(plan.items.map((item) => [item.path, item.mtimeSeconds]));
  // Scripts write with the time of today. Before compiling: bytecode names the time of its source.
  if (listPostLink(planned).length > 0) settleTimes(prefixOnDisk, (at) => times.get(at), epochSeconds);
  const bytecode = await compile(request, plan, linked, python);
  throwIfInterrupted(signal);
  const rewritten = new Map(linked.rewritten);
  for (const pyc of bytecode.values())
    if (times.has(pyc)) rewritten.set(pyc, await digestFile(path.join(prefixOnDisk, pyc)));
  await writeCondaMeta(prefixOnDisk, renderRecords({ ...request, planned, rewritten, bytecode }));
  for (const [source, pyc] of bytecode) times.set(pyc, times.get(source) ?? epochSeconds);
  settleTimes(prefixOnDisk, (at) => times.get(at), epochSeconds);

  const notes = [...told, ...said];
  for (const text of notes) report({ type: 'note', text });
  return { packages: packages.length, files: linked.files + bytecode.size, bytes: linked.bytes, notes };
}

/** From the extracted packages of the site, where it has such; but never hard links where a script can write to them. */
async function unpackShared(
  request: Omit<InstallRequest, 'cacheDir'>,
  archives: ReadonlyMap<string, string>,
  scratch: string,
): Promise<PlannedPrefix> {
  const { extracted, report } = request;
  if (!extracted) return await unpackAndPlan(request, archives, scratch, false);
  const cache = await openExtractedCache(extracted, scratch);
  if (typeof cache === 'string') {
    report({ type: 'note', text: `${cache}: packages are unpacked` });
    return await unpackAndPlan(request, archives, scratch, false);
  }
  const shared = path.join(scratch, 'shared');
  await makeDir(shared);
  const planned = await unpackAndPlan(request, archives, shared, false, cache);
  const [script] = listPostLink(planned);
  if (cache.sharing === 'clone' || !script) return planned;
  report({
    type: 'note',
    text: `packages are unpacked, not hard-linked: ${script.locked.name} has a post-link script`,
  });
  await removeTree(shared);
  return await unpackAndPlan(request, archives, scratch, false);
}

async function runScripts(request: Omit<InstallRequest, 'cacheDir'>, planned: PlannedPrefix): Promise<string[]> {
  const { prefixOnDisk, prefixInside, runInside, signal } = request;
  const said: string[] = [];
  for (const one of listPostLink(planned)) {
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
