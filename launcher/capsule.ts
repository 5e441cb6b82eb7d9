// What travels with a command to another host: where it is to run, and the variables that make the environment. It goes
// in arguments, which the login shell there reads first and other users of both hosts can see: so only what the module
// set, and in characters that sh, bash, csh, tcsh, fish and zsh all leave alone.

/** Where the caller is, the command is to be: in the container, or outside with the module's variables. */
export type Side = 'inside' | 'host';

export interface Capsule {
  readonly side: Side;
  /** NAME=VALUE, or NAME for one that is not to be there. Bytes. */
  readonly variables: readonly string[];
  readonly command:
    { readonly kind: 'shell'; readonly text: string } | { readonly kind: 'words'; readonly words: readonly string[] };
}

/** execve(2) takes arguments of up to 131072 bytes, and all of a shell's command is one. */
const LIMIT_BYTES = 120_000;

/** Told from variables by the colon. One word with what follows: zsh looks for a program where a word starts with `=`. */
export const SHELL = ':shell:';
export const WORDS = ':words';

/** What stays as it is, in brackets' notation. */
export const PLAIN = 'A-Za-z0-9_./:,@-';
const NOT_PLAIN = new RegExp(`[^${PLAIN}]`, 'g');
const ENCODED = new RegExp(`^(?:[${PLAIN}]|=[0-9A-F]{2})*$`);

/** Each byte outside this set becomes `=` and two hexadecimal digits: bash reads that back with one `printf %b`. */
function encodeWord(bytes: string): string {
  return bytes.replaceAll(NOT_PLAIN, (byte) => `=${byte.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`);
}

function decodeWord(word: string): string | undefined {
  if (!ENCODED.test(word) || word.includes('=00')) return undefined;
  return word.replaceAll(/=(..)/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/**
 * The words that run a command there, the launcher's path first.
 * @returns undefined when they would be too long, or the launcher's path needs quotes
 */
export function renderCapsule(launcher: string, capsule: Capsule): string[] | undefined {
  if (encodeWord(launcher) !== launcher) return undefined;
  const { side, variables, command } = capsule;
  const head = [launcher, '--remote', side, ...variables.map(encodeWord)];
  const words =
    command.kind === 'shell' ? [...head, `${SHELL}${encodeWord(command.text)}`] : [...head, WORDS, ...command.words];
  return command.kind === 'shell' && words.join(' ').length > LIMIT_BYTES ? undefined : words;
}

/** @param args what follows `--remote`; undefined for what no launcher has sent */
export function parseCapsule(args: readonly string[]): Capsule | undefined {
  const [side, ...rest] = args;
  const end = rest.findIndex((word) => word.startsWith(':'));
  if ((side !== 'inside' && side !== 'host') || end < 0) return undefined;
  const variables: string[] = [];
  for (const word of rest.slice(0, end)) {
    const variable = decodeWord(word);
    if (variable === undefined || !/^[A-Za-z_][A-Za-z0-9_]*(=|$)/.test(variable)) return undefined;
    variables.push(variable);
  }
  const [kind, ...words] = rest.slice(end);
  if (kind === WORDS) return words.length === 0 ? undefined : { side, variables, command: { kind: 'words', words } };
  const isShell = kind?.startsWith(SHELL) === true && words.length === 0;
  const text = isShell ? decodeWord(kind.slice(SHELL.length)) : undefined;
  return text === undefined ? undefined : { side, variables, command: { kind: 'shell', text } };
}
