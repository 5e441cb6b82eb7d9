// install_config.yaml, `environments.<name>.gate`: what a release must pass before it is published, and what of it not.
import * as z from 'zod';
import { COMMAND, PYTHON_MODULE, quoted, type TextRule } from './text-rules.ts';
import { list, matching, text } from './written-values.ts';

const pythonModule = matching(PYTHON_MODULE, 'the name of a Python module');

/** The name of a check, as the gate's messages have it: `import iris`, `pip check foo`, `test test_sea.py::test_level`. */
export const checkNameRule: TextRule = (name) =>
  name.trim() === name && name !== '' && !/\p{Cc}/u.test(name)
    ? undefined
    : { message: `must be the name of a check on one line, not ${quoted(name)}`, hint: `e.g. 'import iris'` };

export const moduleNameRule: TextRule = (name) =>
  PYTHON_MODULE.test(name) ? undefined : { message: `must be the name of a Python module, not ${quoted(name)}` };

/** Whoever reads an exception in a year must know why it is there, and it must not stay for ever. */
const exception = {
  reason: text((value) =>
    /\S/.test(value) && !/\p{Cc}/u.test(value) ? undefined : { message: 'must say why, on one line' },
  )
    .describe('Why, for whoever reads it in a year; it is in the report.')
    .meta({ examples: ['needs a display'] }),
  until: matching(/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/, 'a date such as 2027-06-30')
    .describe('The last day on which it holds (UTC). Always text, in quotes.')
    .meta({ examples: ['2027-06-30'] }),
};
const first = list(pythonModule)
  .min(1)
  .describe('What is imported before it.')
  .meta({ examples: [['shapely']] });
const exceptionExample = { reason: 'needs a display', until: '2027-06-30' };

export const environmentGate = z
  .strictObject({
    imports: list(pythonModule)
      .default([])
      .describe(
        'Python modules that must import besides every top-level one of every package, and whose files stand first in the image (squashfs.order).',
      )
      .meta({ examples: [['xarray', 'scipy.stats']] }),
    skip: z
      .record(z.string(), z.strictObject(exception))
      .default({})
      .describe(
        'Modules that are not imported, nor what is in them: each with a reason and the last day on which that holds. After it the gate fails.',
      )
      .meta({ examples: [{ turtle_demo: exceptionExample }] }),
    preload: z
      .record(z.string(), z.strictObject({ first, ...exception }))
      .default({})
      .describe('Modules before which others are imported, where the order matters; likewise.')
      .meta({ examples: [{ cartopy: { first: ['shapely'], reason: 'two copies of GEOS', until: '2027-06-30' } }] }),
    expected_failures: z
      .record(z.string(), z.strictObject(exception))
      .default({})
      .describe(
        'Checks that may fail, by their names in the report, e.g. `import iris`; likewise. One that passes again is warned of.',
      )
      .meta({ examples: [{ 'import iris': { reason: 'waits for numpy 2 support', until: '2027-03-31' } }] }),
    help: list(matching(COMMAND, 'the name of a command'))
      .default([])
      .describe('Commands that must answer `--help` with status 0.')
      .meta({ examples: [['cdo', 'pytest']] }),
    timeout_seconds: z
      .int()
      .min(1)
      .max(86_400)
      .default(300)
      .describe('How long each check may take. Then it is ended with all that it started, and has failed.')
      .meta({ examples: [60] }),
    processes: z
      .int()
      .min(1)
      .max(1024)
      .optional()
      .describe('Checks that run at the same time. Default: as many as this process may use processors.')
      .meta({ examples: [4] }),
  })
  .prefault({})
  .describe('What a release must pass before it is published.');
