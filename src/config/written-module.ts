// install_config.yaml, `module`: what the modules do besides what activation does.
import * as z from 'zod';
import { channelRule, pinRule, quoted, VARIABLE, type TextRule } from './text-rules.ts';
import { list, matching, text } from './written-values.ts';

/** A word that `module load` takes: `gcc`, `gcc/12.2`. */
const MODULE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*(\/[A-Za-z0-9_.+-]+)*$/;

/** What stands for a path in a value. */
const PLACEHOLDERS = ['{prefix}', '{farm}', '{launcher}'] as const;

/** What every module system can give to every shell (src/modules/shell-limits.ts). */
const valueRule: TextRule = (value) => {
  const rest = PLACEHOLDERS.reduce((left, placeholder) => left.replaceAll(placeholder, ''), value);
  const odd = /[\p{C}[\]!{}~\u{10000}-\u{10FFFF}]|(?<=^|:)=/u.exec(rest)?.[0];
  if (odd === undefined) return undefined;
  return {
    message: `must not contain ${quoted(odd)}, which not every module system can give to every shell`,
    hint: /[{}]/.test(odd) ? `what stands for paths: ${PLACEHOLDERS.join(', ')}` : undefined,
  };
};

export const moduleVariableRule: TextRule = (name) => {
  if (!VARIABLE.test(name)) return { message: `must be the name of an environment variable, not ${quoted(name)}` };
  return /^(PATH|CONDENSE_.*|LMOD_.*|MODULE.*|LOADEDMODULES)$/.test(name)
    ? { message: `must not be ${quoted(name)}: modules or the launcher need it themselves` }
    : undefined;
};

const written = {
  variables: z
    .record(z.string(), text(valueRule))
    .default({})
    .describe(
      'What the module sets besides, for other tools: `{prefix}` is the site, `{farm}` the directory of the commands, `{launcher}` the launcher, as users see them.',
    )
    .meta({
      examples: [{ ENV_LAUNCHER_SCRIPT_PATH: '{launcher}', DASK_JOBQUEUE__PBS__PYTHON: '{farm}/python3' }],
      propertyNames: { pattern: VARIABLE.source },
    }),
  prerequisites: list(matching(MODULE_NAME, 'the name of a module'))
    .describe('Modules that it needs: they are loaded before, and unloaded with it unless the user had loaded them.')
    .meta({ examples: [['pbs', 'gcc/12.2']] }),
  notice_after_days: z
    .int()
    .min(1)
    .max(36_500)
    .optional()
    .describe('Loading a release that is older says so, on standard error. Default: never.')
    .meta({ examples: [200] }),
};

export const module = z
  .strictObject({ ...written, prerequisites: written.prerequisites.default([]) })
  .prefault({})
  .describe('Modules.');

/** `/scratch/$PROJECT/$USER/conda`: conda separates such paths with colons and commas. */
const ownDirectoryRule: TextRule = (value) => {
  if (!/^(?:\/|\$[A-Za-z_])(?:[A-Za-z0-9_./+@-]|\$[A-Za-z_])*$/.test(value) || /(^|\/)\.\.?(\/|$)/.test(value))
    return {
      message: `must be an absolute path in which $NAME stands for variables of the user, not ${quoted(value)}`,
      hint: 'e.g. $SCRATCH/conda, or /scratch/$USER/conda',
    };
  return value.includes('$')
    ? undefined
    : { message: `must not be one directory for all users, as ${quoted(value)} would be`, hint: `${value}/$USER` };
};

/** As an entry of a variable, every module system can give it to every shell. */
const listed =
  (rule: TextRule, separator: string): TextRule =>
  (value) => {
    const wrong = rule(value) ?? valueRule(value);
    if (wrong) return wrong;
    return value.includes(separator) ? { message: `must not contain ${quoted(separator)}` } : undefined;
  };
const cacheRule: TextRule = (value) =>
  value.startsWith('/') ? undefined : { message: `must be an absolute path, not ${quoted(value)}` };

const ownEnvironments = z
  .strictObject({
    directory: text(ownDirectoryRule)
      .describe(
        'Where environments and packages of users go: `$NAME` stands for a variable that they have. Its `envs` and `pkgs` come first, those of the site second.',
      )
      .meta({ examples: ['$SCRATCH/conda'] }),
    package_caches: list(text(listed(cacheRule, ',')))
      .default([])
      .describe('Unpacked packages that users can read, so that they need not fetch them.')
      .meta({ examples: [['/apps/conda/pkgs']] }),
    channels: list(text(listed(channelRule, ',')))
      .optional()
      .describe('Where their conda looks, with strict priority. Default: `channels.defaults`.')
      .meta({ examples: [['conda-forge']] }),
    threads: z
      .int()
      .min(1)
      .max(1024)
      .optional()
      .describe('How many their conda uses, for login nodes that many share. Default: what conda takes.')
      .meta({ examples: [4] }),
    pinned: list(text(listed(pinRule, '&')))
      .default([])
      .describe('conda specs that hold for environments of users.')
      .meta({ examples: [['python 3.11.*']] }),
  })
  .optional()
  .describe(
    'For the environment that conda or mamba is in: its module has them put environments of users beside those of the site.',
  );

export const environmentModule = z
  .strictObject({
    ...written,
    prerequisites: written.prerequisites.optional(),
    end_of_life: matching(/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/, 'a date such as 2027-06-30')
      .optional()
      .describe('The last day on which this version is supported: loading it later says so. Always text, in quotes.')
      .meta({ examples: ['2027-06-30'] }),
    own_environments: ownEnvironments,
  })
  .prefault({})
  .describe(`The same for this environment: variables besides the site's, the other keys instead of the site's.`);
