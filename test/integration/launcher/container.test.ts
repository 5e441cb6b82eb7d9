// The launcher with the real container runtime, as an ordinary user (and as root where the tests run as root).
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeRelease, readProbe, start, type Outcome, type Start, type TestRelease } from './test-release.ts';

let release: TestRelease;
let environment: Record<string, string>;
beforeAll(async () => {
  release = await makeRelease();
  environment = { PATH: `${release.farm}:/usr/bin:/bin`, SHLVL: '1' };
});
afterAll(() => {
  fs.rmSync(release.dir, { recursive: true });
});

const perl = (code: string, more: Partial<Start> = {}): Outcome =>
  start(release, { program: `${release.farm}/python3`, args: ['-e', code], environment, ...more });
const inBash = (script: string, more: Partial<Start> = {}): Outcome =>
  start(release, { program: release.launcher, args: ['bash', '-c', script], environment, ...more });
const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);

test('the program is in the image, at its final path', () => {
  expect(perl('print readlink "/proc/self/exe"')).toEqual({
    status: 0,
    signal: null,
    stdout: '/opt/conda/test-1.0/bin/python3',
    stderr: '',
  });
});

// An ordinary user has no root to be: for them there is no such test.
const asRoot = process.getuid?.() === 0 ? test : undefined;
asRoot?.('works as root', () => {
  expect(perl('print $<', { asRoot: true })).toMatchObject({ status: 0, stdout: '0' });
});

test('a venv: its python is the launcher, its argv[0] the venv', () => {
  fs.mkdirSync(path.join(release.dir, 'venv/bin'), { recursive: true });
  fs.symlinkSync(`${release.farm}/python3`, path.join(release.dir, 'venv/bin/python3'));
  fs.symlinkSync('python3', path.join(release.dir, 'venv/bin/python'));
  const program = path.join(release.dir, 'venv/bin/python');
  expect(readProbe(start(release, { program, args: [release.probe], environment })).argv[0]).toBe(program);
});

test('a script with a shebang of the farm gets its own path and arguments', () => {
  const script = path.join(release.dir, 'script');
  fs.writeFileSync(script, `#!${release.farm}/python3\nprint join "|", $0, @ARGV;\n`);
  fs.chmodSync(script, 0o755);
  expect(start(release, { program: script, args: ['a b', ''], environment }).stdout).toBe(`${script}|a b|`);
});

test('L22: an entry point whose first line names the python of the image, or of the farm, works outside and inside', () => {
  expect(start(release, { program: `${release.farm}/entry`, args: ['a b'], environment }).stdout).toBe('entry|a b');
  expect(inBash(`${release.farm}/entry 1; entry 2; /opt/conda/test-1.0/bin/entry 3`).stdout).toBe(
    'entry|1entry|2entry|3',
  );
  const script = path.join(release.dir, 'farm-script');
  fs.writeFileSync(script, `#!${release.farm}/python3\nprint "ran @ARGV ";\n`);
  fs.chmodSync(script, 0o755);
  expect(start(release, { program: script, args: ['x'], environment }).stdout).toBe('ran x ');
  expect(inBash(`${script} y`).stdout).toBe('ran y ');
});

test('the plain line of --explain gives the same program', () => {
  const explained = start(release, {
    program: release.launcher,
    args: ['--json', 'python3', '-e', 'print readlink "/proc/self/exe"'],
    environment,
  });
  const { plain } = JSON.parse(explained.stdout) as { plain: string };
  expect(start(release, { program: '/bin/sh', args: ['-c', plain], environment }).stdout).toBe(
    '/opt/conda/test-1.0/bin/python3',
  );
});

