// An environment that is otherwise than its packages: removal, files and hooks through the command line. Whatever goes wrong, users
// have what they had.
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseManifest, type ReleaseManifest } from '../../src/release/manifest.ts';
import { writeCondaPackage } from '../channel/conda-package.ts';
import { writeRepodata } from '../channel/write-repodata.ts';
import { makeObjects } from '../integration/build/made-libraries.ts';
import { TestSite } from './test-site.ts';

let site: TestSite;
/** Two installations of an MPI, where no container of a site has them unasked. */
let installations: string;

/** A library, a program that needs it, ssh, which nothing needs, and an MPI in the small with a program for it. */
async function writeChannel(): Promise<string> {
  const dir = path.join(site.dir, 'channel');
  const made = path.join(site.dir, 'made');
  await makeObjects(made, [
    { path: 'lib/libmade.so.1' },
    { path: 'bin/prog', program: true, needs: ['lib/libmade.so.1'] },
    { path: 'lib/libgfortran.so.5' },
    { path: 'lib/libmpi.so.77' },
    { path: 'lib/libmpi_mpifh.so.77', needs: ['lib/libmpi.so.77', 'lib/libgfortran.so.5'] },
    {
      ...{ path: 'bin/model', program: true },
      needs: ['lib/libmpi.so.77', 'lib/libmpi_mpifh.so.77', 'lib/libgfortran.so.5'],
    },
  ]);
  const files = {
    ...{ made: ['lib/libmade.so.1'], prog: ['bin/prog'], openssh: [] },
    ...{ libgfortran5: ['lib/libgfortran.so.5'], openmpi: ['lib/libmpi.so.77', 'lib/libmpi_mpifh.so.77'] },
    model: ['bin/model'],
  };
  const records = [];
  for (const [name, paths] of Object.entries(files)) {
    const binaries = await Promise.all(
      paths.map(async (at) => ({
        ...({ type: 'file', path: at, mode: 0o755, data: await readFile(path.join(made, at)) } as const),
      })),
    );
    const ssh = { type: 'file', path: 'bin/ssh', mode: 0o755, data: '#!/bin/sh\necho conda\n' } as const;
    records.push(
      await writeCondaPackage({
        ...{ dir, format: 'conda', files: name === 'openssh' ? [ssh] : binaries },
        index: { name, version: '1.0', build: '0', build_number: 0, subdir: 'linux-64', depends: [] },
      }),
    );
  }
  await writeRepodata(dir, records);
  return pathToFileURL(dir).href;
}

/** `good`, and `bad`: without the soname of its C library, and with the Fortran side of another compiler. */
async function writeInstallations(): Promise<void> {
  installations = await mkdtemp('/srv/condense-e2e-');
  await chmod(installations, 0o755);
  for (const [name, runtime] of [
    ['good', 'libgfortran.so.5'],
    ['bad', 'libgfortran.so.4'],
  ] as const) {
    await makeObjects(path.join(installations, name), [
      { path: `../${runtime}` },
      { path: 'lib/libmpi.so.77.1', soname: 'libmpi.so.77' },
      { path: 'lib/libmpi_mpifh.so.77', needs: ['lib/libmpi.so.77.1', `../${runtime}`] },
    ]);
  }
  await symlink('libmpi.so.77.1', path.join(installations, 'good/lib/libmpi.so.77'));
}

const put = async (name: string, text: string, mode = 0o755): Promise<void> => {
  await writeFile(path.join(site.dir, name), text, { mode });
};

const configure = (rules: string): Promise<void> => site.writeConfig(`  a: { version: '1', ${rules} }\n`);

async function liveManifest(): Promise<ReleaseManifest> {
  const file = site.scripts('a-1', 'manifest.json');
  return parseManifest(await readFile(file, 'utf8'), file);
}

const good = (): string =>
  `remove: { openssh: [] }, replace: { openmpi: ${installations}/good }, files: { etc/site.conf: site.conf }, hooks: { stage: stage.sh, customise: good.sh, pack: pack.sh }`;

