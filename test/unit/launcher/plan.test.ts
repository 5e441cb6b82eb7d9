// The planner's decisions, from tables of what the file system answers.
import { describe, expect, test } from 'vitest';
import type { LauncherFacts } from '../../../launcher/facts.ts';
import type { Invocation } from '../../../launcher/invocation.ts';
import type { Sight } from '../../../launcher/path.ts';
import { planLaunch, type LaunchPlan } from '../../../launcher/plan.ts';

const facts: LauncherFacts = {
  fullName: 'a-1.0',
  condaPrefix: '/opt/conda/a-1.0',
  marker: '/opt/conda/a-1.0/.condense',
  releasesDir: '/store/releases/a-1.0',
  releaseId: 'R1',
  base: '/store/base.sif',
  runtime: '/usr/bin/apptainer',
  node: '/store/node',
  binds: ['/etc', '/gone', '/etc/x'],
  farmRoots: ['/farms', '/store'],
  outsideCommands: ['ssh'],
};
const image = '/store/releases/a-1.0/R1/env.sqsh';
const host = { [image]: 'r', [facts.base]: 'r', [facts.runtime]: 'x', '/etc': 'r', '/farms': 'r', '/store': 'r' };

/** Each path has letters: r readable, x a program, l a launcher, k a link; or, after a colon, its text. Same letters, same file. */
function sightOf(table: Readonly<Record<string, string>>): Sight {
  const has = (path: string, letter: string): boolean => (table[path]?.split(':')[0] ?? '').includes(letter);
  return {
    isThere: (path) => path in table,
    isLink: (path) => has(path, 'k'),
    isReadable: (path) => has(path, 'r'),
    isWritable: (path) => has(path, 'w'),
    isProgram: (path) => has(path, 'x'),
    isSame: (one, other) => one in table && table[one] === table[other],
    isLauncher: (path) => has(path, 'l'),
    readText: (path) => table[path]?.split(':')[1],
    readFirstLine: () => undefined,
  };
}
const plan = (
  self: string,
  {
    args = [],
    environment = [],
    seen = host,
  }: { args?: string[]; environment?: string[]; seen?: Record<string, string> } = {},
): LaunchPlan => {
  const invocation: Invocation = { self, args, environment, ignoredSignals: '0', onTerminal: false };
  return planLaunch(invocation, facts, sightOf(seen)).plan;
};

