// `remove` and `replace` on real files, and the audit of what is left: nothing is changed or packed when something would not run.
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditImage, type LibraryFacts } from '../../../src/build/audit.ts';
import { customisePrefix, type Customised } from '../../../src/build/customise.ts';
import { readPrefixContent } from '../../../src/build/image-content.ts';
import type { CustomRules } from '../../../src/config/site-config.ts';
import { walkTree } from '../../../src/system/files.ts';
import { makeObjects, writeRecord } from './made-libraries.ts';

const inside = '/opt/conda/a-1';
let dir: string;
let prefix: string;
let site: string;
let notes: string[];
let warnings: string[];
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-customise-'));
  prefix = path.join(dir, 'root', inside);
  site = path.join(dir, 'apps/mpi/1');
  notes = [];
  warnings = [];
  await mkdir(prefix, { recursive: true });
});
afterEach(() => rm(dir, { recursive: true, force: true }));

type Written = Partial<{
  remove: Record<string, string[]>;
  replace: Record<string, string>;
  files: Record<string, string>;
  libraries: Partial<CustomRules['libraries']>;
}>;

const rulesOf = ({ remove = {}, replace = {}, files = {}, libraries = {} }: Written): CustomRules => ({
  remove: Object.entries(remove).map(([name, spared]) => ({ package: name, spared, at: `c.yaml:1:${name}` })),
  replace: Object.entries(replace).map(([name, by]) => ({ package: name, by, at: `c.yaml:2:${name}` })),
  files: Object.entries(files).map(([to, from]) => ({ to, from, at: `c.yaml:3:${to}` })),
  hooks: { programs: [], timeoutMs: 1000 },
  libraries: { strict: false, elsewhere: [], ...libraries },
});

const report = (event: { readonly type: string; readonly text?: string }): void => {
  if (event.type === 'note') notes.push(event.text ?? '');
  if (event.type === 'warning') warnings.push(event.text ?? '');
};

async function customise(written: Written): Promise<Customised> {
  return await customisePrefix({
    ...{ prefixOnDisk: prefix, prefixInside: inside, rules: rulesOf(written), report },
    binds: [],
    runHook: () => Promise.reject(new Error('there is no hook')),
  });
}

async function audit(written: Written, done?: Customised): Promise<LibraryFacts> {
  const rules = rulesOf(written);
  return auditImage({
    ...{ content: await readPrefixContent(prefix), before: done?.before, takers: done?.takers },
    ...{ replaced: rules.replace.map((rule) => rule.by), prefixInside: inside },
    ...{ binds: ['/usr', '/etc', path.join(dir, 'apps')], policy: rules.libraries, report },
  });
}

/** As a build does it. */
const build = async (written: Written): Promise<LibraryFacts> => await audit(written, await customise(written));

async function put(at: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(path.dirname(path.join(prefix, at)), { recursive: true });
  await writeFile(path.join(prefix, at), text);
  await chmod(path.join(prefix, at), mode);
}

async function list(): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of walkTree(prefix)) if (entry.kind !== 'directory') files.push(entry.path);
  return files.sort();
}

