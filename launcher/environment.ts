// Which of the caller's variables go where. Entries are NAME=VALUE, as bytes in latin1 strings (shell-quote.ts).

/** What the runtime itself looks at; it gets nothing else, and a PATH of its own, so that it can never call a farm. */
const RUNTIME_NAMES = ['HOME', 'USER', 'LOGNAME', 'TMPDIR'];
const RUNTIME_PREFIXES = ['XDG_', 'DBUS_', 'NVIDIA_', 'APPTAINER_', 'SINGULARITY_'];
export const RUNTIME_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Read-only in bash, or made by it: they cannot be given to a program by one. */
const UNASSIGNABLE_NAMES = ['_', 'UID', 'EUID', 'PPID', 'BASH_VERSINFO'];

/** The same two sets as `case` patterns. */
export const RUNTIME_PATTERN = [...RUNTIME_NAMES, ...RUNTIME_PREFIXES.map((prefix) => `${prefix}*`)].join(' | ');
export const UNASSIGNABLE_PATTERN = ['__cl_*', ...UNASSIGNABLE_NAMES].join(' | ');

/**
 * Variables that bash changes when it is given them, or changes itself by (its source, variables.c), as `case` patterns
 * on all names with a blank around each. A caller who exports one of these gets the careful way, and so does one of a
 * name that a pattern takes along: each pattern takes time, even where it does not match. PATH, LC_ALL, PS1, PS2, PS4,
 * PWD, OLDPWD and SHLVL are seen to everywhere.
 */
export const OWN_OF_BASH_PATTERN = [
  // BASH, BASHOPTS, BASHPID, and BASH_*, but for BASH_ENV, which -p switches off, and BASH_FUNC_*, exported functions.
  ...['BASH[!_]*', 'BASH_[!EF]*', 'BASH_E[!N]*'],
  // DIRSTACK, FUNCNAME, GROUPS; EUID, UID; IFS, IGNOREEOF; POSIXLY_CORRECT, PPID; SECONDS, SRANDOM; the rest alone.
  ...['[DFG][IUR][RNO][SCU]*', '[EU][UI][ID]*', 'I[FG][SN]*', 'P[OP][SI]*', 'S[ER][CA][ON]*', 'RAND*'],
  ...['SHELLO*', String.raw`HISTCMD\ *`, String.raw`LINENO\ *`, 'COMP_*', 'EPOCH*', 'OPT*', '__cl_*'],
]
  .map((pattern) => `*\\ ${pattern}`)
  .join('|');

/** Names that are not to be set in a shell that goes on. */
export const OWN_OF_BASH_NAMES =
  /^(BASH.*|COMP_.*|DIRSTACK|E?UID|EPOCH.*|FUNCNAME|GROUPS|HISTCMD|IFS|IGNOREEOF|LANG|LC_.*|LINENO|OLDPWD|OPT.*|POSIXLY_CORRECT|PPID|PS\d|PWD|RANDOM|SECONDS|SHELL|SHELLOPTS|SHLVL|SRANDOM|_|__cl_.*)$/;

export interface SortedEnvironment {
  /** What the program gets, less what bash cannot assign; in the caller's order. */
  readonly wanted: readonly string[];
  /** What the shell has of it, and can unset. */
  readonly names: readonly string[];
  readonly shellOptions?: string | undefined;
  readonly bashOptions?: string | undefined;
}

function nameOf(entry: string): string {
  return entry.split('=', 1)[0] ?? '';
}

/** The value of the last entry of that name, as bash and getenv(3) of most programs that were given two would not agree. */
export function valueOf(environment: readonly string[], name: string): string | undefined {
  return environment.findLast((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** Variables whose names are no identifiers (exported functions) are in neither list: they pass through everything. */
export function sortEnvironment(environment: readonly string[], path: string | undefined): SortedEnvironment {
  const assignable = environment.filter((entry) => {
    const name = nameOf(entry);
    return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !name.startsWith('__cl_') && !UNASSIGNABLE_NAMES.includes(name);
  });
  const plain = assignable.filter((entry) => !['SHELLOPTS', 'BASHOPTS'].includes(nameOf(entry)));
  const wanted = plain.map((entry) => (nameOf(entry) === 'PATH' && path !== undefined ? `PATH=${path}` : entry));
  if (path !== undefined && valueOf(plain, 'PATH') === undefined) wanted.push(`PATH=${path}`);
  return {
    wanted,
    names: plain.map(nameOf),
    shellOptions: valueOf(assignable, 'SHELLOPTS'),
    bashOptions: valueOf(assignable, 'BASHOPTS'),
  };
}

export function isForRuntime(name: string): boolean {
  return RUNTIME_NAMES.includes(name) || RUNTIME_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/**
 * Adds the settings of an override file: they win over the caller's.
 * @param text lines KEY=VALUE, the value being all that follows; empty lines and lines that start with # do not count
 * @returns the number of the first line that is none of these, from 1; otherwise the environment
 */
export function applySettings(environment: readonly string[], text: string): readonly string[] | number {
  const settings: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    if (!/^[A-Za-z_][A-Za-z0-9_]*=/.test(line)) return index + 1;
    settings.push(line);
  }
  const names = new Set(settings.map(nameOf));
  return [...environment.filter((entry) => !names.has(nameOf(entry))), ...settings];
}
