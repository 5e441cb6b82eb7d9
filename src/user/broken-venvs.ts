// Venvs whose Python is gone: a link that leads nowhere, as into a release that was removed.
import path from 'node:path';
import { isForeignGone, readForeignDir, readForeignLink, readForeignText } from '../system/foreign-files.ts';

export interface BrokenVenv {
  readonly dir: string;
  /** What its Python should be, and is not there. */
  readonly missing: string;
  /** `lib/python3.11/site-packages`, where there is such: what was installed there. */
  readonly sitePackages: string | undefined;
}

/** Below the home directory: `work/project/.venv` is found, and a person does not wait for it. */
const MOST_LEVELS = 4;
const MOST_DIRECTORIES = 20_000;
/** Those whose name has a dot in front are not looked into, but for where venvs are kept (virtualenvwrapper, pipenv). */
const HIDDEN = /^\.(?:venvs?|virtualenvs?|local)$/;

/** @returns also whether there were more directories than are looked into */
export async function readBrokenVenvs(
  roots: readonly string[],
  signal?: AbortSignal,
): Promise<{ readonly venvs: readonly BrokenVenv[]; readonly isCut: boolean }> {
  const venvs: BrokenVenv[] = [];
  const seen = new Set<string>();
  let level = roots.map((root) => path.resolve(root));
  for (let depth = 0; depth <= MOST_LEVELS && level.length > 0; depth++) {
    const next: string[] = [];
    for (const dir of level) {
      signal?.throwIfAborted();
      if (seen.has(dir)) continue;
      if (seen.size >= MOST_DIRECTORIES) return { venvs, isCut: true };
      seen.add(dir);
      const config = await readForeignText(path.join(dir, 'pyvenv.cfg'));
      if (config === undefined) next.push(...(await readSubdirectories(dir)));
      else {
        const broken = await readBroken(dir);
        if (broken) venvs.push(broken);
      }
    }
    level = next;
  }
  return { venvs, isCut: false };
}

/** Links are not followed: they lead in circles, and to other people's. */
async function readSubdirectories(dir: string): Promise<string[]> {
  const { names } = await readForeignDir(dir, 'directories');
  return names.filter((name) => !name.startsWith('.') || HIDDEN.test(name)).map((name) => path.join(dir, name));
}

async function readBroken(dir: string): Promise<BrokenVenv | undefined> {
  const python = path.join(dir, 'bin/python');
  // What pyvenv.cfg says is where Python came from as that one saw it, in a container perhaps: only the link counts.
  if (!(await isForeignGone(python))) return undefined;
  const lib = (await readForeignDir(path.join(dir, 'lib'))).names.find((name) => /^python\d+\.\d+$/.test(name));
  return {
    dir,
    missing: await findMissing(python),
    sitePackages: lib === undefined ? undefined : `lib/${lib}/site-packages`,
  };
}

/** Follows links one by one, to the first name that is not there. */
async function findMissing(file: string): Promise<string> {
  let at = file;
  for (let hop = 0; hop < 40; hop++) {
    const target = await readForeignLink(at);
    if (target === undefined) return at;
    at = path.resolve(path.dirname(at), target);
  }
  return at; // in a circle
}
