// What the launcher decides, through a stand-in for the runtime: nothing here depends on a container. L numbers are the
// ways in which the launchers before this one were seen to break.
import fs from 'node:fs';
import path from 'node:path';
import { execaSync } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPlanner } from '../../../launcher/build.ts';
import type { LauncherFacts } from '../../../launcher/facts.ts';
import { makeRelease, readProbe, start, writeLauncher, type TestRelease } from './test-release.ts';

let release: TestRelease;
let planner: string;
let environment: Record<string, string>;
beforeAll(async () => {
  release = await makeRelease({ standIn: true });
  planner = await buildPlanner();
  environment = { PATH: `${release.farm}:/usr/bin:/bin`, SHLVL: '1' };
});
afterAll(() => {
  fs.rmSync(release.dir, { recursive: true });
});

/** The matchers' own type is any. */
const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);
const containing = (part: string): unknown => expect.stringContaining(part);
const lastCall = (): string[] => fs.readFileSync(path.join(release.dir, 'last-call'), 'utf8').split('\0').slice(0, -1);
const python = (args: readonly string[], more: Record<string, string> = {}) =>
  start(release, { program: `${release.farm}/python3`, args, environment: { ...environment, ...more } });
const launch = (args: readonly string[], more: Record<string, string> = {}) =>
  start(release, { program: release.launcher, args, environment: { ...environment, ...more } });
const own = (): string => `${release.facts.condaPrefix}/bin`;

/** Runs with a launcher of other facts, then puts the release's own back. */
function withFacts<T>(change: Partial<LauncherFacts>, run: () => T): T {
  writeLauncher(release.launcher, { ...release.facts, ...change }, planner);
  try {
    return run();
  } finally {
    writeLauncher(release.launcher, release.facts, planner);
  }
}
function withFile<T>(file: string, text: string, mode: number, run: () => T): T {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
  fs.chmodSync(file, mode);
  try {
    return run();
  } finally {
    fs.rmSync(file);
  }
}

describe('which command', () => {
  test('L16: a launcher that is called as `bash python3` from its directory is that command', () => {
    const outcome = start(release, {
      program: '/bin/bash',
      args: ['python3', '-e', 'print 5'],
      environment,
      cwd: release.farm,
    });
    expect(outcome).toMatchObject({ status: 0, stdout: '5' });
  });
  test('a venv link keeps its argv[0]', () => {
    const link = path.join(release.dir, 'python');
    fs.symlinkSync(`${release.farm}/python3`, link);
    expect(readProbe(start(release, { program: link, args: [release.probe], environment })).argv[0]).toBe(link);
  });
  test('L6: nothing of the launcher is in the environment of what it starts', () => {
    const { environ } = readProbe(python([release.probe], { __cl_x: '1', __cl_E: "A=b'" }));
    expect(environ).toEqual([`PATH=${own()}:${environment['PATH'] ?? ''}`, 'SHLVL=1']);
  });
  test('L7: inside, the launcher finds commands on PATH, the image first', () => {
    withFile(release.facts.marker, '', 0o644, () => {
      expect(launch(['sh', '-c', 'echo $0; type python3']).stdout).toBe(`sh\npython3 is ${own()}/python3\n`);
    });
  });
  test('takes a path in the image, as payu gives it', () => {
    expect(launch([`${own()}/python3`, '-e', 'print 3']).stdout).toBe('3');
  });
  test('without a command it starts the shell of the user, or bash', () => {
    expect(launch([], { SHELL: '/bin/pwd' }).stdout).toBe(`${release.dir}\n`);
    launch([], { SHELL: '/opt/no/zsh' });
    expect(lastCall().slice(-2)).toEqual(['/opt/no/zsh', '/opt/no/zsh']);
  });
  test('says what is not there: 127, and what is no program: 126', () => {
    expect(start(release, { program: `${release.farm}/absent`, environment })).toMatchObject({
      status: 127,
      stderr: matching(/^condense: test-1.0 has no .*absent.*\n$/),
    });
    expect(launch(['no-such-name'])).toMatchObject({
      status: 127,
      stderr: matching(/^condense: .*no-such-name.*\n$/),
    });
    expect(start(release, { program: `${release.farm}/data`, environment })).toMatchObject({
      status: 126,
      stderr: matching(/^condense: .*data.*\n$/),
    });
  });
});

