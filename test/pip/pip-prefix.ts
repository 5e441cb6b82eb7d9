// A prefix with the test channel's real python and pip, in a real container, for pip sections of one test each.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { EnvironmentLock, LockedDistribution } from '../../src/conda/lock.ts';
import type { Login } from '../../src/conda/netrc.ts';
import { readCondaPrefix, type CondaPrefix } from '../../src/pip/conda-prefix.ts';
import { installWheels } from '../../src/pip/install-wheels.ts';
import { copyLocalSources } from '../../src/pip/local-sources.ts';
import { planPipAccess, type PipAccess } from '../../src/pip/pip-access.ts';
import { digestPipInputs, readPipSection, type PipSection } from '../../src/pip/pip-section.ts';
import { resolveDistributions } from '../../src/pip/resolve.ts';
import { writePipScratch, type PipScratch } from '../../src/pip/run-pip.ts';
import { writeWheels, type Wheel } from '../../src/pip/wheels.ts';
import type { CommandResult } from '../../src/system/run-command.ts';
import { ensureTestChannel } from '../channel/make-channel.ts';
import { closure, readChannel } from '../e2e/channel-closure.ts';
import { startableContainer } from '../integration/conda/link-container.ts';
import { LinkFixture } from '../integration/conda/link-fixture.ts';

const INSIDE = '/opt/conda/.pip';

export interface Asked {
  readonly logins?: readonly Login[];
  readonly networkVariables?: Readonly<Record<string, string>>;
  readonly authorities?: string;
}

interface Opened {
  readonly section: PipSection;
  readonly access: PipAccess;
  readonly scratch: PipScratch;
  readonly located: (path: string) => string;
  readonly prefix: CondaPrefix;
}

export class PipPrefix {
  readonly fixture: LinkFixture;
  /** Where environment.yml would be. */
  readonly dir: string;
  /** Notes and warnings, of all that was asked. */
  readonly said: string[] = [];
  #cache: string;
  readonly #run: PipScratch['runInside'];
  readonly #build: PipScratch['buildInside'];
  readonly #packages: EnvironmentLock['packages'];

  static async make(): Promise<PipPrefix> {
    const fixture = await LinkFixture.make();
    const channel = await readChannel((await ensureTestChannel()).dir);
    const packages = [];
    for (const { file, index } of closure(channel, ['python', 'pip', 'packaging', 'setuptools', 'wheel']))
      packages.push(await fixture.addFile(file, index));
    const site = 'lib/python3.11/site-packages';
    packages.push(
      await fixture.add({
        name: 'condatool',
        files: [
          { type: 'file', path: 'bin/condatool', mode: 0o755, data: '#!/bin/sh\n' },
          { type: 'file', path: `${site}/shared_module.py`, data: 'OWNER = "conda"\n' },
          {
            type: 'file',
            path: `${site}/Conda_Tool-1.5.dist-info/METADATA`,
            data: 'Metadata-Version: 2.1\nName: Conda.Tool\nVersion: 1.5\n',
          },
        ],
      }),
    );
    const scratch = path.join(fixture.dir, 'scratch');
    await mkdir(scratch);
    const { prefixOnDisk, prefixInside } = fixture;
    const run = await startableContainer(path.join(fixture.dir, 'container'), prefixOnDisk, prefixInside, [
      `${scratch}:${INSIDE}`,
    ]);
    await fixture.install({ runInside: run });
    const build = await startableContainer(
      path.join(fixture.dir, 'build-container'),
      prefixOnDisk,
      `${prefixInside}:ro`,
      [`${scratch}:${INSIDE}`],
    );
    return new PipPrefix(fixture, await mkdtemp(path.join(os.tmpdir(), 'condense-pip-')), { run, build }, packages);
  }

