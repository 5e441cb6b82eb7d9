// The names of the commands that a line of shell starts, as far as they can be read without running it.

/** Words that stand before a command, with options of their own that take an argument. */
const PREFIXES: Readonly<Record<string, string>> = {
  '!': '',
  '{': '',
  command: '',
  do: '',
  elif: '',
  else: '',
  env: 'uCS',
  exec: 'a',
  if: '',
  nice: 'n',
  nohup: '',
  setsid: '',
  stdbuf: 'ioe',
  then: '',
  time: 'fo',
  timeout: 'ks',
  until: '',
  while: '',
};
const SHELL_NAMES = ['sh', 'bash', 'dash', 'ksh', 'zsh', 'csh', 'tcsh', 'fish'];
const SHELLS = new RegExp(`^(|.*/)(${SHELL_NAMES.join('|')})$`);
/** As `case` patterns for the prelude, a comment to Node: words that do not tell alone which command starts. */
export const NOT_ALONE = [...Object.keys(PREFIXES), ...SHELL_NAMES.flatMap((name) => [name, `*[/]${name}`])];

/** First words of the simple commands, in order; what a `sh -c '...'` starts too. */
export function listCommands(text: string): string[] {
  return splitStatements(text).flatMap((words) => listCommandOf(words));
}

/** The same for one command that is words already. */
export function listCommandOf(words: readonly string[]): string[] {
  let at = 0;
  for (;;) {
    while (/^[A-Za-z_][A-Za-z0-9_]*=/.test(words[at] ?? '')) at++;
    const word = words[at];
    if (word === undefined) return [];
    const withArgument = Object.hasOwn(PREFIXES, word) ? PREFIXES[word] : undefined;
    if (withArgument === undefined) break;
    at++;
    for (let option = words[at]; option?.startsWith('-') === true; option = words[at]) {
      at += option.length === 2 && withArgument.includes(option.charAt(1)) ? 2 : 1;
    }
    // Its first operand is a duration.
    if (word === 'timeout') at++;
  }
  const [name = '', ...rest] = words.slice(at);
  if (!SHELLS.test(name)) return [name];
  const option = rest.findIndex((word) => /^-[a-z]*c$/.test(word));
  const script = option < 0 ? undefined : rest[option + 1];
  return script === undefined ? [name] : [name, ...listCommands(script)];
}

/** Quotes and backslashes as sh has them (csh and fish agree for what matters here); `;`, `&`, `|`, newlines and parentheses end a statement. */
function splitStatements(text: string): string[][] {
  const statements: string[][] = [];
  let words: string[] = [];
  const token = /\s*(?:([;&|()\n]+)|((?:[^\s;&|()'"\\]|'[^']*'|"(?:[^"\\]|\\[^])*"|\\[^])+)|([^]))/y;
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    // White space at the end.
    if (match === null) break;
    const [all, end, word] = match;
    if (end !== undefined || (all.includes('\n') && word === undefined)) {
      statements.push(words);
      words = [];
    } else if (word !== undefined) {
      if (/^\s*\n/.test(all)) {
        statements.push(words);
        words = [];
      }
      words.push(unquote(word));
    }
  }
  return [...statements, words].filter((statement) => statement.length > 0);
}

function unquote(word: string): string {
  return word.replaceAll(
    /'([^']*)'|"((?:[^"\\]|\\[^])*)"|\\([^])/g,
    (_, single?: string, double?: string, one?: string) =>
      single ?? double?.replaceAll(/\\(["\\$`])/g, '$1') ?? one ?? '',
  );
}
