// What `conda activate` and `conda deactivate` of a user's own conda make a shell do (conda/activate.py: build_activate,
// build_deactivate and the export, unset and run-script lines of each shell). conda itself cannot be had here.
type CondaShell = 'bash' | 'zsh' | 'tcsh' | 'fish';

const ENDINGS = { bash: 'sh', zsh: 'sh', tcsh: 'csh', fish: 'fish' } as const;

const exportLine = (shell: CondaShell, name: string, value: string): string =>
  shell === 'tcsh'
    ? `setenv ${name} "${value}"`
    : shell === 'fish'
      ? `set -gx ${name} "${value}"`
      : `export ${name}="${value}"`;
const unsetLine = (shell: CondaShell, name: string): string =>
  shell === 'tcsh' ? `unsetenv ${name}` : shell === 'fish' ? `set -e ${name}` : `unset ${name}`;
const runLine = (shell: CondaShell, script: string): string =>
  shell === 'bash' || shell === 'zsh' ? `. "${script}"` : `source "${script}"`;

/** What of a prefix conda runs, and the PATH that it finds. */
interface Activation {
  /** Names of scripts in activate.d and deactivate.d, in their order; of ours, if none are given. */
  readonly scripts?: { readonly activate: readonly string[]; readonly deactivate: readonly string[] };
  /** As that shell writes it. */
  readonly path?: string;
}
const SYSTEM_PATH = '/usr/local/bin:/usr/bin:/bin';
const ours = (shell: CondaShell): readonly string[] => [`condense.${ENDINGS[shell]}`];

/** PATH first, then what conda sets, then the scripts. */
export function condaActivate(
  shell: CondaShell,
  prefix: string,
  { scripts, path = SYSTEM_PATH }: Activation = {},
): string {
  const name = prefix.split('/').at(-1) ?? '';
  return [
    exportLine(shell, 'PATH', `${prefix}/bin:${path}`),
    exportLine(shell, 'CONDA_PREFIX', prefix),
    exportLine(shell, 'CONDA_SHLVL', '1'),
    exportLine(shell, 'CONDA_DEFAULT_ENV', name),
    exportLine(shell, 'CONDA_PROMPT_MODIFIER', `(${name}) `),
    ...(scripts?.activate ?? ours(shell)).map((one) => runLine(shell, `${prefix}/etc/conda/activate.d/${one}`)),
  ].join('\n');
}

/** PATH first, then the scripts, then what conda has set. */
export function condaDeactivate(
  shell: CondaShell,
  prefix: string,
  { scripts, path = SYSTEM_PATH }: Activation = {},
): string {
  return [
    exportLine(shell, 'PATH', path),
    ...(scripts?.deactivate ?? ours(shell)).map((one) => runLine(shell, `${prefix}/etc/conda/deactivate.d/${one}`)),
    ...['CONDA_PREFIX', 'CONDA_SHLVL', 'CONDA_DEFAULT_ENV', 'CONDA_PROMPT_MODIFIER'].map((one) =>
      unsetLine(shell, one),
    ),
  ].join('\n');
}
