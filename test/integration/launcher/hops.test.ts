// Commands of the host, and what another host has sent: the prelude against the planner, which is the reference, and
// without Node where a command line is plain.
import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPlanner } from '../../../launcher/build.ts';
import { renderCapsule } from '../../../launcher/capsule.ts';
import { makeRelease, readProbe, start, writeLauncher, type Start, type TestRelease } from './test-release.ts';

/** Hundreds of starts of Node: a minute on a machine of its own. */
const SLOW = 600_000;
const OUTSIDE = ['ssh', 'srun', 'pbs_tmrsh', 'sbatch'];
let release: TestRelease;
let planner: string;
let hostBin: string;

beforeAll(async () => {
  release = await makeRelease({
    standIn: true,
    besides: {
      outsideCommands: OUTSIDE,
      sshHosts: ['node?', '*.Site.org', "it's"],
      moduleVariables: ['CONDA_PREFIX', 'MANPATH'],
      inherit: { drop: ['PYTHONHOME'], lists: [], defaults: { PYTHONNOUSERSITE: '1' } },
    },
  });
  planner = await buildPlanner();
  hostBin = path.join(release.dir, 'host-bin');
  fs.mkdirSync(hostBin);
  for (const name of [...OUTSIDE, 'shell', 'zsh']) {
    fs.writeFileSync(path.join(hostBin, name), `#!/usr/bin/perl\n${fs.readFileSync(release.probe, 'utf8')}`, {
      mode: 0o755,
    });
  }
  const scripts = {
    'of-farm': `${release.farm}/python3`,
    'by-env': '/usr/bin/env python3',
    'of-host': '/usr/bin/perl',
  };
  for (const [name, interpreter] of Object.entries(scripts)) {
    fs.writeFileSync(path.join(release.dir, name), `#!${interpreter}\n`, { mode: 0o755 });
  }
});
afterAll(() => {
  fs.rmSync(release.dir, { recursive: true });
});

interface Case {
  readonly name: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly path: readonly string[];
  readonly inside: boolean;
}
const environments = fc
  .record(
    {
      CONDENSE_RELEASE: fc.constantFrom('OWN', 'test-1.0/gone', 'other/x', 'test-1.0', ''),
      CONDENSE_SESSION: fc.constantFrom('off', ''),
      CONDA_PREFIX: fc.constantFrom('/p', '/p q', "it's $x=%3D", 'é', '\n', '/a\tb'),
      MANPATH: fc.constantFrom('/a:/b', ':', '*'),
      CONTAINER_OVERLAY_PATH: fc.constantFrom('', '/nowhere'),
      SECRET: fc.constantFrom('x', 'a\nb'),
      PYTHONHOME: fc.constantFrom('/usr'),
      IFS: fc.constantFrom('o'),
      BASHOPTS: fc.constantFrom('extglob'),
      'BASH_FUNC_f%%': fc.constantFrom('() {  :\n}'),
    },
    { requiredKeys: [], noNullPrototype: true },
  )
  .map((variables): Record<string, string> => ({ SHLVL: '3', ...variables }));
/** Not /usr/bin: it may have a real ssh and srun. */
const paths = fc.array(fc.constantFrom('FARM', 'RELEASE', 'OWN', 'HOST', '/etc', '', '.', '/nowhere'), {
  maxLength: 5,
});
const words = (list: readonly string[], maxLength: number): fc.Arbitrary<string[]> =>
  fc.array(fc.constantFrom(...list), { maxLength });
const sshOptions = words(
  ['-x', '-tt', '-xq', '-p', '22', '-l', 'me', '-oPort=2', '-o', 'Port=2', 'remoteCommand=x', '-N', '-F', '--', '-J'],
  3,
);
const hosts = fc.constantFrom(
  'node1',
  'node1',
  'me@NODE1',
  'a.site.org',
  'node',
  'github.com',
  'ssh://node1',
  '-',
  '',
  "it's",
);
const commandWords = words(
  [
    ...['python3', 'python3', 'cat', '-c', 'print(1)', '&&', 'cd /x;', ';', '|', 'env', 'A=1', 'bash', '-lc', 'git'],
    ...['"python3; x"', 'rsync', '--server', '/usr/bin/python3', 'FARM/python3', 'PREFIX/bin/python3', './of-farm'],
    ...['DIR/of-farm', 'DIR/by-env', 'DIR/of-host', 'DIR/none', 'é', '*', '  ', '', "'", '\\', '\n', 'a\tb', '#', '$X'],
    ...['-u', 'x.py', '%', '.', 'no-such', '/', ':'],
  ],
  5,
);
const cases: fc.Arbitrary<Case> = fc.record({
  name: fc.constantFrom('ssh', 'ssh', 'ssh', 'pbs_tmrsh', 'srun', 'sbatch'),
  args: fc.tuple(sshOptions, hosts, sshOptions, commandWords).map((parts) => parts.flat()),
  environment: environments,
  path: paths,
  inside: fc.boolean(),
});

