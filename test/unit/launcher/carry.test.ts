// Which commands for another host take the environment along, what travels, and what becomes of it there.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCapsule, renderCapsule, type Capsule } from '../../../launcher/capsule.ts';
import type { LauncherFacts } from '../../../launcher/facts.ts';
import type { Sight } from '../../../launcher/path.ts';
import { planLaunch, type LaunchPlan } from '../../../launcher/plan.ts';

const RELEASE = '/store/releases/a-1.0/R1';
const facts: LauncherFacts = {
  fullName: 'a-1.0',
  condaPrefix: '/opt/conda/a-1.0',
  marker: '/opt/conda/a-1.0/.condense',
  releasesDir: '/store/releases/a-1.0',
  releaseId: 'R1',
  base: '/store/base.sif',
  runtime: '/usr/bin/apptainer',
  node: '/store/node',
  binds: [],
  farmRoots: ['/farms', '/store'],
  outsideCommands: ['ssh', 'pbs_tmrsh', 'srun', 'sbatch'],
  sshHosts: ['node*'],
  moduleVariables: ['CONDA_PREFIX', 'MANPATH'],
};
const programs = ['ssh', 'pbs_tmrsh', 'srun', 'sbatch'].map((name) => `/usr/bin/${name}`);
const onHost = [...programs, facts.runtime, facts.base, `${RELEASE}/env.sqsh`];
const inside = [...programs, facts.marker, '/.singularity.d'];
const links = ['python3', 'orted', 'rsync', 'git', 'ssh'].map((name) => `${RELEASE}/bin/${name}`);

const scripts: Readonly<Record<string, string>> = {
  '/home/u/farm.py': '#!/farms/a.d/bin/python3 -u',
  '/home/u/env.py': '#!/usr/bin/env -S python3 -u',
  '/home/u/venv/bin/tool': '#! /home/u/venv/bin/python3',
  '/home/u/host.py': '#!/usr/bin/python3',
  '/home/u/env-host.py': '#!/usr/bin/env perl',
  '/home/u/binary': '\x7fELF',
};
const sightOf = (there: readonly string[]): Sight => {
  const has = (path: string): boolean => there.includes(path);
  return {
    isThere: has,
    isReadable: has,
    isWritable: has,
    isProgram: has,
    isLink: (path) => links.includes(path),
    isSame: (one, other) => one === other,
    isLauncher: (path) => path.endsWith('venv/bin/python3'),
    readText: () => undefined,
    readFirstLine: (path) => scripts[path],
  };
};
const LOADED = ['CONDENSE_RELEASE=a-1.0/R1', 'CONDA_PREFIX=/p q', 'SECRET=x', 'PATH=/farms/a.d/bin:/usr/bin'];
const INSIDE = ['PATH=/opt/conda/a-1.0/bin:/farms/a.d/bin:/usr/bin'];
const plan = (self: string, args: string[], environment: string[], there: readonly string[]): LaunchPlan =>
  planLaunch({ self, args, environment, ignoredSignals: '0', onTerminal: false }, facts, sightOf(there)).plan;
const argsOf = (launch: LaunchPlan): readonly string[] => ('args' in launch ? launch.args : []);
const onHostWith = (self: string, line: string, environment = LOADED): readonly string[] =>
  argsOf(plan(self, line.split(' '), environment, onHost));

