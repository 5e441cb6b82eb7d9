// Commands that a Python package declares in its metadata (PyPA "Entry points specification").
import type { PackageTree } from './package-tree.ts';
import { sitePackages } from './package-tree.ts';

/** @returns `name = module:function`, sorted, for all console and gui scripts of the tree */
export function readEntryPoints(tree: PackageTree): string[] {
  const found = new Map<string, string>();
  for (const [file, entry] of tree) {
    if (entry.type !== 'file' || !/^[^/]+\/entry_points\.txt$/.test(file.slice(sitePackages.length))) continue;
    for (const [name, target] of parseEntryPoints(entry.data.toString('utf8'))) found.set(name, target);
  }
  return [...found].map(([name, target]) => `${name} = ${target}`).sort();
}

/** @param text of an entry_points.txt, an ini file */
export function parseEntryPoints(text: string): [name: string, target: string][] {
  let section = '';
  return text.split('\n').flatMap((line): [string, string][] => {
    section = /^\s*\[([^\]]+)\]/.exec(line)?.[1]?.trim() ?? section;
    const [, name, target] = /^\s*([\w.-]+)\s*=\s*([\w.]+\s*:\s*[\w.]+)/.exec(line) ?? [];
    if (name === undefined || target === undefined || !/^(console|gui)_scripts$/.test(section)) return [];
    return [[name, target.replaceAll(' ', '')]];
  });
}

/** The script that conda-build makes of an entry point in a package that is not noarch. */
export function renderEntryPoint(entryPoint: string, placeholder: string): { name: string; text: string } {
  const [name, target] = entryPoint.split(' = ') as [string, string];
  const [module, attribute] = target.split(':') as [string, string];
  const text = `#!${placeholder}/bin/python3.11
import sys

from ${module} import ${attribute.split('.')[0] ?? attribute}

if __name__ == '__main__':
    sys.exit(${attribute}())
`;
  return { name, text };
}