/** As it is written in a case, and as it is on this machine. */
function actual(text: string): string {
  return text.replace('FARM', release.farm).replace('PREFIX', release.facts.condaPrefix).replace('DIR', release.dir);
}
function asStart(one: Case, program = `${release.farm}/${one.name}`): Start {
  const own = `${release.facts.condaPrefix}/bin`;
  const entries: Record<string, string> = {
    FARM: release.farm,
    RELEASE: `${release.release}/bin`,
    OWN: own,
    HOST: hostBin,
  };
  const pin = one.environment['CONDENSE_RELEASE'];
  return {
    program,
    args: one.args.map(actual),
    environment: {
      ...one.environment,
      ...(pin === 'OWN' ? { CONDENSE_RELEASE: `test-1.0/${release.facts.releaseId}` } : {}),
      PATH: one.path.map((entry) => entries[entry] ?? entry).join(':'),
    },
  };
}

/** Starts all, those inside last; what came out, and what the runtime was called with. */
function runAll(starts: readonly (readonly [Start, boolean])[], byPlanner: boolean): object[] {
  const call = path.join(release.dir, 'last-call');
  writeLauncher(release.launcher, release.facts, planner, byPlanner);
  const run = ([one, inside]: readonly [Start, boolean]): object => {
    fs.rmSync(call, { force: true });
    fs.rmSync(release.facts.marker, { force: true });
    if (inside) fs.writeFileSync(release.facts.marker, '');
    const { status, stdout, stderr } = start(release, one);
    if (status !== 0) return { status, stdout, stderr };
    const { argv, environ, cwd, fds, limits, status: signals } = readProbe({ status, signal: null, stdout, stderr });
    const called = fs.existsSync(call) ? fs.readFileSync(call, 'latin1') : '';
    return { argv, environ, cwd, fds, limits, signals, stderr, called };
  };
  const all = starts.map(run);
  fs.rmSync(release.facts.marker, { force: true });
  writeLauncher(release.launcher, release.facts, planner);
  return all;
}

function expectAgreement(starts: readonly (readonly [Start, boolean])[]): void {
  const byPrelude = runAll(starts, false);
  const byPlanner = runAll(starts, true);
  for (const [index, one] of starts.entries()) expect(byPrelude[index], JSON.stringify(one)).toEqual(byPlanner[index]);
}

describe('commands of the host', () => {
  test(
    'get the same words and environment of the prelude and of the planner, whatever their command line',
    () => {
      expectAgreement(
        fc.sample(cases, { numRuns: 60, seed: 20261121 }).map((one) => [asStart(one), one.inside] as const),
      );
    },
    SLOW,
  );

  test.each([
    ['ssh', ['node1', 'python3', '-c', 'x']],
    ['ssh', ['-x', '-p', '22', 'me@node1', 'cd /tmp && python3 x.py']],
    ['ssh', ['github.com']],
    ['ssh', ['elsewhere', 'python3']],
    ['pbs_tmrsh', ['node1', 'python3', '-c', 'a b']],
    ['srun', ['-n', '2', 'python3']],
    ['sbatch', ['job.sh']],
  ])('%s %j needs no Node', (name, args) => {
    writeLauncher(release.launcher, { ...release.facts, node: '/opt/none/node' }, planner);
    const one = {
      name,
      args,
      environment: { CONDENSE_RELEASE: 'OWN', SHLVL: '1' },
      path: ['FARM', 'HOST'],
      inside: false,
    };
    const { argv } = readProbe(start(release, asStart(one)));
    writeLauncher(release.launcher, release.facts, planner);
    const sent = argv.slice(2).join(' ');
    expect(argv[1]).toBe(path.join(hostBin, name));
    if (args.join(' ').includes('python3') && name !== 'srun' && args[0] !== 'elsewhere') {
      expect(sent).toContain(`${release.release}/launcher --remote host PATH=3D`);
    } else expect(argv.slice(2)).toEqual(args);
  });

  test('an override, and a program that is a launcher itself, are for the planner', () => {
    const other = path.join(release.dir, 'other-farm');
    fs.mkdirSync(other, { recursive: true });
    fs.copyFileSync(release.launcher, path.join(other, 'launcher'));
    fs.chmodSync(path.join(other, 'launcher'), 0o755);
    fs.symlinkSync('launcher', path.join(other, 'ssh'));
    const environment = { PATH: `${other}:${hostBin}`, SHLVL: '1' };
    const { argv } = readProbe(start(release, { program: `${release.farm}/ssh`, args: ['x'], environment }));
    expect(argv.slice(1)).toEqual([path.join(hostBin, 'ssh'), 'x']);
  });
});

