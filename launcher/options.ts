// The launcher's own options: read only when it is called by its own name, and only before the command.

import type { Purpose } from './plan.ts';

export const USAGE = `Usage: launcher [--explain] [--] [COMMAND [ARGUMENT...]]
       launcher --start-session

Runs COMMAND in the environment that this launcher belongs to; without COMMAND, your shell.
COMMAND is a name (found on PATH inside) or a path that exists inside.

  --explain        say what would run and why, and run nothing
  --start-session  mount the container that later commands join, where the site leaves that to you
  --help           this text

Exit status: that of COMMAND; 125 the launcher itself failed, 126 COMMAND cannot be executed, 127 it was not found.
`;

export type Options =
  | { readonly help: boolean; readonly purpose: Purpose; readonly command: readonly string[] }
  | { readonly unknown: string };

export function parseOptions(args: readonly string[]): Options {
  let help = false;
  let purpose: Purpose = 'run';
  for (const [index, arg] of args.entries()) {
    if (arg === '--') return { help, purpose, command: args.slice(index + 1) };
    if (arg === '--help') help = true;
    else if (arg === '--explain') purpose = 'explain';
    else if (arg === '--start-session' && args.length === 1) purpose = 'start-session';
    else if (arg.startsWith('-')) return { unknown: arg };
    else return { help, purpose, command: args.slice(index) };
  }
  return { help, purpose, command: [] };
}
