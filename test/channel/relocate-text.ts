// Makes text files point into the prefix: shebangs, and the paths of files that the channel carries.
import { mapPath } from './map-path.ts';
import type { PackageTree } from './package-tree.ts';

const textEndings =
  /\.(pc|cmake|conf|cfg|json|sh|csh|txt|in|def|py|pyi|rc|ini|xml|js|mplstyle|yaml|toml|pth)$|^bin\/|^etc\//;
const largestBytes = 2_000_000;

/**
 * Rewrites the texts of a tree and marks them for prefix replacement.
 * @param known the paths of the operating system that the channel carries, without the leading slash
 */
export function relocateTexts(tree: PackageTree, placeholder: string, known: ReadonlySet<string>): void {
  for (const [file, entry] of tree) {
    if (entry.type !== 'file' || entry.data.length > largestBytes || file.startsWith('share/zoneinfo/')) continue;
    const isScript = entry.data.subarray(0, 2).toString('latin1') === '#!';
    if ((!isScript && !textEndings.test(file)) || entry.data.includes(0)) continue;
    const before = entry.data.toString('latin1');
    const after = relocateText(before, placeholder, known);
    if (after.includes(placeholder)) {
      tree.set(file, { ...entry, data: Buffer.from(after, 'latin1'), replace: 'text' });
    }
  }
}

/** @param text as latin1: any bytes pass through */
export function relocateText(text: string, placeholder: string, known: ReadonlySet<string>): string {
  return text
    .replace(/^#!\s*\/usr\/bin\/(?:env\s+)?python3?(?:\.11)?(?=\s)/, `#!${placeholder}/bin/python3.11`)
    .replaceAll(/(?<![\w.@}$/-])\/(?:usr|etc)\/[\w./+-]+/g, (found) => {
      const fhsPath = found.slice(1).replace(/[/.]+$/, '');
      const to = known.has(fhsPath) && /^etc\/|\/.+\//.test(fhsPath) ? mapPath(fhsPath) : undefined;
      return to === undefined ? found : `${placeholder}/${to}${found.slice(fhsPath.length + 1)}`;
    })
    .replaceAll(/^((?:exec_)?prefix\s*=\s*)\/usr\s*$/gm, `$1${placeholder}`);
}
