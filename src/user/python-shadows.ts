// Packages of `pip install --user` that hide those of published environments, wherever Python looks into ~/.local.
import path from 'node:path';
import { normalizeDistributionName } from '../conda/wheel-file.ts';
import { readForeignDir } from '../system/foreign-files.ts';

/** What an environment has, as far as it matters here. */
export interface PublishedPackages {
  readonly fullName: string;
  /** Name, as its source writes it, and version. */
  readonly packages: readonly { readonly name: string; readonly version: string }[];
}

export interface Shadow {
  /** `~/.local/lib/python3.11` */
  readonly dir: string;
  /** `numpy 1.24.0` */
  readonly hides: readonly string[];
  readonly environments: readonly string[];
}

/** @param userBase `~/.local`, or what PYTHONUSERBASE says (docs.python.org, "site") */
export async function readShadows(userBase: string, published: readonly PublishedPackages[]): Promise<Shadow[]> {
  const lib = path.join(userBase, 'lib');
  const shadows: Shadow[] = [];
  for (const name of (await readForeignDir(lib)).names) {
    const [, python] = /^python(\d+\.\d+)$/.exec(name) ?? [];
    if (python === undefined) continue;
    const dir = path.join(lib, name);
    const { names } = await readForeignDir(path.join(dir, 'site-packages'));
    const shadow = findShadow(names, python, published);
    if (shadow) shadows.push({ dir, ...shadow });
  }
  return shadows;
}

/** @param entries names in site-packages: `numpy-1.24.0.dist-info` (PEP 376) */
function findShadow(
  entries: readonly string[],
  python: string,
  published: readonly PublishedPackages[],
): Omit<Shadow, 'dir'> | undefined {
  const own = new Map<string, string>();
  for (const entry of entries) {
    const [, name, version] = /^(.+?)-([^-]+)(?:-py[\d.]+)?\.(?:dist-info|egg-info)$/.exec(entry) ?? [];
    if (name !== undefined && version !== undefined) own.set(normalizeDistributionName(name), version);
  }
  const hides = new Set<string>();
  const environments = [];
  for (const { fullName, packages } of published) {
    if (!packages.some(({ name, version }) => name === 'python' && version.startsWith(`${python}.`))) continue;
    const hidden = packages.map(({ name }) => normalizeDistributionName(name)).filter((name) => own.has(name));
    if (hidden.length > 0) environments.push(fullName);
    for (const name of hidden) hides.add(`${name} ${own.get(name) ?? ''}`);
  }
  return hides.size === 0 ? undefined : { hides: [...hides].sort(), environments };
}
