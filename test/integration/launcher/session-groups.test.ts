// Whose end takes whose session along: control groups, by which batch systems and systemd-logind end jobs and logins.
// And what of the runtime decides on sessions: a setuid starter, whose containers nobody can join, and its options for
// GPUs. All of this needs root to be made.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPlanner } from '../../../launcher/build.ts';
import { makeRelease, start, writeLauncher, type TestRelease } from './test-release.ts';

const USER = 65534;
const asRoot = process.getuid?.() === 0 ? describe : undefined;
const NAMESPACE = 'print readlink("/proc/self/ns/mnt"), "\\n"';
let release: TestRelease;
beforeAll(async () => {
  release = await makeRelease({ sessions: { policy: 'join-or-start', idleSeconds: 600 } });
});
afterAll(() => {
  fs.rmSync(release.dir, { recursive: true, force: true });
});
const environment = (): Record<string, string> => ({ PATH: '/usr/bin:/bin', HOME: release.dir });

asRoot?.('control groups', () => {
  /** The ordinary user's command in a group; every process in the groups is gone afterwards. */
  const inGroups = (script: string): readonly string[] => {
    const groups = path.join(release.dir, 'groups');
    fs.mkdirSync(groups, { recursive: true });
    const whole = `
mount -t cgroup2 none ${groups} && cd ${groups} && mkdir -p condense-test-$$ && cd condense-test-$$ || exit
mkdir one two job job/task_0 job/task_1
in_group() { (echo $BASHPID >"$1/cgroup.procs" && shift && cd ${release.dir} && exec setpriv --reuid=${USER} --regid=${USER} --clear-groups "$@"); }
${script}
status=$?
echo 1 >cgroup.kill
until rmdir */* * . 2>/dev/null; rmdir "$PWD" 2>/dev/null; do [[ -e $PWD/cgroup.procs ]] || break; sleep 0.1; done
exit $status`;
    const outcome = spawnSync('unshare', ['-m', 'timeout', '100', 'bash', '-c', whole], {
      env: environment(),
      encoding: 'utf8',
    });
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    return outcome.stdout.trim().split('\n');
  };

  test('a job, or a login, has a session of its own, which its tasks share', () => {
    const show = `${release.farm}/python3 -e '${NAMESPACE}'`;
    const seen = inGroups(
      ['one', 'two', 'one', 'job/task_0', 'job/task_1'].map((group) => `in_group ${group} ${show}`).join('\n'),
    );
    const [one, two, again, task, other] = seen;
    expect(again).toBe(one);
    expect(other).toBe(task);
    expect(new Set([one, two, task]).size).toBe(3);
  });

  test('the end of one, which kills all that is in it, leaves the programs of the other as they are', () => {
    const look = `$|=1; print "up\\n"; <STDIN>; for (1 .. 40) { open(my $f, "<", "/opt/conda/test-1.0/bin/cat") or die "$!"; select undef, undef, undef, 0.1 } print "unharmed\\n"`;
    const seen = inGroups(`
in_group one ${release.farm}/python3 -e '${NAMESPACE}'
coproc other { in_group two ${release.farm}/python3 -e '${look}'; }
read -r line <&"\${other[0]}"
echo 1 >one/cgroup.kill
echo >&"\${other[1]}"
cat <&"\${other[0]}"
in_group one ${release.farm}/python3 -e '${NAMESPACE}'`);
    expect(seen[1]).toBe('unharmed');
    expect(seen[2]).toMatch(/^mnt:/);
  });
});

