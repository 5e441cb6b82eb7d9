// install_config.yaml as it is written: every key with its type, default, meaning and example. The one source of
// the checks, of docs/configuration.md and of the JSON schema for editors.
import * as z from 'zod';
import {
  bindRule,
  channelAliasRule,
  channelRule,
  COMMAND,
  droppedEntryRule,
  GROUP,
  HOST_PATTERN,
  hostPatternRule,
  nameRule,
  patternRule,
  NAME,
  pathRule,
  publicNameRule,
  PYTHON_MODULE,
  pinRule,
  quoted,
  relativeDirRule,
  VARIABLE,
  variableRule,
  VIRTUAL_PACKAGE,
  VIRTUAL_VERSION,
  type TextRule,
} from './text-rules.ts';

/** Text that a rule checks; the pattern, where there is one, tells editors most of it. */
function text(rule: TextRule, pattern?: RegExp): z.ZodString {
  return z
    .string()
    .superRefine((value, context) => {
      const wrong = rule(value);
      if (wrong) context.addIssue({ code: 'custom', message: wrong.message, params: { hint: wrong.hint } });
    })
    .meta(pattern ? { pattern: pattern.source } : {});
}

function matching(pattern: RegExp, what: string): z.ZodString {
  return text(
    (value) => (pattern.test(value) ? undefined : { message: `must be ${what}, not ${quoted(value)}` }),
    pattern,
  );
}

/** A list in which nothing stands twice. */
function list(item: z.ZodString): z.ZodArray<z.ZodString> {
  return z
    .array(item)
    .superRefine((values, context) => {
      for (const [index, value] of values.entries()) {
        const first = values.indexOf(value);
        if (first !== index) {
          context.addIssue({ code: 'custom', path: [index], message: `repeats item ${first + 1}, ${quoted(value)}` });
        }
      }
    })
    .meta({ uniqueItems: true });
}

export const versionRule = publicNameRule({
  stable: 'it would be mistaken for the alias',
  unstable: 'it would be mistaken for the alias',
});
const version = text(versionRule, NAME);

/** `conda/default` is a modulefile's default version (modulefile(5)); conda calls its own installation base and root. */
const environmentName = publicNameRule({
  default: 'the module command reads it as a default version',
  base: 'conda calls its own environment so',
  root: 'conda calls its own environment so',
});

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

/** mksquashfs(1), -b: a power of two from 4 KiB to 1 MiB. */
export const BLOCK_SIZES = ['4K', '8K', '16K', '32K', '64K', '128K', '256K', '512K', '1M'] as const;

const squashfs = z
  .strictObject({
    compression: z
      .enum(['zstd', 'gzip', 'lz4', 'xz', 'none'])
      .default('zstd')
      .describe('How the image is compressed.')
      .meta({ examples: ['lz4'] }),
    level: z
      .int()
      .min(1)
      .max(22)
      .optional()
      .describe('Compression level: zstd 1 to 22, gzip 1 to 9; the others have none. Default: 3 for zstd, 9 for gzip.')
      .meta({ examples: [9] }),
    block_size: z
      .enum(BLOCK_SIZES)
      .default('128K')
      .describe('Size of the blocks that are compressed; larger blocks make smaller images and slower random reads.')
      .meta({ examples: ['256K'] }),
    order: z
      .enum(['traced', 'none'])
      .default('traced')
      .describe(
        'traced: what the imports of the gate open when they are tried during the build stands together at the start of the image, so that a cold start reads less of it. none: as mksquashfs has it.',
      )
      .meta({ examples: ['none'] }),
    processors: z
      .int()
      .min(1)
      .max(4096)
      .optional()
      .describe('Processors used for packing. Default: every one that the build may use.')
      .meta({ examples: [4] }),
    memory_mib: z
      .int()
      .min(64)
      .max(1 << 20)
      .optional()
      .describe('Memory for the buffers of mksquashfs, in MiB; it takes some hundred more. Default: 512.')
      .meta({ examples: [1024] }),
  })
  .prefault({})
  .describe('The image file.');

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
  })
  .prefault({})
  .describe(
    'Where packages come from. A package of a channel hides those of the same name in the channels after it (strict priority).',
  );

const yes = z.boolean().meta({ examples: [true] });
const dropped = {
  static_libraries: yes.describe(
    'Static libraries (`*.a`), but for those that compilers in the environment need: lib/gcc, sysroots, the run-time libraries of clang, Rust, OCaml, GHC, Go and CUDA.',
  ),
  tests: yes.describe(
    'Directories named test or tests below `lib/python*`, but for those that are known to be imported. Packages that import their own tests break: have the gate import them.',
  ),
  patterns: list(text(patternRule))
    .default([])
    .describe(
      "Paths below the environment's prefix: `*` and `?` stand within a name, `**` for any directories; a directory means all that is in it. A pattern that would take what a command leads to is refused.",
    )
    .meta({ examples: [['share/doc', 'share/man']] }),
  keep: list(text(patternRule))
    .default([])
    .describe('What no rule may take, in the same form.')
    .meta({ examples: [['lib/libnpymath.a']] }),
};
const { static_libraries, tests } = dropped;
const drop = z
  .strictObject({ ...dropped, static_libraries: static_libraries.default(false), tests: tests.default(false) })
  .prefault({})
  .describe(
    `What is left out of the images. The manifest and the build's output say what went, by rule; conda-meta does not list it any more.`,
  );
