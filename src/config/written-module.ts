// install_config.yaml, `module`: what the modules do besides what activation does.
import * as z from 'zod';
import { quoted, VARIABLE, type TextRule } from './text-rules.ts';
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
    .describe('Modules that it needs: they are loaded before, in Environment Modules as `auto_handling` says.')
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

export const environmentModule = z
  .strictObject({
    ...written,
    prerequisites: written.prerequisites.optional(),
    end_of_life: matching(/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/, 'a date such as 2027-06-30')
      .optional()
      .describe('The last day on which this version is supported: loading it later says so. Always text, in quotes.')
      .meta({ examples: ['2027-06-30'] }),
  })
  .prefault({})
  .describe(`The same for this environment: variables besides the site's, the other keys instead of the site's.`);