describe('on the host', () => {
  test('a farm link is the command of its name in the image, argv[0] as typed, arguments untouched', () => {
    expect(plan('./x/python3', { args: ['--explain', ''] })).toMatchObject({
      kind: 'container',
      zero: './x/python3',
      program: '/opt/conda/a-1.0/bin/python3',
      args: ['--explain', ''],
      image,
      overlays: [],
      binds: ['/etc', '/farms', '/store'],
    });
  });
  test('a link called launcher is python beside a pyvenv.cfg, as a venv of a venv has it; elsewhere it is the launcher', () => {
    const venv = { ...host, '/home/u/venv/bin/../pyvenv.cfg': 'r' };
    expect(plan('/home/u/venv/bin/launcher', { args: ['-m', 'ensurepip'], seen: venv })).toMatchObject({
      zero: '/home/u/venv/bin/launcher',
      program: '/opt/conda/a-1.0/bin/python',
      args: ['-m', 'ensurepip'],
    });
    expect(plan('/home/u/bin/launcher', { args: ['ls'], seen: venv })).toMatchObject({ program: 'ls', args: [] });
  });
  test('a shell on a terminal says where it is, with the means of that shell', () => {
    const shell = (path: string): LaunchPlan =>
      planLaunch(
        { self: 'launcher', args: [], environment: [`SHELL=${path}`], ignoredSignals: '0', onTerminal: true },
        facts,
        sightOf(host),
      ).plan;
    expect(shell('/bin/bash')).toMatchObject({ program: '/bin/bash', args: [], prompt: true });
    expect(shell('/bin/zsh')).toMatchObject({ program: '/bin/zsh', args: [], prompt: true });
    expect(shell('/usr/bin/fish')).toMatchObject({
      program: '/usr/bin/fish',
      args: ['-C', expect.any(String)],
      prompt: false,
    });
  });
  test('the launcher itself takes a name, a path, or the shell', () => {
    expect(plan('launcher', { args: ['ls', '-l'] })).toMatchObject({ zero: 'ls', program: 'ls', args: ['-l'] });
    expect(plan('/s/launcher', { args: ['--', '--x'] })).toMatchObject({ program: '--x' });
    expect(plan('launcher', { environment: ['SHELL=/bin/zsh'] })).toMatchObject({
      program: '/bin/zsh',
      otherwise: '/bin/bash',
    });
    expect(plan('launcher', { environment: ['SHELL=relative'] })).toMatchObject({ program: '/bin/bash' });
  });
  test('the launcher puts the environment and its farm first when no farm of it is on PATH, a farm link does not', () => {
    const environment = ['PATH=/bin:/farms/other.d/bin'];
    const farm = '/store/releases/a-1.0/R1/bin';
    expect(plan('launcher', { args: ['x'], environment })).toMatchObject({
      path: `/opt/conda/a-1.0/bin:${farm}:/bin:/farms/other.d/bin`,
    });
    expect(plan('launcher', { args: ['x'] })).toMatchObject({
      path: `/opt/conda/a-1.0/bin:${farm}:/usr/local/bin:/usr/bin:/bin`,
    });
    expect(plan('x', { environment })).toMatchObject({ path: '/bin:/farms/other.d/bin' });
    expect(plan('x')).toMatchObject({ path: undefined });
  });
  test('an alias of the farm counts as the farm', () => {
    const seen = { ...host, '/farms/a.d/bin': 'r9', '/store/releases/a-1.0/R1/bin': 'r9' };
    expect(plan('x', { environment: ['PATH=/b:/farms/a.d/bin:'], seen })).toMatchObject({
      path: '/b:/opt/conda/a-1.0/bin:/farms/a.d/bin:',
    });
  });
  test('a pin chooses the release and its overrides', () => {
    const pinned = '/store/releases/a-1.0/R0';
    const seen = { ...host, [`${pinned}/env.sqsh`]: 'r', [`${pinned}/overrides/x`]: 'x' };
    const environment = ['CONDENSE_RELEASE=a-1.0/R0'];
    expect(plan('y', { environment, seen })).toMatchObject({ release: pinned, image: `${pinned}/env.sqsh` });
    expect(plan('x', { environment, seen })).toMatchObject({ kind: 'program', program: `${pinned}/overrides/x` });
    expect(plan('y', { environment: ['CONDENSE_RELEASE=a-1.0/../R0'], seen })).toMatchObject({ image });
  });
  test.each([
    [facts.runtime, 'the container runtime is missing'],
    [facts.base, 'the base container cannot be read'],
    [image, 'is missing or out of your reach'],
  ])('without %s it fails with one line', (missing, message) => {
    const seen = Object.fromEntries(Object.entries(host).filter(([file]) => file !== missing));
    expect(plan('x', { seen })).toMatchObject({
      kind: 'fail',
      status: 125,
      message: expect.stringContaining(message) as unknown,
    });
    expect(plan('x', { seen })).toMatchObject({ message: expect.stringContaining(missing) as unknown });
  });
});

