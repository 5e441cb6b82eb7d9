// ssh's command line, as far as to tell whether it sends a command to a host, and where that command begins.

/** What "run this on that host" command lines have in common. */
export interface RemoteCommandLine {
  readonly host: string;
  /** Everything up to the command: options, host, options. */
  readonly before: readonly string[];
  readonly command: readonly string[];
}

/** getopt(3) string of OpenSSH 9.2's ssh.c, less -P, which took no argument then and takes one since 9.4. */
const WITH_ARGUMENT = 'bceilmopBDEFIJLOQRSwW';
const WITHOUT_ARGUMENT = '1246afgknqstvxACGKMNTVXYy';
/** No command of the caller's runs there: forwarding, subsystem, control, queries. */
const NO_COMMAND = 'GNOQsVW';

const without = (letters: string, others: string): string => letters.replaceAll(new RegExp(`[${others}]`, 'g'), '');
/** Options that change nothing of this, alone and with an argument: what the prelude understands. */
export const PLAIN_OPTIONS = {
  alone: without(WITHOUT_ARGUMENT, NO_COMMAND),
  withArgument: without(WITH_ARGUMENT, NO_COMMAND),
};
const NO_COMMAND_SETTING = /^\s*(remotecommand|sessiontype)\b/i;

/**
 * As ssh(1) reads it: options may stand before and after the host, `--` ends them, flags may be bundled.
 * @returns undefined for everything that is not "this command on that host", or not understood
 */
export function parseSshCommandLine(args: readonly string[]): RemoteCommandLine | undefined {
  const at = skipOptions(args, 0);
  if (at === undefined) return undefined;
  const destination = args[at];
  const from = skipOptions(args, at + 1);
  if (destination === undefined || from === undefined) return undefined;
  const host = parseHost(destination);
  const command = args.slice(from);
  if (host === undefined || command.join(' ').trim() === '') return undefined;
  return { host, before: args.slice(0, from), command };
}

/** @returns the place of the first word that is no option; undefined where no command follows, or an unknown option does */
function skipOptions(args: readonly string[], from: number): number | undefined {
  for (let at = from; ; at++) {
    const word = args[at];
    if (word === undefined || word === '-' || !word.startsWith('-')) return at;
    if (word === '--') return at + 1;
    for (let letterAt = 1; letterAt < word.length; letterAt++) {
      const letter = word.charAt(letterAt);
      if (NO_COMMAND.includes(letter)) return undefined;
      if (WITHOUT_ARGUMENT.includes(letter)) continue;
      if (!WITH_ARGUMENT.includes(letter)) return undefined;
      const attached = word.slice(letterAt + 1);
      const argument = attached === '' ? args[++at] : attached;
      if (argument === undefined) return undefined;
      if (letter === 'o' && NO_COMMAND_SETTING.test(argument)) return undefined;
      break;
    }
  }
}

/** `[user@]host` or `ssh://[user@]host[:port]`, in lower case as ssh has it. */
function parseHost(destination: string): string | undefined {
  const uri = /^ssh:\/\/(?<rest>[^/]+)\/?$/i.exec(destination)?.groups?.['rest'];
  const rest = (uri ?? destination).slice((uri ?? destination).lastIndexOf('@') + 1);
  const host = uri === undefined ? rest : rest.replace(/:\d+$/, '');
  return /^[^\s/-][^\s/]*$/.test(host) ? host.toLowerCase() : undefined;
}

/** Whether a host is one of the patterns, which have `*` and `?` as ssh_config(5) has them. */
export function matchesHost(host: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const source = pattern
      .toLowerCase()
      .replaceAll(/[\\^$.|+()[\]{}]/g, String.raw`\$&`)
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    return new RegExp(`^${source}$`, 's').test(host);
  });
}
