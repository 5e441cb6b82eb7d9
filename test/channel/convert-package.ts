// Makes one conda package from unpacked Debian packages.
import path from 'node:path';
import { digestText } from '../../src/system/files.ts';
import { absoluteRpath, adaptPackage } from './adapt-package.ts';
import { compilePyc } from './compile-pyc.ts';
import { packageTimestamp, writeCondaPackage, type PackageIndex, type PackageRecord } from './conda-package.ts';
import { readEntryPoints, renderEntryPoint } from './entry-points.ts';
import { readPackageTree, sitePackages, type PackageTree } from './package-tree.ts';
import { placeholderPrefix } from './placeholder.ts';
import type { PlannedPackage } from './plan-packages.ts';
import { isElf, relocateElfs } from './relocate-elf.ts';
import { relocateTexts } from './relocate-text.ts';
import type { PackageEntry } from './tar-archive.ts';

export interface Conversion {
  readonly plan: PlannedPackage;
  /** Of `plan.debs`, in that order. */
  readonly unpackedDirs: readonly string[];
  /** See `listFhsPaths`, of all packages of the channel. */
  readonly known: ReadonlySet<string>;
  /** Where the archive goes, below its subdir. */
  readonly channelDir: string;
  /** A directory that does not exist yet; what is in it afterwards is rubbish. */
  readonly workDir: string;
}

export async function convertPackage({
  plan,
  unpackedDirs,
  known,
  channelDir,
  workDir,
}: Conversion): Promise<PackageRecord> {
  const placeholder = placeholderPrefix(plan.name);
  const tree = await readPackageTree(unpackedDirs, known);
  const noarch = classify(plan, tree);
  await relocateElfs(tree, absoluteRpath.has(plan.name) ? placeholder : undefined, path.join(workDir, 'elf'));
  await adaptPackage(plan.name, tree, placeholder, path.join(workDir, 'adapt'));
  relocateTexts(tree, placeholder, known);
  const entryPoints = readEntryPoints(tree);
  if (noarch === 'python') moveToNoarchPython(tree, entryPoints);
  else {
    for (const entryPoint of entryPoints) addEntryPoint(tree, entryPoint, placeholder);
    await compilePyc(tree, path.join(workDir, 'pyc'));
  }
  const index = indexOf(plan, noarch, hasPython(tree, noarch));
  return writeCondaPackage({
    dir: channelDir,
    format: isTarBz2(plan.name, tree) ? 'tar.bz2' : 'conda',
    index,
    files: toEntries(tree, placeholder),
    entryPoints: noarch === 'python' ? entryPoints : [],
    about: {
      description: `converted from Debian's ${plan.debs.map((deb) => `${deb.name} ${deb.version}`).join(', ')}`,
      home: plan.homepage,
      summary: plan.summary,
    },
  });
}

function classify(plan: PlannedPackage, tree: PackageTree): PackageIndex['noarch'] {
  const hasElf = [...tree.values()].some((entry) => entry.type === 'file' && isElf(entry.data));
  if (hasElf || plan.debs.some((deb) => deb.architecture !== 'all')) return undefined;
  return [...tree.keys()].some((file) => file.startsWith(sitePackages)) ? 'python' : 'generic';
}

function hasPython(tree: PackageTree, noarch: PackageIndex['noarch']): boolean {
  return noarch === 'python' || [...tree.keys()].some((file) => file.startsWith(sitePackages));
}

function indexOf(plan: PlannedPackage, noarch: PackageIndex['noarch'], ownsModules: boolean): PackageIndex {
  const digest = digestText(plan.debs.map((deb) => `${deb.name}=${deb.version}`).join()).slice(0, 7);
  const isPython = plan.name === 'python';
  const [kind, python] =
    noarch === 'python'
      ? ['pyh', ['python >=3.11']]
      : isPython || !ownsModules
        ? ['h', plan.needsPython && !isPython ? ['python'] : []]
        : ['py311h', ['python >=3.11,<3.12.0a0', 'python_abi 3.11.* *_cp311']];
  return {
    name: plan.name,
    version: plan.version,
    build: `${kind}${digest}_0${isPython ? '_cpython' : ''}`,
    build_number: 0,
    subdir: noarch ? 'noarch' : 'linux-64',
    ...(noarch ? { noarch } : {}),
    depends: [...plan.depends, ...python].sort(),
    ...(isPython ? { constrains: ['python_abi 3.11.* *_cp311'] } : {}),
    license: 'LicenseRef-Debian',
    timestamp: packageTimestamp,
  };
}

/** CEP 20: the linker puts site-packages/ and python-scripts/ where the environment's Python wants them, and makes the entry points. */
function moveToNoarchPython(tree: PackageTree, entryPoints: readonly string[]): void {
  const made = new Set(entryPoints.map((entryPoint) => `bin/${entryPoint.split(' = ')[0] ?? ''}`));
  for (const [file, entry] of [...tree]) {
    const moved = file.startsWith(sitePackages)
      ? file.replace(sitePackages, 'site-packages/')
      : file.startsWith('bin/') && entry.type === 'file' && entry.replace === 'text'
        ? file.replace('bin/', 'python-scripts/')
        : file;
    if (moved === file && !made.has(file)) continue;
    tree.delete(file);
    if (!made.has(file)) tree.set(moved, entry);
  }
}

function addEntryPoint(tree: PackageTree, entryPoint: string, placeholder: string): void {
  const { name, text } = renderEntryPoint(entryPoint, placeholder);
  if (tree.has(`bin/${name}`)) return;
  tree.set(`bin/${name}`, { type: 'file', data: Buffer.from(text), mode: 0o755, replace: 'text' });
}

/** Some small ones, always the same, are in the older format: both must be read. */
function isTarBz2(name: string, tree: PackageTree): boolean {
  const bytes = [...tree.values()].reduce((sum, entry) => sum + (entry.type === 'file' ? entry.data.length : 0), 0);
  return bytes < 2_000_000 && Number.parseInt(digestText(name).slice(0, 4), 16) % 8 === 0;
}

function toEntries(tree: PackageTree, placeholder: string): PackageEntry[] {
  return [...tree]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, entry]): PackageEntry => {
      if (entry.type === 'symlink') return { ...entry, path: file };
      const { data, mode, replace } = entry;
      return {
        type: 'file',
        path: file,
        data,
        mode,
        ...(replace ? { placeholder: { text: placeholder, mode: replace } } : {}),
      };
    });
}
