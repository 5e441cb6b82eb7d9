// Other programs as installers: a stand-in that shows what they are asked and given, and the real ones where they are on PATH.
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { InstalledPrefix, InstallRequest } from '../../../src/conda/installer.ts';
import type { LockedPackage } from '../../../src/conda/lock.ts';
import { nativeInstaller } from '../../../src/conda/native-installer.ts';
import { planOtherInstall } from '../../../src/conda/other-installer-plan.ts';
import { otherInstaller } from '../../../src/conda/other-installer.ts';
import { readInstallerProgram, type InstallerProgram } from '../../../src/site/installer-program.ts';
import type { WorkEvent } from '../../../src/system/events.ts';
import { findProgram } from '../../../src/system/find-program.ts';
import { packageTimestamp, writeCondaPackage, type CondaPackage } from '../../channel/conda-package.ts';
import { startableContainer } from './link-container.ts';
import { readTree } from './link-fixture.ts';

const prefixInside = '/opt/conda/analysis3-26.11';
const placeholder = '/home/conda/feedstock_root/build_artifacts/tool/_h_env_placehold';

let dir: string;
let events: WorkEvent[];
let packages: LockedPackage[];
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-other-'));
  events = [];
  packages = [];
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function add(
  name: string,
  files: CondaPackage['files'],
  format: CondaPackage['format'] = 'tar.bz2',
): Promise<void> {
  const index = {
    ...{ name, version: '1.0', build: '0', build_number: 2, subdir: 'linux-64', depends: [], license: 'MIT' },
    timestamp: packageTimestamp,
  };
  const made = await writeCondaPackage({ dir: path.join(dir, 'channel'), format, index, files });
  packages.push({
    ...{
      name,
      version: '1.0',
      build: '0',
      buildNumber: 2,
      subdir: 'linux-64',
      channel: pathToFileURL(`${dir}/channel`).href,
    },
    url: pathToFileURL(path.join(dir, 'channel/linux-64', made.fileName)).href,
    ...{ sha256: made.sha256, md5: made.md5, sizeBytes: made.size },
  });
}

/** The stand-in under the name of the program. @param fails shell text that it runs instead of installing */
async function standIn(fails?: string): Promise<InstallerProgram> {
  const bin = path.join(dir, 'bin');
  await mkdir(bin, { recursive: true });
  await cp(path.join(import.meta.dirname, 'installer-stand-in.sh'), path.join(bin, 'micromamba'));
  await rm(path.join(bin, 'STAND_IN_FAILS'), { force: true });
  if (fails !== undefined) await writeFile(path.join(bin, 'STAND_IN_FAILS'), fails);
  return await readProgram(path.join(bin, 'micromamba'), [`${bin}:${bin}:ro`]);
}

async function readProgram(program: string, binds?: readonly string[]): Promise<InstallerProgram> {
  const found = await readInstallerProgram({ file: 'install_config.yaml', installerProgram: program });
  if (!found) throw new Error('no program');
  return { ...found, binds: binds ?? found.binds };
}

async function install(
  program: InstallerProgram | undefined,
  name: string,
  more: Partial<InstallRequest> = {},
): Promise<InstalledPrefix> {
  const prefixOnDisk = path.join(dir, name);
  await mkdir(prefixOnDisk);
  const runInside = await startableContainer(
    path.join(dir, `box of ${name}`),
    prefixOnDisk,
    prefixInside,
    program?.binds,
  );
  return await (program ? otherInstaller(program) : nativeInstaller).install({
    lock: {
      ...{ lockVersion: 1, platform: 'linux-64', inputsDigest: '0', virtualPackages: {}, packages },
      channels: [pathToFileURL(`${dir}/channel`).href],
    },
    requestedSpecs: ['tool'],
    pinnedSpecs: ['tool <2'],
    ...{
      prefixOnDisk,
      prefixInside,
      cacheDir: path.join(dir, 'cache'),
      runInside,
      report: (event) => events.push(event),
    },
    ...more,
  });
}

