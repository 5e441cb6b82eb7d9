// What the launcher says of itself: its options, --explain, --version, the trace. Through a stand-in for the runtime.
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPlanner } from '../../../launcher/build.ts';
import { makeRelease, readProbe, start, writeLauncher, type TestRelease } from './test-release.ts';

let release: TestRelease;
let environment: Record<string, string>;
beforeAll(async () => {
  release = await makeRelease({ standIn: true });
  writeLauncher(release.launcher, { ...release.facts, condenseVersion: '7.8.9' }, await buildPlanner());
  environment = { PATH: `${release.farm}:/usr/bin:/bin`, SHLVL: '1' };
});
afterAll(() => {
  fs.rmSync(release.dir, { recursive: true });
});

/** The matchers' own type is any. */
const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);
const containing = (part: string): unknown => expect.stringContaining(part);
const python = (args: readonly string[], more: Record<string, string> = {}) =>
  start(release, { program: `${release.farm}/python3`, args, environment: { ...environment, ...more } });
const launch = (args: readonly string[], more: Record<string, string> = {}) =>
  start(release, { program: release.launcher, args, environment: { ...environment, ...more } });
const own = (): string => `${release.facts.condaPrefix}/bin`;

describe('options', () => {
  test('L1: an option as the last argument neither hangs nor is lost', () => {
    expect(python(['-e', 'print "@ARGV"', '--', '--explain']).stdout).toBe('--explain');
  });
  test('L2: a farm link reads no option of its arguments', () => {
    const args = ['--help', '--explain', '--', '--cms_singularity_overlay_path'];
    expect(
      readProbe(
        start(release, { program: `${release.farm}/probe`, args: [release.probe, ...args], environment }),
      ).argv.slice(2),
    ).toEqual(args);
  });
  test('reads its own options only before the command', () => {
    expect(launch(['python3', '-e', 'print "@ARGV"', '--', '--explain', '--help']).stdout).toBe('--explain --help');
    expect(launch(['--', 'python3', '-e', 'print 7']).stdout).toBe('7');
  });
  test('refuses an unknown option', () => {
    expect(launch(['--wat'])).toMatchObject({
      status: 125,
      stdout: '',
      stderr: matching(/^condense: unknown option, --wat, .+\n$/),
    });
  });
  test('--help says what there is', () => {
    expect(launch(['--help'])).toMatchObject({
      status: 0,
      stderr: '',
      stdout: containing('Usage: launcher'),
    });
  });
  test('L25: --explain says which release, image, base, binds, overlays, PATH and command, and runs nothing', () => {
    const overlay = path.join(release.dir, 'mine.sqsh');
    fs.writeFileSync(overlay, '');
    const changes = path.join(release.dir, 'tmp');
    const { stdout, status } = launch(['--explain', 'python3', '-c', 'a b'], {
      CONTAINER_OVERLAY_PATH: `${changes}:rw:${overlay}`,
    });
    expect(status).toBe(0);
    expect(fs.existsSync(path.join(changes, '.condense'))).toBe(false);
    for (const part of [
      release.release,
      `${release.release}/env.sqsh`,
      release.facts.base,
      overlay,
      `${changes}:rw`,
      '/etc',
      own(),
      '"python3" "-c" "a b"',
    ]) {
      expect(stdout).toContain(part);
    }
    expect(stdout).not.toContain('/nowhere-on-this-machine');
  });
  test('--json says the same as JSON, in either order of the options', () => {
    const { stdout, status } = launch(['--explain', '--json', 'python3', 'a b', '\xff']);
    expect(status).toBe(0);
    expect(launch(['--json', '--explain', 'python3', 'a b', '\xff']).stdout).toBe(stdout);
    expect(JSON.parse(Buffer.from(stdout, 'latin1').toString())).toMatchObject({
      way: { kind: 'container' },
      environment: 'test-1.0',
      prefix: release.facts.condaPrefix,
      release: release.release,
      releaseWhy: "it is the launcher's own",
      runtime: release.facts.runtime,
      base: release.facts.base,
      image: `${release.release}/env.sqsh`,
      overlays: [],
      argv0: 'python3',
      command: ['python3', 'a b', '\ufffd'],
      path: `${own()}:${environment['PATH'] ?? ''}`,
      changes: { PATH: `${own()}:${environment['PATH'] ?? ''}` },
    });
  });
  test('the plain line runs as it is pasted, with the same arguments', () => {
    const [, plain = ''] =
      /^plain +(.*)$/m.exec(launch(['--explain', 'python3', '-e', 'print "<@ARGV>"', "it's", '']).stdout) ?? [];
    expect(start(release, { program: '/bin/sh', args: ['-c', plain], environment }).stdout).toBe("<it's >");
  });
  test('says why it is this release', () => {
    const why = (pin: string): string | undefined =>
      /^because +(.*)$/m.exec(launch(['--explain', 'cat'], { CONDENSE_RELEASE: pin }).stdout)?.[1];
    expect(why('test-1.0/20200101T000000Z-00000001')).toMatch(/own; CONDENSE_RELEASE names .* gone$/);
    expect(why('other/x')).toMatch(/own; CONDENSE_RELEASE is for another environment$/);
    expect(why(`test-1.0/${release.facts.releaseId}`)).toBe('CONDENSE_RELEASE names it');
  });
  test('--version names the environment, the release and condense', () => {
    expect(launch(['--version'])).toMatchObject({
      status: 0,
      stdout: `test-1.0\nrelease   ${release.facts.releaseId}\ncondense  7.8.9\n`,
      stderr: '',
    });
  });
});