describe('what another host has sent', () => {
  const text = fc.oneof(
    fc.constantFrom('ls -l', '', "echo 'a b'; c\n", 'é', '\xff*', '=3D', '\\x41'),
    fc.string({ maxLength: 9 }),
  );
  const bytes = (one: string): string => one.replaceAll(/[^\u0001-\u00ff]/g, '?');
  const capsules = fc.record({
    side: fc.constantFrom('inside' as const, 'host' as const),
    variables: fc.array(
      fc.oneof(
        fc
          .tuple(fc.constantFrom('PATH', 'CONDA_PREFIX', 'MANPATH', 'CONDENSE_SESSION'), text)
          .map((pair) => pair.join('=')),
        fc.constantFrom(
          'CONDENSE_RELEASE=test-1.0/gone',
          'CONTAINER_OVERLAY_PATH',
          'MANPATH',
          'CONTAINER_OVERLAY_PATH=/none',
        ),
        fc.constantFrom('PATH=/usr/bin:/bin', 'LD_PRELOAD=/x', 'IFS=x', 'SHLVL=7'),
      ),
      { maxLength: 4 },
    ),
    command: fc.oneof(
      text.map((one) => ({ kind: 'shell' as const, text: bytes(one) })),
      fc
        .array(text.map(bytes), { maxLength: 3 })
        .map((list) => ({ kind: 'words' as const, words: ['PROGRAM', ...list] })),
    ),
  });
  const arrivals = fc.record({
    capsule: capsules,
    environment: environments,
    path: paths,
    shell: fc.constantFrom('HOST/shell', 'HOST/zsh'),
    inside: fc.boolean(),
    broken: fc.option(
      fc.constantFrom('', ':words', ':shell:=4', ':shell:=00', 'A$b', '=3D', 'PATH', ':x:shell:a', '1'),
      {
        freq: 5,
      },
    ),
  });

  test(
    'starts alike by the prelude and by the planner, and what no launcher has written is refused by both',
    () => {
      const starts = fc.sample(arrivals, { numRuns: 60, seed: 7 }).map((one) => {
        const { command } = one.capsule;
        const named =
          command.kind === 'words'
            ? { ...command, words: command.words.map((word) => word.replace('PROGRAM', path.join(hostBin, 'shell'))) }
            : command;
        const variables = one.capsule.variables.map(bytes);
        const sent = renderCapsule('/l', { ...one.capsule, variables, command: named })?.slice(1) ?? [];
        const args = one.broken === null ? sent : sent.toSpliced(sent.length - 1, 0, one.broken);
        const { environment, ...rest } = asStart({ ...one, name: '', args: [] }, release.launcher);
        return [
          { ...rest, args, environment: { ...environment, SHELL: one.shell.replace('HOST', hostBin) } },
          one.inside,
        ] as const;
      });
      expectAgreement(starts);
    },
    SLOW,
  );

  test.each(['host', 'inside'])('needs no Node where it is to run %s', (side) => {
    writeLauncher(release.launcher, { ...release.facts, node: '/opt/none/node' }, planner);
    const args = ['--remote', side, 'CONDA_PREFIX=3D/p=20q', 'MANPATH', ':shell:ls=20-l'];
    const environment = { SHELL: `${hostBin}/shell`, MANPATH: '/x', PATH: '/usr/bin', SHLVL: '5' };
    const { argv, environ } = readProbe(start(release, { program: release.launcher, args, environment }));
    writeLauncher(release.launcher, release.facts, planner);
    expect(argv.slice(1)).toEqual([`${hostBin}/shell`, '-c', 'ls -l']);
    expect(environ).toContain('CONDA_PREFIX=/p q');
    expect(environ).toContain('SHLVL=1');
    expect(environ.join('\n')).not.toContain('MANPATH');
  });
});
