import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { planBase } from '../../../src/build/base.ts';
import { planBuild, planEnvironment, planSteps } from '../../../src/build/build-plan.ts';
import { planContainerCommand } from '../../../src/build/container.ts';
import { planPack, renderSortFile } from '../../../src/build/pack.ts';
import type { EnvironmentSpec } from '../../../src/config/environment-spec.ts';
import type { EnvironmentOptions } from '../../../src/config/site-config.ts';
import { planMode } from '../../../src/site/permissions.ts';
import { makeConfig, makeLayout } from '../make-layout.ts';

const layout = makeLayout('/site');
const environment: EnvironmentOptions = {
  name: 'a',
  version: '1',
  specFile: '/e/environment.yml',
  protectStable: false,
  gate: { imports: ['numpy'], skip: {}, preload: {}, expectedFailures: {}, help: [], timeoutMs: 300_000 },
  outsideCommands: [],
  sshHosts: [],
  pinned: [],
  inherit: { drop: ['PYTHONHOME'], lists: {}, userSite: false },
  module: { variables: {}, prerequisites: [] },
  drop: { staticLibraries: false, tests: false, patterns: [], keep: [] },
  customise: {
    remove: [],
    replace: [],
    files: [],
    hooks: { programs: [], timeoutMs: 3_600_000 },
    libraries: { strict: false, elsewhere: [] },
  },
};
const spec: EnvironmentSpec = {
  file: '/e/environment.yml',
  channels: [],
  dependencies: [{ text: 'numpy', at: '/e/environment.yml:3:5' }],
  pip: [],
  variables: {},
  notes: [],
};

describe('planBuild', () => {
  it('takes the channels of the site when the spec names none', () => {
    expect(planBuild(makeConfig('/site'), layout, environment, spec, 'linux-64')).toMatchObject({
      fullName: 'a-1',
      channels: ['conda-forge'],
      condaPrefix: '/opt/conda/a-1',
    });
  });

  it('names the environments that there are when asked for another', () => {
    const config = makeConfig('/site', { environments: new Map([['a', environment]]) });

    expect(planEnvironment(config, 'a')).toBe(environment);
    expect(() => planEnvironment(config, 'b')).toThrow('there is no environment "b"; there are: a');
  });

  it('describes what would be left out of the image', () => {
    const drop = { staticLibraries: true, tests: false, patterns: [{ text: 'share/doc', at: '' }], keep: ['lib/a.a'] };
    const plan = planBuild(makeConfig('/site'), layout, { ...environment, drop }, spec, 'linux-64');

    expect(planSteps(plan, layout, { publish: false })).toContainEqual({
      step: 'drop',
      what: 'static libraries, share/doc, but not lib/a.a',
    });
  });

  it('describes every place that would be written to', () => {
    const plan = planBuild(makeConfig('/site'), layout, environment, spec, 'linux-64');

    const places = (publish: boolean) => planSteps(plan, layout, { publish }).map(({ path }) => path);

    expect(places(false)).toContain('/site/apps/condense/releases/a-1/<id>');
    expect(places(false)).not.toContain('/site/apps/condense/current');
    expect(places(true)).toContain('/site/apps/condense/current');
    expect(places(true)).toContain('/site/modules/conda');
  });
});

describe('planBase', () => {
  const host = {
    binds: { run: ['/etc', '/var/run/munge'], build: ['/opt/site tools'] },
    rootLinks: [{ path: 'bin', target: 'usr/bin' }],
    runtimeVersion: '1',
  };
  const template = readFile(new URL('../../../container/base.def.hbs', import.meta.url), 'utf8');

  it('makes the mount points and the links, quoted for the shell', async () => {
    const { definition } = planBase(layout, await template, { ...host, binds: { run: [`/it's`], build: [] } });

    expect(definition).toContain(`    mkdir -p 'it'\\''s'\n`);
    expect(definition).toContain(`    ln -s 'usr/bin' 'bin'\n`);
  });

  it('has another name when its inputs change, and the same when they do not', async () => {
    const text = await template;
    const plan = planBase(layout, text, host);

    expect(planBase(layout, text, { ...host }).file).toBe(plan.file);
    expect(planBase(layout, text, { ...host, runtimeVersion: '2' }).file).not.toBe(plan.file);
    expect(planBase(layout, text, { ...host, rootLinks: [] }).file).not.toBe(plan.file);
  });
});