describe('remove', () => {
  beforeEach(async () => {
    await put('bin/ssh', '#!/bin/sh\n', 0o755);
    await symlink('ssh', path.join(prefix, 'bin/slogin'));
    await put('etc/ssh/config', 'x');
    await put('share/common', 'x');
    await put('bin/git', '#!/bin/sh\n', 0o755);
    await writeRecord(prefix, 'openssh', ['bin/ssh', 'bin/slogin', 'etc/ssh/config', 'share/common']);
    await writeRecord(prefix, 'git', ['bin/git', 'share/common'], ['openssh >=9', '__glibc >=2.17']);
  });

  it('takes the files of a package out, and of its record, but not what another one has, too', async () => {
    const done = await customise({ remove: { openssh: ['git'] } });

    expect(await list()).toEqual(['bin/git', 'conda-meta/git-1-0.json', 'conda-meta/openssh-1-0.json', 'share/common']);
    expect(done.removed).toEqual([{ package: 'openssh', files: 3, spared: ['git'] }]);
    const record = JSON.parse(await readFile(path.join(prefix, 'conda-meta/openssh-1-0.json'), 'utf8')) as object;
    expect(record).toMatchObject({ name: 'openssh', files: ['share/common'] });
    expect(notes).toEqual(['removed 3 files of openssh']);
    expect((await readdir(prefix)).sort()).toEqual(['bin', 'conda-meta', 'share']);
  });

  it('stops before anything is changed where another package depends on it, and says what to write', async () => {
    const before = await list();

    await expect(customise({ remove: { openssh: [] } })).rejects.toMatchObject({
      problems: [
        {
          code: 'REMOVE_REFUSED',
          message: 'remove: openssh is what git depends on',
          at: 'c.yaml:1:openssh',
          hint: 'where they do without it, write openssh: [git]',
        },
      ],
    });
    expect(await list()).toEqual(before);
  });

  it('notes what has no effect', async () => {
    await customise({ remove: { openssh: ['git', 'perl'], nano: [] } });

    expect(notes.slice(0, 2)).toEqual([
      'remove: perl does not depend on openssh (c.yaml:1:openssh)',
      'remove: nano is not installed (c.yaml:1:nano)',
    ]);
  });

  it('stops where a link or a script of another package leads to what is gone, and names the rule', async () => {
    await symlink('../bin/ssh', path.join(prefix, 'share/ssh'));
    await put('bin/run', `#!${inside}/bin/ssh -x\n`, 0o755);

    await expect(build({ remove: { openssh: ['git'] } })).rejects.toMatchObject({
      problems: [
        { code: 'LINK_LOST', message: `the link share/ssh led to bin/ssh: 'remove: openssh' took it` },
        {
          code: 'INTERPRETER_LOST',
          message: `the script bin/run is for ${inside}/bin/ssh -x: 'remove: openssh' took bin/ssh`,
          at: 'c.yaml:1:openssh',
        },
      ],
    });
  });

  it('touches nothing outside of the prefix, whatever a record lists', async () => {
    const precious = path.join(dir, 'precious');
    await writeFile(precious, 'x');
    await symlink(dir, path.join(prefix, 'share/out'));
    await writeRecord(prefix, 'evil', [
      ...['../../../../precious', 'share/out/precious', precious, 'conda-meta/git-1-0.json', 'bin/../../../x'],
    ]);

    await customise({ remove: { evil: [] } });

    expect(await readFile(precious, 'utf8')).toBe('x');
    expect(await list()).toContain('conda-meta/git-1-0.json');
  });
});

