// Rendering of the Lua modulefile of one release (lmod.readthedocs.io, "Lua modulefile functions"), for Lmod.
import { describeModule, describeWhatis, planModuleChanges, type ModuleFacts } from './module-facts.ts';
import { valuesOf, type ActivationChange } from './activation-diff.ts';
import { quoteLua } from './quote-lua.ts';
import { findShellLimits } from './shell-limits.ts';
import { renderTemplate } from './render-template.ts';

interface LuaCall {
  readonly function: string;
  readonly name: string;
  /** False, as Lua writes it, is how `pushenv` takes a variable away. */
  readonly removes: boolean;
  readonly value: string;
}

/**
 * @param template the text of modules-templates/environment.lua.hbs; it may only use the `lua` helper for values
 * @returns the modulefile; loading it starts no process
 */
export function renderLuaModule(template: string, facts: ModuleFacts): string {
  return renderTemplate(template, 'lua', quoteLua, {
    help: describeModule(facts),
    whatis: [
      `Name: ${facts.family}`,
      `Version: ${facts.fullName}`,
      'Category: conda environment',
      `Keywords: conda, ${facts.hasPython ? 'python, ' : ''}${facts.fullName}`,
      `Description: ${describeWhatis(facts)}`,
    ],
    families: facts.hasPython ? ['python'] : [],
    changes: planModuleChanges(facts).map((change) => ({
      notFor: findShellLimits('Lmod', valuesOf(change)),
      calls: planCalls(change),
    })),
  });
}

function planCalls(change: ActivationChange): LuaCall[] {
  const { name } = change;
  switch (change.kind) {
    case 'set':
      return [{ function: 'pushenv', name, value: change.value, removes: false }];
    case 'unset':
      return [{ function: 'pushenv', name, value: '', removes: true }];
    // Each call puts its entry first, so the last one comes first.
    case 'prepend':
      return change.entries.toReversed().map((value) => ({ function: 'prepend_path', name, value, removes: false }));
    case 'append':
      return change.entries.map((value) => ({ function: 'append_path', name, value, removes: false }));
  }
}
