// install_config.yaml as it is written: every key with its type, default, meaning and example. With the other written-*.ts
// the one source of the checks, of docs/configuration.md and of the JSON schema for editors.
import * as z from 'zod';
import {
  bindRule,
  channelAliasRule,
  channelRule,
  excludeNewerRule,
  GROUP,
  imagePathRule,
  nameRule,
  NAME,
  packageNameRule,
  pathRule,
  quoted,
  relativeDirRule,
  VIRTUAL_PACKAGE,
  VIRTUAL_VERSION,
  variableRule,
  type TextRule,
} from './text-rules.ts';
import { list, matching, text } from './written-values.ts';
import { environment, environmentName, pinned } from './written-environment.ts';
import { drop, squashfs } from './written-image.ts';
import { checkNameRule, moduleNameRule } from './written-gate.ts';
import { gc } from './written-gc.ts';
import { inherit } from './written-inherit.ts';
import { module, moduleVariableRule } from './written-module.ts';
import { notify, scheduler, scheduledCommandRule } from './written-factory.ts';

const permissions = z
  .strictObject({
    readers: list(matching(GROUP, 'the name of a group'))
      .default([])
      .describe(
        'Groups that may read the images besides `groups.users`, by POSIX ACL (setfacl). Needs `groups.users`: without it everybody reads.',
      )
      .meta({ examples: [['partners', 'students']] }),
    acl: z
      .enum(['require', 'fall-back'])
      .default('require')
      .describe(
        'Where the file system of the prefix has no ACLs and there are `readers`: refuse to build, or do without them, with a warning.',
      )
      .meta({ examples: ['fall-back'] }),
    owners_write: z
      .boolean()
      .default(false)
      .describe(
        'Directories of a release belong to `groups.owners` (mode 2775), so that each of them can remove what another one built. Otherwise only its builder and root can. Files are nobody’s to write.',
      )
      .meta({ examples: [true] }),
  })
  .prefault({})
  .describe('Who may do what with a release, applied before it is visible, whatever the umask of its builder.');

const signing = z
  .strictObject({
    key: text(pathRule)
      .optional()
      .describe(
        'The SSH key that signs the manifest of each release that passes its gate (`ssh-keygen -Y sign`), relative to this file; the public half of a key that ssh-agent holds will do. condense never reads it. Default: releases are not signed.',
      )
      .meta({ examples: ['/etc/condense/signing_key.pub'] }),
    allowed_signers: text(pathRule)
      .optional()
      .describe(
        'The file that says whose signatures count (ssh-keygen(1), ALLOWED SIGNERS), relative to this file. A signature that does not hold is refused wherever a release is verified.',
      )
      .meta({ examples: ['allowed_signers'] }),
    required: z
      .boolean()
      .default(false)
      .describe('Refuse to show users a release without a signature. Needs `allowed_signers`.')
      .meta({ examples: [true] }),
  })
  .prefault({})
  .describe('Signatures of manifests.');

const binds = z
  .strictObject({
    run: list(text(bindRule))
      .default(['/etc', '/usr', '/var', '/run', '/sys/fs/cgroup'])
      .describe(
        'Host directories seen inside the container, where a node has them. The image has no operating system of its own: /etc, /usr, /var and /run are needed. Replaces the default list.',
      )
      .meta({ examples: [['/etc', '/usr', '/var', '/run', '/scratch']] }),
    build: list(text(bindRule))
      .default([])
      .describe('Host directories seen besides those while an environment is built.')
      .meta({ examples: [['/var/lib/rpm']] }),
  })
  .prefault({})
  .describe('Host directories in the container.');

const sessions = z
  .strictObject({
    policy: z
      .enum(['off', 'join', 'join-or-start'])
      .default('join-or-start')
      .describe(
        'Whether the commands of one user on one node share a mounted container: never; where `launcher --start-session` has started one; or the first command starts it.',
      )
      .meta({ examples: ['join'] }),
    idle_seconds: z
      .int()
      .min(1)
      .max(7 * 24 * 3600)
      .default(600)
      .describe('A session that no command was in for so long ends.')
      .meta({ examples: [60] }),
    directory: text(pathRule)
      .default('/tmp')
      .describe(`On each node's own disk, writable for everybody, sticky: where sessions are noted.`)
      .meta({ examples: ['/local/tmp'] }),
  })
  .prefault({})
  .describe('Sessions: commands join a container that is there already, instead of mounting one each.');

