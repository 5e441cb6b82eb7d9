// install_config.yaml, `gc`: what `condense gc` keeps besides what is live.
import * as z from 'zod';
import { pinnedReleaseRule, venvGlobRule } from './text-rules.ts';
import { list, text } from './written-values.ts';

export const gc = z
  .strictObject({
    releases: z
      .int()
      .min(1)
      .max(1000)
      .default(3)
      .describe('How many of the newest releases of each version stay.')
      .meta({ examples: [5] }),
    generations: z
      .int()
      .min(1)
      .max(100_000)
      .default(10)
      .describe(
        'How many of the newest generations stay, with every release that they show: so far back a rollback goes.',
      )
      .meta({ examples: [30] }),
    longest_job_days: z
      .int()
      .min(0)
      .max(3650)
      .default(14)
      .describe(
        'How long a job or login session may run that has loaded a module: a release stays for so long after it was last live, or was built.',
      )
      .meta({ examples: [30] }),
    cache_days: z
      .int()
      .min(0)
      .max(3650)
      .default(90)
      .describe('How long packages that no kept release was made from, and answers of channels, stay in the cache.')
      .meta({ examples: [30] }),
    scheduler: z
      .enum(['auto', 'slurm', 'none'])
      .default('auto')
      .describe(
        'Who is asked for the oldest running job: squeue; nobody; or squeue where it is on PATH. While it does not answer, no release goes that was ever live.',
      )
      .meta({ examples: ['none'] }),
    pinned: list(text(pinnedReleaseRule))
      .default([])
      .describe('Releases that stay for good, as `<full name>/<release id>`, or all of a version by its full name.')
      .meta({ examples: [['analysis3-26.11/20261121T044052Z-14180186']] }),
    venvs: list(text(venvGlobRule))
      .default([])
      .describe(
        'Where users have venvs, as globs with `*` and `?`: of a version that one of them stands on, the newest release stays also when the version is not live.',
      )
      .meta({ examples: [['/home/*/venvs/*']] }),
  })
  .prefault({})
  .describe('What `condense gc` keeps besides what is live and what is in use.');