asRoot?.("the runtime's options for GPUs", () => {
  /** A driver that the loader's cache of this machine has, as far as apptainer looks: it binds what nvliblist.conf names. */
  const withDriver = (script: string): string => {
    const dir = path.join(release.dir, 'driver');
    const whole = `
mkdir -p ${dir} && cd ${dir} && echo 'int cuInit;' >cuda.c && gcc -shared -Wl,-soname,libcuda.so.1 -o libcuda.so.1 cuda.c || exit
{ echo ${dir}; cat /etc/ld.so.conf; } >conf && /sbin/ldconfig -f conf -C cache 2>/dev/null
mount --bind cache /etc/ld.so.cache && cd ${release.dir} || exit
exec setpriv --reuid=${USER} --regid=${USER} --clear-groups bash -c '${script}'`;
    const outcome = spawnSync('unshare', ['-m', 'timeout', '100', 'bash', '-c', whole], {
      env: environment(),
      encoding: 'utf8',
    });
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    return outcome.stdout;
  };

  test('reach a container of its own and a session alike, which is another one than without', () => {
    const see = path.join(release.dir, 'see.pl');
    fs.writeFileSync(
      see,
      'print join(" ", -e "/.singularity.d/libs/libcuda.so.1" ? 1 : 0, $ENV{APPTAINER_NV} // "none", readlink("/proc/self/ns/mnt")), "\\n"',
    );
    const python = `${release.farm}/python3 ${see}`;
    const lines = withDriver(
      `CONDENSE_SESSION=off ${python}; ${python}; export APPTAINER_NV=1; CONDENSE_SESSION=off ${python}; ${python}; ${python}`,
    );
    const [plain, session, own, gpu, again] = lines.trim().split('\n');
    for (const line of [plain, session]) expect(line).toMatch(/^0 none mnt:/);
    for (const line of [own, gpu]) expect(line).toMatch(/^1 1 mnt:/);
    expect(again).toBe(gpu);
    for (const pid of holders()) process.kill(pid, 'SIGKILL');
  });
  const holders = (): number[] => {
    const dir = path.join(release.dir, 'tmp', `condense-${USER}`);
    return fs.readdirSync(dir).flatMap((name) => {
      const [, pid, , , end] = fs.readFileSync(path.join(dir, name), 'utf8').split('\n');
      return end === 'end' && fs.existsSync(`/proc/${pid}`) ? [Number(pid)] : [];
    });
  };
});

asRoot?.('a runtime with a setuid starter', () => {
  const runtime = (): string => path.join(release.dir, 'setuid-runtime');
  const tree = (): string => path.join(release.dir, 'tree');
  beforeAll(async () => {
    await execa('unsquashfs', ['-quiet', '-no-progress', '-dest', tree(), `${release.release}/env.sqsh`]);
    const source = path.join(import.meta.dirname, 'setuid-runtime.c');
    const compiler = 'gcc'; // of the machine: ci/setup installs it
    await execa(compiler, [`-DTREE="${tree()}"`, '-o', runtime(), source]);
    fs.chmodSync(runtime(), 0o4755);
    writeLauncher(release.launcher, { ...release.facts, runtime: runtime() }, await buildPlanner());
  });

  const readProcesses = (): string[] =>
    spawnSync('pgrep', ['-u', String(USER), '-f', release.dir], { encoding: 'utf8' })
      .stdout.trim()
      .split('\n');

  test('gives each command a container of its own; only the first one tries a session, and nothing of it stays', async () => {
    const before = ['', ...readProcesses()];
    const sessions = path.join(release.dir, 'tmp', `condense-${USER}`);
    fs.rmSync(sessions, { recursive: true, force: true });
    const see = `print readlink("/proc/self/ns/user") eq "${fs.readlinkSync('/proc/self/ns/user')}" ? "no user namespace, " : "", $>, " ", -e "/opt/conda/test-1.0/.condense" ? "inside" : "outside"`;
    const run = () =>
      start(release, { program: `${release.farm}/python3`, args: ['-e', see], environment: environment() });
    const files = () => fs.readdirSync(sessions).filter((name) => !name.endsWith('.lock'));

    expect(run()).toMatchObject({ status: 0, stdout: `no user namespace, ${USER} inside`, stderr: '' });
    const [file = ''] = files();
    const noted = fs.readFileSync(path.join(sessions, file), 'utf8');
    expect(noted).toMatch(/^none\n\d+\n$/);
    expect(run()).toMatchObject({ status: 0, stdout: `no user namespace, ${USER} inside`, stderr: '' });

    expect(files()).toEqual([file]);
    expect(fs.readFileSync(path.join(sessions, file), 'utf8')).toBe(noted);
    const ways = start(release, { program: release.launcher, args: ['--explain', 'cat'], environment: environment() });
    expect(ways.stdout).toMatch(/^way +a container of its own$/m);
    // A killed process may take a moment to be gone; one that is not would wait for its idle time.
    await expect.poll(() => readProcesses().filter((pid) => !before.includes(pid)), { timeout: 30_000 }).toEqual([]);
  });
});
