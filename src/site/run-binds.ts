// Which host directories the containers of one release have: those of the site, and the installations that stand for packages.
import { isWithin } from '../system/within.ts';

/**
 * @param run `binds.run`
 * @param installations of `replace`: one that is in none of the site's directories is bound by the release itself
 */
export function listRunBinds(run: readonly string[], installations: readonly string[]): readonly string[] {
  return [...run, ...new Set(installations.filter((dir) => !isBound(run, dir)))];
}

/** Whether a directory is one of these, or in one. */
export const isBound = (run: readonly string[], dir: string): boolean => run.some((bind) => isWithin(dir, bind));
