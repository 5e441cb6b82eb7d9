// Rendering of the files that give versions their alias names: .modulerc (modulefile(4), module-version) for Environment
// Modules, .modulerc.lua (lmod.readthedocs.io, "Marking a version as default") for Lmod, which takes it before the other.
import { quoteLua } from './quote-lua.ts';
import { quoteTcl } from './quote-tcl.ts';

/** Alias name to full name, e.g. `analysis3` to `analysis3-26.11`. */
type Aliases = ReadonlyMap<string, string>;

/** @param family the module family, e.g. `conda` */
export function renderModulerc(family: string, aliases: Aliases): string {
  const lines = inOrder(aliases).map(
    ([alias, name]) => `module-version ${quoteTcl(`${family}/${name}`)} ${quoteTcl(alias)}`,
  );
  return ['#%Module1.0', '# Written by condense for this generation; do not edit.', ...lines, ''].join('\n');
}

export function renderLuaModulerc(family: string, aliases: Aliases): string {
  const lines = inOrder(aliases).map(
    ([alias, name]) => `module_version(${quoteLua(`${family}/${name}`)}, ${quoteLua(alias)})`,
  );
  return ['-- Written by condense for this generation; do not edit.', ...lines, ''].join('\n');
}

const inOrder = (aliases: Aliases): [string, string][] => [...aliases].sort(([a], [b]) => (a < b ? -1 : 1));
