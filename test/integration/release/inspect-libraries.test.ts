// What doctor says after an upgrade of the host: real libraries, made by gcc, exchanged under a release that was built against others.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { inspectLibraries } from '../../../src/release/inspect-libraries.ts';
import { findMissingCommands } from '../../../src/site/outside-commands.ts';
import { makeObjects } from '../build/made-libraries.ts';

const kind = { x64: 'ELF64LE machine 62', arm64: 'ELF64LE machine 183' }[process.arch as 'x64' | 'arm64'];
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-upgrade-'));
  await makeObjects(path.join(dir, 'aside'), [{ path: 'libgfortran.so.5' }, { path: 'libmpi.so.40' }]);
  await install('libgfortran.so.5');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const file = (): string => path.join(dir, 'apps/libmpi_mpifh.so.40');

async function install(...needs: readonly string[]): Promise<void> {
  await makeObjects(dir, [
    { path: 'apps/libmpi_mpifh.so.40', needs: [...needs.map((one) => `aside/${one}`), 'aside/libmpi.so.40'] },
  ]);
}

/** Of a release that was built when the installation was as `beforeEach` makes it. */
const doctor = (system: readonly string[] = ['libc.so.6']) =>
  inspectLibraries(
    {
      ...{ fullName: 'a-1', environment: 'a' },
      libraries: {
        ...{ objects: 1, scripts: 0, missing: [], system: system.map((soname) => ({ soname, kind })) },
        linked: [{ file: file(), kind, soname: 'libmpi_mpifh.so.40', needed: ['libgfortran.so.5', 'libmpi.so.40'] }],
      },
    },
    '/opt/conda/a-1',
    ['/usr', '/etc', dir],
  );

it('has nothing to say where the host is as it was, or the release is of an early condense', () => {
  expect(doctor()).toEqual([]);
  expect(inspectLibraries({ fullName: 'a-1', environment: 'a' }, '/opt/conda/a-1', [])).toEqual([]);
});

it('looks into an installation that the release itself binds', () => {
  const file = path.join(dir, 'apps/libmpi_mpifh.so.40');
  const libraries = {
    ...{ objects: 1, scripts: 0, missing: [], system: [] },
    linked: [{ file, kind, soname: 'libmpi_mpifh.so.40', needed: ['libgfortran.so.5', 'libmpi.so.80'] }],
  };
  const release = { fullName: 'a-1', environment: 'a', libraries };
  const replaced = [{ package: 'openmpi', by: path.join(dir, 'apps'), files: 1, links: 1, bound: true as const }];

  expect(inspectLibraries(release, '/opt/conda/a-1', ['/usr'])).toMatchObject([{ code: 'LIBRARY_GONE' }]);
  expect(inspectLibraries({ ...release, replaced }, '/opt/conda/a-1', ['/usr'])).toMatchObject([
    { status: 'failure', code: 'LIBRARY_CHANGED', found: 'no longer needs libmpi.so.80 and now needs libmpi.so.40' },
  ]);
});

it('names what the host no longer has, of the system and of an installation, and what to do', async () => {
  await rm(file());

  expect(doctor(['libc.so.6', 'libssl.so.0.9'])).toEqual([
    expect.objectContaining({ name: 'a-1: libssl.so.0.9', status: 'failure', code: 'LIBRARY_GONE' }),
    expect.objectContaining({
      name: `a-1: ${file()}`,
      fix: 'install it on every node, or build anew what needs it: condense install --rebuild a',
    }),
  ]);
});

it('notices that the Fortran side of MPI is the one of another compiler now', async () => {
  await makeObjects(path.join(dir, 'aside'), [{ path: 'libgfortran.so.6' }]);
  await install('libgfortran.so.6');

  expect(doctor()).toEqual([
    expect.objectContaining({
      ...{ name: `a-1: ${file()}`, status: 'failure', code: 'LIBRARY_CHANGED' },
      found: 'no longer needs libgfortran.so.5 and now needs libgfortran.so.6',
    }),
  ]);
});

it('only warns where a library needs others that are nobody else’s business', async () => {
  await makeObjects(path.join(dir, 'aside'), [{ path: 'libextra.so.1' }]);
  await install('libgfortran.so.5', 'libextra.so.1');

  expect(doctor()).toMatchObject([{ status: 'warning', found: 'now needs libextra.so.1' }]);
});

it('notices another soname, and a file that is no library any more', async () => {
  await makeObjects(dir, [
    {
      ...{ path: 'apps/libmpi_mpifh.so.40', soname: 'libmpi_mpifh.so.41' },
      needs: ['aside/libgfortran.so.5', 'aside/libmpi.so.40'],
    },
  ]);
  expect(doctor()).toMatchObject([
    { status: 'failure', found: 'called itself libmpi_mpifh.so.40 and is libmpi_mpifh.so.41 now' },
  ]);

  await writeFile(file(), 'INPUT(libother.so)');
  expect(doctor()).toMatchObject([{ status: 'failure', found: 'is no program or library that can be read' }]);
});

it('looks for the commands that environments leave to the host where that has them, not in farms', async () => {
  const layout = { publicScripts: path.join(dir, 'scripts'), store: path.join(dir, 'store') };
  await makeObjects(dir, [
    { path: 'scripts/a-1.d/bin/made-up', program: true },
    { path: 'bin/qsub', program: true },
  ]);
  const searchPath = `${dir}/scripts/a-1.d/bin:${dir}/bin:/usr/bin`;

  expect(await findMissingCommands(['made-up', 'qsub', 'env'], layout, searchPath)).toEqual(['made-up']);
});