  private constructor(
    fixture: LinkFixture,
    dir: string,
    { run, build }: { readonly run: PipScratch['runInside']; readonly build: PipScratch['buildInside'] },
    packages: EnvironmentLock['packages'],
  ) {
    this.fixture = fixture;
    this.dir = dir;
    this.#cache = path.join(dir, 'cache');
    this.#run = run;
    this.#build = build;
    this.#packages = packages;
  }

  get specFile(): string {
    return path.join(this.dir, 'environment.yml');
  }

  /** A file beside environment.yml. */
  async write(name: string, text: string | Buffer): Promise<string> {
    const file = path.join(this.dir, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
    return file;
  }

  forgetCaches(): void {
    this.#cache = path.join(this.dir, `cache-${Math.random()}`);
  }

  get packageCache(): string {
    return path.join(this.#cache, 'packages');
  }

  /** Changes a byte of a file, and not its size. */
  async spoil(file: string): Promise<void> {
    const bytes = await readFile(file);
    bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
    await writeFile(file, bytes);
  }

  /** A program of the prefix, in the container. */
  async run(program: string, args: readonly string[]): Promise<CommandResult> {
    return await this.#run({
      program: `${this.fixture.prefixInside}/${program}`,
      args,
      env: { PATH: '/usr/bin:/bin', PYTHONDONTWRITEBYTECODE: '1', HOME: '/' },
    });
  }

  async section(lines: readonly string[]): Promise<PipSection> {
    const placed = lines.map((text, index) => ({ text, at: `environment.yml:${index + 5}:7` }));
    return await readPipSection(placed, this.specFile);
  }

  digest(section: PipSection): string {
    return digestPipInputs(section, this.#packages, 'linux-64');
  }

  async resolve(lines: readonly string[], asked: Asked = {}): Promise<readonly LockedDistribution[]> {
    const open = await this.#open(lines, asked);
    const { packageCache, specFile } = this;
    return await resolveDistributions({ ...open, packageCache, specFile, uploadLimit: [] });
  }

  async wheels(
    lines: readonly string[],
    distributions: readonly LockedDistribution[],
    asked: Asked = {},
  ): Promise<readonly Wheel[]> {
    return await this.#wheels(await this.#open(lines, asked), distributions);
  }

  /** @returns the notes */
  async install(
    lines: readonly string[],
    distributions: readonly LockedDistribution[],
    asked: Asked = {},
  ): Promise<readonly string[]> {
    const open = await this.#open(lines, asked);
    const wheels = await this.#wheels(open, distributions);
    return (await installWheels({ ...open, wheels, specFile: this.specFile })).notes;
  }

  async #wheels(open: Opened, distributions: readonly LockedDistribution[]): Promise<readonly Wheel[]> {
    return await writeWheels({
      ...open,
      distributions,
      lock: { packages: this.#packages, platform: 'linux-64' },
      packageCache: this.packageCache,
      wheelCache: path.join(this.#cache, 'wheels'),
      specFile: this.specFile,
      report: (event) => {
        if (event.type === 'note' || event.type === 'warning') this.said.push(event.text);
      },
    });
  }

  async #open(lines: readonly string[], { logins = [], networkVariables = {}, authorities }: Asked): Promise<Opened> {
    const section = await this.section(lines);
    const access = planPipAccess(section, logins);
    const scratch: PipScratch = {
      onDisk: path.join(this.fixture.dir, 'scratch'),
      inside: INSIDE,
      prefixOnDisk: this.fixture.prefixOnDisk,
      prefixInside: this.fixture.prefixInside,
      runInside: this.#run,
      buildInside: this.#build,
      networkVariables,
      authorities,
      names: new Map(),
    };
    await writePipScratch(scratch, access.netrc);
    const located = await copyLocalSources(section, scratch);
    return { section, access, scratch, located, prefix: await readCondaPrefix(this.fixture.prefixOnDisk) };
  }

  async remove(): Promise<void> {
    await this.fixture.remove();
    await rm(this.dir, { recursive: true, force: true });
  }
}
