// install_config.yaml, what an environment has otherwise than its packages: `remove`, `replace`, `files`, `hooks`, `libraries`.
import * as z from 'zod';
import { bindRule, packageNameRule, pathRule, sonameRule } from './text-rules.ts';
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
    'Packages in whose place the image has links to an installation of the site: the files below its bin, lib, lib64, libexec, include, share and etc. Where it is in none of binds.run, the containers of this environment get it besides, under the same path.',
  )
  .meta({ examples: [{ openmpi: '/apps/openmpi/4.1.6', ucx: '/apps/ucx/1.15.0' }] });

export const files = z
  .record(z.string(), text(pathRule))
  .default({})
  .describe(
    'Files and directories that the image has besides: the place below the prefix, and where it comes from, relative to this file. What is there already is never replaced.',
  )
  .meta({ examples: [{ 'etc/jupyter/site.json': 'files/jupyter.json' }] });

const hook = text(pathRule).optional();
export const hooks = z
  .strictObject({
    stage: hook
      .describe(
        'A program that is run in the container when all packages are in the prefix, before anything else is done to it.',
      )
      .meta({ examples: ['hooks/jupyterlab.sh'] }),
    customise: hook
      .describe('The same after remove, replace and files, before the libraries are checked.')
      .meta({ examples: ['hooks/settings.sh'] }),
    pack: hook
      .describe(
        'The same when the image is packed: it is mounted and nothing of it can be changed. Its failure stops the release.',
      )
      .meta({ examples: ['hooks/scan.sh'] }),
    timeout_seconds: z
      .int()
      .min(1)
      .max(7 * 24 * 3600)
      .default(3600)
      .describe('A hook that takes longer is ended, and the build with it.')
      .meta({ examples: [600] }),
  })
  .prefault({})
  .describe('Programs of the site that are run while the environment is built.');

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
