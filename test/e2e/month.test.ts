// A month in the life of a site, as its administrators and its CI type it. After each step a user looks: what they see is
// compared with what it must be. One site, and each step stands on those before it.
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeHome, runAsOrdinaryUser } from '../../ci/ordinary-user.ts';
import { asRoot } from '../as-root.ts';
import { writeCondaPackage } from '../channel/conda-package.ts';
import { writeRepodata } from '../channel/write-repodata.ts';
import { makeObjects } from '../integration/build/made-libraries.ts';
import { startSlurm, type Slurm } from './daemons.ts';
import { writeHelloChannel } from './hello-channel.ts';
import { startAsUser } from './start-as-user.ts';
import { TestSite } from './test-site.ts';

let site: TestSite;
let slurm: Slurm;
let home: string;
let channel: string;
const told = (): string => path.join(site.dir, 'told.ndjson');

beforeAll(async () => {
  site = await TestSite.make();
  home = await makeHome();
  channel = await writeHelloChannel(site.dir, ['1.0', '1.1', '2.0']);
  slurm = await startSlurm(path.join(site.dir, 'slurm'));
  await writeSite({ a: `{ version: '1', stable: '1' }` });
  await site.writeSpec('a', [channel], ['hello=1.0']);
});
afterAll(async () => {
  await execa(...asRoot('rm', '-rf', hostMpi));
  await slurm.stop();
  await site.remove();
  await rm(home, { recursive: true, force: true });
});

/** Where the host has its MPI: not below /tmp, of which builds have one of their own. */
const hostMpi = `/srv/condense-month-${process.pid}`;

/** A package `openmpi`, and a program that needs its library, which Debian's has not. @returns the URL of their channel */
async function writeMpiChannel(): Promise<string> {
  const [dir, made] = [path.join(site.dir, 'mpi-channel'), path.join(site.dir, 'made')];
  const [library, program] = ['lib/libsite_mpi.so.40', 'bin/mpi-hello'];
  await makeObjects(made, [{ path: library }, { path: program, program: true, needs: [library] }]);
  const write = async (name: string, file: string, depends: readonly string[]) =>
    await writeCondaPackage({
      ...{ dir, format: 'conda' },
      index: { name, version: '1.0', build: '0', build_number: 0, subdir: 'linux-64', depends: [...depends] },
      files: [{ type: 'file', path: file, mode: 0o755, data: await readFile(path.join(made, file)) }],
    });
  await writeRepodata(dir, [await write('openmpi', library, []), await write('mpi-hello', program, ['openmpi'])]);
  return pathToFileURL(dir).href;
}

/** A package `greet` with a command. @returns the URL of its channel */
async function writeGreetChannel(): Promise<string> {
  const dir = path.join(site.dir, 'greet-channel');
  const index = { name: 'greet', version: '1.0', build: '0', build_number: 0, subdir: 'linux-64', depends: [] };
  const data = '#!/bin/bash\necho greetings\n';
  const files = [{ type: 'file', path: 'bin/greet', mode: 0o755, data }] as const;
  await writeRepodata(dir, [await writeCondaPackage({ dir, format: 'conda', index, files: [...files] })]);
  return pathToFileURL(dir).href;
}

/** The configuration of the site, with these environments. */
async function writeSite(environments: Readonly<Record<string, string>>, notify = 'cat >>"$1"'): Promise<void> {
  const command = JSON.stringify(['/bin/bash', '-c', notify, 'tell', told()]);
  await site.writeConfig(
    Object.entries(environments)
      .map(([name, options]) => `  ${name}: ${options}\n`)
      .join(''),
    `notify: { command: ${command} }\nbinds: { run: [/etc, /usr, /var, /run, ${hostMpi}] }\nscheduler: { options: ['--cpus-per-task=2'] }\n`,
  );
}

/** What a user gets who types this: after `module load`, by the path of a #! line, and the list of what is there. */
async function look(...names: readonly string[]): Promise<Record<string, string>> {
  const script = names
    .map((name) => `(module load conda/${name} 2>/dev/null && hello 2>&1 || echo nothing) | head -1`)
    .join('\n');
  const start = `. /etc/profile.d/modules.sh; module use ${site.modules}`;
  const { stdout } = await runAsOrdinaryUser(home, ['bash', '-c', `${start}\n${script}`]);
  return Object.fromEntries(stdout.split('\n').map((line, at) => [names[at] ?? '', line]));
}

