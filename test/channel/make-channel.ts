// Makes the conda channel that the end-to-end tests install from, out of the Debian packages that apt has, and caches it.
// Run: node test/channel/make-channel.ts [--cache DIR] [--large]   prints the channel's directory
import { link, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, homedir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import pLimit from 'p-limit';
import type { Report } from '../../src/system/events.ts';
import { errorMessage } from '../../src/system/app-error.ts';
import { digestText, lstatIfThere, pathExists } from '../../src/system/files.ts';
import { packageTimestamp, writeCondaPackage, type PackageRecord } from './conda-package.ts';
import { convertPackage } from './convert-package.ts';
import { prunedPackages, rootPackages } from './debian-roots.ts';
import { fetchDebs, readAvailable, unpackDebs } from './fetch-debs.ts';
import { largePrunedPackages, largeRootPackages } from './large-roots.ts';
import { listFhsPaths } from './package-tree.ts';
import { planClosure } from './plan-closure.ts';
import { planPackages, type PlannedPackage } from './plan-packages.ts';
import { showProgress } from './show-progress.ts';
import { writeRepodata } from './write-repodata.ts';

export interface TestChannelOptions {
  /** Default: `condense/test-channel` in the user's cache directory. Safe to delete. */
  readonly cacheDir?: string | undefined;
  /** The one for measurements, with over 100,000 paths. */
  readonly large?: boolean | undefined;
  readonly report?: Report | undefined;
}

/**
 * The channel's directory, made now or earlier by the same converter. Complete whenever it exists: two makers
 * at once, or one that is killed, harm nothing; what a killed one has converted is used by the next.
 * Needs, of Debian 12: apt's lists, dpkg, patchelf, gcc, libc6-dev, libpython3.11-dev, python3.11, bzip2.
 * @throws Error or AppError when a tool or a package is missing
 */
export async function ensureTestChannel(options: TestChannelOptions = {}): Promise<{ dir: string }> {
  const cache = process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache');
  const root = path.resolve(options.cacheDir ?? path.join(cache, 'condense/test-channel'));
  const { roots, pruned, key } = await planMaking(options.large ?? false);
  const dir = path.join(root, key);
  if (await pathExists(dir)) return { dir };
  await mkdir(root, { recursive: true });
  await removeAbandoned(root);
  const work = await mkdtemp(path.join(root, '.work-'));
  try {
    await makeChannel({ root, roots, pruned, key, work, report: options.report ?? (() => undefined) });
    await rename(path.join(work, 'channel'), dir).catch((error: unknown) => {
      // Somebody else was faster, with the same converter.
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return { dir };
}

interface Making {
  readonly root: string;
  readonly roots: readonly string[];
  readonly pruned: ReadonlySet<string>;
  /** Of all that the channel is made by and of. */
  readonly key: string;
  readonly work: string;
  readonly report: Report;
}

async function planMaking(large: boolean): Promise<Pick<Making, 'roots' | 'pruned' | 'key'>> {
  const converter = await converterDigest();
  if (!large) return { roots: rootPackages, pruned: prunedPackages, key: converter };
  const roots = [...rootPackages, ...largeRootPackages];
  const pruned = [...prunedPackages, ...largePrunedPackages].filter((name) => !roots.includes(name));
  return {
    roots,
    pruned: new Set(pruned),
    key: `large-${digestText([converter, ...roots, ...pruned].join()).slice(0, 16)}`,
  };
}

async function makeChannel(making: Making): Promise<void> {
  const { root, roots, pruned, work, report } = making;
  const workers = Math.min(3, availableParallelism());
  const debsDir = path.join(root, 'debs');
  const closure = planClosure(await readAvailable(), roots, pruned);
  report({ type: 'note', text: `${closure.packages.length} Debian packages` });
  await fetchDebs(closure.packages, debsDir);
  const unpacked = await unpackDebs(closure.packages, debsDir, path.join(work, 'debs'), workers);
  report({ type: 'note', text: 'downloaded and unpacked' });
  const known = await listFhsPaths([...unpacked.values()]);
  const plans = planPackages(closure);
  const resolved = closure.packages.map((deb) => `${deb.name}=${deb.version}`);
  const limit = pLimit(workers);
  let done = 0;
  const results = await Promise.allSettled(
    plans.map((plan) =>
      limit(async () => {
        const unpackedDirs = plan.debs.map((deb) => unpacked.get(deb.name) ?? '');
        const workDir = path.join(work, 'packages', plan.name);
        const record = await convertOnce(making, plan, digestText(resolved.join()), (channelDir) =>
          convertPackage({ plan, unpackedDirs, known, channelDir, workDir }),
        );
        await rm(workDir, { recursive: true, force: true });
        report({ type: 'progress', stage: plan.name, done: ++done, total: plans.length, unit: 'packages' });
        return record;
      }),
    ),
  );
  // Settled, not the first failure: nobody may still write to `work` when it is removed.
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (failures.length > 0) throw new AggregateError(failures, failures.map(errorMessage).join('\n'));
  const records = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const channel = path.join(work, 'channel');
  const matplotlib = records.find((record) => record.index.name === 'matplotlib-base');
  if (!matplotlib) throw new Error('the channel lacks matplotlib-base');
  await writeRepodata(channel, [...records, await writePythonAbi(channel), await writeMatplotlib(channel, matplotlib)]);
  await writeFile(path.join(channel, 'resolved.json'), `${JSON.stringify(resolved, null, 1)}\n`);
}

/** Converts a package, or takes what an interrupted run made of the same input; either way it is in the new channel afterwards. */
async function convertOnce(
  { root, key, work }: Making,
  plan: PlannedPackage,
  resolvedDigest: string,
  convert: (channelDir: string) => Promise<PackageRecord>,
): Promise<PackageRecord> {
  const part = path.join(root, `parts-${key}`, `${plan.name}-${resolvedDigest.slice(0, 16)}`);
  if (!(await pathExists(part))) {
    const aside = path.join(work, 'parts', plan.name);
    await mkdir(aside, { recursive: true });
    await writeFile(path.join(aside, 'record.json'), JSON.stringify(await convert(aside)));
    await mkdir(path.dirname(part), { recursive: true });
    await rename(aside, part).catch((error: unknown) => {
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    });
  }
  const record = JSON.parse(await readFile(path.join(part, 'record.json'), 'utf8')) as PackageRecord;
  const subdir = path.join(work, 'channel', record.index.subdir);
  await mkdir(subdir, { recursive: true });
  await link(path.join(part, record.index.subdir, record.fileName), path.join(subdir, record.fileName));
  return record;
}

/** The empty package that conda-forge ties extension modules to one Python with. */
function writePythonAbi(dir: string): Promise<PackageRecord> {
  return writeCondaPackage({
    dir,
    format: 'conda',
    index: {
      name: 'python_abi',
      version: '3.11',
      build: '4_cp311',
      build_number: 4,
      subdir: 'noarch',
      noarch: 'generic',
      depends: [],
      constrains: ['python 3.11.* *_cpython'],
      timestamp: packageTimestamp,
    },
    files: [],
  });
}

/** conda-forge's `matplotlib` is empty too: it brings matplotlib-base, there with a window toolkit. */
function writeMatplotlib(dir: string, base: PackageRecord): Promise<PackageRecord> {
  const { version } = base.index;
  return writeCondaPackage({
    dir,
    format: 'tar.bz2',
    index: {
      name: 'matplotlib',
      version,
      build: 'py311h0_0',
      build_number: 0,
      subdir: 'linux-64',
      depends: [`matplotlib-base >=${version},<${version}.post1`],
      timestamp: packageTimestamp,
    },
    files: [],
  });
}

/** Of the converter's own files; what only serves, shows or names the large channel's packages is not part of it. */
async function converterDigest(): Promise<string> {
  const here = import.meta.dirname;
  const others = ['serve-channel.ts', 'show-progress.ts', 'large-roots.ts'];
  const names = (await readdir(here)).filter((name) => !others.includes(name)).sort();
  const texts = await Promise.all(names.map((name) => readFile(path.join(here, name), 'utf8')));
  return digestText(JSON.stringify([names, texts])).slice(0, 16);
}

/** Working directories of runs that were killed: none works for a day. */
async function removeAbandoned(root: string): Promise<void> {
  const yesterday = Date.now() - 24 * 3600 * 1000;
  for (const name of await readdir(root)) {
    const dir = path.join(root, name);
    // Another maker may remove its own while we look.
    const at = name.startsWith('.work-') ? await lstatIfThere(dir) : undefined;
    if (at && at.mtimeMs < yesterday) await rm(dir, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { cache: { type: 'string' }, large: { type: 'boolean' } } });
  const { dir } = await ensureTestChannel({
    cacheDir: values.cache,
    large: values.large,
    report: showProgress(process.stderr),
  });
  process.stdout.write(`${dir}\n`);
}
