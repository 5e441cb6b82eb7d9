// Real archives in a temp directory, installed by our own linker.
import { mkdir, mkdtemp, readFile, lstat, readlink, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { openExtractedCache } from '../../../src/conda/extracted-cache.ts';
import { installArchives } from '../../../src/conda/install-archives.ts';
import type { InstalledPrefix, InstallRequest, RunInside } from '../../../src/conda/installer.ts';
import type { LockedPackage } from '../../../src/conda/lock.ts';
import { spoolArchives, type SpooledPrefix, type SpoolRequest } from '../../../src/conda/spool-archives.ts';
import { unpackPackages } from '../../../src/conda/unpack-packages.ts';
import { digestFile, walkTree } from '../../../src/system/files.ts';
import type { WorkEvent } from '../../../src/system/events.ts';
import {
  packageTimestamp,
  writeCondaPackage,
  type CondaPackage,
  type PackageIndex,
} from '../../channel/conda-package.ts';

export type PackageToMake = Omit<CondaPackage, 'dir' | 'index' | 'format'> & {
  readonly name: string;
  readonly format?: CondaPackage['format'];
  readonly index?: Partial<PackageIndex>;
};

/** For packages of which nothing has to run. */
const runNothing: RunInside = ({ program }) => Promise.reject(new Error(`${program} must not run`));

export class LinkFixture {
  readonly dir: string;
  readonly prefixOnDisk: string;
  readonly prefixInside = '/opt/conda/analysis3-26.11';
  readonly events: WorkEvent[] = [];
  readonly #packages: LockedPackage[] = [];
  readonly #archives = new Map<string, string>();

  constructor(dir: string) {
    this.dir = dir;
    this.prefixOnDisk = path.join(dir, 'prefix');
  }

  static async make(): Promise<LinkFixture> {
    return new LinkFixture(await mkdtemp(path.join(os.tmpdir(), 'condense-link-')));
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Makes a package of version 1.0, build 0. */
  async add(wanted: PackageToMake): Promise<LockedPackage> {
    const { name, format = 'conda', index, ...rest } = wanted;
    const full: PackageIndex = {
      name,
      version: '1.0',
      build: '0',
      build_number: 0,
      subdir: index?.noarch ? 'noarch' : 'linux-64',
      depends: [],
      timestamp: packageTimestamp,
      ...index,
    };
    const record = await writeCondaPackage({ dir: path.join(this.dir, 'channel'), format, index: full, ...rest });
    return await this.addFile(path.join(this.dir, 'channel', full.subdir, record.fileName), full);
  }

  /** Takes an archive as it is. */
  async addFile(
    file: string,
    index: Pick<PackageIndex, 'name' | 'version' | 'build' | 'subdir'>,
  ): Promise<LockedPackage> {
    const sha256 = await digestFile(file);
    const locked: LockedPackage = {
      name: index.name,
      version: index.version,
      build: index.build,
      buildNumber: 0,
      channel: 'https://channel.example/main',
      subdir: index.subdir,
      url: `https://channel.example/main/${index.subdir}/${path.basename(file)}`,
      sha256,
    };
    this.#packages.push(locked);
    this.#archives.set(sha256, file);
    return locked;
  }

  async install(changes: Partial<Omit<InstallRequest, 'cacheDir'>> = {}): Promise<InstalledPrefix> {
    const { prefixOnDisk } = this;
    return await installArchives(
      { ...this.#request(), prefixOnDisk, runInside: runNothing, ...changes },
      this.#archives,
    );
  }

  /** The archives of all packages, by sha256. */
  get archives(): ReadonlyMap<string, string> {
    return this.#archives;
  }

  /** Into a directory that is not looked at, from the cache of extracted packages or into it, in threads of their own. */
  async unpackInThreads(cache: string): Promise<void> {
    const scratch = path.join(this.dir, 'in-threads');
    await mkdir(scratch);
    const extracted = await openExtractedCache({ dir: cache, mayHardLink: true }, scratch);
    if (typeof extracted === 'string') throw new Error(extracted);
    const { prefixInside } = this;
    await unpackPackages({
      ...{ packages: this.#packages, archives: this.#archives, scratch, prefixInside, extracted, threads: 2 },
      report: (event) => this.events.push(event),
    });
  }

  /** The same prefix without a tree; or why not. */
  async spool(changes: Partial<SpoolRequest> = {}): Promise<SpooledPrefix | string> {
    return await spoolArchives({ ...this.#request(), ...changes }, this.#archives, path.join(this.dir, 'spool'));
  }

  #request(): SpoolRequest {
    return {
      lock: {
        lockVersion: 1,
        platform: 'linux-64',
        inputsDigest: '0',
        channels: ['https://channel.example/main'],
        virtualPackages: {},
        packages: this.#packages,
      },
      requestedSpecs: [],
      prefixInside: this.prefixInside,
      report: (event) => this.events.push(event),
    };
  }

  async text(relative: string): Promise<string> {
    return await readFile(path.join(this.prefixOnDisk, relative), 'utf8');
  }
}

/** Everything below a directory: kind, mode, time, and contents or target, by path. */
export async function readTree(root: string): Promise<Record<string, string>> {
  const tree: Record<string, string> = {};
  // Not readdir's own `recursive`: that one follows links.
  for await (const { path: relative } of walkTree(root)) {
    const file = path.join(root, relative);
    const at = await lstat(file);
    const what = at.isDirectory() ? 'directory' : at.isSymbolicLink() ? await readlink(file) : await digestFile(file);
    tree[relative] = `${at.mode.toString(8)} ${at.mtimeMs} ${what}`;
  }
  return tree;
}
