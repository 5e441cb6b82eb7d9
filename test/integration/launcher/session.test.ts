// Sessions: the commands of one user on one node share a mounted container of the real runtime. As an ordinary user:
// for root, whose containers have no user namespace, there are none.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SessionFacts } from '../../../launcher/facts.ts';
import { renderLauncher } from '../../../launcher/render.ts';
import { buildPlanner } from '../../../launcher/build.ts';
import { makeRelease, readProbe, start, type Outcome, type Start, type TestRelease } from './test-release.ts';

const isRoot = process.getuid?.() === 0;
const user = isRoot ? 65534 : (process.getuid?.() ?? 0);
const asUser = isRoot ? { uid: user, gid: user } : {};
let release: TestRelease;
let environment: Record<string, string>;

async function openSite(sessions: Partial<SessionFacts> = {}): Promise<void> {
  release = await makeRelease({ sessions: { policy: 'join-or-start', idleSeconds: 600, ...sessions } });
  environment = { PATH: `${release.farm}:/usr/bin:/bin`, SHLVL: '1', HOME: release.dir };
}
afterEach(() => {
  for (const { pid } of readSessions()) kill(pid);
  fs.rmSync(release.dir, { recursive: true, force: true });
});

function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

interface SessionFile {
  readonly file: string;
  readonly pid: number;
  readonly key: string;
}
const sessionDir = (): string => path.join(release.dir, 'tmp', `condense-${user}`);
function readSessions(): SessionFile[] {
  if (!fs.existsSync(sessionDir())) return [];
  return fs.readdirSync(sessionDir()).flatMap((name) => {
    const file = path.join(sessionDir(), name);
    const [, pid, key, , end] = fs.readFileSync(file, 'utf8').split('\n');
    return end === 'end' ? [{ file, pid: Number(pid), key: key ?? '' }] : [];
  });
}
function theSession(): SessionFile {
  const sessions = readSessions();
  expect(sessions).toHaveLength(1);
  return sessions[0] ?? { file: '', pid: 0, key: '' };
}

/** Prints the mount namespace that it is in. */
const NAMESPACE = 'print readlink "/proc/self/ns/mnt"';
const perl = (code: string, more: Partial<Start> = {}): Outcome =>
  start(release, { program: `${release.farm}/python3`, args: ['-e', code], environment, ...more });