describe('endings', () => {
  test.each([0, 1, 42, 125, 255])('exit status %i is the status', (status) => {
    expect(perl(`exit ${status}`)).toMatchObject({ status, stderr: '' });
  });
  test.each(['TERM', 'KILL', 'SEGV', 'PIPE', 'INT', 'HUP', 'ABRT'])(
    'death by SIG%s is death by that signal',
    (name) => {
      expect(perl(`kill ${name} => $$; sleep 9`)).toMatchObject({ status: null, signal: `SIG${name}` });
    },
  );
  test('L11: SIGTERM to the launched pid ends the program, and no process stays', async () => {
    const root = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const child = spawn(`${release.farm}/python3`, ['-e', '$|=1; print $$; sleep 60'], {
      cwd: release.dir,
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
      ...root,
    });
    const [data] = (await once(child.stdout, 'data')) as [Buffer];
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect((await ended)[1]).toBe('SIGTERM');
    expect(fs.existsSync(`/proc/${data.toString()}`)).toBe(false);
  });
  test('a handler of the program decides', async () => {
    const root = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const child = spawn(
      `${release.farm}/python3`,
      ['-e', '$SIG{TERM} = sub { exit 7 }; $|=1; print 1; select undef, undef, undef, 0.05 while 1'],
      { cwd: release.dir, env: environment, stdio: ['ignore', 'pipe', 'inherit'], ...root },
    );
    await once(child.stdout, 'data');
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect((await ended)[0]).toBe(7);
  });
});

describe('what is inherited', () => {
  test('signals that the caller ignores stay ignored, as nohup needs', () => {
    expect(perl('kill HUP => $$; print "alive"', { before: 'trap "" HUP' })).toMatchObject({
      status: 0,
      stdout: 'alive',
    });
  });
  test('standard streams that are closed do not stop it', () => {
    const out = path.join(os.tmpdir(), `condense-closed-${process.pid}`);
    const code = `open(my $f, ">", "${out}"); print $f "ran"`;
    // Not through start.pl, which needs them.
    const outcome = start(release, {
      program: '/bin/bash',
      args: ['-c', 'exec "$@" <&- >&- 2>&-', 'x', `${release.farm}/python3`, '-e', code],
      environment,
    });
    const said = fs.readFileSync(out, 'utf8');
    fs.rmSync(out);
    expect([outcome.status, said]).toEqual([0, 'ran']);
  });
  test('arguments and variables as long as the kernel takes', () => {
    const args = Array.from({ length: 14 }, () => 'x'.repeat(131_000));
    const variable = '\xff z'.repeat(40_000);
    const probed = readProbe(
      start(release, {
        program: `${release.farm}/probe`,
        args: [release.probe, ...args],
        environment: { ...environment, LONG: variable },
      }),
    );
    expect(probed.argv.slice(2)).toEqual(args);
    expect(probed.environ).toContain(`LONG=${variable}`);
  });
  test('what the runtime needs to know of the caller works, and comes back: APPTAINER_BIND', () => {
    fs.mkdirSync(path.join(release.dir, 'shown'));
    fs.writeFileSync(path.join(release.dir, 'shown/file'), 'seen');
    const bind = `${release.dir}/shown:/mnt/there`;
    const code =
      'open(my $f, "<", "/mnt/there/file"); print <$f>, " $ENV{APPTAINER_BIND} ", exists $ENV{APPTAINER_NAME} ? 1 : 0';
    expect(perl(code, { environment: { ...environment, APPTAINER_BIND: bind } }).stdout).toBe(`seen ${bind} 0`);
  });
});

describe('the working directory', () => {
  test('is kept where no bind shows it', () => {
    expect(perl('print readlink "/proc/self/cwd"', { cwd: '/srv' }).stdout).toBe('/srv');
    expect(perl('print readlink "/proc/self/cwd"', { cwd: '/' }).stdout).toBe('/');
  });
  test('another directory of the same name in the container is refused', () => {
    expect(perl('print 1', { cwd: '/opt' })).toMatchObject({
      status: 125,
      stdout: '',
      stderr: matching(/^condense: .*start in \/opt, .*\n$/),
    });
  });
  test('one that was removed is refused', () => {
    const gone = path.join(os.tmpdir(), `condense-gone-${process.pid}`);
    const outcome = perl('print 1', { before: `mkdir ${gone} && cd ${gone} && rmdir ${gone}` });
    expect(outcome).toMatchObject({ status: 125, stdout: '', stderr: matching(/^condense: the working directory/m) });
  });
});

