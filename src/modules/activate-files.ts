// Rendering of the files that shells source where there is no module command: bin/activate, activate.csh and activate.fish.
import type { ActivationChange } from './activation-diff.ts';
import { planSourcedChanges, planOwn, type ModuleFacts } from './module-facts.ts';
import { quoteCsh, quoteFish, quoteSh } from './quote-shell.ts';
import { renderTemplate } from './render-template.ts';

const QUOTES = { sh: quoteSh, csh: quoteCsh, fish: quoteFish } as const;
export type ActivateShell = keyof typeof QUOTES;
export const ACTIVATE_SHELLS = Object.keys(QUOTES) as readonly ActivateShell[];

/**
 * What loading the module does, in a shell's own language: no process, no positional parameter, and a second time nothing.
 * @param template the text of modules-templates/activate.<shell>.hbs; it may only use the `quote` helper for values
 */
export function renderActivateFile(shell: ActivateShell, template: string, facts: ModuleFacts): string {
  return renderTemplate(template, 'quote', QUOTES[shell], {
    farm: facts.farm,
    release: `${facts.fullName}/${facts.releaseId}`,
    ...planOwn(facts),
    changes: planSourcedChanges(facts)
      .filter(({ name }) => name !== 'PATH')
      .map(planStep),
  });
}

/** One field named after the kind, for the template to ask; around stands for all that keeps what was there. */
function planStep(change: ActivationChange): Record<string, unknown> {
  const { name } = change;
  switch (change.kind) {
    case 'prepend': {
      const value = change.entries.join(':');
      return { name, around: true, before: `${value}:`, after: '', hasValue: true, value };
    }
    case 'append': {
      const value = change.entries.join(':');
      return { name, around: true, before: '', after: `:${value}`, hasValue: true, value };
    }
    case 'around':
      return { ...change, around: true, hasValue: change.value !== undefined };
    case 'alias':
      return { name, alias: true, value: change.value };
    // On a line of its own: the body may end in a comment.
    case 'function':
      return { name, function: true, text: `${name} () {\n${change.body}\n}` };
    case 'set':
    case 'unset':
    case 'backup':
      return { ...change, [change.kind]: true };
  }
}
