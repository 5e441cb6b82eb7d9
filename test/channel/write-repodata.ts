// Writes the index of a conda channel: repodata.json and repodata.json.zst of each subdir, and channeldata.json.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import zlib from 'node:zlib';
import type { PackageRecord } from './conda-package.ts';

/**
 * Replaces the index of the channel at `dir` by one of exactly these packages. `noarch` and `linux-64` are
 * written even when empty: clients ask for both.
 */
export async function writeRepodata(dir: string, records: readonly PackageRecord[]): Promise<void> {
  const subdirs = new Set(['linux-64', 'noarch', ...records.map((record) => record.index.subdir)]);
  for (const subdir of subdirs) {
    const text = renderRepodata(
      subdir,
      records.filter((record) => record.index.subdir === subdir),
    );
    await mkdir(path.join(dir, subdir), { recursive: true });
    await writeFile(path.join(dir, subdir, 'repodata.json'), text);
    await writeFile(path.join(dir, subdir, 'repodata.json.zst'), zlib.zstdCompressSync(text));
  }
  const channel = { channeldata_version: 1, packages: {}, subdirs: [...subdirs].sort() };
  await writeFile(path.join(dir, 'channeldata.json'), `${JSON.stringify(channel)}\n`);
}

/** repodata.json, sorted by file name: .tar.bz2 below `packages`, .conda below `packages.conda`. */
export function renderRepodata(subdir: string, records: readonly PackageRecord[]): string {
  const section = (ending: string): Record<string, unknown> =>
    Object.fromEntries(
      records
        .filter((record) => record.fileName.endsWith(ending))
        .sort((a, b) => (a.fileName < b.fileName ? -1 : 1))
        .map(({ fileName, index, md5, sha256, size }) => [fileName, { ...index, md5, sha256, size }]),
    );
  const repodata = {
    info: { subdir },
    packages: section('.tar.bz2'),
    'packages.conda': section('.conda'),
    removed: [],
    repodata_version: 1,
  };
  return `${JSON.stringify(repodata, null, 1)}\n`;
}
