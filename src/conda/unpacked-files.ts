// What was unpacked for one path of a link plan: whether it is as it is to be in the prefix, and its bytes where it is not.
import path from 'node:path';
import { readBytes, readSpan } from '../system/files.ts';
import type { UnpackedMember } from './archive.ts';
import type { LinkItem } from './link-plan.ts';
import { packageInvalid } from './package-problem.ts';
import { putPrefix } from './put-prefix.ts';

/** Node reads no more into one buffer; no file with a placeholder comes near. */
const maxRewrittenBytes = 2 ** 31 - 1;

/** Whether the unpacked file is as it is to be in the prefix. */
export function isReady(item: LinkItem): boolean {
  if (item.source.kind !== 'file') return item.source.kind === 'link';
  const member = unpackedMember(item);
  return !item.source.entry.placeholder || (member?.kind === 'file' && member.sha256InPrefix !== undefined);
}

/**
 * The bytes of the file where they are not those that were unpacked.
 * @throws AppError PACKAGE_INVALID
 */
export async function readNewBytes(item: LinkItem, prefixInside: string): Promise<Buffer | undefined> {
  const { source, owner } = item;
  if (source.kind === 'generated') return Buffer.from(source.text);
  const { placeholder } = source.entry;
  if (isReady(item) || !placeholder) return undefined;
  const member = unpackedMember(item);
  if (member?.kind !== 'file') throw new Error(`${item.path} is no file`);
  if (member.sizeBytes > maxRewrittenBytes)
    throw packageInvalid(owner.locked.url, `${item.path} is too large for its placeholder to be replaced`);
  const span = owner.spans?.get(source.entry.path);
  const data = span ? await readSpan(owner.place, span) : await readBytes(unpackedPath(item));
  const replaced = putPrefix({ url: owner.locked.url, path: item.path, data, placeholder, prefixInside });
  return replaced === data ? undefined : replaced;
}

/** Where the file or link is, of a package in a directory. */
export function unpackedPath(item: LinkItem): string {
  if (item.source.kind === 'generated') throw new Error(`${item.path} was not unpacked`);
  return path.join(item.owner.place, item.source.entry.path);
}

export function unpackedMember(item: LinkItem): UnpackedMember | undefined {
  return item.source.kind === 'generated' ? undefined : item.owner.members.get(item.source.entry.path);
}

/** Path and digest of each file into which the prefix was put while it was unpacked. */
export function listReplaced(items: readonly LinkItem[]): [path: string, sha256: string][] {
  return items.flatMap((item): [string, string][] => {
    const member = unpackedMember(item);
    if (member?.kind !== 'file' || member.sha256InPrefix === undefined) return [];
    return member.sha256InPrefix === member.sha256 ? [] : [[item.path, member.sha256InPrefix]];
  });
}

/** Of the files as their packages have them. */
export function countBytes(items: readonly LinkItem[]): number {
  return items.reduce((sum, item) => {
    const member = unpackedMember(item);
    return member?.kind === 'file' ? sum + member.sizeBytes : sum;
  }, 0);
}
