// pbs_tmrsh's command line: `pbs_tmrsh [-n] [-l user] host [-n] [-l user] command...`.
import type { RemoteCommandLine } from './ssh-command-line.ts';

/** As src/cmds/pbs_tmrsh.c of OpenPBS reads it: no bundles, `-luser` is one word, no `--`; the command is run without a shell. */
export function parsePbsCommandLine(args: readonly string[]): RemoteCommandLine | undefined {
  let host: string | undefined;
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? '';
    if (word === '-l') at++;
    else if (word.startsWith('-')) {
      if (word !== '-n' && !word.startsWith('-l')) return undefined;
    } else if (host === undefined) host = word;
    else return { host, before: args.slice(0, at), command: args.slice(at) };
  }
  return undefined;
}
