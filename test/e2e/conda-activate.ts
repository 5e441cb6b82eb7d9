// What `conda activate` and `conda deactivate` of a user's own conda make a shell do (conda/activate.py: build_activate,
// build_deactivate and the export, unset and run-script lines of each shell). conda itself cannot be had here.
type CondaShell = 'bash' | 'zsh' | 'tcsh' | 'fish';

const ENDINGS = { bash: 'sh', zsh: 'sh', tcsh: 'csh', fish: 'fish' } as const;

const exportLine = (shell: CondaShell, name: string, value: string): string =>
  shell === 'tcsh'
    ? `setenv ${name} "${value}"`
    : shell === 'fish'
      ? `set -gx ${name} "${value}"`
      : `export ${name}='${value}'`;
const unsetLine = (shell: CondaShell, name: string): string =>
  shell === 'tcsh' ? `unsetenv ${name}` : shell === 'fish' ? `set -e ${name}` : `unset ${name}`;
const runLine = (shell: CondaShell, script: string): string =>
  shell === 'bash' || shell === 'zsh' ? `. "${script}"` : `source "${script}"`;
const script = (shell: CondaShell, prefix: string, when: string): string =>
  `${prefix}/etc/conda/${when}.d/condense.${ENDINGS[shell]}`;

const SYSTEM_PATH = '/usr/local/bin:/usr/bin:/bin';

/** PATH first, then what conda sets, then the scripts. */
export function condaActivate(shell: CondaShell, prefix: string): string {
  const name = prefix.split('/').at(-1) ?? '';
  return [
    exportLine(shell, 'PATH', `${prefix}/bin:${SYSTEM_PATH}`),
    exportLine(shell, 'CONDA_PREFIX', prefix),
    exportLine(shell, 'CONDA_SHLVL', '1'),
    exportLine(shell, 'CONDA_DEFAULT_ENV', name),
    exportLine(shell, 'CONDA_PROMPT_MODIFIER', `(${name}) `),
    runLine(shell, script(shell, prefix, 'activate')),
  ].join('\n');
}

/** PATH first, then the scripts, then what conda has set. */
export function condaDeactivate(shell: CondaShell, prefix: string): string {
  return [
    exportLine(shell, 'PATH', SYSTEM_PATH),
    runLine(shell, script(shell, prefix, 'deactivate')),
    ...['CONDA_PREFIX', 'CONDA_SHLVL', 'CONDA_DEFAULT_ENV', 'CONDA_PROMPT_MODIFIER'].map((one) =>
      unsetLine(shell, one),
    ),
  ].join('\n');
}