const environmentDrop = z
  .strictObject({ ...dropped, static_libraries: static_libraries.optional(), tests: tests.optional() })
  .prefault({})
  .describe(`What is left out of this environment's image: replaces the site's true or false, adds to its lists.`);

const variable = text(variableRule, VARIABLE);
const inherited = {
  drop: list(variable)
    .describe('Variables that programs of the image do not get.')
    .meta({ examples: [['PYTHONHOME', 'LD_PRELOAD']] }),
  lists: z
    .record(z.string(), list(text(droppedEntryRule)).min(1))
    .describe(
      'Variables that are lists of directories with `:` between them: directories. Entries that are one of these or below one are left out; those at or below one with `!` before it stay. The longest one decides.',
    )
    .meta({
      examples: [{ LD_LIBRARY_PATH: ['/apps', '!/apps/openmpi'] }],
      propertyNames: { pattern: VARIABLE.source },
    }),
  user_site: z
    .boolean()
    .describe(
      'Whether Python looks for packages in `~/.local`. If not, PYTHONNOUSERSITE=1 is set where the caller has not set it (`export PYTHONNOUSERSITE=` asks for them).',
    )
    .meta({ examples: [true] }),
};
const inherit = z
  .strictObject({
    drop: inherited.drop.default(['PYTHONHOME']),
    lists: inherited.lists.default({}),
    user_site: inherited.user_site.default(false),
  })
  .prefault({})
  .describe(
    'What of the environment of whoever calls a command does not come along into the container. Everything else does, unchanged.',
  );
const environmentInherit = z
  .strictObject({
    drop: inherited.drop.optional(),
    lists: inherited.lists.optional(),
    user_site: inherited.user_site.optional(),
  })
  .prefault({})
  .describe(`The same for this environment: each key replaces the site's.`);

const pinned = list(text(pinRule)).default([]);

const environment = z.strictObject({
  version: version
    .describe('The version that is built next. Always text, in quotes: YAML would read 22.10 as the number 22.1.')
    .meta({ examples: ['26.11'] }),
  spec: text(pathRule)
    .optional()
    .describe(`The environment's environment.yml, relative to this file. Default: environments/<name>/environment.yml.`)
    .meta({ examples: ['environments/analysis3/environment.yml'] }),
  stable: version
    .optional()
    .describe('The version behind the bare name, e.g. behind `analysis3`. Default: the name is no alias.')
    .meta({ examples: ['26.08'] }),
  unstable: version
    .optional()
    .describe('The version behind the name with -unstable, e.g. `analysis3-unstable`. Default: no such alias.')
    .meta({ examples: ['26.11'] }),
  gate: z
    .strictObject({
      imports: list(matching(PYTHON_MODULE, 'the name of a Python module'))
        .default([])
        .describe('Python modules that must import before a release is published.')
        .meta({ examples: [['xarray', 'netCDF4']] }),
    })
    .prefault({})
    .describe('What a release must pass before it is published.'),
  outside_commands: list(
    text(
      (value) =>
        !COMMAND.test(value)
          ? { message: `must be the name of a command, not ${quoted(value)}` }
          : value === 'launcher'
            ? { message: `must not be 'launcher': the launcher itself is called so` }
            : undefined,
      COMMAND,
    ),
  )
    .default([])
    .describe('Commands that get a link beside those of the environment and run on the host.')
    .meta({ examples: [['ssh', 'pbs_tmrsh', 'srun']] }),
  ssh_hosts: list(text(hostPatternRule, HOST_PATTERN))
    .default([])
    .describe(
      'Hosts that see the prefix under the same path, as patterns with * and ?: `ssh`, where it is one of outside_commands, has commands of the environment run there in the same release.',
    )
    .meta({ examples: [['node*', '*.cluster.example.org']] }),
  pinned: pinned
    .describe('Pins of this environment, besides those of the site.')
    .meta({ examples: [['python 3.11.*']] }),
  drop: environmentDrop,
  inherit: environmentInherit,
});

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
    module_family: text(nameRule, NAME)
      .default('conda')
      .describe('The first part of the module name: `conda` in `module load conda/analysis3`.')
      .meta({ examples: ['conda'] }),
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
    channels,
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
  {
    path: ['virtual_packages'],
    rule: (key) =>
      VIRTUAL_PACKAGE.test(key)
        ? undefined
        : { message: `must be the name of a virtual package such as __cuda, not ${quoted(key)}` },
  },
];