/** What the command of the added package says, where there is one. */
const greet = async (): Promise<string> => {
  const load = `. /etc/profile.d/modules.sh; module use ${site.modules}; module load conda/a; greet`;
  return (await runAsOrdinaryUser(home, ['bash', '-c', load])).stdout;
};
const says = (version: string, fullName: string): string => `hello ${version} from /opt/conda/${fullName}`;
const notices = async (): Promise<Record<string, unknown>[]> =>
  (await readFile(told(), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const env = (): Record<string, string> => ({ SLURM_CONF: slurm.conf });
interface Row {
  readonly type?: string;
  readonly stage?: string;
  readonly environment?: string;
  readonly release?: string;
  readonly built?: boolean;
  readonly task?: string;
}
const rows = (stdout: string): Row[] => stdout.split('\n').map((line) => JSON.parse(line) as Row);
const results = (stdout: string): Row[] => rows(stdout).filter(({ type }) => type === 'result');

describe('a month in the life of a site', () => {
  it('day 1: the first install', async () => {
    expect(await look('a')).toEqual({ a: 'nothing' });
    await site.condenseOk('lock');
    await site.condenseOk('install', '--all', '--wait', '1 minute');

    expect(await look('a', 'a-1')).toEqual({ a: says('1.0', 'a-1'), 'a-1': says('1.0', 'a-1') });
    expect(await notices()).toMatchObject([{ action: 'publish', generation: 1, site: 'test' }]);
  });

  it('day 3: a package is added and one changes; the pull request is refused until its lock fits, and builds nothing for users', async () => {
    await site.writeSpec('a', [channel, await writeGreetChannel()], ['hello=1.1', 'greet']);
    const stale = await site.condense('lock', '--check');
    expect([stale.exitCode, stale.stderr]).toEqual([3, expect.stringContaining('LOCK_STALE')]);
    await site.condenseOk('lock', 'a');
    await site.condenseOk('lock', '--check');
    const planned = await site.condenseOk('plan', '--out', path.join(site.dir, 'plan.json'));
    expect(planned).toMatch(/hello 1\.0 .*-> 1\.1/);
    expect(planned).toContain('greet 1.0');
    expect(await greet()).toBe('');

    await site.condenseOk('build', '--plan', path.join(site.dir, 'plan.json'));

    expect(await look('a')).toEqual({ a: says('1.0', 'a-1') });
    // After the merge what was built ships: nothing is built again.
    expect(results(await site.condenseOk('--json', 'install', '--all'))).toMatchObject([{ built: false }]);
    expect(await look('a')).toEqual({ a: says('1.1', 'a-1') });
    expect(await greet()).toBe('greetings');
  });

  it('day 8: the gate stops a release whose import breaks, and users notice nothing', async () => {
    await writeSite({ a: `{ version: '1', stable: '1', gate: { imports: [no_such_module] } }` });
    const releases = path.join(site.prefix, 'apps/condense/releases/a-1');
    const before = await readdir(releases);

    const { exitCode, stderr } = await site.condense('install', '--all', '--artifacts', 'artifacts');

    expect(exitCode, stderr).toBe(6);
    expect(await readFile(path.join(site.dir, 'artifacts/a-1/gate.xml'), 'utf8')).toContain('no_such_module');
    // It is kept for another try, and nobody can publish it.
    const [failed = '', ...others] = (await readdir(releases)).filter((id) => !before.includes(id));
    expect(others).toEqual([]);
    expect(await readdir(path.join(releases, failed))).not.toContain('gate.xml');
    const published = await site.condense('publish', `a-1/${failed}`);
    expect([published.exitCode, published.stderr]).toEqual([7, expect.stringContaining('NOT_GATED')]);
    expect(await readdir(path.join(site.admin, 'logs'))).toContainEqual(expect.stringMatching(/^a-1-.*-gate\.xml$/));
    expect(await look('a')).toEqual({ a: says('1.1', 'a-1') });
  });

  it('day 10: a bad update is published while a job runs, rolled back, and the job never knows', async () => {
    await writeSite({ a: `{ version: '1', stable: '1' }` });
    const load = `. /etc/profile.d/modules.sh; module use ${site.modules}; module load conda/a; echo in; read -r; hello`;
    const job = startAsUser(home, ['bash', '-c', load]);
    expect(await job.firstLine).toBe('in');
    await site.writeSpec('a', [channel], ['hello=2.0']);
    await site.condenseOk('lock', 'a');
    await site.condenseOk('install', 'a');
    expect(await look('a')).toEqual({ a: says('2.0', 'a-1') });

    await site.condenseOk('rollback', 'a');

    expect(await look('a')).toEqual({ a: says('1.1', 'a-1') });
    expect(await job.goOn()).toBe(`in\n${says('1.1', 'a-1')}`);
    expect((await notices()).at(-1)).toMatchObject({ action: 'rollback', subject: 'a', restores: 2 });
    await site.writeSpec('a', [channel], ['hello=1.1']); // as the commit that brought it is taken back
    await site.condenseOk('lock', 'a');
  });

  it('day 12: MPI is upgraded on the host under a release that uses it; doctor says which, and what mends it', async () => {
    const mpi = async (): Promise<string> => {
      const load = `. /etc/profile.d/modules.sh; module use ${site.modules}; module load conda/mpi-1 && mpi-hello 2>&1 && echo ran`;
      return (await runAsOrdinaryUser(home, ['bash', '-c', load])).stdout;
    };
    await execa(...asRoot('mkdir', hostMpi));
    await execa(...asRoot('chown', String(process.getuid?.()), hostMpi));
    await makeObjects(hostMpi, [{ path: 'lib/libsite_mpi.so.40' }]);
    await site.writeSpec('mpi', [await writeMpiChannel()], ['mpi-hello']);
    const replaced = `{ version: '1', replace: { openmpi: ${hostMpi} } }`;
    await writeSite({ a: `{ version: '1', stable: '1' }`, mpi: replaced });
    await site.condenseOk('install', 'mpi');
    expect(await mpi()).toBe('ran');

    await rm(path.join(hostMpi, 'lib/libsite_mpi.so.40'));
    await makeObjects(hostMpi, [{ path: 'lib/libsite_mpi.so.41' }]);

    expect(await mpi()).toContain('libsite_mpi.so.40');
    const { exitCode, stdout } = await site.condense('doctor');
    expect(exitCode).not.toBe(0);
    expect(stdout).toMatch(/^failure mpi-1: .*libsite_mpi\.so\.40: .* does not have it any more$/m);
    expect(stdout).toContain('condense install --rebuild mpi');
    await writeSite({ a: `{ version: '1', stable: '1' }`, mpi: `{ version: '1' }` });
    await site.condenseOk('install', 'mpi');
    expect(await mpi()).toBe('ran');
    expect(await look('a')).toEqual({ a: says('1.1', 'a-1') });
    await site.condenseOk('remove', 'mpi-1');
  });

  it('day 15: two new environments are built at once as a job array, and shown in one step', async () => {
    await writeSite({ a: `{ version: '1', stable: '1' }`, b: `{ version: '1' }`, c: `{ version: '1' }` });
    for (const name of ['b', 'c']) await site.writeSpec(name, [channel], ['hello=1.0']);

    const built = await site.start(['--json', 'build', '--on', 'slurm', 'b', 'c'], env());

    expect(built.exitCode, `${built.stdout}\n${built.stderr}`).toBe(0);
    const releases = results(built.stdout);
    expect(releases.map(({ task, built: isNew }) => [task, isNew]).toSorted()).toEqual([
      ...[['b', true], ['c', true]], // prettier-ignore
    ]);
    expect(await look('b', 'c')).toEqual({ b: 'nothing', c: 'nothing' });
    expect(await readdir(path.join(site.admin, 'jobs'))).toEqual([]);
    const names = releases.map(({ environment, release }) => `${environment ?? ''}/${release ?? ''}`);
    await site.condenseOk('publish', ...names, '--promote', 'stable=1');
    expect(await look('a', 'b', 'c')).toEqual({ a: says('1.1', 'a-1'), b: says('1.0', 'b-1'), c: says('1.0', 'c-1') });
  });

  it('day 18: a job that fails hands its status on, and the others are done', async () => {
    await writeSite({
      ...{ a: `{ version: '1', stable: '1' }`, b: `{ version: '1', gate: { imports: [no_such_module] } }` },
      c: `{ version: '1', gate: { imports: [] }, outside_commands: [ssh] }`,
    });

    const { exitCode, stderr, stdout } = await site.start(['build', '--on', 'slurm', 'b', 'c'], env());

    expect(exitCode, `${stdout}\n${stderr}`).toBe(6);
    expect(stderr).toMatch(/^\[b\] error .*no_such_module/m);
    expect(stderr).toContain('b ended with status 6: what it said is above');
    expect(stdout).toMatch(/^c-1 release \S+ was built and passed the gate/m);
    expect(await look('b', 'c')).toEqual({ b: says('1.0', 'b-1'), c: says('1.0', 'c-1') });
  });

  it('day 20: a build that was interrupted goes on when the same command runs again', async () => {
    await writeSite({ a: `{ version: '1', stable: '1' }`, b: `{ version: '1' }`, c: `{ version: '1' }` });
    await site.writeSpec('b', [channel], ['hello=2.0']);
    const first = site.start(['--json', 'install', 'a', 'b', '--jobs', '2']);
    createInterface({ input: first.stdout }).on('line', (line) => {
      const { task, type, stage } = JSON.parse(line) as Row;
      if (task === 'b' && type === 'stage-started' && stage === 'pack') first.kill('SIGINT');
    });

    expect((await first).exitCode, (await first).stderr).toBe(130);
    expect(await look('b')).toEqual({ b: says('1.0', 'b-1') });
    expect(await readdir(path.join(site.admin, 'locks'))).toEqual([]);

    await site.condenseOk('install', 'b');
    expect(await look('a', 'b')).toEqual({ a: says('1.1', 'a-1'), b: says('2.0', 'b-1') });
  });

  it('day 28: the next version is installed beside stable, then promoted', async () => {
    await writeSite({
      a: `{ version: '2', stable: '1', unstable: '2' }`,
      b: `{ version: '1' }`,
      c: `{ version: '1' }`,
    });
    await site.writeSpec('a', [channel], ['hello=2.0']);
    await site.condenseOk('lock', 'a');
    const installed = await site.condenseOk('--json', 'install', '--all', '--jobs', '2', '--artifacts', 'artifacts');
    // Of all environments only the one that changed is built.
    expect(results(installed).map(({ task, built }) => [task, built])).toEqual(
      expect.arrayContaining([['a', true], ['b', false], ['c', false]]), // prettier-ignore
    );
    expect((await readdir(path.join(site.dir, 'artifacts/a-2'))).sort()).toEqual([
      ...['environment.lock.yml', 'gate.xml', 'manifest.json'],
    ]);
    expect(await look('a', 'a-unstable')).toEqual({ a: says('1.1', 'a-1'), 'a-unstable': says('2.0', 'a-2') });

    await site.condenseOk('promote', 'a=2');

    expect(await look('a', 'a-1')).toEqual({ a: says('2.0', 'a-2'), 'a-1': says('1.1', 'a-1') });
  });

  it('day 30: nobody can be told of a change, which is live all the same and said with status 8', async () => {
    await writeSite(
      { a: `{ version: '2', stable: '1', unstable: '2' }`, b: `{ version: '1' }`, c: `{ version: '1' }` },
      'echo the room is closed >&2; exit 1',
    );

    const { exitCode, stdout, stderr } = await site.condense('promote', 'a');

    expect([exitCode, stdout]).toEqual([8, expect.stringContaining('alias a  a-2 -> a-1')]);
    expect(stderr).toContain('NOTIFY_FAILED');
    expect(stderr).toContain('the room is closed');
    expect(await look('a')).toEqual({ a: says('1.1', 'a-1') });
    expect(await site.condenseOk('status')).toContain('what users reach is whole');
  });
});
