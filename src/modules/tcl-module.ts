// Rendering of the Tcl modulefile of one release (modulefile(4)).
import Handlebars from 'handlebars';
import type { ActivationDiff } from './activation-diff.ts';
import { quoteTcl } from './quote-tcl.ts';

export interface ModuleFacts {
  readonly site: string;
  /** `conda`: only one module of a family is loaded at a time. */
  readonly family: string;
  readonly fullName: string;
  readonly releaseId: string;
  /** The farm as users see it: goes in front of PATH. */
  readonly farm: string;
  readonly activation: ActivationDiff;
  /** What the module sets besides. */
  readonly variables: Readonly<Record<string, string>>;
  /** `name version` lines for `module help`. */
  readonly packages: readonly string[];
}

/** One command of a modulefile and its words. */
interface TclLine {
  readonly words: readonly string[];
}

/**
 * @param template the text of modules-templates/environment.tcl.hbs; it may only use the `tcl` helper for values
 * @returns the modulefile; loading it starts no process
 */
export function renderTclModule(template: string, facts: ModuleFacts): string {
  const handlebars = Handlebars.create();
  handlebars.registerHelper('tcl', (value: unknown) => {
    // Handlebars' strict mode does not see a missing field that goes to a helper.
    if (typeof value !== 'string') throw new TypeError('a module template names a field that does not exist');
    return quoteTcl(value);
  });
  const render = handlebars.compile(template, { strict: true, noEscape: true });
  return render({
    help: describeHelp(facts),
    whatis: `Conda environment ${facts.fullName} of ${facts.site} (release ${facts.releaseId})`,
    family: facts.family,
    lines: planLines(facts),
  });
}

/** The names of what the module sets, PATH left out. */
export function listModuleVariables(facts: ModuleFacts): string[] {
  return planLines(facts)
    .map(({ words }) => words[1] ?? '')
    .filter((name) => name !== 'PATH');
}

function describeHelp(facts: ModuleFacts): string {
  return [
    `${facts.fullName}: a conda environment of ${facts.site}, release ${facts.releaseId}.`,
    `Its commands are on PATH after loading; scripts can start with #!${facts.farm}/python3.`,
    '',
    `${facts.packages.length} packages:`,
    ...facts.packages.map((line) => `  ${line}`),
  ].join('\n');
}

function planLines(facts: ModuleFacts): TclLine[] {
  const lines: TclLine[] = facts.activation.changes.flatMap((change): TclLine[] => {
    switch (change.kind) {
      case 'set':
        return [{ words: ['setenv', change.name, change.value] }];
      case 'unset':
        return [{ words: ['unsetenv', change.name] }];
      // Each call puts its entry first, so the last one comes first.
      case 'prepend':
        return change.entries.toReversed().map((entry) => ({ words: ['prepend-path', change.name, entry] }));
      case 'append':
        return change.entries.map((entry) => ({ words: ['append-path', change.name, entry] }));
    }
  });
  lines.push(
    ...Object.entries(facts.variables).map(([name, value]) => ({ words: ['setenv', name, value] })),
    // Later commands of this job stay with this release (launcher, "Pin").
    { words: ['setenv', 'CONDENSE_RELEASE', `${facts.fullName}/${facts.releaseId}`] },
    { words: ['prepend-path', 'PATH', facts.farm] },
  );
  return lines;
}
