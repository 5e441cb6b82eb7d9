// install_config.yaml, `scheduler` and `notify`: where builds run, and who is told of what was published.
import * as z from 'zod';
import { TASK_COMMANDS } from './task-commands.ts';
import { quoted, VARIABLE, type TextRule } from './text-rules.ts';
import { matching, text } from './written-values.ts';

export const scheduledCommandRule: TextRule = (name) =>
  (TASK_COMMANDS as readonly string[]).includes(name)
    ? undefined
    : { message: `must be a command that runs as a job (${TASK_COMMANDS.join(', ')}), not ${quoted(name)}` };

/** Words may stand twice in it (`-l mem=8gb -l walltime=1:00:00`), so it is no `list`. */
const words = z.array(
  text((word) =>
    word === '' || /\p{Cc}/u.test(word)
      ? { message: `must be a word of a command line, not ${quoted(word)}` }
      : undefined,
  ),
);

export const scheduler = z
  .strictObject({
    options: words
      .default([])
      .describe('Options of sbatch or qsub for every job, a word each: queue, account, time, memory.')
      .meta({ examples: [['--partition=build', '--time=02:00:00', '--mem=20G']] }),
    commands: z
      .record(z.string(), words)
      .default({})
      .describe(
        'More of them for the jobs of one command (`lock`, `build`, ...), after the others: say, a queue that has the network.',
      )
      .meta({ examples: [{ lock: ['--partition=copyq'] }] }),
    scratch: matching(VARIABLE, 'the name of an environment variable')
      .optional()
      .describe(
        'The variable in which a job finds the name of a directory of its own on the disk of its node. Where `staging_dir` is not set, environments are staged there.',
      )
      .meta({ examples: ['PBS_JOBFS'] }),
  })
  .prefault({})
  .describe('Jobs of a batch system, for `--on slurm` and `--on pbs`.');

export const notify = z
  .strictObject({
    command: words
      .default([])
      .describe(
        'A program (a name on PATH, or a path relative to this file) and its arguments; it is started after each change of what users see, with a JSON object on stdin that says what changed. No shell reads it. What is live stays live when it fails; condense then ends with status 8. Default: nobody is told.',
      )
      .meta({ examples: [['/opt/site/bin/tell-chat', '--room', 'conda']] }),
    timeout_seconds: z
      .int()
      .min(1)
      .max(3600)
      .default(60)
      .describe('After so long it is ended, and counts as failed.')
      .meta({ examples: [10] }),
  })
  .prefault({})
  .describe('Who is told when what users see has changed.');