describe('what is sent', () => {
  const VARIABLES =
    'PATH=3D/farms/a.d/bin:/usr/bin CONDENSE_RELEASE=3Da-1.0/R1 CONDENSE_SESSION CONTAINER_OVERLAY_PATH';

  test('with the module loaded: the launcher of the release, what the module set, and the command', () => {
    expect(onHostWith('ssh', "-x node1 python3 -c 'x'")).toEqual([
      '-x',
      'node1',
      `exec ${RELEASE}/launcher --remote host ${VARIABLES} CONDA_PREFIX=3D/p=20q MANPATH :shell:python3=20-c=20=27x=27`,
    ]);
  });
  test('inside: the same, to be run inside', () => {
    const [, command] = argsOf(plan('ssh', ['node1', '/opt/conda/a-1.0/bin/python3'], INSIDE, inside));
    expect(command).toContain(`exec ${RELEASE}/launcher --remote inside PATH=3D/opt/conda/a-1.0/bin:`);
  });
  test("inside, in a job that is pinned to another environment: that one's pin stays", () => {
    const words = argsOf(plan('ssh', ['node1', 'python3'], [...INSIDE, 'CONDENSE_RELEASE=b-1.0/R7'], inside));
    expect(words.at(-1)).toContain('launcher --remote inside ');
    expect(words.at(-1)).toContain(' CONDENSE_RELEASE=3Db-1.0/R7 ');
  });
  test('by pbs_tmrsh, which knows the hosts of its job, the words stay words', () => {
    expect(onHostWith('pbs_tmrsh', '-n -l me other orted -x').slice(0, 6)).toEqual([
      '-n',
      '-l',
      'me',
      'other',
      `${RELEASE}/launcher`,
      '--remote',
    ]);
    expect(onHostWith('pbs_tmrsh', 'other orted -x').slice(-3)).toEqual([':words', 'orted', '-x']);
  });
  test("a farm's path goes with the variables, as Open MPI's launch agent does", () => {
    expect(onHostWith('ssh', 'node1 PATH=/x:$PATH ; export PATH ; /farms/a.d/bin/orted -x')[1]).toContain('--remote');
  });
  test.each(['farm.py', 'env.py', 'venv/bin/tool', 'venv/bin/python3'])(
    'a script of the user, or a python of a venv, by its path, whose program is a farm: ~/%s',
    (name) => {
      expect(onHostWith('ssh', `node1 /home/u/${name} x`)[1]).toContain('--remote');
      expect(onHostWith('pbs_tmrsh', `node1 /home/u/${name} x`)).toContain(':words');
    },
  );
  test('nothing of the caller but the module and the pin: other users can read arguments', () => {
    expect(onHostWith('ssh', 'node1 python3').join(' ')).not.toContain('SECRET');
  });
  test.each([
    'node1',
    '-N node1 python3',
    '-s node1 sftp',
    'github.com python3',
    'node1 hostname',
    'node1 /usr/bin/python3',
    'node1 ./python3',
    'node1 .',
    `node1 git-upload-pack 'a'`,
    'node1 git upload-pack a',
    'node1 rsync --server -e.iLsfxCIvu . x',
    'node1 scp -t x',
    `node1 echo 'python3'`,
    'node1 *',
    'node1 venv/bin/python3',
    'node1 /home/u/host.py',
    'node1 /home/u/env-host.py',
    'node1 /home/u/binary',
    'node1 /home/u/absent',
  ])('ssh %s stays as it is', (line) => {
    expect(onHostWith('ssh', line)).toEqual(line.split(' '));
  });
  test('without the module, outside, everything stays as it is', () => {
    const environment = ['PATH=/farms/a.d/bin:/usr/bin', 'CONDENSE_RELEASE=b-1.0/R1'];
    expect(onHostWith('ssh', 'node1 python3', environment)).toEqual(['node1', 'python3']);
    expect(onHostWith('pbs_tmrsh', 'node1 python3', environment)).toEqual(['node1', 'python3']);
  });
  test('a command that would be too long for one argument stays as it is', () => {
    const words = ['node1', 'python3', 'x'.repeat(130_000)];
    expect(argsOf(plan('ssh', words, LOADED, onHost))).toEqual(words);
  });
});

