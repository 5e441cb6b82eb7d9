import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeHome, runAsOrdinaryUser } from '../../ci/ordinary-user.ts';
import { writeHelloChannel } from './hello-channel.ts';
import { startAsUser } from './start-as-user.ts';
import { TestSite } from './test-site.ts';

let site: TestSite;
let channel: string;
let home: string;

beforeAll(async () => {
  site = await TestSite.make();
  home = await makeHome();
  channel = await writeHelloChannel(site.dir);
  await site.writeConfig(`  a: { version: '1', stable: '1', outside_commands: [ssh] }\n`);
  await site.writeSpec('a', [channel], ['hello=1.0']);
  await site.condenseOk('install', 'a');
});
afterAll(async () => {
  await site.remove();
  await rm(home, { recursive: true, force: true });
});

const hello = async (...command: string[]): Promise<string> => {
  const ran = await runAsOrdinaryUser(home, command);
  return ran.exitCode === 0 ? ran.stdout : `exit ${ran.exitCode ?? '?'}: ${ran.stderr}`;
};

/** What users get second. */
let second: string;

describe('publishing, as users see it', () => {
  it('serves commands by version and by alias to another user', async () => {
    expect(await hello(site.scripts('a-1', 'bin/hello'))).toBe('hello 1.0 from /opt/conda/a-1');
    expect(await hello(site.scripts('a', 'bin/hello'))).toBe('hello 1.0 from /opt/conda/a-1');
  });

  it('has a command that joins a session enter it by the program of its release, without nsenter', async () => {
    // Somebody is in the session all the while, so that it does not end.
    const script = `"$0" sleep 60 & "$1" && strace -qqo execs -e trace=execve "$1" && cat execs; kill $!`;
    const said = await hello('bash', '-c', script, site.scripts('a', 'launcher'), site.scripts('a', 'bin/hello'));

    expect(said.split('\n').slice(0, 2)).toEqual(Array(2).fill('hello 1.0 from /opt/conda/a-1'));
    expect(said).toMatch(/^execve\("[^"]+\/releases\/a-1\/[^"/]+\/enter", /m);
    expect(said).not.toContain('/nsenter"');
  });

  it('loads through the module, with what activation sets', async () => {
    const load = `. /etc/profile.d/modules.sh; module use ${site.modules}; module load conda/a && hello && echo $HELLO_DATA $CONDA_DEFAULT_ENV`;

    expect(await hello('bash', '-c', load)).toBe('hello 1.0 from /opt/conda/a-1\n/opt/conda/a-1/share/hello a-1');
  });

  it('shows the public directories in the container by what holds them, since publishing moves them', async () => {
    const mounts = await hello(site.scripts('a', 'launcher'), 'cat', '/proc/self/mountinfo');
    const points = mounts.split('\n').map((line) => line.split(' ')[4]);

    expect(points).toContain(path.join(site.prefix, 'apps'));
    expect(points.filter((point) => point?.startsWith(`${site.prefix}/apps/`))).toEqual([]);
  });

  it('says that there is nothing to do when nothing changed, and makes no generation', async () => {
    const before = await site.condenseOk('list');

    expect(await site.condenseOk('install', 'a')).toContain('was live already: nothing to do');
    expect(await site.condenseOk('list')).toBe(before);
  });

  it('leaves a running program on its release, gives new ones the new, and brings the first back', async () => {
    const running = startAsUser(home, [site.scripts('a', 'bin/hello-later')]);
    expect(await running.firstLine).toBe('ready');
    const first = await site.liveRelease('a-1');
    await site.writeSpec('a', [channel], ['hello=2.0']);

    await site.condenseOk('install', 'a');

    second = (await site.liveRelease('a-1')) ?? '';
    expect(await hello(site.scripts('a', 'bin/hello'))).toBe('hello 2.0 from /opt/conda/a-1');
    expect(await running.goOn()).toBe('ready\nstill 1.0');
    const planned = await site.condenseOk('rollback', '--dry-run');
    expect(planned).toContain(`-> ${first ?? ''}`);
    expect(await hello(site.scripts('a', 'bin/hello'))).toContain('hello 2.0');
    await site.condenseOk('rollback');
    expect(await hello(site.scripts('a', 'bin/hello'))).toBe('hello 1.0 from /opt/conda/a-1');
    expect(await site.liveRelease('a-1')).toBe(first);
  });

  it('shows what was rolled back no more, until somebody asks for it by name', async () => {
    const first = await site.liveRelease('a-1');

    const ran = await site.start(['install', 'a']);

    expect(ran.exitCode).toBe(0);
    expect(ran.stderr).toMatch(
      new RegExp(`a-1 stays as it is: \\S+ rolled its release ${second} back \\(generation \\d+`),
    );
    expect(ran.stdout).toContain(`condense publish a-1/${second}`);
    expect(await site.liveRelease('a-1')).toBe(first);
  });

  it('keeps a job on the release whose module it loaded', async () => {
    const load = `. /etc/profile.d/modules.sh; module use ${site.modules}; module load conda/a && echo $CONDENSE_RELEASE && read -r && hello`;
    const job = startAsUser(home, ['bash', '-c', load]);
    expect(await job.firstLine).toBe(`a-1/${(await site.liveRelease('a-1')) ?? ''}`);
    await site.condenseOk('publish', `a-1/${second}`);

    expect(await hello(site.scripts('a', 'bin/hello'))).toContain('hello 2.0');

    expect(await job.goOn()).toContain('hello 1.0');
    await site.condenseOk('rollback', 'a');
  });

  it('has nothing older to roll back to in the end, says so and changes nothing', async () => {
    const before = await site.condenseOk('list');
    const ran = await site.condense('rollback');

    expect(ran.exitCode).toBe(7);
    expect(ran.stderr).toContain('there is no older generation');
    expect(await site.condenseOk('list')).toBe(before);
  });

  it('lists the whole releases where one is damaged, and names that one', async () => {
    const ids = (await readdir(path.join(site.prefix, 'apps/condense/releases/a-1'))).sort();
    const live = await site.liveRelease('a-1');
    const [damaged = '', ...whole] = [ids.find((id) => id !== live), ...ids.filter((id) => id === live)];
    const manifest = path.join(site.prefix, 'apps/condense/releases/a-1', damaged, 'manifest.json');
    const text = await readFile(manifest, 'utf8');
    await chmod(manifest, 0o644);
    await writeFile(manifest, text.slice(0, 100));
    const stray = path.join(site.prefix, 'apps/condense/releases/stray');
    await writeFile(stray, '');

    const { exitCode, stdout, stderr } = await site.condense('list', '--releases');

    expect(await site.condenseOk('status')).toContain('a-1');
    await rm(stray);
    await writeFile(manifest, text);
    expect(exitCode).toBe(7);
    for (const id of whole) expect(stdout).toContain(id);
    expect(stderr).toContain(`error  ${manifest}`);
    expect(stderr).toContain('MANIFEST_INVALID');
  });

  it('publishes by id what was built before, and refuses what is no release', async () => {
    await site.writeSpec('a', [channel], ['hello=2.0']);
    const built = JSON.parse((await site.condenseOk('--json', 'build', 'a')).split('\n').at(-1) ?? '') as {
      release: string;
    };
    expect(await hello(site.scripts('a', 'bin/hello'))).toContain('hello 1.0');

    await site.condenseOk('publish', `a-1/${built.release}`);

    expect(await hello(site.scripts('a', 'bin/hello'))).toContain('hello 2.0');
    expect((await site.condense('publish', '../../etc')).exitCode).toBe(2);
    expect((await site.condense('publish', 'a-1/20000101T000000Z-00000000')).exitCode).toBe(7);
  });

  it('publishes a version and moves an alias in one generation, moves it back and removes, as modules show', async () => {
    await site.writeConfig(`  a: { version: '2', outside_commands: [ssh] }\n`, 'default_environment: a\n');
    const { release } = JSON.parse((await site.condenseOk('--json', 'build', 'a')).split('\n').at(-1) ?? '') as {
      release: string;
    };
    const load = (name: string): Promise<string> =>
      hello('bash', '-c', `. /etc/profile.d/modules.sh; module use ${site.modules}; module load ${name} && hello`);
    const planned = await site.condenseOk('publish', `a-2/${release}`, '--promote', 'stable=2', '--dry-run');
    expect(planned).toContain(`link    ${site.prefix}/apps/condense/current -> generations/`);
    expect(await load('conda/a')).toContain('from /opt/conda/a-1');

    const published = await site.condenseOk('publish', `a-2/${release}`, '--promote', 'stable=2');

    expect(published).toContain(`a-2  is new: ${release}`);
    expect(published).toContain('alias a  a-1 -> a-2');
    expect(await load('conda/a')).toBe('hello 2.0 from /opt/conda/a-2');
    expect(await load('conda')).toBe('hello 2.0 from /opt/conda/a-2');
    expect((await site.condense('remove', 'a-2')).stderr).toContain('ALIAS_DANGLING');

    await site.condenseOk('promote', 'a=1');
    await site.condenseOk('remove', 'a-2');

    expect(await load('conda/a')).toBe('hello 2.0 from /opt/conda/a-1');
    expect(await load('conda')).toBe('hello 2.0 from /opt/conda/a-1');
    expect(await load('conda/a-2')).toContain('exit 1');
    await site.condenseOk('rollback');
    expect(await load('conda/a-2')).toBe('hello 2.0 from /opt/conda/a-2');
  });

  it('keeps the release of a protected stable version, unless replacing it is asked for', async () => {
    await site.writeConfig(`  a: { version: '1', stable: '1' }\n`, 'protect_stable: true\n');
    await site.writeSpec('a', [channel], ['hello=1.0']);

    const refused = await site.condense('install', 'a');

    expect(refused.exitCode).toBe(7);
    expect(refused.stderr).toContain('STABLE_PROTECTED');
    expect(refused.stderr).not.toContain('> solve');
    const { release } = JSON.parse((await site.condenseOk('--json', 'build', 'a')).split('\n').at(-1) ?? '') as {
      release: string;
    };
    expect((await site.condense('publish', `a-1/${release}`)).stderr).toContain(
      `condense publish --stable a-1/${release}`,
    );
    await site.condenseOk('publish', '--stable', `a-1/${release}`);
    expect(await site.liveRelease('a-1')).toBe(release);
  });

  it('tells what is live, what happened and what differs, also for a release of another launcher only', async () => {
    const before = (await site.liveRelease('a-1')) ?? '';
    await site.writeConfig(`  a: { version: '1', stable: '1', ssh_hosts: ['node*'], outside_commands: [ssh] }\n`);

    const installed = await site.start(['install', 'a']);

    expect(installed.stderr).toContain('a-1 is built again because of: launcher');
    const after = (await site.liveRelease('a-1')) ?? '';
    const status = await site.condenseOk('status');
    expect(status).toMatch(new RegExp(`a-1 {2}${after} {2}since .*, publish by `));
    expect(status).toContain('what users reach is whole');
    const history = await site.condenseOk('history', '--last', '1');
    expect(history).toMatch(/\* \d+ {2}.*: publish a-1/);
    expect(history).toContain(`a-1  ${before} -> ${after}  (packages are the same; changed inputs: `);
    expect(await site.condenseOk('diff', `a-1/${before}`, 'live')).toContain('packages are the same');
  });
});
