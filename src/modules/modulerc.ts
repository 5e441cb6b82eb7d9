// Rendering of the .modulerc that gives versions their alias names (modulefile(4), module-version).
import { quoteTcl } from './quote-tcl.ts';

/**
 * @param family the module family, e.g. `conda`
 * @param aliases alias name to full name, e.g. `analysis3` to `analysis3-26.11`
 */
export function renderModulerc(family: string, aliases: ReadonlyMap<string, string>): string {
  const lines = [...aliases]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([alias, name]) => `module-version ${quoteTcl(`${family}/${name}`)} ${quoteTcl(alias)}`);
  return ['#%Module1.0', '# Written by condense for this generation; do not edit.', ...lines, ''].join('\n');
}