describe('PATH', () => {
  const pathOf = (value: string): string | undefined =>
    readProbe(python([release.probe], { PATH: value }))
      .environ.find((entry) => entry.startsWith('PATH='))
      ?.slice(5);

  test('L12: the environment stands once before its farm, however deep the nesting', () => {
    const once = pathOf(`/a:${release.farm}:/b`) ?? '';
    expect(once).toBe(`/a:${own()}:${release.farm}:/b`);
    expect(pathOf(once)).toBe(once);
  });
  test('L19: empty and relative entries stay', () => {
    expect(pathOf(`:./x::${release.farm}:`)).toBe(`:./x::${own()}:${release.farm}:`);
    expect(pathOf('')).toBe('');
  });
  test("another environment's farm is none of ours", () => {
    expect(pathOf(`${release.dir}/site/apps/scripts/other-1.0.d/bin:/b`)).toBe(
      `${release.dir}/site/apps/scripts/other-1.0.d/bin:/b`,
    );
  });
  test('the runtime never sees a farm on its own PATH', () => {
    withFile(`${release.dir}/spy.sh`, `#!/bin/bash\nprintf %s "$PATH"\n`, 0o755, () => {
      const seen = withFacts({ runtime: `${release.dir}/spy.sh` }, () => python([]).stdout);
      expect(seen).toBe('/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin');
    });
  });
});

describe('overlays', () => {
  test('L3: without overlays of the user there is exactly one overlay argument', () => {
    python(['-e', '1'], { CONTAINER_OVERLAY_PATH: '' });
    expect(lastCall().filter((arg) => arg === '--overlay')).toHaveLength(1);
    expect(lastCall()).not.toContain('--overlay=');
  });
  test.each(['L5: with blanks', 'L17: with commas'])(
    '%s each is an argument of its own, empty entries are ignored, the own image comes first',
    () => {
      const [blank, comma] = [path.join(release.dir, 'a b.sqsh'), path.join(release.dir, 'c,d.sqsh')];
      fs.writeFileSync(blank, '');
      fs.writeFileSync(comma, '');
      python(['-e', '1'], { CONTAINER_OVERLAY_PATH: `:${blank}::${comma}:` });
      expect(lastCall().slice(4, 10)).toEqual([
        '--overlay',
        `${release.release}/env.sqsh:ro`,
        '--overlay',
        `${blank}:ro`,
        '--overlay',
        `"${comma}:ro"`,
      ]);
    },
  );
  test('one that cannot be read is named', () => {
    expect(python(['-e', '1'], { CONTAINER_OVERLAY_PATH: '/none.sqsh' })).toMatchObject({
      status: 125,
      stderr: matching(/^condense: .*\/none\.sqsh, .*\n$/),
    });
  });
  test('binds what the node has, not what another bind holds', () => {
    withFacts({ binds: ['/etc', '/etc/ssl', '/nowhere', '/usr'] }, () => python(['-e', '1']));
    expect(lastCall().slice(0, 4)).toEqual([
      '-s',
      'exec',
      '--bind',
      ['/etc', '/usr', ...release.facts.farmRoots].join(','),
    ]);
  });
});

