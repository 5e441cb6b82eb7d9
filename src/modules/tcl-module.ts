// Rendering of the Tcl modulefile of one release (modulefile(4)), for Environment Modules.
import { describeModule, describeWhatis, planModuleChanges, planOwn, type ModuleFacts } from './module-facts.ts';
import { valuesOf, type ActivationChange } from './activation-diff.ts';
import { quoteTcl } from './quote-tcl.ts';
import { findOnlyShells, findShellLimits } from './shell-limits.ts';
import { renderTemplate } from './render-template.ts';

/**
 * @param template the text of modules-templates/environment.tcl.hbs; it may only use the `tcl` helper for values
 * @returns the modulefile; loading it starts no process
 */
export function renderTclModule(template: string, facts: ModuleFacts): string {
  return renderTemplate(template, 'tcl', quoteTcl, {
    help: describeModule(facts),
    whatis: describeWhatis(facts),
    family: facts.family,
    prerequisites: facts.prerequisites,
    notices: facts.notices,
    ...planOwn(facts),
    changes: planModuleChanges(facts).map((change) => ({
      onlyFor: findOnlyShells(change),
      notFor: findShellLimits('Environment Modules', valuesOf(change)),
      lines: planLines(change),
    })),
  });
}

/** The words of each command. */
function planLines(change: ActivationChange): string[][] {
  switch (change.kind) {
    case 'set':
      return [['condense-set', change.name, change.value]];
    case 'unset':
      return [['condense-unset', change.name]];
    case 'around':
      return [
        [
          'condense-around',
          change.name,
          change.before,
          change.after,
          ...(change.value === undefined ? [] : [change.value]),
        ],
      ];
    case 'alias':
      return [['set-alias', change.name, change.value]];
    case 'function':
      return [['condense-function', change.name, hideFromSplitting(change.body)]];
    case 'backup':
      return [];
    // Each call puts its entry first, so the last one comes first.
    case 'prepend':
      return change.entries.toReversed().map((entry) => ['prepend-path', change.name, entry]);
    case 'append':
      return change.entries.map((entry) => ['append-path', change.name, entry]);
  }
}

/**
 * The body of a function such that `eval` of its words makes it again: Environment Modules has the shell split what it prints at
 * blanks, and put names of files where a word fits some. In bash and zsh, which have such quotes.
 */
function hideFromSplitting(body: string): string {
  if (!/[*?]|\[\S| {2}|\t/.test(body)) return body;
  const quoted = body.replaceAll(/[\\']/g, String.raw`\$&`).replaceAll(/[*?[\t]| (?= )/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `eval $'${quoted}'`;
}