describe('overlays of the user', () => {
  async function overlay(name: string): Promise<string> {
    const root = path.join(release.dir, `tree of ${name}`);
    const bin = path.join(root, 'opt/conda/test-1.0/bin');
    fs.mkdirSync(bin, { recursive: true });
    fs.writeFileSync(path.join(bin, 'cat'), `#!/bin/sh\necho ${name}\n`);
    fs.chmodSync(path.join(bin, 'cat'), 0o755);
    const file = path.join(release.dir, `${name}.sqsh`);
    await execa('mksquashfs', [root, file, '-quiet', '-no-progress', '-all-root']);
    return file;
  }
  test('win over the image, and the last one over the others', async () => {
    const [first, second] = [await overlay('one, with a comma'), await overlay('two')];
    const cat = (value: string): string =>
      start(release, { program: `${release.farm}/cat`, environment: { ...environment, CONTAINER_OVERLAY_PATH: value } })
        .stdout;
    expect(cat(`:${first}:`)).toBe('one, with a comma\n');
    expect(cat(`${first}::${second}`)).toBe('two\n');
  });
});

describe('an overlay that is written to', () => {
  const asUser = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const home = (): string => path.join(release.dir, 'tmp');
  const prefix = '/opt/conda/test-1.0';
  const withOverlay = (list: string): Partial<Start> => ({
    cwd: home(),
    environment: { ...environment, HOME: home(), CONTAINER_OVERLAY_PATH: list },
  });
  const inOverlay = (list: string, script: string): Outcome => inBash(script, withOverlay(list));
  function directory(name: string): string {
    execFileSync('mkdir', [path.join(home(), name)], { ...asUser, timeout: 10_000 });
    return path.join(home(), name);
  }
  function image(name: string): string {
    const args = ['overlay', 'create', '--size', '64', path.join(home(), name)];
    const env = { HOME: home(), PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
    execFileSync(release.facts.runtime, args, { ...asUser, env, cwd: home(), timeout: 60_000, stdio: 'pipe' });
    return path.join(home(), name);
  }

  test.each([
    ['a directory', directory],
    ['an image with a file system', image],
  ])('%s has what a command changed in the environment for the next one, and the image is untouched', (kind, make) => {
    const overlay = make(kind.replaceAll(' ', '-'));
    const before = fs.readFileSync(path.join(release.release, 'env.sqsh'));
    const script = `echo mine >${prefix}/bin/new && rm ${prefix}/bin/python && cat ${prefix}/bin/new; ls /proc/$$/fd | wc -l`;
    const plain = inBash('ls /proc/$$/fd | wc -l').stdout;

    expect(inOverlay(`${overlay}:rw`, script)).toMatchObject({ status: 0, stdout: `mine\n${plain}`, stderr: '' });
    const look = `cat ${prefix}/bin/new; test -e ${prefix}/bin/python || echo gone`;
    expect(inOverlay(`${overlay}:rw`, look)).toMatchObject({ stdout: 'mine\ngone\n', stderr: '' });
    expect(inOverlay(overlay, look)).toMatchObject({ status: 125, stderr: matching(/put :rw behind it/) });
    expect(inBash(`ls ${prefix}/bin/python ${prefix}/bin/new`).stdout).toBe(`${prefix}/bin/python\n`);
    expect(fs.readFileSync(path.join(release.release, 'env.sqsh')).equals(before)).toBe(true);
  });

  test('is for one command at a time, which is told from where it was taken; the others of its shell are in it', async () => {
    const overlay = directory('taken');
    const { environment: env } = withOverlay(`${overlay}:rw`);
    const shell = spawn(release.launcher, ['bash'], {
      ...asUser,
      cwd: home(),
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    shell.stdin.write(`"${release.launcher}" bash -c 'echo x >${prefix}/new; echo there'\n`);
    expect(String(await once(shell.stdout, 'data'))).toBe('there\n');

    expect(inOverlay(`${overlay}:rw`, 'echo in')).toEqual({
      ...{ status: 125, signal: null, stdout: '' },
      stderr: matching(
        /^condense: another command has this overlay \(it was last written to by process \d+ on \S+ at 2\S+\), .*\/taken, wait .* launcher bash\n$/,
      ),
    });
    shell.stdin.end();
    await once(shell, 'exit');
    expect(inOverlay(`${overlay}:rw`, `cat ${prefix}/new`)).toMatchObject({ status: 0, stdout: 'x\n', stderr: '' });
  });

  test('stays with the release that it was first written on', () => {
    const overlay = directory('of-a-release');
    const note = path.join(overlay, '.condense');
    expect(inOverlay(`${overlay}:rw`, 'true').status).toBe(0);
    expect(fs.readFileSync(note, 'utf8')).toMatch(/^test-1\.0\/20261121T000000Z-00000001\nprocess /);
    fs.writeFileSync(note, 'test-1.0/20250101T000000Z-00000001\n');
    expect(inOverlay(`${overlay}:rw`, 'true')).toMatchObject({
      status: 125,
      stderr: matching(
        /^condense: this overlay was made on test-1\.0\/2025.*, make another one, that release is gone\n$/,
      ),
    });
  });

  test('where the runtime cannot write to it, one line says so, with what the runtime says and what to do', async () => {
    await execa('mksquashfs', [
      release.release,
      `${home()}/squashed`,
      '-quiet',
      '-no-progress',
      '-e',
      'bin',
      'env.sqsh',
    ]);
    fs.chmodSync(`${home()}/squashed`, 0o666);
    expect(inOverlay(`${home()}/squashed:rw`, 'true')).toMatchObject({
      status: 125,
      stderr: matching(
        /^condense: this overlay cannot be .* \(it is mounted to be read alone\), .*\/squashed, .*--layer\n$/,
      ),
    });
    const broken = directory('broken');
    fs.writeFileSync(path.join(broken, 'upper'), '');
    expect(inOverlay(`${broken}:rw`, 'true')).toMatchObject({
      status: 125,
      stderr: matching(/^condense: this overlay cannot be written to here \(FATAL: [^]*\), .*\/broken, .*--layer\n$/),
    });
  });
});

describe('nesting', () => {
  test('inside, farm links and the launcher start programs directly, without another container', () => {
    const script = `${release.farm}/python3 -e 'print getppid() == $ARGV[0] ? "child" : "far"' $$; "${release.launcher}" echo ' deep'`;
    expect(inBash(script)).toMatchObject({ status: 0, stdout: 'child deep\n', stderr: '' });
  });
  test('L8: commands of the host work inside', () => {
    expect(inBash(`${release.farm}/ssh -V`).status).toBe(inBash('/usr/bin/ssh -V').status);
  });
  test('127 for what the image has not, inside and outside', () => {
    expect(inBash(`exec ${release.farm}/absent`)).toMatchObject({
      status: 127,
      stderr: matching(/^condense: .*absent.*\n$/),
    });
    expect(start(release, { program: `${release.farm}/absent`, environment })).toMatchObject({
      status: 127,
      stderr: matching(/^condense: .*absent.*\n$/),
    });
  });
  test('L14: inside a container of somebody else it says so', () => {
    const foreign = [
      '-s',
      'exec',
      '--bind',
      '/etc,/usr,/var,/run',
      release.facts.base,
      `${release.farm}/python3`,
      '-e',
      'print 1',
    ];
    const outcome = start(release, { program: release.facts.runtime, args: foreign, environment });
    expect(outcome).toMatchObject({
      status: 125,
      stdout: '',
      stderr: matching(/^condense: test-1.0 cannot start inside another container, .*base\.sif, .*\n$/),
    });
  });
});
