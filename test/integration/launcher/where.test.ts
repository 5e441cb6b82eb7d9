// Where a command of the farm is when it is called, and what it makes of it: on the host, in its own container, in that
// of another environment or of somebody else, pinned to a release that is gone. With the real runtime.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { InheritFacts } from '../../../launcher/facts.ts';
import { makeRelease, start, type Outcome, type Start, type TestRelease } from './test-release.ts';

const sessions = { policy: 'join-or-start', idleSeconds: 600 } as const;
const user = process.getuid?.() === 0 ? 65534 : (process.getuid?.() ?? 0);
const asUser = process.getuid?.() === 0 ? { uid: user, gid: user } : {};
/** What the runtime consists of, where /usr does not show it. */
const runtimeDir = path.dirname(path.dirname(fs.realpathSync(runtimeOnPath())));
const plainBinds = ['/etc', '/usr', '/var', '/run'];
const nestingBinds = [...plainBinds, ...(runtimeDir.startsWith('/usr') ? [] : [runtimeDir])];

function runtimeOnPath(): string {
  return spawnSync('sh', ['-c', 'command -v apptainer || command -v singularity'], { encoding: 'utf8' }).stdout.trim();
}

const inherit: InheritFacts = {
  drop: ['PYTHONHOME'],
  lists: [{ name: 'LD_LIBRARY_PATH', drop: ['/apps'], keep: ['/apps/openmpi'] }],
  defaults: { PYTHONNOUSERSITE: '1' },
};
let one: TestRelease;
let other: TestRelease;
beforeAll(async () => {
  one = await makeRelease({ name: 'one', sessions, besides: { binds: nestingBinds, inherit } });
  other = await makeRelease({ name: 'other', sessions, besides: { binds: nestingBinds } });
  fs.writeFileSync(path.join(one.dir, 'which.pl'), WHICH);
});
afterEach(() => {
  for (const release of [one, other]) endSessions(release);
});
afterAll(() => {
  for (const release of [one, other]) fs.rmSync(release.dir, { recursive: true, force: true });
});

function endSessions(release: TestRelease): void {
  for (const pid of holders(release)) spawnSync('kill', ['-KILL', String(pid)]);
}
function holders(release: TestRelease): number[] {
  const dir = path.join(release.dir, 'tmp', `condense-${user}`);
  if (!fs.existsSync(dir)) return [];
  return fs.readdirSync(dir).flatMap((name) => {
    const [, pid, , , end] = fs.readFileSync(path.join(dir, name), 'utf8').split('\n');
    return end === 'end' ? [Number(pid)] : [];
  });
}

const WHICH = 'opendir my $d, "/opt/conda"; print join(",", sort grep !/^\\./, readdir $d), "\\n"';
const environment = { PATH: '/usr/bin:/bin', SHLVL: '1' };
const perl = (release: TestRelease, more: Partial<Start> = {}): Outcome =>
  start(release, { program: `${release.farm}/python3`, args: ['-e', WHICH], environment, ...more });
const inShell = (release: TestRelease, script: string, more: Record<string, string> = {}): Outcome =>
  start(release, {
    program: release.launcher,
    args: ['bash', '-c', script],
    environment: { ...environment, HOME: release.dir, ...more },
  });

describe("one environment inside another's shell", () => {
  test("its command gets its own container in the other's, where that shows the runtime, and an exit code", () => {
    const script = `${other.farm}/python3 -e '${WHICH}'; ${other.farm}/python3 -e 'exit 7'; echo $?`;
    expect(inShell(one, script)).toEqual({ status: 0, signal: null, stdout: 'other-1.0\n7\n', stderr: '' });
  });

  test('back in the first one from there, it is in a third container, with the right image', () => {
    const script = `${other.farm}/python3 -e 'exit system(@ARGV) / 256' ${one.farm}/python3 -e '${WHICH}'`;
    expect(inShell(one, script)).toMatchObject({ status: 0, stdout: 'one-1.0\n', stderr: '' });
  });

  test("it neither joins a session of the host, nor does it take the host's away", () => {
    expect(perl(other, { environment: { ...environment, HOME: one.dir } }).status).toBe(0);
    const before = holders(other);
    expect(before).toHaveLength(1);
    expect(inShell(one, `${other.farm}/python3 -e '${WHICH}'`).stdout).toBe('other-1.0\n');
    expect(holders(other)).toEqual(before);
  });

  test('--explain says that it is in another container', () => {
    const { stdout } = inShell(one, `${other.launcher} --explain python3`);
    expect(stdout).toMatch(/^way +a container of its own$/m);
    expect(stdout).toMatch(/^why +inside another container, .*: \/opt\/conda\/other-1\.0\/\.condense is not there$/m);
  });
});