describe('its own failures', () => {
  test('L3: an image that cannot be read names the group to join', () => {
    fs.chmodSync(`${release.release}/env.sqsh`, 0o000);
    const outcome = python(['-e', '1']);
    fs.chmodSync(`${release.release}/env.sqsh`, 0o644);
    expect(outcome).toMatchObject({
      status: 125,
      stderr: matching(/^condense: .*env\.sqsh, join the group climate.*\n$/),
    });
  });
  test('L13: a missing runtime is a missing runtime, not a container', () => {
    expect(withFacts({ runtime: '/opt/none/apptainer' }, () => python(['-e', '1']))).toMatchObject({
      status: 125,
      stderr: containing('/opt/none/apptainer'),
    });
  });
  test('a missing base is named', () => {
    expect(withFacts({ base: '/opt/none/base.sif' }, () => python(['-e', '1']))).toMatchObject({
      status: 125,
      stderr: containing('/opt/none/base.sif'),
    });
  });
  test('without its Node it says so where it needs it, and works where it does not', () => {
    withFacts({ node: '/opt/none/node' }, () => {
      expect(launch(['--help'])).toMatchObject({
        status: 125,
        stderr: containing('condense: the planner of test-1.0'),
      });
      expect(python(['-e', 'print 1']).stdout).toBe('1');
    });
  });
  describe("its Node's second way, where the first one ends at once", () => {
    /** How Node itself ends there. */
    const bare = (before: string): number | null =>
      start(release, {
        program: '/bin/bash',
        args: [
          '-c',
          `"$0" --v8-pool-size=1 --no-rehash-snapshot "$1" 1 0 >/dev/null 2>&1; exit $?`,
          release.facts.node,
          release.launcher,
        ],
        before,
      }).status;

    test.each(['{ "type": "module" }', '{ not JSON'])('below a package.json of somebody that is %s', (text) => {
      withFile(path.join(release.facts.releasesDir, 'package.json'), text, 0o644, () => {
        expect(bare('')).not.toBe(0);
        expect(launch(['python3', '-e', 'print 1'])).toMatchObject({ status: 0, stdout: '1', stderr: '' });
      });
    });
    test('with another Node, which does not know what makes it start sooner', () => {
      const older = `#!/bin/sh\ncase "$*" in *--no-rehash-snapshot*) exit 9 ;; esac\nexec ${release.facts.node} "$@"\n`;
      withFile(`${release.dir}/older.sh`, older, 0o755, () => {
        const outcome = withFacts({ node: `${release.dir}/older.sh` }, () => launch(['python3', '-e', 'print 1']));
        expect(outcome).toMatchObject({ status: 0, stdout: '1', stderr: '' });
      });
    });
    test('with little address space, whose limit the program has too, and no core file is written', () => {
      const before = 'ulimit -v 700000; ulimit -c unlimited';
      const cwd = path.join(release.dir, 'core');
      fs.mkdirSync(cwd);
      fs.chmodSync(cwd, 0o777);
      expect(bare(`${before}; ulimit -c 0`)).toBeGreaterThan(128);
      const outcome = start(release, {
        ...{ program: release.launcher, args: ['bash', '-c', 'ulimit -v; ulimit -c'], environment, before, cwd },
      });
      expect(outcome).toMatchObject({ status: 0, stdout: '700000\nunlimited\n', stderr: '' });
      expect(fs.readdirSync(cwd)).toEqual([]);
    });
    test('a soft limit that is smaller than the hard one does not bind it', () => {
      const before = 'ulimit -Sv 200000';
      const outcome = start(release, {
        ...{ program: release.launcher, args: ['bash', '-c', 'ulimit -Sv'], environment, before },
      });
      expect(outcome).toMatchObject({ status: 0, stdout: '200000\n', stderr: '' });
    });
    test('with less it is not started, as it might hang; one line says so, and common launches need no Node', () => {
      const before = 'ulimit -v 200000';
      withFile(`${release.dir}/hangs.sh`, `#!/bin/sh\nexec sleep 1000\n`, 0o755, () => {
        const outcome = withFacts({ node: `${release.dir}/hangs.sh` }, () =>
          start(release, { program: release.launcher, args: ['python3'], environment, before }),
        );
        expect(outcome).toMatchObject({
          status: 125,
          stderr: matching(
            /^condense: the planner of test-1\.0 failed, .+, allow it more memory \(ulimit -v\) or .+\n$/,
          ),
        });
      });
      const farm = { program: `${release.farm}/python3`, args: ['-e', 'print 1'], environment, before };
      expect(start(release, farm)).toMatchObject({ status: 0, stdout: '1', stderr: '' });
    });
  });
  test('L4: CONDA_EXE and the like of a conda of the user change nothing', () => {
    expect(
      python(['-e', 'print 1'], {
        CONDA_EXE: '/home/u/miniconda3/bin/conda',
        CONDA_BASE: '/home/u',
        LAUNCHER_SCRIPT: '/x',
      }).stdout,
    ).toBe('1');
  });
});

