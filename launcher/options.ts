// The launcher's own options: read only when it is called by its own name, and only before the command.

import { parseCapsule, type Capsule } from './capsule.ts';
import type { Purpose } from './plan.ts';

export const USAGE = `Usage: launcher [--explain [--json]] [--] [COMMAND [ARGUMENT...]]
       launcher --layer DIRECTORY PIP-ARGUMENT...
       launcher --start-session | --version | --help

Runs COMMAND in the environment that this launcher belongs to; without COMMAND, your shell.
COMMAND is a name (found on PATH inside) or a path that exists inside.

  --explain        say what would run, where and why, and run nothing
  --json           the same as JSON
  --start-session  mount the container that later commands join, where the site leaves that to you
  --layer          make DIRECTORY: what pip would install, as one image on top of this version, and its commands
  --version        which environment, release and condense this is
  --help           this text

CONDENSE_TRACE=1 tells each decision on standard error; CONDENSE_TRACE=/path appends it to that file.

Exit status: that of COMMAND; 125 the launcher itself failed, 126 COMMAND cannot be executed, 127 it was not found.
`;

export type Options =
  | { readonly say?: 'help' | 'version'; readonly purpose: Purpose; readonly command: readonly string[] }
  | { readonly capsule: Capsule }
  | { readonly layer: string; readonly pip: readonly string[] }
  | { readonly unknown: string };

export function parseOptions(args: readonly string[]): Options {
  if (args[0] === '--remote') {
    const capsule = parseCapsule(args.slice(1));
    return capsule === undefined ? { unknown: '--remote' } : { capsule };
  }
  const [first, layer, ...pip] = args;
  if (first === '--layer')
    return layer === undefined || layer === '' || pip.length === 0 ? { unknown: '--layer' } : { layer, pip };
  let purpose: Purpose = 'run';
  for (const [index, arg] of args.entries()) {
    if (arg === '--') return { purpose, command: args.slice(index + 1) };
    if (arg === '--help' || arg === '--version')
      return { say: arg === '--help' ? 'help' : 'version', purpose, command: [] };
    if (arg === '--explain') purpose = purpose === 'explain-json' ? purpose : 'explain';
    else if (arg === '--json') purpose = 'explain-json';
    else if (arg === '--start-session' && args.length === 1) purpose = 'start-session';
    else if (arg.startsWith('-')) return { unknown: arg };
    else return { purpose, command: args.slice(index) };
  }
  return { purpose, command: [] };
}