describe('planContainerCommand', () => {
  const container = {
    runtime: '/usr/bin/apptainer',
    base: '/b.sif',
    binds: ['/etc', '/usr'],
    prefix: { onDisk: '/tmp/s' },
    prefixInside: '/opt/conda/a-1',
  };

  it('gives the program exactly its own environment, and the staging prefix at the final path', () => {
    const command = planContainerCommand(container, {
      program: '/bin/true',
      args: ['a b'],
      env: { A: '$x', PATH: '/bin' },
    });

    expect(command.program).toBe('/usr/bin/apptainer');
    expect(command.args).toEqual([
      '--silent',
      'exec',
      '--cleanenv',
      '--contain',
      '--bind',
      '/etc,/usr,/tmp/s:/opt/conda/a-1',
      '--pwd',
      '/',
      '/b.sif',
      '/usr/bin/env',
      '-i',
      'A=$x',
      'PATH=/bin',
      '/bin/true',
      'a b',
    ]);
    expect(command.env).toBeUndefined();
  });
});

it('binds the prefix read-only for programs that only look', () => {
  const container = {
    runtime: 'r',
    base: '/b.sif',
    binds: [],
    prefix: { onDisk: '/s' },
    prefixInside: '/p',
    readOnly: true,
  };

  expect(planContainerCommand(container, { program: '/bin/true', args: [] }).args).toContain('/s:/p:ro');
});

it('mounts an image that has the prefix, read-only, where there is none on disk', () => {
  const container = { runtime: 'r', base: '/b.sif', binds: ['/usr'], prefix: { image: '/i' }, prefixInside: '/p' };
  const { args } = planContainerCommand(container, { program: '/bin/true', args: [] });

  expect(args.join(' ')).toContain('--bind /usr --pwd / --overlay /i:ro /b.sif');
});

describe('planPack', () => {
  const profile = { compression: 'zstd', level: 3, blockSizeBytes: 131072, order: 'none' } as const;

  it('never passes one time for all files, as bytecode is valid only with its own', () => {
    const { args } = planPack('/r', '/i', profile, 7, 3);

    expect(args).not.toContain('-all-time');
    expect(args).toContain('-mkfs-time');
  });

  it.each([
    [profile, '-comp zstd -Xcompression-level 3'],
    [{ ...profile, compression: 'lz4' } as const, '-comp lz4'],
    [{ ...profile, compression: 'none' } as const, '-noI -noId -noD -noF -noX'],
    [{ ...profile, processors: 2, memoryMiB: 700 }, '-processors 2 -mem 700M'],
    [profile, '-processors 3 -mem 512M'],
  ])('%j gives %s', (given, expected) => {
    expect(planPack('/r', '/i', given, 7, 3).args.join(' ')).toContain(expected);
  });
});

describe('renderSortFile', () => {
  it('gives the file that is used first the highest priority, and escapes white space', () => {
    expect(renderSortFile(['opt/b', 'opt/a b', 'opt/c\\d'])).toBe('opt/b 32767\nopt/a\\ b 32766\nopt/c\\\\d 32765\n');
  });

  it('leaves out names with a line break, and stays above the priority of unlisted files', () => {
    const files = Array.from({ length: 40_000 }, (_, index) => `f${index}`);

    expect(renderSortFile(['a\nb', 'c'])).toBe('c 32767\n');
    expect(renderSortFile(files).split('\n').at(-2)).toBe('f39999 1');
  });
});

describe('planMode', () => {
  it.each([
    [{}, 'file', false, 0o444],
    [{}, 'file', true, 0o555],
    [{}, 'directory', true, 0o755],
    [{ usersGroup: 100 }, 'file', true, 0o550],
    [{ ownersGroup: 100 }, 'directory', true, 0o2775],
    [{ ownersGroup: 100 }, 'file', true, 0o555],
  ] as const)('%j %s executable=%s is %i', (policy, kind, executable, mode) => {
    expect(planMode(policy, kind, executable)).toBe(mode);
  });
});