describe('commands of the host that are called inside', () => {
  test('get PATH without the image, so that what they start elsewhere is found there', () => {
    expect(plan('sbatch', ['x'], INSIDE, inside)).toMatchObject({ path: '/farms/a.d/bin:/usr/bin', args: ['x'] });
    expect(plan('sbatch', [], ['PATH=/opt/conda/a-1.0/bin:/usr/bin'], inside)).toMatchObject({
      path: `${RELEASE}/bin:/usr/bin`,
    });
    expect(plan('sbatch', [], ['PATH=/usr/bin'], inside)).toMatchObject({ path: '/usr/bin' });
  });
  test('srun gets the path of a program as other nodes have it', () => {
    const args = (line: string): string => argsOf(plan('srun', line.split(' '), INSIDE, inside)).join(' ');
    expect(args('-n 2 /opt/conda/a-1.0/bin/python3 /opt/conda/a-1.0/bin/python3')).toBe(
      `-n 2 ${RELEASE}/bin/python3 /opt/conda/a-1.0/bin/python3`,
    );
    expect(args('cat /opt/conda/a-1.0/bin/python3')).toBe('cat /opt/conda/a-1.0/bin/python3');
    expect(args('-n 1 cat : -n 1 /opt/conda/a-1.0/bin/python3 x')).toBe(`-n 1 cat : -n 1 ${RELEASE}/bin/python3 x`);
    expect(args('/opt/conda/a-1.0/bin/absent')).toBe('/opt/conda/a-1.0/bin/absent');
    expect(onHostWith('srun', '/opt/conda/a-1.0/bin/python3')).toEqual(['/opt/conda/a-1.0/bin/python3']);
  });
});

describe('what arrives', () => {
  const arrive = (words: string, environment: string[] = [], there = onHost): LaunchPlan =>
    plan(`${RELEASE}/launcher`, ['--remote', ...words.split(' ')], environment, there);

  test('a shell command runs in the login shell, with the variables, on the side that it came from', () => {
    expect(arrive('host A=3D=20b B :shell:ls=20-l', ['B=1', 'C=2', 'SHELL=/bin/fish'])).toMatchObject({
      kind: 'program',
      program: '/bin/fish',
      args: ['-c', 'ls -l'],
      environment: ['C=2', 'SHELL=/bin/fish', 'A= b', 'SHLVL=1'],
    });
    expect(arrive('inside PATH=3D/x :shell:a', ['SHELL=/bin/bash'])).toMatchObject({
      kind: 'container',
      release: RELEASE,
      program: '/bin/bash',
      environment: ['SHELL=/bin/bash', 'PATH=/x', 'SHLVL=1'],
    });
  });
  test('shells that would read their files once more are told not to', () => {
    expect(arrive('host :shell:a', ['SHELL=/usr/bin/tcsh'])).toMatchObject({ args: ['-f', '-c', 'a'] });
    expect(arrive('host :shell:a')).toMatchObject({ program: '/bin/sh', args: ['-c', 'a'] });
  });
  test('words are the program and its arguments', () => {
    expect(arrive('inside :words orted :x =zz')).toMatchObject({ program: 'orted', args: [':x', '=zz'] });
  });
  test.each([
    '',
    'there :shell:a',
    'host',
    'host a=b:shell:a',
    'host =3Dx :shell:a',
    'host :words',
    'host :shell',
    'host :shell:a b',
    'host :shell:=00',
    'host a$b :shell:x',
  ])('refuses %j', (words) => {
    expect(arrive(words)).toMatchObject({ kind: 'fail', status: 125 });
  });
  test('is what was sent, whatever bytes it has, and needs no quotes in any shell', () => {
    const bytes = fc.string({ unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)) });
    const variables = fc.array(bytes.map((value) => `NAME=${value}`));
    fc.assert(
      fc.property(fc.constantFrom('inside' as const, 'host' as const), variables, bytes, (side, values, text) => {
        const capsule: Capsule = { side, variables: values, command: { kind: 'shell', text } };
        const [launcher, option, ...words] = renderCapsule('/l', capsule) ?? [];
        expect([launcher, option, parseCapsule(words)]).toEqual(['/l', '--remote', capsule]);
        expect(words.join(' ')).toMatch(/^[A-Za-z0-9_./:,@= -]*$/);
        expect(words.filter((word) => word.startsWith('='))).toEqual([]);
      }),
    );
    expect(
      renderCapsule('/l l', { side: 'host', variables: [], command: { kind: 'shell', text: '' } }),
    ).toBeUndefined();
  });
});
