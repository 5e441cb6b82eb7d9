// What install_config.yaml may say, what it means, and what a person reads when it is wrong.
import { describe, expect, it, test } from 'vitest';
import { parseSiteConfig } from '../../../src/config/parse-site-config.ts';
import type { SiteConfig } from '../../../src/config/site-config.ts';
import { writtenConfig } from '../../../src/config/written-config.ts';
import { problemsOf } from './problems.ts';

const probe = { tmpDir: '/tmp', uid: 1000 };
const parse = (text: string, file = '/etc/condense/install_config.yaml'): SiteConfig =>
  parseSiteConfig(text, file, probe);

/** Three lines that every configuration needs; what is tested starts at line 4. */
const base = `site: test
prefix: /apps/conda
admin_dir: /apps/admin
`;
const none = `environments: {}\n`;

describe('a right configuration', () => {
  it('needs a site, a prefix, an admin directory and its environments; the rest has defaults', () => {
    const config = parse(`${base}environments:\n  analysis3:\n    version: '26.11'\n`);

    expect(config).toEqual({
      file: '/etc/condense/install_config.yaml',
      cache: { extracted: false },
      site: 'test',
      prefix: '/apps/conda',
      adminDir: '/apps/admin',
      stagingDir: expect.stringMatching(/^\/tmp\/condense-1000-[0-9a-f]{8}$/) as string,
      scriptsDir: 'apps/conda_scripts',
      envsDir: 'apps/conda_envs',
      modulesDir: 'modules',
      jupyterDir: 'apps/conda_jupyter',
      activateDir: 'apps/conda/envs',
      moduleFamily: 'conda',
      groups: {},
      permissions: { readers: [], acl: 'require', ownersWrite: false },
      signing: { required: false },
      runtimeProgram: undefined,
      binds: { run: ['/etc', '/usr', '/var', '/run', '/sys/fs/cgroup'], build: [] },
      sessions: { policy: 'join-or-start', idleSeconds: 600, directory: '/tmp' },
      squashfs: { compression: 'zstd', level: 3, blockSizeBytes: 131072, order: 'traced' },
      channels: { defaults: ['conda-forge'], alias: 'https://conda.anaconda.org', mirrors: {} },
      gc: {
        ...{ releases: 3, generations: 10, longestJobDays: 14, cacheDays: 90 },
        ...{ scheduler: 'auto', pinned: [], venvs: [] },
      },
      scheduler: { options: [], commands: {} },
      notify: { command: [], timeoutSeconds: 60 },
      virtualPackages: {},
      environments: new Map([
        [
          'analysis3',
          {
            name: 'analysis3',
            version: '26.11',
            specFile: '/etc/condense/environments/analysis3/environment.yml',
            platforms: [],
            stable: undefined,
            unstable: undefined,
            protectStable: false,
            gate: { imports: [], skip: {}, preload: {}, expectedFailures: {}, help: [], timeoutMs: 300_000 },
            outsideCommands: [],
            sshHosts: [],
            pinned: [],
            customise: {
              remove: [],
              replace: [],
              files: [],
              hooks: { programs: [], timeoutMs: 3_600_000 },
              libraries: { strict: false, elsewhere: [] },
            },
            drop: { staticLibraries: false, tests: false, patterns: [], keep: [] },
            inherit: { drop: ['PYTHONHOME'], lists: {}, userSite: false },
            module: { variables: {}, prerequisites: [] },
          },
        ],
      ]),
    });
  });

  it('says every key', () => {
    const config = parse(`
site: NCI
prefix: ../public
admin_dir: admin
staging_dir: /local
scripts_dir: s
envs_dir: e
modules_dir: m
module_family: conda_concept
groups: { users: hh5, owners: hh5_w }
runtime: { program: ./bin/apptainer }
binds: { run: [/etc], build: [/var/lib/rpm] }
sessions: { policy: join, idle_seconds: 60, directory: /local/tmp }
squashfs: { compression: gzip, level: 9, block_size: 1M, order: none, processors: 2, memory_mib: 512 }
channels: { defaults: [conda-forge/label/dev, 'file:///data/channel'], alias: https://mirror.example.org/ }
virtual_packages: { __cuda: '12.4', __glibc: '' }
default_environment: a
protect_stable: true
environments:
  b: { version: '1', protect_stable: false }
  a:
    version: '1'
    spec: a.yml
    stable: '0'
    unstable: '1'
    gate: { imports: [xarray.core] }
    outside_commands: [ssh, pbs_tmrsh]
`);

    expect(config).toMatchObject({
      prefix: '/etc/public',
      adminDir: '/etc/condense/admin',
      stagingDir: '/local',
      moduleFamily: 'conda_concept',
      groups: { users: 'hh5', owners: 'hh5_w' },
      runtimeProgram: '/etc/condense/bin/apptainer',
      binds: { run: ['/etc'], build: ['/var/lib/rpm'] },
      sessions: { policy: 'join', idleSeconds: 60, directory: '/local/tmp' },
      squashfs: {
        compression: 'gzip',
        level: 9,
        blockSizeBytes: 2 ** 20,
        order: 'none',
        processors: 2,
        memoryMiB: 512,
      },
      channels: { defaults: ['conda-forge/label/dev', 'file:///data/channel'], alias: 'https://mirror.example.org' },
      virtualPackages: { __cuda: '12.4', __glibc: '' },
    });
    expect(config.defaultEnvironment).toBe('a');
    expect(config.environments.get('a')).toMatchObject({
      ...{ specFile: '/etc/condense/a.yml', stable: '0', unstable: '1', protectStable: true },
    });
    expect(config.environments.get('b')?.protectStable).toBe(false);
  });

  it('gives two sites of one user staging directories of their own', () => {
    const one = parse(base + none);
    const other = parse(base.replace('/apps/conda', '/apps/other') + none);

    expect(one.stagingDir).not.toBe(other.stagingDir);
  });

  it('leaves a bare runtime program to PATH', () => {
    expect(parse(`${base}runtime: { program: singularity }\n${none}`).runtimeProgram).toBe('singularity');
  });

  it('takes a value through an anchor', () => {
    const config = parse(`${base}environments:\n  a: { version: &v '1', stable: *v }\n`);

    expect(config.environments.get('a')).toMatchObject({ version: '1', stable: '1' });
  });

  it('takes names that mean something to JavaScript', () => {
    const config = parse(`${base}environments:\n  constructor: { version: '1' }\n  toString: { version: '1' }\n`);

    expect([...config.environments.keys()]).toEqual(['constructor', 'toString']);
  });
});