describe('another program (a stand-in)', () => {
  it('runs in the container, offline, with nothing of the user, and gets the verified archives', async () => {
    await add('tool', [{ type: 'file', path: 'share/tool', data: 'x' }]);

    const program = await standIn();
    const installed = await install(program, 'prefix');

    const called = await readFile(path.join(dir, 'prefix/called'), 'utf8');
    expect(called.split('\n')[0]).toBe(`args ${planOtherInstall(program, prefixInside).args.slice(3).join(' ')}`);
    expect(called).toMatch(/^0022$/m);
    expect(called).toMatch(new RegExp(`^HOME=${prefixInside}/.condense-installer/home$`, 'm'));
    expect(called).not.toMatch(/^(?:CONDA|http|https|all)_?\w*=/im);
    expect(called).toMatch(/^history 0$/m);
    expect(installed).toMatchObject({ packages: 1, notes: ['installed by micromamba 2.0.5'] });
    expect(Object.keys(await readTree(path.join(dir, 'prefix')))).toEqual([
      ...['called', 'conda-meta', 'conda-meta/history', 'conda-meta/pinned', 'conda-meta/tool-1.0-0.json'],
      ...['made', 'share', 'share/tool'],
    ]);
  });

  it('leaves the same prefix each time but for what the program wrote itself, and records as ours', async () => {
    await add('tool', [{ type: 'file', path: 'share/tool', data: 'x' }]);
    const program = await standIn();
    await install(program, 'first');
    await install(program, 'second');
    await install(undefined, 'own');

    const settled = async (name: string): Promise<Record<string, string>> => {
      const { called, made, ...rest } = await readTree(path.join(dir, name));
      // What the stand-in wrote differs, its time does not.
      expect(`${called ?? '- - -'} ${made ?? '- - -'}`.split(' ')[1]).toMatch(/^1717200000000$|^-$/);
      return rest;
    };
    expect(await settled('second')).toEqual(await settled('first'));
    const record = async (name: string): Promise<unknown> => {
      const written = JSON.parse(await readFile(path.join(dir, name, 'conda-meta/tool-1.0-0.json'), 'utf8')) as object;
      return { ...written, paths_data: undefined };
    };
    expect(await record('first')).toEqual(await record('own'));
    for (const file of ['conda-meta/history', 'conda-meta/pinned', 'share/tool'])
      expect((await settled('first'))[file], file).toBe((await settled('own'))[file]);
  });

  it('that fails, is killed, or leaves something else, is reported with its own words', async () => {
    await add('tool', [{ type: 'file', path: 'share/tool', data: 'x' }]);
    const failure = async (name: string, text: string): Promise<string> => {
      try {
        await install(await standIn(text), name);
      } catch (error) {
        return `${(error as { problems: { code: string }[] }).problems[0]?.code ?? ''} ${String(error)}`;
      }
      return 'installed';
    };

    expect(await failure('a', 'echo "error    libmamba no such package" >&2; exit 3')).toMatch(
      /^INSTALLER_FAILED [^]*micromamba 2\.0\.5[^]*exit code 3[^]*error {4}libmamba no such package/,
    );
    expect(await failure('b', 'kill -9 $$')).toMatch(/^INSTALLER_FAILED [^]*(?:SIGKILL|exit code 137)/);
    expect(await failure('c', 'exit 0')).toMatch(/conda-meta is not of the lock: tool-1\.0-0\.json is missing/);
    expect(await failure('d', 'echo "{}" >"$prefix/conda-meta/other-1-0.json"')).toMatch(
      /other-1-0\.json is not locked/,
    );
  });

  it('removes nothing outside, whatever its records say of bytecode', async () => {
    await add('tool', [{ type: 'file', path: 'share/tool', data: 'x' }]);
    await mkdir(path.join(dir, 'outside'));
    await writeFile(path.join(dir, 'outside/kept.pyc'), 'k');
    const listing = (at: string): string => `extra='{"_path":"${at}","path_type":"pyc_file"}'`;

    await expect(install(await standIn(listing('../outside/kept.pyc')), 'a')).rejects.toMatchObject({
      problems: [{ code: 'PACKAGE_INVALID' }],
    });
    const link = `ln -s '${dir}/outside' "$prefix/link"; ${listing('link/kept.pyc')}`;
    await expect(install(await standIn(link), 'b')).rejects.toMatchObject({ problems: [{ code: 'PACKAGE_HOSTILE' }] });
    expect(await readFile(path.join(dir, 'outside/kept.pyc'), 'utf8')).toBe('k');
  });

  it('cannot change the archives in the cache, which other builds trust', async () => {
    await add('tool', [{ type: 'file', path: 'share/tool', data: 'x' }]);
    const spoil = 'for archive in "$prefix"/.condense-installer/channel/*/*; do echo y >>"$archive"; done; exit 3';

    await expect(install(await standIn(spoil), 'prefix')).rejects.toThrow();

    const { sha256 = '' } = packages[0] ?? {};
    const cached = await readFile(path.join(dir, 'cache', sha256.slice(0, 2), `${sha256}.tar.bz2`));
    expect(createHash('sha256').update(cached).digest('hex')).toBe(sha256);
  });

  it('gets what the disk has damaged in the cache fetched again', async () => {
    await add('tool', [{ type: 'file', path: 'share/tool', data: 'x' }]);
    const { sha256, sizeBytes } = packages[0] ?? { sha256: '' };
    await mkdir(path.join(dir, 'cache', sha256.slice(0, 2)), { recursive: true });
    await writeFile(path.join(dir, 'cache', sha256.slice(0, 2), `${sha256}.tar.bz2`), Buffer.alloc(sizeBytes ?? 0));

    await install(await standIn(), 'prefix');

    expect(await readFile(path.join(dir, 'prefix/share/tool'), 'utf8')).toBe('x');
    expect(events).toContainEqual({ type: 'warning', text: expect.stringMatching(/damaged/) as string });
  });
});