const namespace = (more: Partial<Start> = {}): string => {
  const outcome = perl(NAMESPACE, more);
  expect(outcome).toMatchObject({ status: 0, stderr: '' });
  return outcome.stdout;
};
const namespaceOf = (pid: number): string => fs.readlinkSync(`/proc/${pid}/ns/mnt`);
const isAlive = (pid: number): boolean => fs.existsSync(`/proc/${pid}`);
async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries += 1) {
    if (tries > 600) throw new Error(`never: ${what.toString()}`);
    await sleep(50);
  }
}
function startInBackground(code: string): { child: ReturnType<typeof spawn>; firstLine: Promise<string> } {
  const child = spawn(`${release.farm}/python3`, ['-e', code], {
    ...asUser,
    cwd: release.dir,
    env: environment,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const firstLine = once(child.stdout, 'data').then(([data]) => String(data).trim());
  return { child, firstLine };
}

describe('where the site lets commands start sessions', () => {
  beforeEach(async () => {
    await openSite();
  });

  test('the first command starts one, later ones join it, with the same program in it', () => {
    const [first, second] = [namespace(), namespace()];
    expect([first, second]).toEqual([first, namespaceOf(theSession().pid)]);
    expect(perl('print readlink "/proc/self/exe"').stdout).toBe('/opt/conda/test-1.0/bin/python3');
    // On another processor, or where somebody took it away, what enters in one step is not there: nsenter is.
    fs.rmSync(release.facts.sessions?.enter ?? '');
    expect(namespace()).toBe(first);
  });

  test('in it a command that is not there is 127, a file that is no program 126, as everywhere', () => {
    namespace();
    const run = (name: string): Outcome => start(release, { program: `${release.farm}/${name}`, environment });
    expect(run('absent')).toMatchObject({
      status: 127,
      stderr:
        'condense: test-1.0 has no such command, /opt/conda/test-1.0/bin/absent, see what there is with: launcher ls /opt/conda/test-1.0/bin\n',
    });
    expect(run('data')).toMatchObject({
      status: 126,
      stderr: 'condense: this is not a program, /opt/conda/test-1.0/bin/data, run it through its interpreter\n',
    });
  });

  test('nothing of ours stays beside a program that has joined: its parent is the caller', () => {
    namespace();
    const probed = readProbe(start(release, { program: `${release.farm}/probe`, args: [release.probe], environment }));
    expect(probed.ppid).toBe(process.pid);
  });

  test('128 first commands at once end with one session and no failure', async () => {
    const children = Array.from({ length: 128 }, () =>
      spawn(`${release.farm}/python3`, ['-e', NAMESPACE], { ...asUser, cwd: release.dir, env: environment }),
    );
    const ends = await Promise.all(
      children.map(async (child) => {
        let said = '';
        child.stdout.on('data', (data: Buffer) => (said += data.toString()));
        child.stderr.on('data', (data: Buffer) => (said += data.toString()));
        const [status] = (await once(child, 'close')) as [number];
        return `${status} ${said}`;
      }),
    );
    expect(new Set(ends)).toEqual(new Set([`0 ${namespaceOf(theSession().pid)}`]));
  });

  test('after the holder was killed, the next command starts another session', async () => {
    namespace();
    const { pid, key } = theSession();
    kill(pid);
    await until(() => !isAlive(pid));
    expect(namespace()).toBe(namespaceOf(theSession().pid));
    expect(theSession().key).not.toBe(key);
  });

  test('a program that runs while the holder is killed goes on, and soon cannot open files of the image any more', async () => {
    const { child, firstLine } = startInBackground(
      '$|=1; print "up\\n"; <STDIN>; for (1 .. 400) { open(my $f, "<", "/opt/conda/test-1.0/bin/cat") or last; select undef, undef, undef, 0.05 } print $!{ENOTCONN} ? "ENOTCONN" : "$!"',
    );
    await firstLine;
    let said = '';
    child.stdout?.on('data', (data: Buffer) => (said += data.toString()));
    kill(theSession().pid);
    child.stdin?.end('\n');
    const [status] = (await once(child, 'close')) as [number];
    expect([status, said]).toEqual([0, 'ENOTCONN']);
  });

  test('a pid that another process has got is not taken for the session', () => {
    const descriptors = (): readonly number[] =>
      readProbe(start(release, { program: `${release.farm}/probe`, args: [release.probe], environment })).fds;
    const before = descriptors();
    const { file, key, pid } = theSession();
    const other = spawn('sleep', ['60'], asUser);
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(`\n${pid}\n`, `\n${other.pid}\n`));
    // The probe sees every descriptor: those of the wrong process's namespaces must be closed again.
    expect(descriptors()).toEqual(before);
    expect(namespace()).not.toBe(namespaceOf(other.pid ?? 0));
    expect(theSession().key).not.toBe(key);
    other.kill();
    kill(pid);
  });

  test("somebody else's directory or file is not used, and the command runs all the same", () => {
    fs.mkdirSync(sessionDir());
    if (!isRoot) fs.chmodSync(sessionDir(), 0o500);
    expect(namespace()).toMatch(/^mnt/);
    expect(readSessions()).toEqual([]);
  });

  test('a symbolic link in the place of the file is not followed', () => {
    namespace();
    const { file } = theSession();
    const target = path.join(release.dir, 'elsewhere');
    fs.renameSync(file, target);
    fs.symlinkSync(target, file);
    const { pid } = theSession();
    expect(namespace()).not.toBe(namespaceOf(pid));
    kill(pid);
  });

  test.each([
    ['another home', { HOME: '/tmp' }],
    ['other settings of the runtime', { APPTAINER_BIND: '/srv' }],
  ])('%s means another session', (_, other) => {
    const first = namespace();
    const before = theSession();
    expect(namespace({ environment: { ...environment, ...other } })).not.toBe(first);
    kill(before.pid);
  });

  test('CONDENSE_SESSION=off keeps a command out of it, and reaches the program', () => {
    const first = namespace();
    const outcome = perl(`${NAMESPACE}; print " $ENV{CONDENSE_SESSION}"`, {
      environment: { ...environment, CONDENSE_SESSION: 'off' },
    });
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(outcome.stdout).toMatch(/ off$/);
    expect(outcome.stdout).not.toContain(first);
  });

  test("an image of the user's own over the environment needs its own container", () => {
    const overlay = path.join(release.dir, 'mine.sqsh');
    const root = path.join(release.dir, 'mine');
    fs.mkdirSync(path.join(root, 'opt'), { recursive: true });
    fs.writeFileSync(path.join(root, 'opt/mine'), 'mine');
    expect(spawnSync('mksquashfs', [root, overlay, '-quiet', '-no-progress']).status).toBe(0);
    const first = namespace();
    const outcome = perl(`${NAMESPACE}; print -s "/opt/mine"`, {
      environment: { ...environment, CONTAINER_OVERLAY_PATH: overlay },
    });
    expect(outcome.stdout).toMatch(/\]4$/);
    expect(outcome.stdout).not.toContain(first);
  });

  test('a working directory that the session does not show gets a container of its own, which does', () => {
    namespace();
    const hidden = fs.mkdtempSync('/opt/condense-hidden-');
    fs.chmodSync(hidden, 0o755);
    const outcome = perl(`use Cwd; print getcwd`, { cwd: hidden });
    fs.rmdirSync(hidden);
    expect(outcome).toMatchObject({ status: 0, stdout: hidden, stderr: '' });
  });

  test('a directory reached through a link that the session does not show, too', () => {
    namespace();
    const link = fs.mkdtempSync('/opt/condense-link-');
    fs.symlinkSync(release.dir, `${link}/here`);
    fs.chmodSync(link, 0o755);
    const outcome = perl(`use Cwd; print getcwd`, {
      before: `cd ${link}/here`,
      environment: { ...environment, PWD: `${link}/here` },
    });
    fs.rmSync(link, { recursive: true });
    expect(outcome).toMatchObject({ status: 0, stdout: release.dir, stderr: '' });
  });

  test.each(['ulimit -t 1000', 'renice -n 5 $$ >/dev/null'])(
    '%s, which would bind those who come later, starts no session',
    (before) => {
      expect(perl(NAMESPACE, { before }).status).toBe(0);
      expect(readSessions()).toEqual([]);
    },
  );

  test('a command that is bound to a processor does not bind the session to it', () => {
    const processors = (pid: number | string): string | undefined =>
      /^Cpus_allowed_list:\s*(\S+)$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    expect(perl('print "ran"', { before: 'taskset -cp 0 $$ >/dev/null' })).toMatchObject({ stdout: 'ran', stderr: '' });
    expect(processors(theSession().pid)).toBe(processors('self'));
  });

  test('the session does not hold what the first command was given: its pipes end with it', async () => {
    const { child, firstLine } = startInBackground('$|=1; print "up\\n"; <STDIN>');
    await firstLine;
    child.stdin?.end();
    await once(child, 'close'); // when nobody has the pipes any more
    expect(isAlive(theSession().pid)).toBe(true);
  });

  // Only root can mount such a directory.
  const asRoot = isRoot ? test : undefined;
  asRoot?.each([
    ['where processes of others are hidden', 'mount -t proc -o hidepid=2 proc /proc'],
    ['with a directory for sessions that forbids programs', 'mount -t tmpfs -o noexec,mode=1777 none "$DIR"'],
  ])('%s, commands join all the same', (_, mount) => {
    const twice = `for i in 1 2; do python3 -e 'print readlink("/proc/self/ns/mnt"), "\\n"'; done; kill -9 $(sed -n 2p "$DIR"/condense-${user}/*)`;
    const script = `${mount} && exec setpriv --reuid=${user} --regid=${user} --clear-groups bash -c '${twice.replaceAll("'", `'\\''`)}'`;
    const outcome = spawnSync('unshare', ['-m', 'sh', '-c', script], {
      cwd: release.dir,
      env: { ...environment, DIR: path.join(release.dir, 'tmp') },
      encoding: 'utf8',
      timeout: 90_000,
    });
    const [first, second] = outcome.stdout.trim().split('\n');
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(first).toMatch(/^mnt:/);
    expect(second).toBe(first);
  });
  asRoot?.('a full directory for sessions costs only the session', () => {
    const dir = path.join(release.dir, 'tmp');
    const script = `mount -t tmpfs -o size=4k,nr_inodes=1,mode=1777 none ${dir} && mkdir -p ${dir}/x; exec setpriv --reuid=${user} --regid=${user} --clear-groups ${release.farm}/python3 -e 'print "ran"'`;
    const outcome = spawnSync('unshare', ['-m', 'sh', '-c', script], {
      env: environment,
      encoding: 'utf8',
      timeout: 90_000,
    });
    expect(outcome).toMatchObject({ status: 0, stdout: 'ran' });
  });
});

describe('what --explain says of the way', () => {
  const way = (): string | undefined =>
    /^way +(.*)$/m.exec(
      start(release, { program: release.launcher, args: ['--explain', 'cat'], environment }).stdout,
    )?.[1];

  test('is what happens', async () => {
    await openSite();
    expect(way()).toBe('a session, which it starts');
    expect(readSessions()).toEqual([]);
    namespace();
    expect(way()).toBe(`the session of process ${theSession().pid}`);
    environment['CONDENSE_SESSION'] = 'off';
    expect(way()).toBe('a container of its own');
  });
});

describe('the end of a session', () => {
  test('comes when nobody was in it for the idle time, and not while somebody is', async () => {
    await openSite({ idleSeconds: 2 });
    const { child, firstLine } = startInBackground('$|=1; print "up\\n"; <STDIN>; print readlink "/proc/self/ns/mnt"');
    await firstLine;
    const { pid, file } = theSession();
    await sleep(4_000);
    expect(isAlive(pid)).toBe(true);
    expect(namespace()).toBe(namespaceOf(pid));
    child.stdin?.end();
    await until(() => !isAlive(pid));
    expect(fs.readFileSync(file, 'utf8')).toBe('');
  });

  test('asked for by a signal, lets those who are in it finish, and takes nobody else', async () => {
    await openSite({ idleSeconds: 2 });
    const { child, firstLine } = startInBackground(
      '$|=1; print "up\\n"; <STDIN>; exec "/opt/conda/test-1.0/bin/cat", "/etc/hostname"',
    );
    await firstLine;
    const { pid } = theSession();
    kill(pid, 'SIGTERM');
    await until(() => readSessions().length === 0);
    expect(namespace()).not.toBe(namespaceOf(pid));
    await sleep(3_000);
    child.stdin?.end('\n');
    const [status] = (await once(child, 'close')) as [number];
    expect(status).toBe(0);
    await until(() => !isAlive(pid));
  });
});

describe('where the site lets commands only join', () => {
  test('a command starts none', async () => {
    await openSite({ policy: 'join' });
    expect(namespace()).toMatch(/^mnt/);
    expect(readSessions()).toEqual([]);
  });

  test('launcher --start-session starts one that commands join', async () => {
    await openSite({ policy: 'join' });
    expect(start(release, { program: release.launcher, args: ['--start-session'], environment })).toEqual({
      status: 0,
      signal: null,
      stdout: '',
      stderr: '',
    });
    expect(namespace()).toBe(namespaceOf(theSession().pid));
  });
});

describe('where the runtime makes no user namespace', () => {
  test('the first command finds out, and later ones do not try again', async () => {
    await openSite();
    // Stands for a setuid starter: the holder stays in the caller's user namespace, and everybody's program is on the host.
    const runtime = path.join(release.dir, 'no-namespace.sh');
    const log = path.join(release.dir, 'calls');
    fs.writeFileSync(log, '');
    fs.chmodSync(log, 0o666);
    fs.writeFileSync(
      runtime,
      `#!/bin/bash\necho call >>${log}\nwhile [[ $1 != /bin/bash ]]; do shift; done\nexec "$@"\n`,
    );
    fs.chmodSync(runtime, 0o755);
    const facts = { ...release.facts, runtime, condaPrefix: '/usr', marker: '/usr/bin/perl-not-there' };
    fs.writeFileSync(release.launcher, renderLauncher(facts, await buildPlanner()));
    for (let count = 0; count < 3; count += 1) {
      expect(start(release, { program: `${release.farm}/cat`, args: ['/etc/hostname'], environment }).status).toBe(0);
    }
    expect(fs.readFileSync(log, 'utf8').split('\n')).toHaveLength(5); // one holder, three commands, the last line's end
  });
});