const environment = (options: string): string => `${base}environments:\n  a: ${options}\n`;

const wrong: [what: string, text: string, problems: string[]][] = [
  ['an empty file', '', ['1:1  the file is empty']],
  ['a list', '- a\n', ['1:1  the file must be a mapping, but it is a list']],
  [
    'a version that YAML reads as a number',
    environment('{ version: 22.10 }'),
    ["5:17  environments.a.version must be text, but YAML read 22.10 as the number 22.1 | write version: '22.10'"],
  ],
  [
    'a version that YAML reads as a power of ten',
    environment('{ version: 1e3 }'),
    ["5:17  environments.a.version must be text, but YAML read 1e3 as the number 1000 | write version: '1e3'"],
  ],
  [
    'stable and unstable that are no text',
    environment("{ version: '1', stable: 22.10, unstable: true }"),
    [
      "5:30  environments.a.stable must be text, but YAML read 22.10 as the number 22.1 | write stable: '22.10'",
      "5:47  environments.a.unstable must be text, but YAML read true as true | write unstable: 'true'",
    ],
  ],
  ['no version', environment('{}'), ["5:3  environments.a.version is missing | version: '26.11'"]],
  [
    'an environment without anything',
    environment(''),
    ['5:3  environments.a is empty | remove the key or give it a value'],
  ],
  [
    'required keys that are missing',
    none,
    [
      "1:1  site is missing | site: 'quickstart'",
      "1:1  prefix is missing | prefix: '/apps/conda'",
      "1:1  admin_dir is missing | admin_dir: '/apps/conda-admin'",
    ],
  ],
  [
    'unknown keys, one near to a known one',
    `${base}module-familly: x\ncolour: red\n${none}`,
    [
      '4:1  module-familly is not a known key | did you mean module_family?',
      `5:1  colour is not a known key | known keys: ${Object.keys(writtenConfig.shape).join(', ')}`,
    ],
  ],
  [
    'an unknown key of an environment',
    environment("{ versoin: '1' }"),
    [
      "5:3  environments.a.version is missing | version: '26.11'",
      '5:8  environments.a.versoin is not a known key | did you mean version?',
    ],
  ],
  ['a key given twice', `${base}site: other\n${none}`, ['4:1  the same key is given twice in one mapping']],
  ['tabs', `${base}environments:\n\ta: {}\n`, ['5:1  YAML is indented with spaces, not with tabs']],
  ['two documents', `${base}${none}---\na: 1\n`, ['5:1  the file holds several YAML documents; one is expected']],
  ['an alias without an anchor', `${base}environments: *x\n`, ['4:15  the alias *x has no anchor &x before it']],
  ['an unknown tag', `${base}environments: !include x.yml\n`, ['4:15  not valid YAML: Unresolved tag: !include']],
  ['the key __proto__', `${base}__proto__: { site: x }\n${none}`, ['4:1  the key __proto__ is not known']],
  [
    'a key that is no text',
    `${base}environments:\n  2024: { version: '1' }\n`,
    ["5:3  a key must be text | write '2024':"],
  ],
  ['a section that is a list', `${base}binds: [/etc]\n${none}`, ['4:8  binds must be a mapping, but it is a list']],
  [
    'a list that is text',
    environment("{ version: '1', gate: { imports: numpy } }"),
    ["5:39  environments.a.gate.imports must be a list, but it is the text 'numpy' | write imports: [numpy]"],
  ],
  [
    'a prefix of the home directory',
    base.replace('/apps/conda', '~/conda') + none,
    ["2:9  prefix is '~/conda', but nothing expands '~' | write an absolute path, or one relative to this file"],
  ],
  [
    'a prefix of a variable',
    base.replace('/apps/conda', '$HOME') + none,
    ["2:9  prefix is '$HOME', but nothing expands '$' | write the path itself"],
  ],
  [
    'a prefix with a space',
    base.replace('/apps/conda', '/my apps') + none,
    ["2:9  prefix is '/my apps', which has white space: a '#!' line ends there | choose another directory"],
  ],
  [
    'a prefix with a colon',
    base.replace('/apps/conda', '/a:b') + none,
    [
      "2:9  prefix is '/a:b', which has a colon: it separates the parts of the runtime's bind option | choose another directory",
    ],
  ],
  [
    'a prefix with a comma',
    base.replace('/apps/conda', '/a,b') + none,
    ["2:9  prefix is '/a,b', which has a comma: it separates the runtime's bind options | choose another directory"],
  ],
  [
    'a prefix with an escape character',
    base.replace('/apps/conda', '"/a\\e[31m"') + none,
    ["2:9  prefix is '/a\\u001b[31m', which has a control character | choose another directory"],
  ],
  ['a prefix that is everything', base.replace('/apps/conda', '/') + none, ["2:9  prefix must not be '/'"]],
  ['a prefix without text', base.replace('/apps/conda', "''") + none, ['2:9  prefix must not be empty']],
  [
    'directories that leave the prefix',
    `${base}scripts_dir: ../x\nenvs_dir: /x\nmodules_dir: a//b\n${none}`,
    [
      "4:14  scripts_dir must not leave the prefix, as '../x' does",
      "5:11  envs_dir must be relative to the prefix, not '/x' | e.g. apps/conda_envs",
      "6:14  modules_dir must be names with '/' between them; '' is not a name | e.g. apps/conda_envs",
    ],
  ],
  [
    'directories that overlap',
    `${base}scripts_dir: apps\nenvs_dir: apps/envs\nmodules_dir: apps/condense/m\n${none}`,
    [
      "1:1  jupyter_dir 'apps/conda_jupyter' overlaps scripts_dir 'apps' | give each a directory of its own",
      "1:1  activate_dir 'apps/conda/envs' overlaps scripts_dir 'apps' | give each a directory of its own",
      '4:14  scripts_dir must not overlap apps/condense, where the product keeps its releases',
      "5:11  envs_dir 'apps/envs' overlaps scripts_dir 'apps' | give each a directory of its own",
      '6:14  modules_dir must not overlap apps/condense, where the product keeps its releases',
      "6:14  modules_dir 'apps/condense/m' overlaps scripts_dir 'apps' | give each a directory of its own",
    ],
  ],
  [
    'an admin directory that users see',
    base.replace('/apps/admin', '/apps/conda/modules/x') + none,
    ["3:12  admin_dir must not be in '/apps/conda/modules': users see that"],
  ],
  [
    'an admin directory that is the prefix',
    base.replace('/apps/admin', '/apps/conda/') + none,
    ['3:12  admin_dir must not be the prefix: users see that'],
  ],
  [
    'a module family with a slash',
    `${base}module_family: a/b\n${none}`,
    [
      "4:16  module_family must start with a letter or digit, followed by letters, digits, dots, dashes and underscores (64 at most), not 'a/b'",
    ],
  ],
  [
    'a group that is a number',
    `${base}groups: { users: 1000 }\n${none}`,
    ["4:18  groups.users must be text, but YAML read 1000 as the number 1000 | write users: '1000'"],
  ],
  [
    'binds that cannot be',
    `${base}binds:\n  run: [/etc, /etc, usr, /a:b, /a/../b, /, /opt/conda/x]\n${none}`,
    [
      "5:15  binds.run[1] repeats item 1, '/etc'",
      "5:21  binds.run[2] must be an absolute path, not 'usr'",
      "5:26  binds.run[3] '/a:b' has a colon: it separates the parts of the runtime's bind option",
      "5:32  binds.run[4] must be a plain path, not '/a/../b' | write /b",
      "5:41  binds.run[5] must not be '/': it would hide the whole image",
      "5:44  binds.run[6] must not be '/opt/conda/x': it would hide the environments of the image at /opt/conda",
    ],
  ],
  [
    'no channels at all',
    `${base}channels: { defaults: [] }\n${none}`,
    ['4:23  channels.defaults must not be an empty list'],
  ],
  [
    'channels that are neither name nor URL',
    `${base}channels: { defaults: [./local, 'ftp://x'], alias: mirror }\n${none}`,
    [
      "4:24  channels.defaults[0] must be a channel's name or its http://, https:// or file:/// URL, not './local' | write a local channel as file:///absolute/path",
      "4:33  channels.defaults[1] must be a channel's name or its http://, https:// or file:/// URL, not 'ftp://x'",
      "4:52  channels.alias must be an http://, https:// or file:/// URL, not 'mirror'",
    ],
  ],
  [
    'a virtual package without underscores, and a version that is a number',
    `${base}virtual_packages: { cuda: '12.4', __glibc: 2.40 }\n${none}`,
    [
      "4:21  virtual_packages.cuda: the name must be the name of a virtual package such as __cuda, not 'cuda'",
      "4:44  virtual_packages.__glibc must be text, but YAML read 2.40 as the number 2.4 | write __glibc: '2.40'",
    ],
  ],
  [
    'an outside command with a path',
    environment("{ version: '1', outside_commands: [/bin/ssh, launcher] }"),
    [
      "5:41  environments.a.outside_commands[0] must be the name of a command, not '/bin/ssh'",
      "5:51  environments.a.outside_commands[1] must not be 'launcher': the launcher itself is called so",
    ],
  ],
  [
    'an import that is no module',
    environment("{ version: '1', gate: { imports: ['os; import x'] } }"),
    ["5:40  environments.a.gate.imports[0] must be the name of a Python module, not 'os; import x'"],
  ],
  [
    'two environments with one full name',
    `${base}environments:\n  a: { version: b-1 }\n  a-b: { version: '1' }\n`,
    [
      "6:19  environments.a-b.version gives 'a-b-1' as version 1 of environment a-b, which is already version b-1 of environment a | rename one of them",
    ],
  ],
  [
    'an environment that is called as an alias',
    `${base}environments:\n  x: { version: '1' }\n  x-unstable: { version: '1' }\n`,
    [
      "6:15  environments.x-unstable gives 'x-unstable' as the alias of environment x-unstable, which is already the unstable alias of environment x | rename one of them",
    ],
  ],
  [
    'an environment that is called as a version',
    `${base}environments:\n  a: { version: '2', stable: '1' }\n  a-1: { version: '1' }\n`,
    [
      "6:8  environments.a-1 gives 'a-1' as the alias of environment a-1, which is already version 1 of environment a | rename one of them",
    ],
  ],
  [
    'a full name as a version',
    environment("{ version: '2', stable: a-1 }"),
    ["5:30  environments.a.stable must be a version alone, not the full name 'a-1' | write stable: '1'"],
  ],
];