describe('the program of a site', () => {
  const refusal = (installerProgram: string): Promise<unknown> =>
    readInstallerProgram({ file: 'install_config.yaml', installerProgram }).then(
      () => 'accepted',
      (error: unknown) => (error as { problems: { code: string }[] }).problems[0]?.code,
    );

  it('is refused where it is missing or is something else', async () => {
    expect(await refusal(path.join(dir, 'micromamba'))).toBe('INSTALLER_MISSING');
    await symlink('/bin/bash', path.join(dir, 'micromamba'));
    expect(await refusal(path.join(dir, 'micromamba'))).toBe('INSTALLER_UNKNOWN');
    await mkdir(path.join(dir, 'a,b'));
    await cp('/bin/true', path.join(dir, 'a,b/micromamba'));
    expect(await refusal(path.join(dir, 'a,b/micromamba'))).toBe('INSTALLER_UNUSABLE');
  });

  it('is bound whole where it is a conda installation, alone where it is one file', async () => {
    const program = await standIn();
    const alone = await readProgram(program.program);
    expect(alone.binds).toEqual([`${program.program}:${program.program}:ro`]);
    await mkdir(path.join(dir, 'conda-meta'));
    expect((await readProgram(program.program)).binds).toEqual([`${dir}:${dir}:ro`]);
  });
});

// Only where there is such a program: a test that is skipped would say nothing.
for (const name of ['micromamba', 'mamba', 'conda']) {
  const found = await findProgram(name);
  if (found !== undefined) {
    describe(`the real ${name}`, () => {
      it('makes the tree that condense makes: paths, modes, links and bytes', async () => {
        await add('tool', [
          { type: 'file', path: 'share/tool', data: 'x' },
          {
            type: 'file',
            path: 'bin/tool',
            mode: 0o755,
            data: `#!${placeholder}/bin/sh\n`,
            placeholder: { text: placeholder, mode: 'text' },
          },
          { type: 'symlink', path: 'share/link', target: 'tool' },
        ]);
        await add('lib', [{ type: 'file', path: 'lib/lib.so', data: 'y' }], 'conda');
        await install(await readProgram(name), 'theirs');
        await install(undefined, 'ours');

        const tree = async (of: string): Promise<unknown> =>
          Object.entries(await readTree(path.join(dir, of)))
            .filter(([file]) => !file.startsWith('conda-meta/'))
            .map(([file, what]) => [file, what.split(' ').toSpliced(1, 1)]);
        expect(await tree('theirs')).toEqual(await tree('ours'));
      });
    });
  }
}