describe('overlays of the user', () => {
  const there = { ...host, '/o/a': 'r', '/o/b': 'rw', '/o/d': 'rw', '/o/d/.': 'r' };
  const over = (list: string, seen: Record<string, string> = there): LaunchPlan =>
    plan('x', { environment: [`CONTAINER_OVERLAY_PATH=${list}`], seen });

  test.each([
    ['', []],
    [':/o/a::', [{ path: '/o/a' }]],
    ['/o/a:ro:/o/b', [{ path: '/o/a' }, { path: '/o/b' }]],
    ['/o/b:rw:/o/a', [{ path: '/o/b', note: '/o/b.condense' }, { path: '/o/a' }]],
    ['/o/d:rw', [{ path: '/o/d', note: '/o/d/.condense' }]],
  ])('the list %j', (list, overlays) => {
    expect(over(list)).toMatchObject({ kind: 'container', overlays });
  });
  test.each([
    ['/o/none', 'this overlay cannot be read, /o/none, correct CONTAINER_OVERLAY_PATH'],
    ['rw:/o/a', 'this overlay cannot be read, rw, correct CONTAINER_OVERLAY_PATH'],
    ['/o/no ne:rw', "there is no such overlay, /o/no ne, make it: mkdir '/o/no ne'"],
    ['/o/a:rw', 'you may not write to this overlay, /o/a, choose one of your own in CONTAINER_OVERLAY_PATH'],
    ['/o/b:rw:/o/d:rw', 'one overlay alone can be written to, /o/d, take :rw from it in CONTAINER_OVERLAY_PATH'],
  ])('%s is refused', (list, message) => {
    expect(over(list)).toMatchObject({ kind: 'fail', status: 125, message });
  });
  test('one that was written to is not read alone', () => {
    expect(over('/o/d', { ...there, '/o/d/.condense': 'r:a-1.0/R1' })).toMatchObject({
      message: expect.stringMatching(/^this overlay was written to, .*, \/o\/d, put :rw behind it/) as unknown,
    });
  });
  test('one that was written on another release is refused, with what to do', () => {
    const of = (text: string, more: Record<string, string> = {}): LaunchPlan =>
      over('/o/d:rw', { ...there, '/o/d/.condense': `r:${text}`, ...more });
    expect(of('a-1.0/R1\nprocess 1')).toMatchObject({ kind: 'container' });
    expect(of('')).toMatchObject({ kind: 'container' });
    const message = 'this overlay was made on a-1.0/R0, not on a-1.0/R1, /o/d, ';
    expect(of('a-1.0/R0')).toMatchObject({ message: `${message}make another one, that release is gone` });
    expect(of('a-1.0/R0', { '/store/releases/a-1.0/R0/env.sqsh': 'r' })).toMatchObject({
      message: `${message}go on with that release: export CONDENSE_RELEASE=a-1.0/R0`,
    });
    expect(of('b-1/R0')).toMatchObject({
      message: 'this overlay was made on b-1/R0, not on a-1.0/R1, /o/d, make another one for this environment',
    });
    expect(of('a-1.0/../R0')).toMatchObject({
      message: 'this file is in the place of what the launcher notes there, /o/d/.condense, give it another name',
    });
  });
});

describe('inside', () => {
  const inside = {
    [facts.marker]: 'r',
    '/opt/conda/a-1.0/bin/python3': 'x',
    '/opt/conda/a-1.0/bin/data': 'r',
    '/.singularity.d': 'r',
  };

  test('the program is started directly', () => {
    expect(plan('/f/python3', { seen: inside })).toMatchObject({
      kind: 'program',
      zero: '/f/python3',
      program: '/opt/conda/a-1.0/bin/python3',
    });
  });
  test('127 for what is not there, 126 for what is no program', () => {
    expect(plan('absent', { seen: inside })).toMatchObject({ kind: 'fail', status: 127 });
    expect(plan('data', { seen: inside })).toMatchObject({ kind: 'fail', status: 126 });
  });
  test('a container without our marker is foreign, and named by what its runtime says of it', () => {
    expect(plan('x', { seen: { '/.singularity.d': 'r' }, environment: ['APPTAINER_CONTAINER=/c.sif'] })).toMatchObject({
      status: 125,
      message: expect.stringContaining('/c.sif') as unknown,
    });
  });
  test('a command of the host is found past farms, launchers and the image', () => {
    const seen = {
      ...inside,
      '/farms/b.d/bin/ssh': 'x',
      '/other/ssh': 'xl',
      '/opt/conda/a-1.0/bin/ssh': 'x',
      '/usr/bin/ssh': 'x',
    };
    const environment = ['PATH=/opt/conda/a-1.0/bin:/farms/b.d/bin::.:/other:/usr/bin'];
    expect(plan('ssh', { seen, environment })).toMatchObject({ kind: 'program', program: '/usr/bin/ssh' });
    expect(plan('ssh', { seen, environment: ['PATH=/other'] })).toMatchObject({ kind: 'fail', status: 127 });
  });
});
