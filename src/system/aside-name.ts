// Names for what is written beside its place before it is renamed there: whose it is shows whether somebody still writes to it.
import { randomBytes } from 'node:crypto';
import { readProcessTag } from './process-identity.ts';

export interface AsideName {
  readonly key: string;
  /** For `isGone`. */
  readonly tag: string;
}

/**
 * `.<key>.<host>-<pid>-<start>.<random>.tmp`
 * @param key what it is going to be, in hex. Default: nobody needs to know
 */
export async function renderAsideName(key = randomBytes(9).toString('hex')): Promise<string> {
  return `.${key}.${await readProcessTag()}.${randomBytes(6).toString('hex')}.tmp`;
}

/** @returns undefined where it is no such name */
export function parseAsideName(name: string): AsideName | undefined {
  const [, key, tag] = /^\.([0-9a-f]+)\.([0-9a-f]{8}-\d+-[0-9a-f]{8})\.[0-9a-f]{12}\.tmp$/.exec(name) ?? [];
  return key === undefined || tag === undefined ? undefined : { key, tag };
}