describe('a wrong configuration', () => {
  test.each(wrong)('%s is told with its place', (_what, text, problems) => {
    expect(problemsOf(() => parse(text))).toEqual(problems);
  });

  it('refuses a relative prefix below a directory with a space, and a temporary directory with one', () => {
    const text = base.replace('/apps/conda', './site') + none;

    expect(problemsOf(() => parse(text, '/my files/install_config.yaml'))).toEqual([
      "2:9  prefix is '/my files/site', which has white space: a '#!' line ends there | choose another directory",
    ]);
    expect(problemsOf(() => parseSiteConfig(base + none, '/x/c.yaml', { tmpDir: '/t t', uid: 0 }))).toEqual([
      expect.stringMatching(/^1:1 {2}staging_dir is by default '\/t t\/condense-0-.*set staging_dir$/),
    ]);
  });

  it('tells all at once, in the order of the file', () => {
    const text = `site: 5\nprefix: ~/x\nadmin_dir: /a b\nenvs_dir: ../x\nenvironments:\n  a..b: { version: 22.10 }\n  c: {}\n  c: { version: '1' }\n`;

    expect(problemsOf(() => parse(text)).map((line) => line.split(' ')[0])).toEqual([
      '1:7',
      '2:9',
      '3:12',
      '4:11',
      '6:3',
      '6:20',
      '8:3',
    ]);
  });

  it('names the file as it was given', () => {
    expect(() => parseSiteConfig('', 'sub/install_config.yaml', probe)).toThrow(
      'sub/install_config.yaml:1:1: the file is empty',
    );
  });
});