describe('the audit of libraries', () => {
  const made = async (): Promise<void> => {
    await makeObjects(prefix, [
      { path: 'lib/libmade-z.so.1' },
      { path: 'lib/libuser.so', needs: ['lib/libmade-z.so.1'] },
      { path: 'bin/prog', program: true, needs: ['lib/libuser.so'] },
    ]);
    await writeRecord(prefix, 'zlib', ['lib/libmade-z.so.1']);
    await writeRecord(prefix, 'user', ['lib/libuser.so', 'bin/prog']);
  };

  it('stops where a library is lost by a removal, and names the file, the library and the rule', async () => {
    await made();

    await expect(build({ remove: { zlib: [] } })).rejects.toMatchObject({
      exit: 5,
      problems: [
        {
          code: 'LIBRARY_LOST',
          message: `lib/libuser.so needs libmade-z.so.1, which was lib/libmade-z.so.1: 'remove: zlib' took it, and nothing else has it`,
          at: 'c.yaml:1:zlib',
        },
      ],
    });
    const { stdout } = await execa('ldd', [path.join(prefix, 'bin/prog')], { timeout: 10_000 });
    expect(stdout).toContain('libmade-z.so.1'); // this machine's may be taken by the loader, or none: the name is asked for
  });

  it('lets a library go that the host has, or that other nodes are said to have', async () => {
    await makeObjects(prefix, [
      { path: 'lib/libc.so.6' },
      { path: 'lib/libcuda.so.1' },
      { path: 'lib/libuser.so', needs: ['lib/libc.so.6', 'lib/libcuda.so.1'] },
    ]);
    await writeRecord(prefix, 'glibc', ['lib/libc.so.6']);
    await writeRecord(prefix, 'cuda', ['lib/libcuda.so.1']);

    const facts = await build({ remove: { glibc: [], cuda: [] }, libraries: { elsewhere: ['libcuda.*'] } });

    expect(facts).toMatchObject({ objects: 1, missing: [], system: [{ soname: 'libc.so.6' }] });
  });

  it('only tells of what a package came without, unless it is to be strict', async () => {
    await makeObjects(prefix, [{ path: 'lib/libodd.so.9' }, { path: 'lib/libx.so', needs: ['lib/libodd.so.9'] }]);
    await rm(path.join(prefix, 'lib/libodd.so.9'));
    expect((await audit({})).missing).toContainEqual({ soname: 'libodd.so.9', neededBy: ['lib/libx.so'] });
    expect(warnings.join()).toContain('libodd.so.9 (lib/libx.so)');
    await expect(audit({ libraries: { strict: true } })).rejects.toThrow(
      'lib/libx.so needs libodd.so.9, which is neither in the image nor on this host',
    );
    await audit({ libraries: { strict: true, elsewhere: ['libodd.*'] } });
  });

  it('tells of each script whose interpreter is neither in the image nor on the host: for commands the gate decides', async () => {
    await put('bin/wrong', `#!${prefix}/bin/python3\n`, 0o755);
    await put('share/example', '#!/home/conda/feedstock_root/bin/python\n', 0o755);
    await put('bin/odd', '#!/usr/bin/env no-such-program\n', 0o755);
    await put('bin/fine', '#!/usr/bin/env -S LANG=C sh -e\n', 0o755);

    expect(await audit({})).toMatchObject({ scripts: 4 });

    expect(warnings.join()).toContain(`bin/wrong (#!${prefix}/bin/python3)`);
    expect(warnings.join()).toContain('bin/odd (#!/usr/bin/env no-such-program)');
    expect(warnings.join()).toContain('share/example');
    expect(warnings.join()).not.toContain('bin/fine');
  });

  it('reads a library that is cut off or lies without harm, and says so', async () => {
    await made();
    const whole = await readFile(path.join(prefix, 'lib/libuser.so'));
    await writeFile(path.join(prefix, 'lib/libuser.so'), whole.subarray(0, 700));

    await audit({});

    expect(warnings.join()).toContain('lib/libuser.so is an ELF file that is cut off or damaged');
  });
});

/** Of ci/setup's openmpi-bin; relative to the prefix, as other libraries are given to gcc. */
const debianFortran = '../../../../../../usr/lib/x86_64-linux-gnu/libmpi_mpifh.so.40';

