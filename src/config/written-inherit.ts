// install_config.yaml, `inherit`: what of a caller's environment stays outside.
import * as z from 'zod';
import { droppedEntryRule, VARIABLE, variableRule } from './text-rules.ts';
import { list, text } from './written-values.ts';

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
export const inherit = z
  .strictObject({
    drop: inherited.drop.default(['PYTHONHOME']),
    lists: inherited.lists.default({}),
    user_site: inherited.user_site.default(false),
  })
  .prefault({})
  .describe(
    'What of the environment of whoever calls a command does not come along into the container. Everything else does, unchanged.',
  );
export const environmentInherit = z
  .strictObject({
    drop: inherited.drop.optional(),
    lists: inherited.lists.optional(),
    user_site: inherited.user_site.optional(),
  })
  .prefault({})
  .describe(`The same for this environment: each key replaces the site's.`);