const channels = z
  .strictObject({
    defaults: list(text(channelRule))
      .min(1)
      .default(['conda-forge'])
      .describe('Channels of an environment.yml that names none, highest priority first: names or URLs.')
      .meta({ examples: [['conda-forge', 'file:///data/channel']] }),
    // conda's own default: docs.conda.io, "Settings", channel_alias.
    alias: text(channelAliasRule)
      .default('https://conda.anaconda.org')
      .describe(`Where a bare channel name is found, as conda's channel_alias: set it to use a mirror.`)
      .meta({ examples: ['https://mirror.example.org/conda'] }),
    mirrors: z
      .record(z.string(), list(text(channelAliasRule)).min(1))
      .default({})
      .describe(
        'Who is asked instead of a channel, by its name or URL, or by what the URLs of several begin with: URLs, in order. The next one is asked where one does not answer, has no such subdir or file, or gives something else than what was locked. The channel itself is asked only if it is one of them. Locks name the channel, whoever gave its packages.',
      )
      .meta({
        examples: [{ 'conda-forge': ['file:///data/mirror/conda-forge', 'https://conda.anaconda.org/conda-forge'] }],
      }),
    exclude_newer: text(excludeNewerRule)
      .optional()
      .describe(
        'Packages that were made then or later are not considered when an environment is solved, and neither are those that do not say when: a date, a time (UTC), or an age before now. Default: all are.',
      )
      .meta({ examples: ['7 days'] }),
  })
  .prefault({})
  .describe(
    'Where packages come from. A package of a channel hides those of the same name in the channels after it (strict priority).',
  );

export const writtenConfig = z
  .strictObject({
    site: matching(/^[^\s\p{C}]([^\p{C}]{0,58}[^\s\p{C}])?$/u, 'one line of 1 to 60 characters')
      .describe('A short name of the site, for messages and module help.')
      .meta({ examples: ['quickstart'] }),
    prefix: text(pathRule)
      .describe(
        'Where users find everything. Relative to this file; no white space, colon or comma, which a `#!` line or a bind option cannot express.',
      )
      .meta({ examples: ['/apps/conda'] }),
    admin_dir: text(pathRule)
      .describe('Locks, journal, logs and the package cache; only for those who publish. Relative to this file.')
      .meta({ examples: ['/apps/conda-admin'] }),
    staging_dir: text(pathRule)
      .optional()
      .describe(
        `Scratch for the environment that is being built, on the build node's own disk. Default: condense-<user id>-<digest of the prefix> in the temporary directory (TMPDIR).`,
      )
      .meta({ examples: ['/local/condense'] }),
    scripts_dir: text(relativeDirRule)
      .default('apps/conda_scripts')
      .describe('Below the prefix: a directory of commands for each environment, for `#!` lines and PATH.')
      .meta({ examples: ['apps/conda_scripts'] }),
    envs_dir: text(relativeDirRule)
      .default('apps/conda_envs')
      .describe('Below the prefix: the images.')
      .meta({ examples: ['apps/conda_envs'] }),
    modules_dir: text(relativeDirRule)
      .default('modules')
      .describe('Below the prefix: what users `module use`.')
      .meta({ examples: ['modules'] }),
    jupyter_dir: text(relativeDirRule)
      .default('apps/conda_jupyter')
      .describe('Below the prefix: the Jupyter kernels, for JUPYTER_PATH.')
      .meta({ examples: ['apps/conda_jupyter'] }),
    activate_dir: text(relativeDirRule)
      .default('apps/conda/envs')
      .describe('Below the prefix: what `conda activate` of a user’s own conda finds, for CONDA_ENVS_PATH.')
      .meta({ examples: ['apps/conda/envs'] }),
    module_family: text(nameRule, NAME)
      .default('conda')
      .describe('The first part of the module name: `conda` in `module load conda/analysis3`.')
      .meta({ examples: ['conda'] }),
    default_environment: text(nameRule, NAME)
      .optional()
      .describe(
        'The environment whose stable version `module load conda` gives, where users name none. It follows when that alias moves. Default: whichever the module command takes, the highest.',
      )
      .meta({ examples: ['analysis3'] }),
    protect_stable: z
      .boolean()
      .default(false)
      .describe(
        'Whether a new release of the version that is stable needs to be asked for: without --stable, `install` and `publish` refuse to replace it under its users. Building it is always possible, and so is its first release.',
      )
      .meta({ examples: [true] }),
    groups: z
      .strictObject({
        users: matching(GROUP, 'the name of a group')
          .optional()
          .describe('The group that may read and run. Default: everybody.')
          .meta({ examples: ['climate'] }),
        owners: matching(GROUP, 'the name of a group')
          .optional()
          .describe(
            'Only its members (and root) build, publish and roll back; others are refused before anything is written. Default: no such check, only the rights on the directories.',
          )
          .meta({ examples: ['climate_w'] }),
      })
      .prefault({})
      .describe('Unix groups.'),
    permissions,
    signing,
    runtime: z
      .strictObject({
        program: text(pathRule)
          .optional()
          .describe('apptainer or singularity: a name on PATH or a path. Default: the first of the two on PATH.')
          .meta({ examples: ['/opt/singularity/bin/singularity'] }),
      })
      .prefault({})
      .describe('The container runtime.'),
    installer: z
      .strictObject({
        program: text(pathRule)
          .optional()
          .describe(
            'micromamba, mamba or conda, which then installs what is locked: a name on PATH or a path. Default: condense itself, which needs no such program.',
          )
          .meta({ examples: ['/opt/micromamba/bin/micromamba'] }),
      })
      .prefault({})
      .describe('Who installs packages into a prefix.'),
    binds,
    sessions,
    squashfs,
    drop,
    inherit,
    module,
    channels,
    cache: z
      .strictObject({
        extracted: z
          .boolean()
          .default(false)
          .describe(
            'Whether packages also stay as they were extracted, below `<admin_dir>/cache/extracted`, so that prefixes get their files by reflink or hard link. It needs `staging_dir` on the same file system, and an inode for each file of each package.',
          )
          .meta({ examples: [true] }),
      })
      .prefault({})
      .describe('What is kept of packages besides their archives.'),
    gc,
    scheduler,
    notify,
    virtual_packages: z
      .record(z.string(), matching(VIRTUAL_VERSION, 'a version'))
      .default({})
      .describe(
        'Virtual packages to solve for instead of what the build machine has, as text; empty text means that there is none. For `__archspec`: the name of the processor family.',
      )
      .meta({ examples: [{ __cuda: '12.4' }], propertyNames: { pattern: VIRTUAL_PACKAGE.source } }),
    pinned: pinned
      .describe(
        `conda specs that hold for every environment: a package is installed only where something asks for it, and then within its pin. As conda's pinned_packages; conda-meta/pinned of the image lists them.`,
      )
      .meta({ examples: [['cudatoolkit <10.3']] }),
    // Environments are made of it before anything is looked at (matrix.ts).
    matrix: z
      .record(
        z.string(),
        z.looseObject({
          axes: z
            .record(z.string(), z.array(z.string()))
            .describe('What varies, and the values of each, as text: the last one varies fastest.')
            .meta({ examples: [{ mpi: ['openmpi', 'mpich'], set: ['climate', 'ml'] }] }),
        }),
      )
      .optional()
      .describe(
        'Many environments at once: a name with `{axis}` in it, `axes` with the values of each, and else the keys of one of `environments`, in whose texts `{axis}` stands for the value. Each has a lock of its own, with its name in it.',
      )
      .meta({
        examples: [
          {
            'py{python}-{set}': {
              axes: { python: ['3.11', '3.12'], set: ['climate', 'ml'] },
              ...{ version: '26.11', spec: 'environments/{set}.yml', pinned: ['python {python}.*'] },
            },
          },
        ],
      }),
    environments: z
      .record(z.string(), environment)
      .describe('The environments by name.')
      .meta({ propertyNames: { pattern: NAME.source } }),
  })
  .describe('The configuration of a site.');