describe('replace', () => {
  /** An Open MPI in the small: C and Fortran side, and what uses them. */
  const makeConda = async (): Promise<void> => {
    await makeObjects(prefix, [
      { path: 'lib/libgfortran.so.5' },
      { path: 'lib/libmpi.so.77' },
      { path: 'lib/libmpi_mpifh.so.77', needs: ['lib/libmpi.so.77', 'lib/libgfortran.so.5'] },
      { path: 'lib/libmodel.so', needs: ['lib/libmpi_mpifh.so.77', 'lib/libgfortran.so.5'] },
      { path: 'lib/python3.11/site-packages/mpi4py/MPI.so', needs: ['lib/libmpi.so.77'], rpath: '$ORIGIN/../../..' },
    ]);
    await symlink('libmpi.so.77', path.join(prefix, 'lib/libmpi.so'));
    await put('share/openmpi/help.txt', 'x');
    await put('etc/openmpi.conf', 'x');
    await writeRecord(prefix, 'libgfortran5', ['lib/libgfortran.so.5']);
    await writeRecord(prefix, 'openmpi', [
      ...['lib/libmpi.so.77', 'lib/libmpi.so', 'lib/libmpi_mpifh.so.77', 'share/openmpi/help.txt', 'etc/openmpi.conf'],
    ]);
    await writeRecord(prefix, 'model', ['lib/libmodel.so'], ['openmpi']);
  };
  /** The site's, in the form in which libtool installs. */
  const makeSite = async (
    changes: { readonly fortran?: string; readonly runtime?: string; readonly without?: string } = {},
  ): Promise<void> => {
    const { fortran = 'libmpi_mpifh.so.77', runtime = 'libgfortran.so.5', without } = changes;
    const aside = path.join(dir, 'aside');
    await makeObjects(aside, [{ path: runtime }, { path: 'libmpi.so.80' }]);
    await makeObjects(site, [
      { path: 'lib64/libmpi.so.77.30.5', soname: 'libmpi.so.77' },
      {
        ...{ path: `lib64/${fortran}.30.0`, soname: fortran },
        needs: ['lib64/libmpi.so.77.30.5', path.relative(site, path.join(aside, runtime))],
      },
      { path: 'bin/mpirun', program: true, needs: ['lib64/libmpi.so.77.30.5'], rpath: '$ORIGIN/../lib64' },
    ]);
    await symlink('libmpi.so.77.30.5', path.join(site, 'lib64/libmpi.so.77'));
    await symlink('libmpi.so.77', path.join(site, 'lib64/libmpi.so'));
    await symlink(`${fortran}.30.0`, path.join(site, 'lib64', fortran));
    await symlink('../lib64/libmpi.so', path.join(site, 'bin/odd'));
    await mkdir(path.join(site, 'share/openmpi'), { recursive: true });
    await writeFile(path.join(site, 'share/openmpi/help.txt'), 'site');
    if (without !== undefined) await rm(path.join(site, without));
  };

  it('puts links to the installation in the place of a package, with its names and sonames', async () => {
    await makeConda();
    await makeSite();

    const done = await customise({ replace: { openmpi: site } });
    const facts = await audit({ replace: { openmpi: site } }, done);

    const target = async (at: string): Promise<string> => await readlink(path.join(prefix, at));
    expect(await target('lib/libmpi.so.77')).toBe('libmpi.so.77.30.5');
    expect(await target('lib/libmpi.so')).toBe('libmpi.so.77');
    expect(await target('lib/libmpi.so.77.30.5')).toBe(`${site}/lib64/libmpi.so.77.30.5`);
    expect(await target('bin/odd')).toBe(`${site}/bin/odd`);
    expect(await readFile(path.join(prefix, 'share/openmpi/help.txt'), 'utf8')).toBe('site');
    await expect(lstat(path.join(prefix, 'etc'))).rejects.toThrow('ENOENT');
    expect(done.replaced).toEqual([{ package: 'openmpi', by: site, files: 5, links: 8 }]);
    expect(facts.linked.map(({ file, soname }) => [path.relative(site, file), soname])).toEqual(
      [
        ['bin/mpirun', undefined],
        ['bin/odd', 'libmpi.so.77'],
        ['lib64/libmpi.so.77.30.5', 'libmpi.so.77'],
        ['lib64/libmpi_mpifh.so.77.30.0', 'libmpi_mpifh.so.77'],
      ].toSorted(),
    );
  });

  it.each([
    ['lib64/libmpi_mpifh.so.77', 'lib/libmodel.so needs libmpi_mpifh.so.77, which was lib/libmpi_mpifh.so.77'],
    ['lib64/libmpi.so.77', 'need libmpi.so.77, which was lib/libmpi.so.77'],
  ])('stops where the installation has no %s', async (without, message) => {
    await makeConda();
    await makeSite({ without });

    await expect(build({ replace: { openmpi: site } })).rejects.toThrow(message);
  });

  it('stops where the Fortran side that is found is the one of the distribution', async () => {
    await makeConda();
    await makeSite({ without: 'lib64/libmpi_mpifh.so.77' });
    await makeObjects(prefix, [{ path: 'lib/libmodel.so', needs: ['lib/libmpi.so.77', debianFortran] }]);

    await expect(build({ replace: { openmpi: site } })).rejects.toThrow(
      /lib\/libmodel\.so needs libmpi_mpifh\.so\.40 of \/usr\/lib\/.*, while .* needs libmpi\.so\.77 of .*apps\/mpi\/1: MPI must be of one installation/,
    );
  });

  it('stops where its Fortran side is the one of another compiler', async () => {
    await makeConda();
    await makeSite({ runtime: 'libgfortran.so.4' });
    await makeObjects(prefix, [{ path: 'lib/libgfortran.so.4' }]);

    await expect(build({ replace: { openmpi: site } })).rejects.toThrow(
      /lib\/libmodel\.so needs libgfortran\.so\.5, and its libmpi_mpifh\.so\.77 \(.*\) was compiled for libgfortran\.so\.4/,
    );
  });

  it('stops where a library of the installation lacks one itself', async () => {
    await makeConda();
    await makeSite({ runtime: 'libifcore.so.5' });

    await expect(build({ replace: { openmpi: site } })).rejects.toMatchObject({
      problems: [
        {
          code: 'LIBRARY_MISSING',
          message: 'lib/libmpi_mpifh.so.77 needs libifcore.so.5, which is neither in the image nor on this host',
        },
        { code: 'MPI_DISAGREES', message: expect.stringContaining('was compiled for libifcore.so.5') as string },
      ],
    });
  });

  it('stops where Python was built for another MPI than the one of the site', async () => {
    await makeConda();
    await makeSite();
    await makeObjects(prefix, [
      { path: 'lib/libmpi.so.12' },
      { path: 'lib/python3.11/site-packages/mpi4py/MPI.so', needs: ['lib/libmpi.so.12'], rpath: '$ORIGIN/../../..' },
    ]);

    await expect(build({ replace: { openmpi: site } })).rejects.toThrow(
      /mpi4py\/MPI\.so needs libmpi\.so\.12 \(\/opt\/conda\/a-1\/lib\/libmpi\.so\.12\), while .* needs libmpi\.so\.77 .*: one program cannot have two MPI libraries/,
    );
  });

  it('stops where a library calls itself otherwise than it is called', async () => {
    await makeConda();
    await makeSite();
    await makeObjects(site, [{ path: 'lib64/libmpi.so.77.30.5', soname: 'libmpi.so.80' }]);

    await expect(build({ replace: { openmpi: site } })).rejects.toThrow(
      /needs libmpi\.so\.77, and .*lib64\/libmpi\.so\.77\.30\.5, which is found by that name, calls itself libmpi\.so\.80/,
    );
  });

  it('changes nothing where the installation is not there, or has files of other packages', async () => {
    await makeConda();
    await makeSite();
    await makeObjects(site, [{ path: 'lib/libgfortran.so.5' }]);
    const before = await list();

    await expect(customise({ replace: { openmpi: site, ucx: `${dir}/nowhere` } })).rejects.toMatchObject({
      problems: [
        {
          code: 'REPLACE_REFUSED',
          message: `replace: openmpi: ${site} has files that the image has already: lib/libgfortran.so.5 (of libgfortran5)`,
          hint: 'replace or remove libgfortran5, too, or choose an installation without them',
        },
        { code: 'REPLACE_REFUSED', message: expect.stringContaining('ucx: is not installed') as string },
      ],
    });
    await expect(customise({ replace: { openmpi: `${dir}/nowhere` } })).rejects.toThrow('on this machine');
    expect(await list()).toEqual(before);
  });

  it('writes through no link of a package, wherever that leads', async () => {
    await makeConda();
    await makeSite();
    await rm(path.join(prefix, 'share'), { recursive: true });
    await symlink(path.join(dir, 'victim'), path.join(prefix, 'share'));
    await mkdir(path.join(dir, 'victim'));

    await expect(customise({ replace: { openmpi: site } })).rejects.toThrow('share/openmpi/help.txt (share is there)');
    expect(await readdir(path.join(dir, 'victim'))).toEqual([]);
  });
});
