// What makes a directory an environment for a conda of the user's own, so that `conda activate` by name works: few small files
// and links. Sources: conda/activate.py (what is read and in which order), CEP 22 (frozen environments).
import type { ActivateShell } from './activate-files.ts';
import { planSourcedChanges, type ModuleFacts } from './module-facts.ts';
import { quoteSh } from './quote-shell.ts';
import { renderTemplate } from './render-template.ts';

export interface CondaPrefixPlan {
  /** Below the prefix. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  readonly links: readonly { readonly path: string; readonly target: string }[];
}

/** conda sets these itself, and reads them again on deactivation. */
const OF_CONDA = new Set([
  ...['CONDA_PREFIX', 'CONDA_DEFAULT_ENV', 'CONDA_PROMPT_MODIFIER', 'CONDA_SHLVL', 'PATH'],
  ...['CONDA_EXE', 'CONDA_PYTHON_EXE'],
]);

/** What programs look for below CONDA_PREFIX; inside the container it is there. */
const INSIDE = ['include', 'lib', 'libexec', 'share', 'ssl'] as const;

/**
 * @param inside the prefix in the container
 * @param templates the texts of modules-templates/conda-hook.<shell>.hbs
 */
export function planCondaPrefix(
  facts: ModuleFacts,
  inside: string,
  templates: Readonly<Record<ActivateShell, string>>,
): CondaPrefixPlan {
  const hooks = Object.entries(templates).flatMap(([shell, template]) =>
    (['activate', 'deactivate'] as const).map((when) => ({
      path: `etc/conda/${when}.d/condense.${shell}`,
      text: renderCondaHook(template, facts, when),
    })),
  );
  const message = `${facts.fullName} is published by ${facts.site} and cannot be changed; make an environment of your own, or a venv on top of it`;
  return {
    files: [
      { path: 'conda-meta/history', text: '' },
      { path: 'conda-meta/frozen', text: `${JSON.stringify({ message })}\n` },
      ...hooks,
    ],
    links: [{ path: 'bin', target: '../bin' }, ...INSIDE.map((name) => ({ path: name, target: `${inside}/${name}` }))],
  };
}

function renderCondaHook(template: string, facts: ModuleFacts, when: 'activate' | 'deactivate'): string {
  const changes = planSourcedChanges(facts);
  const names = new Set(changes.filter(({ kind }) => kind !== 'alias' && kind !== 'function').map(({ name }) => name));
  // By environment: with `conda activate --stack` there are several at a time.
  const prefix = `CONDENSE_KEPT_${facts.fullName.replaceAll(/\W/g, '_')}_`;
  const variables = [...names].map((name) => ({ name, kept: `${prefix}${name}` }));
  const [own, others] = [true, false].map((isOwn) => variables.filter(({ name }) => OF_CONDA.has(name) === isOwn));
  const named = (kind: 'alias' | 'function'): string[] =>
    changes.filter((change) => change.kind === kind).map(({ name }) => name);
  const activates = when === 'activate';
  return renderTemplate(template, 'quote', quoteSh, {
    activates,
    saved: activates ? variables : [],
    restored: activates ? own : others,
    aliases: activates ? [] : named('alias'),
    functions: activates ? [] : named('function'),
  });
}
