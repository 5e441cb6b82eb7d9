// What the shells are asked for, to learn what activate.d scripts do in them, and how they answer.
import { parseEnvironment, type ActivatedShell, type Environment } from '../modules/activation-diff.ts';

/**
 * For bash: sources the scripts in conda's order, their output out of the way, and prints, each ended by a NUL, what they have
 * defined (kind, name, text), an empty word, and the environment.
 */
export const BASH_SCRIPT = `
for __condense_script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do
  [ -r "$__condense_script" ] && . "$__condense_script" >&2
done
unset __condense_script
for __condense_name in "\${!BASH_ALIASES[@]}"; do
  printf 'alias\\0%s\\0%s\\0' "$__condense_name" "\${BASH_ALIASES[$__condense_name]}"
done
for __condense_name in $(compgen -A function); do
  printf 'function\\0%s\\0%s\\0' "$__condense_name" "$(declare -f -- "$__condense_name")"
done
printf '\\0'
exec /usr/bin/env -0
`;

/** @returns undefined where the shell did not come to the end of `BASH_SCRIPT` */
export function parseBashAnswer(bytes: Buffer): ActivatedShell | undefined {
  const aliases = new Map<string, string>();
  const functions = new Map<string, string>();
  let rest = bytes;
  for (;;) {
    const [kind, afterKind] = takeWord(rest);
    if (afterKind === undefined) return undefined;
    if (kind === '') return { environment: parseEnvironment(afterKind), aliases, functions };
    const [name = '', afterName] = takeWord(afterKind);
    const [text = '', afterText] = takeWord(afterName ?? Buffer.of());
    if (afterText === undefined) return undefined;
    if (kind === 'alias') aliases.set(name, text);
    // As bash prints it: the name, "()", and the body in braces on lines of their own.
    else functions.set(name, text.replace(/^[^{]*\{\s*/, '').replace(/\s*\}\s*$/, ''));
    rest = afterText;
  }
}

function takeWord(bytes: Buffer): [string?, Buffer?] {
  const end = bytes.indexOf(0);
  return end < 0 ? [] : [bytes.subarray(0, end).toString('utf8'), bytes.subarray(end + 1)];
}

/** A shell whose own scripts conda sources instead of those for sh. Modules do what those for sh do, in every shell. */
export interface OtherShell {
  readonly name: string;
  readonly program: string;
  /** Of its scripts. */
  readonly extension: string;
  /** Arguments that source files, list the shell's own commands and print the environment, a NUL between all three. */
  readonly args: (files: readonly string[]) => readonly string[];
}

const planScript = (files: readonly string[], list: string): string =>
  [
    ...files.map((file) => `source '${file}'`),
    `/usr/bin/printf '\\0'`,
    list,
    `/usr/bin/printf '\\0'`,
    'exec /usr/bin/env -0',
  ].join('; ');

export const OTHER_SHELLS: readonly OtherShell[] = [
  {
    name: 'csh',
    program: '/usr/bin/tcsh',
    extension: '.csh',
    args: (files) => ['-f', '-c', planScript(files, 'alias')],
  },
  {
    name: 'fish',
    program: '/usr/bin/fish',
    extension: '.fish',
    args: (files) => ['--no-config', '-c', planScript(files, 'functions --names')],
  },
];

export interface OtherAnswer {
  /** Names of its aliases and functions. */
  readonly commands: ReadonlySet<string>;
  readonly environment: Environment;
}

/** @returns undefined where the shell did not come to the end */
export function parseOtherAnswer(bytes: Buffer): OtherAnswer | undefined {
  const [, afterOutput] = takeWord(bytes);
  const [listed, environment] = takeWord(afterOutput ?? Buffer.of());
  if (listed === undefined || environment === undefined) return undefined;
  const names = listed.split('\n').map((line) => line.split('\t')[0] ?? '');
  return { commands: new Set(names.filter((name) => name !== '')), environment: parseEnvironment(environment) };
}

/**
 * What another shell's scripts do that the module, which does what those for sh do, will not.
 * @param start the same shell without scripts
 */
export function describeOtherShell(
  shell: string,
  start: OtherAnswer,
  end: OtherAnswer,
  before: Environment,
  bash: Environment,
): string[] {
  const names = new Set([...start.environment.keys(), ...end.environment.keys(), ...before.keys(), ...bash.keys()]);
  const warnings = [...names].sort().flatMap((name) => {
    if (['_', 'SHLVL', 'PWD', 'OLDPWD', 'PS1', 'PATH'].includes(name) || name.startsWith('BASH_FUNC_')) return [];
    const [was, is] = [start.environment.get(name), end.environment.get(name)];
    const inBash = bash.get(name);
    const isSame = is === inBash || (is === was && inBash === before.get(name));
    return isSame
      ? []
      : [
          `the activate.d scripts for ${shell} leave ${name} ${describeValue(is)}, those for sh ${describeValue(inBash)}: modules do as those for sh, in every shell`,
        ];
  });
  const commands = [...end.commands].filter((name) => !start.commands.has(name));
  return [
    ...warnings,
    ...commands.map((name) => `the activate.d scripts for ${shell} define ${name}, which a module does not`),
  ];
}

const describeValue = (value: string | undefined): string => (value === undefined ? 'unset' : JSON.stringify(value));