beforeAll(async () => {
  site = await TestSite.make();
  await writeInstallations();
  await site.writeSpec('a', [await writeChannel()], ['made', 'prog', 'openssh', 'model', 'openmpi', 'libgfortran5']);
  await put('site.conf', 'site\n', 0o644);
  await put('stage.sh', '#!/bin/bash -e\ntest -x "$PREFIX/bin/ssh"\n');
  await put(
    'good.sh',
    `#!/bin/bash -e\ntest ! -e "$PREFIX/bin/ssh"\ncat "$PREFIX/etc/site.conf"\nenv | sort\n` +
      `mkdir "$PREFIX/share"; echo "$RANDOM" > "$TMPDIR/x"; echo made > "$PREFIX/share/made"; echo more >> "$PREFIX/etc/site.conf"\n`,
  );
  await put('pack.sh', '#!/bin/bash\n"$PREFIX/bin/prog" && ! echo x > "$PREFIX/share/made"\n');
  await configure(good());
  await site.condenseOk('lock', 'a');
  await site.condenseOk('install', 'a');
});
afterAll(async () => {
  await site.remove();
  await rm(installations, { recursive: true, force: true });
});

it('builds what was asked for, says so in the manifest, and the same bytes again', async () => {
  const manifest = await liveManifest();

  expect(manifest).toMatchObject({
    commands: ['model', 'prog'],
    replaced: [{ package: 'openmpi', by: `${installations}/good`, files: 2, links: 3, bound: true }],
    removed: [{ package: 'openssh', files: 1, spared: [] }],
    added: [{ path: 'etc/site.conf', sizeBytes: 5 }],
    hooks: [
      { stage: 'stage', added: 0, changed: 0, removed: 0 },
      { stage: 'customise', added: 1, changed: 1, removed: 0 },
      { stage: 'pack', added: 0, changed: 0, removed: 0 },
    ],
    libraries: { objects: 6, missing: [], system: [{ soname: 'libc.so.6' }] },
  });
  const { stdout } = await execa(site.scripts('a-1', 'launcher'), ['/bin/cat', '/opt/conda/a-1/etc/site.conf'], {
    timeout: 60_000,
  });
  expect(stdout).toBe('site\nmore');
  // Only by the release's own bind is the installation there, and only by its libraries does the program start.
  await execa(site.scripts('a-1', 'bin/model'), [], { timeout: 60_000 });
  await site.condenseOk('install', '--rebuild', 'a');
  expect((await liveManifest()).image.sha256).toBe(manifest.image.sha256);
});

it('gives a hook the environment that the documentation says, keeps what it printed, and notices another one', async () => {
  const log = await readFile(path.join(site.admin, 'logs/a-1-hook-customise.log'), 'utf8');
  const names = [...log.matchAll(/^([A-Z_]+)=/gm)]
    .map(([, name]) => name)
    .filter((name) => !/^(PWD|SHLVL|_|OLDPWD)$/.test(name ?? ''));
  const documented = await readFile(path.resolve(import.meta.dirname, '../../docs/admin.md'), 'utf8');

  expect(log).toContain('site\n');
  expect(log).toContain('CONDENSE_FULL_NAME=a-1\n');
  expect(names.filter((name) => !documented.includes(`\`${name ?? ''}`))).toEqual([]);
  expect(await site.condenseOk('install', 'a')).toContain('nothing to do');
  await put('pack.sh', '#!/bin/bash\n"$PREFIX/bin/prog"\n');
  await put('site.conf', 'other\n', 0o644);
  const plan = JSON.parse(await site.condenseOk('--json', 'plan', 'a')) as {
    builds: { reasons: { input: string }[] }[];
  };
  expect(JSON.stringify(plan)).toContain('"input":"customise"');
});

