// Where a directory of the plan really is, when some part of its path is a symbolic link of a package. Pure.
import { packageHostile, packageInvalid } from './package-problem.ts';

/** What the plan has at a path that is not a directory: a link with its target, or a file (no target). */
export type LinkLookup = (path: string) => { readonly url: string; readonly target: string | undefined } | undefined;

/** As many links in a row as Linux follows (path_resolution(7)). */
const maxLinks = 40;

/**
 * @param dir relative to the prefix
 * @param url the package that wants something in it
 * @throws AppError PACKAGE_HOSTILE where the way leads out of the prefix or in a circle, PACKAGE_INVALID where a file is in the way
 */
export function resolveDirectory(dir: string, url: string, lookup: LinkLookup): string {
  let waiting = dir.split('/');
  let real: string[] = [];
  for (let links = 0; waiting.length > 0;) {
    const [part = '', ...rest] = waiting;
    waiting = rest;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (real.length === 0) throw packageHostile(url, dir, 'leads out of the environment through a link');
      real = real.slice(0, -1);
      continue;
    }
    const path = [...real, part].join('/');
    const there = lookup(path);
    if (!there) {
      real = [...real, part];
      continue;
    }
    if (there.target === undefined)
      throw packageInvalid(url, `needs ${path} to be a directory, but it is a file of ${there.url}`);
    links += 1;
    if (there.target.startsWith('/') || links > maxLinks)
      throw packageHostile(url, dir, `leads through ${path} -> ${there.target}, a link of ${there.url}`);
    waiting = [...there.target.split('/'), ...waiting];
  }
  return real.join('/');
}