describe('the trace', () => {
  const secret = { TOKEN: 'hunter2', APPTAINER_DOCKER_PASSWORD: 'hunter2' };
  test('goes to standard error, each decision a line, without the values of variables', () => {
    for (const outcome of [
      python(['-e', 'print 1'], { CONDENSE_TRACE: '1', ...secret }),
      launch(['python3', '-e', 'print 1'], { CONDENSE_TRACE: '1', ...secret }),
    ]) {
      expect(outcome).toMatchObject({ status: 0, stdout: '1' });
      expect(outcome.stderr).toMatch(/^(condense\[\d+\] .+\n){3,}$/);
      expect(outcome.stderr).toContain('a container of its own');
      expect(outcome.stderr).not.toContain('hunter2');
    }
  });
  test('goes to a file, and stays in the environment, so that what the program starts is traced too', () => {
    const file = path.join(release.dir, 'trace');
    fs.writeFileSync(file, 'before\n');
    fs.chmodSync(file, 0o666);
    const outcome = python(['-e', 'print $ENV{CONDENSE_TRACE}'], { CONDENSE_TRACE: file });
    expect(outcome).toMatchObject({ stdout: file, stderr: '' });
    expect(fs.readFileSync(file, 'utf8')).toMatch(/^before\n(condense\[\d+\] .+\n){3,}$/);
  });
  test.each(['', '0', 'off', '/nowhere/x'])('says nothing for %j, and the command runs', (value) => {
    expect(python(['-e', 'print 1'], { CONDENSE_TRACE: value })).toMatchObject({ stdout: '1', stderr: '', status: 0 });
  });
});

test.each(['bash', 'sh'])(
  'L26: sourced by %s it says so, and leaves the shell and its arguments as they were',
  (shell) => {
    const script = `set -- 'a b' c; . "$LINK" 2>&1; echo "$? $# $1"; set | grep -c '^__cl_'`;
    const outcome = start(release, {
      program: `/usr/bin/${shell}`,
      args: ['-c', script],
      environment: { ...environment, LINK: `${release.farm}/python3` },
    });
    expect(outcome).toMatchObject({ stdout: matching(/^condense: .*cannot be sourced, .*\n125 2 a b\n0\n$/) });
  },
);