it.each([
  [
    'a library is lost by a removal, and an MPI of the site has neither its soname nor its Fortran compiler',
    `remove: { made: [] }, replace: { openmpi: INSTALLATIONS/bad }`,
    new RegExp(
      [
        `bin/model, lib/libmpi_mpifh\\.so\\.77 need libmpi\\.so\\.77, which was lib/libmpi\\.so\\.77: 'replace: openmpi' took it`,
        `bin/prog needs libmade\\.so\\.1, which was lib/libmade\\.so\\.1: 'remove: made' took it`,
        `bin/model needs libgfortran\\.so\\.5, and its libmpi_mpifh\\.so\\.77 \\(.*\\) was compiled for libgfortran\\.so\\.4`,
      ].join('(?:.|\n)*'),
    ),
  ],
  [
    'a hook fails',
    `hooks: { customise: fails.sh }`,
    /the hook customise \(.*fails\.sh\) failed with exit code 3\n +it is broken/,
  ],
  [
    'a hook does not come to its end',
    `hooks: { customise: hangs.sh, timeout_seconds: 2 }`,
    /the hook customise \(.*hangs\.sh\) did not finish in 2 s and was ended\n +I wait/,
  ],
  [
    'a hook writes outside of the prefix',
    `hooks: { stage: outside.sh }`,
    /the hook stage \(.*outside\.sh\) failed with exit code 1\n(.*\n)*.*Read-only file system/,
  ],
  [
    'a hook leaves a link out, a pipe, and a record',
    `hooks: { customise: leaves.sh }`,
    /left the link bin\/out to .*which is nothing that the container has(.|\n)*left bin\/pipe, which is a pipe(.|\n)*changed conda-meta\/x\.json/,
  ],
  [
    'the hook for the image fails',
    `hooks: { pack: fails.sh }`,
    /the hook pack \(.*fails\.sh\) failed with exit code 3/,
  ],
  ['a hook is not there', `hooks: { pack: nowhere.sh }`, /the hook pack is .*nowhere\.sh, which is no file/],
  [
    'a file of the site is there already',
    `files: { bin/prog: site.conf, 'share/x/y': nowhere }`,
    /nowhere is not there(.|\n)*bin\/prog cannot be put into the image: bin\/prog is there already/,
  ],
])('keeps what users have where %s', async (_, rules, message) => {
  await put('fails.sh', '#!/bin/sh\necho it is broken >&2; exit 3\n');
  await put(
    'hangs.sh',
    `#!/bin/bash\ntrap '' TERM INT\n(trap '' TERM; exec -a condense-hang-${process.pid} sleep 600) &\necho I wait\nwhile :; do sleep 1; done\n`,
  );
  await put(
    'outside.sh',
    `#!/bin/sh -e\nfor dir in /usr /etc '${site.dir}' /opt/conda/b-1; do mkdir -p "$dir/condense-was-here" || bad=1; done\nexit $bad\n`,
  );
  await put(
    'leaves.sh',
    `#!/bin/sh\nmkfifo "$PREFIX/bin/pipe"; ln -s '${site.dir}' "$PREFIX/bin/out"; echo {} > "$PREFIX/conda-meta/x.json"\n`,
  );
  await configure(rules.replace('INSTALLATIONS', installations));
  const before = await site.liveRelease('a-1');

  const ran = await site.condense('install', 'a');

  expect(ran.stderr).toMatch(message);
  expect(ran.stderr).not.toContain('    at ');
  expect([3, 5]).toContain(ran.exitCode);
  expect(await site.liveRelease('a-1')).toBe(before);
  const hung = await execa('pgrep', ['-f', `condense-hang-${process.pid}`], { reject: false, timeout: 10_000 });
  expect(hung.stdout).toBe('');
  for (const dir of ['/usr', '/etc', site.dir]) {
    const left = path.join(dir, 'condense-was-here');
    const { exitCode } = await execa('test', ['-e', left], { reject: false, timeout: 10_000 });
    if (exitCode === 0) await rm(left, { recursive: true });
    expect([left, exitCode]).toEqual([left, 1]);
  }
});

it('keeps what users have where a test has no tool to run it, and builds nothing again when one of the shell takes its place', async () => {
  const tests = path.join(site.dir, 'environments/a/tests');
  await mkdir(tests);
  await writeFile(path.join(tests, 'test_sea.py'), 'def test_level():\n  pass\n');
  await configure(good());
  const before = await site.liveRelease('a-1');

  const ran = await site.condense('install', 'a');

  expect(ran.exitCode).toBe(6);
  expect(ran.stderr).toContain('a-1: test test_sea.py: the environment has no pytest, so nobody knows');
  expect(await site.liveRelease('a-1')).toBe(before);
  await rm(path.join(tests, 'test_sea.py'));
  await writeFile(path.join(tests, 'sea.sh'), 'prog\n');
  const again = await site.condense('install', 'a');
  expect(again.stdout).toContain('is live as generation');
  expect(again.stderr).toContain('failed its gate: nothing is built');
});
