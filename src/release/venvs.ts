// Which versions and releases users' venvs stand on. What a venv says is data of its owner: it only ever keeps something.
import path from 'node:path';
import type { Layout } from '../site/layout.ts';
import { expandGlob, readForeignDir, readForeignLink, readForeignText } from '../system/foreign-files.ts';

export interface VenvUse {
  /** The venv's directory. */
  readonly venv: string;
  /** As the public path says: a full name, or an alias. */
  readonly name: string;
  /** Where it leads past the public path, straight into a release. */
  readonly id?: string | undefined;
}

/**
 * @param globs of `gc: venvs`
 * @returns also the directories that could not be looked into
 */
export async function readVenvUses(
  layout: Layout,
  globs: readonly string[],
): Promise<{ readonly uses: readonly VenvUse[]; readonly unreadable: readonly string[] }> {
  const uses: VenvUse[] = [];
  const unreadable: string[] = [];
  for (const glob of globs) {
    const found = await expandGlob(glob);
    unreadable.push(...found.unreadable);
    for (const venv of found.paths) {
      const config = await readForeignText(path.join(venv, 'pyvenv.cfg'));
      if (config === undefined) continue;
      const bin = path.join(venv, 'bin');
      const { names } = await readForeignDir(bin);
      const links = await Promise.all(
        names.filter((name) => /^(python|launcher)/.test(name)).map((name) => readForeignLink(path.join(bin, name))),
      );
      const seen = new Map<string, VenvUse>();
      for (const target of [...links, ...parsePyvenvPaths(config)]) {
        const use = target === undefined ? undefined : parseUse(layout, target);
        if (use) seen.set(`${use.name}/${use.id ?? ''}`, { venv, ...use });
      }
      uses.push(...seen.values());
    }
  }
  return { uses, unreadable };
}

/** `home = <dir>`, `executable = <file>` and their like (docs.python.org, "site"; virtualenv writes base-executable). */
function parsePyvenvPaths(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [, value] = /^\s*(?:home|executable|base-executable|base-prefix)\s*=\s*(.+?)\s*$/.exec(line) ?? [];
    return value === undefined ? [] : [value];
  });
}

/** `<prefix>/apps/conda_scripts/analysis3-26.11.d/bin/python3`, `<store>/releases/analysis3-26.11/<id>/launcher` */
function parseUse(layout: Layout, target: string): { name: string; id?: string } | undefined {
  const plain = path.posix.normalize(target);
  const below = (dir: string): string[] | undefined =>
    plain.startsWith(`${dir}/`) ? plain.slice(dir.length + 1).split('/') : undefined;
  const [name, id] = below(layout.releases) ?? [];
  if (name !== undefined && id !== undefined) return { name, id };
  const [link] = below(layout.publicScripts) ?? [];
  return link?.endsWith('.d') ? { name: link.slice(0, -2) } : undefined;
}
