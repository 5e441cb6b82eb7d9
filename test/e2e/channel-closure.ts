// Packages of the test channel with all that they depend on, for tests that link them without a solve.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { dependencyName } from '../../src/conda/link-order.ts';
import type { PackageIndex } from '../channel/conda-package.ts';

interface ChannelPackage {
  readonly file: string;
  readonly index: PackageIndex;
}

export async function readChannel(dir: string): Promise<Map<string, ChannelPackage>> {
  const packages = new Map<string, ChannelPackage>();
  for (const subdir of ['linux-64', 'noarch']) {
    const repodata = JSON.parse(await readFile(path.join(dir, subdir, 'repodata.json'), 'utf8')) as Record<
      'packages' | 'packages.conda',
      Record<string, PackageIndex>
    >;
    for (const [fileName, index] of Object.entries({ ...repodata.packages, ...repodata['packages.conda'] }))
      packages.set(index.name, { file: path.join(dir, subdir, fileName), index: { ...index, subdir } });
  }
  return packages;
}

export function closure(packages: ReadonlyMap<string, ChannelPackage>, names: readonly string[]): ChannelPackage[] {
  const found = new Set<ChannelPackage>();
  const add = (name: string): void => {
    const one = packages.get(name);
    if (!one || found.has(one)) return;
    found.add(one);
    for (const spec of one.index.depends) add(dependencyName(spec) ?? '');
  };
  for (const name of names) add(name);
  return [...found];
}
