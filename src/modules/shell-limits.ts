// Values that a module system cannot give to a shell, because of how it writes them for that shell's `eval`: found by trying
// Environment Modules 4.6 and 5.2 and Lmod 8.6 with every shell (test/integration/modules/shell-limits.test.ts). Some would change on
// their way, some would make the whole `module load` fail, and a newline would be read as a command.

export const MODULE_SYSTEMS = ['Environment Modules', 'Lmod'] as const;
type ModuleSystem = (typeof MODULE_SYSTEMS)[number];

/** As `module-info shell` and `myShellName()` call them. */
type ShellName = 'sh' | 'bash' | 'csh' | 'fish' | 'tcsh' | 'zsh';

const LIMITS: readonly {
  readonly system: ModuleSystem;
  readonly shells: readonly ShellName[];
  /** Fits a value that does not arrive as it is, and a few more that do. */
  readonly pattern: RegExp;
}[] = [
  // Read as the path of a command, or as somebody's home directory.
  { system: 'Environment Modules', shells: ['sh', 'bash', 'csh', 'tcsh', 'zsh'], pattern: /(^|:)~/ },
  { system: 'Environment Modules', shells: ['zsh'], pattern: /(^|:)=/ },
  { system: 'Lmod', shells: ['zsh'], pattern: /(^|:)=/ },
  // Patterns of file names and history.
  { system: 'Environment Modules', shells: ['csh', 'tcsh'], pattern: /\[/ },
  { system: 'Lmod', shells: ['csh', 'tcsh'], pattern: /[!{\t]/ },
  { system: 'Environment Modules', shells: ['fish'], pattern: /[[\r\v\f]|^~/ },
  { system: 'Lmod', shells: ['fish'], pattern: /[\r\v\f]/ },
];

/** Why no module can hold a value at all; undefined where it can. */
export function findModuleLimit(value: string): string | undefined {
  if (value.includes('\uFFFD')) return 'bytes that are not UTF-8';
  if (value.includes('\n')) return 'several lines';
  // Tcl 8.6 keeps such a character as two halves, and writes each as if it were one.
  if (/[\u{10000}-\u{10FFFF}]/u.test(value)) return 'a character beyond U+FFFF';
  return undefined;
}

/** The shells to which a module system cannot give one of these values: the modulefile leaves the change out there. */
export function findShellLimits(system: ModuleSystem, values: readonly string[]): ShellName[] {
  return LIMITS.filter((limit) => limit.system === system && values.some((value) => limit.pattern.test(value))).flatMap(
    (limit) => limit.shells,
  );
}

/** The shells that a change is for; undefined: all. Aliases and functions are in the language of the shell that defined them. */
export function findOnlyShells(change: { readonly kind: string }): ShellName[] | undefined {
  return change.kind === 'alias' || change.kind === 'function' ? ['bash', 'zsh'] : undefined;
}