describe('two environments on PATH', () => {
  test('the first one has the command, and the other one is found by its path', () => {
    const PATH = `${one.farm}:${other.farm}:/usr/bin:/bin`;
    const script = `python3 -e '${WHICH}'; ${other.farm}/python3 -e '${WHICH}'`;
    expect(start(one, { program: '/bin/bash', args: ['-c', script], environment: { ...environment, PATH } })).toEqual({
      status: 0,
      signal: null,
      stdout: 'one-1.0\nother-1.0\n',
      stderr: '',
    });
  });

  test("in the second one's container the first one's commands are still first", () => {
    const PATH = `${one.farm}:${other.farm}:/usr/bin:/bin`;
    const script = `${other.farm}/bash -c "python3 ${one.dir}/which.pl; true"`;
    expect(
      start(one, { program: '/bin/bash', args: ['-c', script], environment: { ...environment, PATH } }),
    ).toMatchObject({ stdout: 'one-1.0\n', stderr: '' });
  });
});

describe('L13 L14: a container of somebody else', () => {
  const foreign = (script: string, more: { env?: Record<string, string>; binds?: string[] } = {}): Outcome => {
    // Not as the container's first program: an apptainer that was moved from where it was built does not find its files
    // when the starter of another one is its parent.
    const { status, signal, stdout, stderr } = spawnSync(
      one.facts.runtime,
      [
        '-s',
        'exec',
        '--bind',
        (more.binds ?? plainBinds).join(','),
        one.facts.base,
        '/bin/bash',
        '-c',
        `${script}; exit $?`,
      ],
      {
        ...asUser,
        cwd: one.dir,
        env: { ...environment, HOME: one.dir, ...more.env },
        encoding: 'utf8',
        timeout: 90_000,
      },
    );
    return { status, signal, stdout, stderr };
  };

  test('that does not show the runtime: says so, and how to start that container with the image instead', () => {
    const hidden = runtimeDir.startsWith('/usr') ? { binds: plainBinds.filter((bind) => bind !== '/usr') } : {};
    const outcome = foreign(`${one.farm}/python3 -e 1`, hidden);
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toBe(
      `condense: one-1.0 cannot start inside another container, which does not show ${one.facts.runtime}, ${one.facts.base}, leave it first, or start it with the image: APPTAINER_OVERLAYIMAGE=${one.release}/env.sqsh:ro\n`,
    );
  });

  test('that was started with the image, as the message says, is a container of ours', () => {
    const env = { APPTAINER_OVERLAYIMAGE: `${one.release}/env.sqsh:ro` };
    const script = `${one.farm}/python3 -e '${WHICH}; print getppid() == $ARGV[0] ? "directly" : "not"' $$`;
    expect(foreign(script, { env })).toMatchObject({ status: 0, stdout: 'one-1.0\ndirectly', stderr: '' });
  });

  test('that shows the runtime and allows user namespaces: a container in it', () => {
    const outcome = foreign(`${one.farm}/python3 -e '${WHICH}'`, { binds: nestingBinds });
    expect(outcome).toMatchObject({ status: 0, stdout: 'one-1.0\n', stderr: '' });
  });

  test('that allows no user namespaces: says so', () => {
    const script = `unshare -Ur /bin/bash -c 'echo 0 >/proc/sys/user/max_user_namespaces; ${one.farm}/python3 -e 1; exit $?'`;
    const outcome = foreign(script, { binds: nestingBinds });
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toMatch(/^condense: one-1\.0 cannot start inside another container, which allows no user/);
  });

  test('no variable makes it one: those of a container that was left are gone, and make no session of their own', () => {
    const left = { APPTAINER_CONTAINER: '/x.sif', SINGULARITY_CONTAINER: '/x.sif', APPTAINER_BIND: '/nowhere' };
    const home = { ...environment, HOME: one.dir };
    expect(perl(one, { environment: home })).toMatchObject({ status: 0, stdout: 'one-1.0\n' });
    const before = holders(one);
    expect(perl(one, { environment: { ...home, ...left } })).toMatchObject({ status: 0, stdout: 'one-1.0\n' });
    expect(before).toHaveLength(1);
    expect(holders(one)).toEqual(before);
  });
});