describe('the pinned release', () => {
  const other = '20261120T000000Z-0000000a';
  const image = (): string | undefined => lastCall().find((arg) => arg.endsWith('env.sqsh:ro'));

  test('is used while it is there; otherwise, and for another environment, the own one', () => {
    withFile(path.join(release.facts.releasesDir, other, 'env.sqsh'), '', 0o644, () => {
      python(['-e', '1'], { CONDENSE_RELEASE: `test-1.0/${other}` });
      expect(image()).toBe(`${release.facts.releasesDir}/${other}/env.sqsh:ro`);
      python(['-e', '1'], { CONDENSE_RELEASE: `other-1.0/${other}` });
      expect(image()).toBe(`${release.release}/env.sqsh:ro`);
    });
    python(['-e', '1'], { CONDENSE_RELEASE: `test-1.0/${other}` });
    expect(image()).toBe(`${release.release}/env.sqsh:ro`);
  });
  test.each(['../../evil', '..', '', 'x/y', 'a b', '$(id)', '-n\n'])(
    'an id %j that leaves the directory is ignored',
    (id) => {
      python(['-e', '1'], { CONDENSE_RELEASE: `test-1.0/${id}` });
      expect(image()).toBe(`${release.release}/env.sqsh:ro`);
    },
  );
});

describe('commands of the host', () => {
  const program = (dir: string, text: string): void => {
    fs.mkdirSync(path.join(release.dir, dir), { recursive: true });
    fs.writeFileSync(path.join(release.dir, dir, 'ssh'), `#!/bin/sh\n${text}\n`);
    fs.chmodSync(path.join(release.dir, dir, 'ssh'), 0o755);
  };
  const ssh = (value: string) =>
    start(release, { program: `${release.farm}/ssh`, args: ['a b', ''], environment: { PATH: value } });

  test('L8: run on the host and inside alike, with their arguments', () => {
    program('host', `printf '<%s>' "$@"`);
    expect(ssh(`${release.farm}:${release.dir}/host`).stdout).toBe('<a b><>');
    withFile(release.facts.marker, '', 0o644, () => {
      expect(ssh(`${own()}:${release.farm}:${release.dir}/host`).stdout).toBe('<a b><>');
    });
  });
  test("L9: two farms on PATH, also another site's, do not call each other", async () => {
    program('host', 'echo real');
    const elsewhere = await makeRelease({ standIn: true, name: 'other' });
    const both = start(release, {
      program: `${release.farm}/ssh`,
      environment: { PATH: `${release.farm}:${elsewhere.farm}:${release.dir}/host` },
    });
    const none = start(release, {
      program: `${release.farm}/ssh`,
      environment: { PATH: `${release.farm}:${elsewhere.farm}` },
    });
    fs.rmSync(elsewhere.dir, { recursive: true });
    expect(both.stdout).toBe('real\n');
    expect(none).toMatchObject({ status: 127, stderr: matching(/^condense: the host has no ssh, .*\n$/) });
  });
});

