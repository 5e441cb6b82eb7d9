// Rendering of the Lua modulefile of one release (lmod.readthedocs.io, "Lua modulefile functions"), for Lmod.
import { describeModule, describeWhatis, planModuleChanges, planOwn, type ModuleFacts } from './module-facts.ts';
import { valuesOf, type ActivationChange } from './activation-diff.ts';
import { quoteLua } from './quote-lua.ts';
import { findOnlyShells, findShellLimits } from './shell-limits.ts';
import { renderTemplate } from './render-template.ts';

interface LuaCall {
  readonly function: string;
  readonly arguments: readonly string[];
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
    prerequisites: facts.prerequisites,
    notices: facts.notices,
    ...planOwn(facts),
    families: facts.hasPython ? ['python'] : [],
    changes: planModuleChanges(facts).map((change) => ({
      onlyFor: findOnlyShells(change),
      notFor: findShellLimits('Lmod', valuesOf(change)),
      calls: planCalls(change),
    })),
  });
}

function planCalls(change: ActivationChange): LuaCall[] {
  const call = (name: string, ...args: string[]): LuaCall => ({ function: name, arguments: [change.name, ...args] });
  switch (change.kind) {
    case 'set':
      return [call('set', change.value)];
    case 'unset':
      return [call('unset')];
    // Each call puts its entry first, so the last one comes first.
    case 'prepend':
      return change.entries.toReversed().map((entry) => call('prepend_path', entry));
    case 'append':
      return change.entries.map((entry) => call('append_path', entry));
    case 'around':
      return [call('around', change.before, change.after, ...(change.value === undefined ? [] : [change.value]))];
    case 'alias':
      return [call('set_alias', change.value)];
    case 'function':
      return [call('set_shell_function', change.body, '')];
    case 'backup':
      return [];
  }
}
