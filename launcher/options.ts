// The launcher's own options: read only when it is called by its own name, and only before the command.

export const USAGE = `Usage: launcher [--explain] [--] [COMMAND [ARGUMENT...]]

Runs COMMAND in the environment that this launcher belongs to; without COMMAND, your shell.
COMMAND is a name (found on PATH inside) or a path that exists inside.

  --explain  say what would run and why, and run nothing
  --help     this text

Exit status: that of COMMAND; 125 the launcher itself failed, 126 COMMAND cannot be executed, 127 it was not found.
`;

export type Options =
  | { readonly help: boolean; readonly explain: boolean; readonly command: readonly string[] }
  | { readonly unknown: string };

export function parseOptions(args: readonly string[]): Options {
  let help = false;
  let explain = false;
  for (const [index, arg] of args.entries()) {
    if (arg === '--') return { help, explain, command: args.slice(index + 1) };
    if (arg === '--help') help = true;
    else if (arg === '--explain') explain = true;
    else if (arg.startsWith('-')) return { unknown: arg };
    else return { help, explain, command: args.slice(index) };
  }
  return { help, explain, command: [] };
}