describe('overrides', () => {
  const override = (): string => path.join(release.release, 'overrides/python3');

  test('L15: one replaces its command, no other, and no path', () => {
    withFile(override(), '#!/bin/sh\necho override "$@"\n', 0o755, () => {
      expect(python(['x']).stdout).toBe('override x\n');
      expect(launch(['python3', '-e', 'print 1']).stdout).toBe('1');
      expect(start(release, { program: `${release.farm}/python`, args: ['-e', 'print 2'], environment }).stdout).toBe(
        '2',
      );
    });
  });
  test('L18: one leaves no mark on what it starts: another farm link is what it always is', () => {
    withFile(override(), `#!/bin/sh\nexec ${release.farm}/probe ${release.probe}\n`, 0o755, () => {
      const { environ } = readProbe(python([]));
      const direct = readProbe(
        start(release, { program: `${release.farm}/probe`, args: [release.probe], environment }),
      );
      // sh sets PWD; nothing else is new.
      expect(environ.filter((entry) => !entry.startsWith('PWD='))).toEqual(direct.environ);
    });
  });
  test('settings are data: nothing in them is evaluated, and they win', () => {
    withFile(`${override()}.env`, '# note\n\nA=$(touch pwned) `id` "x" \nB=é=\nPATH=/only\n', 0o644, () => {
      const { environ } = readProbe(python([release.probe], { A: 'mine', C: 'c' }));
      expect(environ).toEqual([
        'A=$(touch pwned) `id` "x" ',
        Buffer.from('B=é=').toString('latin1'),
        'C=c',
        'PATH=/only',
        'SHLVL=1',
      ]);
    });
    withFile(`${override()}.env`, 'A=1\nexport B=2\n', 0o644, () => {
      expect(python([])).toMatchObject({ status: 125, stderr: containing('overrides/python3.env:2') });
    });
  });
});

test('no start-up file of bash runs, also when standard input is a socket', () => {
  for (const name of ['.bashrc', '.profile', '.env']) fs.writeFileSync(path.join(release.dir, name), 'echo intruder\n');
  // A pipe of Node's is a socket.
  const { stdout } = execaSync(`${release.farm}/python3`, ['-e', 'print 1'], {
    input: '',
    env: {
      ...environment,
      SHLVL: '0',
      HOME: release.dir,
      BASH_ENV: `${release.dir}/.env`,
      ENV: `${release.dir}/.env`,
      SSH_CLIENT: 'x',
    },
    extendEnv: false,
    cwd: release.dir,
  });
  expect(stdout).toBe('1');
});

test.each([
  ['without sessions', {}],
  [
    'with sessions and rules',
    {
      sessions: { policy: 'join-or-start', directory: '/tmp', idleSeconds: 1, nsenter: '/usr/bin/nsenter' },
      inherit: { drop: ['A'], lists: [{ name: 'B', drop: ["/it's"], keep: ['/c'] }], defaults: { D: '1' } },
    } as const,
  ],
])('the file is a script to Node and a clean script to bash, %s', async (_, besides) => {
  writeLauncher(release.launcher, { ...release.facts, ...besides }, await buildPlanner());
  const source = fs.readFileSync(release.launcher, 'utf8');
  const prelude = source.slice(0, source.indexOf('\n*/\n') + 1);
  expect(prelude.indexOf('*/')).toBe(-1);
  fs.writeFileSync(path.join(release.dir, 'launcher.cjs'), source);
  fs.writeFileSync(path.join(release.dir, 'prelude.sh'), prelude);
  execaSync(process.execPath, ['--check', path.join(release.dir, 'launcher.cjs')]);
  execaSync('bash', ['-n', path.join(release.dir, 'prelude.sh')]);
  // Scripts for another bash stand in it between single quotes, on purpose.
  execaSync('shellcheck', ['--shell=bash', '--exclude=SC2016', path.join(release.dir, 'prelude.sh')]);
});

test("L27: a common launch is the caller's own process to the end, and Node is not needed", () => {
  const log = path.join(release.dir, 'spy.log');
  withFacts({ node: '/opt/none/node' }, () => {
    const { pid, argv } = readProbe(
      start(release, {
        program: `${release.farm}/probe`,
        args: [release.probe],
        environment,
        before: `echo $$ >${log}`,
      }),
    );
    expect(argv[0]).toBe(`${release.farm}/probe`);
    expect(fs.readFileSync(log, 'utf8').trim()).toBe(String(pid));
  });
});
