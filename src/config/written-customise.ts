// install_config.yaml, what an environment has otherwise than its packages: `remove`, `replace`, `libraries`.
import * as z from 'zod';
import { bindRule, packageNameRule, sonameRule } from './text-rules.ts';
import { list, text } from './written-values.ts';

export const remove = z
  .record(z.string(), list(text(packageNameRule)))
  .default({})
  .describe(
    'Packages whose files are not in the image, so that the system’s are used, each with the packages that depend on it and do without. Others that depend on it, or a library that needs one of its files, stop the build.',
  )
  .meta({ examples: [{ openssh: ['git', 'openmpi'] }] });

export const replace = z
  .record(z.string(), text(bindRule))
  .default({})
  .describe(
    'Packages in whose place the image has links to an installation of the site: the files below its bin, lib, lib64, libexec, include, share and etc. The directory is one of binds.run or below one.',
  )
  .meta({ examples: [{ openmpi: '/apps/openmpi/4.1.6', ucx: '/apps/ucx/1.15.0' }] });

export const libraries = z
  .strictObject({
    strict: z
      .boolean()
      .default(false)
      .describe(
        'Whether a library that is found neither in the image nor on the host stops the build also where the package itself came so.',
      )
      .meta({ examples: [true] }),
    elsewhere: list(text(sonameRule))
      .default([])
      .describe('Libraries that other nodes have, with `*` and `?`: they need not be found where the image is built.')
      .meta({ examples: [['libcuda.so.1', 'libnvidia-*']] }),
  })
  .prefault({})
  .describe('The check that every program and library finds the libraries that it needs.');