describe('L20 L21: what does not come along', () => {
  const wanted = { LD_LIBRARY_PATH: '/apps/openmpi/lib:/x', PYTHONPATH: '/home/u/lib', PYTHONNOUSERSITE: '1' };
  const print = 'print map "$_=$ENV{$_}\\n", grep /^(PYTHON|LD_|APPT|SING)/, sort keys %ENV';
  const given = {
    ...environment,
    PYTHONHOME: '/usr',
    PYTHONPATH: '/home/u/lib',
    LD_LIBRARY_PATH: '/apps/netcdf/lib:/apps/openmpi/lib:/x',
    SINGULARITY_NAME: 'x',
    APPTAINER_CONTAINER: '/x.sif',
  };
  test.each([
    ['a session that it starts', {}],
    ['a session that is there', {}],
    ['a container of its own', { CONDENSE_SESSION: 'off' }],
    ['a session, by the careful way of odd variables', { RANDOM: '5' }],
  ])('stays out of %s', (way, more) => {
    if (way === 'a session that is there') perl(one, { environment: { ...given, ...more, HOME: one.dir } });
    const outcome = perl(one, { args: ['-e', print], environment: { ...given, ...more, HOME: one.dir } });
    const lines = Object.entries(wanted).map(([name, value]) => `${name}=${value}\n`);
    expect(outcome).toMatchObject({ status: 0, stdout: lines.sort().join(''), stderr: '' });
  });

  test('and --explain says so', () => {
    const { stdout } = start(one, { program: one.launcher, args: ['--explain', 'python3'], environment: given });
    expect(stdout).toMatch(/^changes +PYTHONHOME \(unset\)$/m);
    expect(stdout).toMatch(/^changes +LD_LIBRARY_PATH=\/apps\/openmpi\/lib:\/x$/m);
    expect(stdout).toMatch(/^changes +PYTHONNOUSERSITE=1$/m);
  });
});

describe('a release that is gone', () => {
  const removed = (): string => path.join(one.facts.releasesDir, 'gone');
  function openShell(): { ask: (script: string) => Promise<string>; close: () => Promise<unknown> } {
    const shell = spawn(one.launcher, ['bash'], {
      ...asUser,
      cwd: one.dir,
      env: { ...environment, HOME: one.dir, CONDENSE_RELEASE: 'one-1.0/gone' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return {
      ask: async (script) => {
        shell.stdin.write(`${script}\n`);
        const [data] = (await once(shell.stdout, 'data')) as [Buffer];
        return data.toString();
      },
      close: async () => {
        shell.stdin.end();
        return once(shell, 'exit');
      },
    };
  }

  test('while a shell is in it: the shell goes on in it, a command outside falls forward to the next', async () => {
    fs.cpSync(one.release, removed(), { recursive: true, verbatimSymlinks: true });
    const shell = openShell();
    expect(await shell.ask(`${one.farm}/python3 -e '${WHICH}'`)).toBe('one-1.0\n');
    fs.rmSync(removed(), { recursive: true });

    expect(await shell.ask(`${one.farm}/python3 -e '${WHICH}'`)).toBe('one-1.0\n');
    const pinned = { ...environment, HOME: one.dir, CONDENSE_RELEASE: 'one-1.0/gone' };
    expect(perl(one, { environment: pinned })).toMatchObject({ status: 0, stdout: 'one-1.0\n', stderr: '' });
    const { stdout } = start(one, {
      program: one.launcher,
      args: ['--explain', 'python3'],
      environment: pinned,
    });
    expect(stdout).toMatch(/^because +it is the launcher's own; CONDENSE_RELEASE names gone, which is gone$/m);
    await shell.close();
  });
});

describe('L24: setuid programs of the host', () => {
  const setuid = (): string => path.join(one.dir, 'host-bin/ssh');
  beforeAll(() => {
    fs.mkdirSync(path.dirname(setuid()));
    fs.copyFileSync('/usr/bin/id', setuid());
    fs.chmodSync(setuid(), 0o4755);
  });
  const PATH = (): string => `${one.farm}:${path.dirname(setuid())}:/usr/bin:/bin`;
  const owner = String(fs.statSync('/proc/self').uid);

  test('an outside command, called on the host, has its privilege', () => {
    const outcome = start(one, {
      program: `${one.farm}/ssh`,
      args: ['-u'],
      environment: { ...environment, PATH: PATH() },
    });
    expect(outcome).toMatchObject({ status: 0, stdout: `${owner}\n`, stderr: '' });
  });

  test.each([
    ['a session', {}, 0],
    ['a container of its own', { CONDENSE_SESSION: 'off' }, 1],
  ])('inside %s nobody has one, whatever no_new_privs says', (_, more, noNewPrivs) => {
    const script = `ssh -u; grep NoNewPrivs /proc/self/status | tr -dc 01`;
    const outcome = inShell(one, script, { PATH: PATH(), ...more });
    expect(outcome).toMatchObject({ status: 0, stdout: `${user}\n${noNewPrivs}` });
  });
});
