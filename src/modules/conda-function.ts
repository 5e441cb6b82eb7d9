// The shell function `conda` (and `mamba`) of a module whose environment has conda in it, for environments of the user's own.
// conda is asked in the container, and what it answers is for the host. It does what conda's own function does
// (conda/shell/etc/profile.d/conda.sh; libmamba/data/micromamba.sh), whose words would name programs by their paths inside.
import type { ActivationChange } from './activation-diff.ts';
import { quoteSh } from './quote-shell.ts';

export interface CondaPlace {
  readonly fullName: string;
  /** What the environment has on PATH. */
  readonly commands: readonly string[];
  /** As users see them. */
  readonly farm: string;
  readonly launcher: string;
  /** The prefix in the container. */
  readonly inside: string;
}

const TOOLS = ['conda', 'mamba', 'micromamba'] as const;

/** For bash and zsh, as every function of a module. */
export function planCondaFunctions(place: CondaPlace): ActivationChange[] {
  const tools = TOOLS.filter((tool) => place.commands.includes(tool));
  // mamba 1 has no activation of its own: wherever conda is, it answers for all.
  const [activator] = tools;
  return activator === undefined
    ? []
    : tools.map((name) => ({ kind: 'function', name, body: renderBody(place, name, activator) }));
}

/** Variables that conda's own scripts set, and others look at; it would set them to paths inside. */
export function planCondaVariables({ commands, farm }: Pick<CondaPlace, 'commands' | 'farm'>): Record<string, string> {
  return commands.includes('conda') ? { CONDA_EXE: `${farm}/conda`, CONDA_PYTHON_EXE: `${farm}/python` } : {};
}

/**
 * For conda nothing is active while only the module is: the module's environment is not one to leave, and its scripts are not
 * on the host. PATH is the host's, which the launcher would otherwise have changed for the container.
 */
function renderBody(place: CondaPlace, name: (typeof TOOLS)[number], activator: (typeof TOOLS)[number]): string {
  const { fullName, farm, launcher, inside } = place;
  const quoted = { farm: quoteSh(`${farm}/${name}`), inside: quoteSh(inside) };
  const ask = activator === 'conda' ? 'shell.posix "$@"' : 'shell "$@" --shell bash';
  const own = {
    CONDA_PREFIX: inside,
    CONDA_DEFAULT_ENV: fullName,
    CONDA_PROMPT_MODIFIER: `(${fullName}) `,
    CONDA_SHLVL: '1',
  };
  const exported = (variables: Readonly<Record<string, string>>): string =>
    Object.entries(variables)
      .map(([variable, value]) => `${variable}=${quoteSh(value)}`)
      .join(' ');
  const fixed = exported(planCondaVariables(place));
  return [
    // Environment Modules has the shell split this at blanks and look for files that fit each word: no `*`, no `case`.
    'local condense_verb="${1-}"',
    'if [ "${2-}" = hook ] && [ "${condense_verb#shell.}" != "$condense_verb" ]; then return 0; fi', // it is here
    `if [ "$condense_verb" = activate ] && [ "\${2-base}" = base ]; then set -- deactivate; fi`,
    `if [ "$condense_verb" = install ] || [ "$condense_verb" = update ] || [ "$condense_verb" = upgrade ] || [ "$condense_verb" = remove ] || [ "$condense_verb" = uninstall ]; then ${quoted.farm} "$@" || return; set -- reactivate`,
    `elif [ "$condense_verb" != activate ] && [ "$condense_verb" != deactivate ] && [ "$condense_verb" != reactivate ]; then ${quoted.farm} "$@"; return; fi`,
    'local condense_answer',
    'condense_answer="$(',
    `if [ "\${CONDA_PREFIX-}" = ${quoted.inside} ]; then unset CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_PROMPT_MODIFIER; export CONDA_SHLVL=0; fi`,
    'export PS1="${PS1-}"',
    `exec ${quoteSh(launcher)} /usr/bin/env "PATH=$PATH" ${quoteSh(`${inside}/bin/${activator}`)} ${ask}`,
    ')" || return',
    'eval "$condense_answer"',
    ...(fixed === '' ? [] : [`export ${fixed}`]),
    'unset _CE_M _CE_CONDA',
    `if [ "\${CONDA_SHLVL:-0}" = 0 ]; then export ${exported(own)}; fi`,
    'hash -r',
  ].join('\n');
}