export type WrittenConfig = z.output<typeof writtenConfig>;

/** Rules for the keys of the free mappings. zod's own check of a record's keys would keep it from looking at the values. */
export const keyRules: readonly { readonly path: readonly string[]; readonly rule: TextRule }[] = [
  { path: ['environments'], rule: environmentName },
  { path: ['channels', 'mirrors'], rule: channelRule },
  { path: ['inherit', 'lists'], rule: variableRule },
  { path: ['environments', '*', 'inherit', 'lists'], rule: variableRule },
  { path: ['environments', '*', 'files'], rule: imagePathRule },
  { path: ['environments', '*', 'remove'], rule: packageNameRule },
  { path: ['environments', '*', 'replace'], rule: packageNameRule },
  { path: ['environments', '*', 'gate', 'skip'], rule: moduleNameRule },
  { path: ['environments', '*', 'gate', 'preload'], rule: moduleNameRule },
  { path: ['environments', '*', 'gate', 'expected_failures'], rule: checkNameRule },
  { path: ['module', 'variables'], rule: moduleVariableRule },
  { path: ['scheduler', 'commands'], rule: scheduledCommandRule },
  { path: ['environments', '*', 'module', 'variables'], rule: moduleVariableRule },
  {
    path: ['virtual_packages'],
    rule: (key) =>
      VIRTUAL_PACKAGE.test(key)
        ? undefined
        : { message: `must be the name of a virtual package such as __cuda, not ${quoted(key)}` },
  },
];
