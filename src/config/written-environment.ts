// install_config.yaml, what stands below `environments.<name>`.
import * as z from 'zod';
import {
  COMMAND,
  HOST_PATTERN,
  hostPatternRule,
  NAME,
  pathRule,
  publicNameRule,
  pinRule,
  quoted,
} from './text-rules.ts';
import { list, matching, text } from './written-values.ts';
import { files, hooks, libraries, remove, replace } from './written-customise.ts';
import { environmentDrop } from './written-image.ts';
import { environmentGate } from './written-gate.ts';
import { environmentInherit } from './written-inherit.ts';
import { environmentModule } from './written-module.ts';

export const versionRule = publicNameRule({
  stable: 'it would be mistaken for the alias',
  unstable: 'it would be mistaken for the alias',
});
const version = text(versionRule, NAME);

/** `conda/default` is a modulefile's default version (modulefile(5)); conda calls its own installation base and root. */
export const environmentName = publicNameRule({
  default: 'the module command reads it as a default version',
  base: 'conda calls its own environment so',
  root: 'conda calls its own environment so',
  stable: 'condense publish --promote stable=<version> means that alias of whatever is published',
  unstable: 'condense publish --promote unstable=<version> means that alias of whatever is published',
});

export const pinned = list(text(pinRule)).default([]);

export const environment = z.strictObject({
  version: version
    .describe('The version that is built next. Always text, in quotes: YAML would read 22.10 as the number 22.1.')
    .meta({ examples: ['26.11'] }),
  spec: text(pathRule)
    .optional()
    .describe(`The environment's environment.yml, relative to this file. Default: environments/<name>/environment.yml.`)
    .meta({ examples: ['environments/analysis3/environment.yml'] }),
  platforms: list(
    matching(/^linux-(?:64|aarch64|ppc64le|s390x)$/, 'linux-64, linux-aarch64, linux-ppc64le or linux-s390x'),
  )
    .default([])
    .describe(`The platforms that its lock has. Default: that of the machine where condense lock runs.`)
    .meta({ examples: [['linux-64', 'linux-aarch64']] }),
  stable: version
    .optional()
    .describe(
      'The version behind the bare name, e.g. behind `analysis3`: every publish of the environment puts it there. Default: it is where `condense promote` put it.',
    )
    .meta({ examples: ['26.08'] }),
  unstable: version
    .optional()
    .describe('The version behind the name with -unstable, e.g. `analysis3-unstable`, likewise.')
    .meta({ examples: ['26.11'] }),
  protect_stable: z
    .boolean()
    .optional()
    .describe(`Instead of the site's.`)
    .meta({ examples: [true] }),
  gate: environmentGate,
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
    .describe(
      'Commands that get a link beside those of the environment and run on the host. The image has none of these names.',
    )
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
  remove,
  replace,
  files,
  hooks,
  libraries,
  drop: environmentDrop,
  inherit: environmentInherit,
  module: environmentModule,
});
