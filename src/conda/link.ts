// Performs a link plan: moves what was unpacked into the prefix, and puts the prefix into files where that is still to be done.
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { hash } from 'node:crypto';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { readBytes } from '../system/files.ts';
import { TreeWriter } from '../system/tree-writer.ts';
import type { UnpackedMember } from './archive.ts';
import type { LinkItem, LinkPlan } from './link-plan.ts';
import { packageInvalid } from './package-problem.ts';
import { planMoves } from './plan-moves.ts';
import { putPrefix } from './put-prefix.ts';

export interface Linked {
  readonly files: number;
  readonly bytes: number;
  /** Of each file whose bytes are not the package's own: hex sha256 by path. */
  readonly rewritten: ReadonlyMap<string, string>;
}

/** How many items between two looks at the signal. */
const batch = 500;

/**
 * @param prefixOnDisk an existing directory, on the file system of the unpacked packages, with nothing of the plan in it
 * @throws AppError PACKAGE_INVALID (the prefix does not fit), INTERRUPTED
 */
export async function linkItems(request: {
  readonly plan: LinkPlan;
  readonly prefixOnDisk: string;
  readonly prefixInside: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<Linked> {
  const { plan, prefixInside, signal } = request;
  const writer = new TreeWriter(request.prefixOnDisk);
  const rewritten = new Map<string, string>();
  let bytes = 0;
  const moves = planMoves(plan.items, isReady);
  for (const { owner, from, to } of moves.directories) writer.moveDirectoryIn(path.join(owner.dir, from), to);
  for (const [index, item] of moves.items.entries()) {
    if (index % batch === 0) {
      // Signals are only seen between turns of the event loop.
      await setImmediate();
      throwIfInterrupted(signal);
    }
    const data = await newBytes(item, prefixInside);
    if (data) {
      writer.file(item.path, data, item.source.kind === 'link' ? 0o644 : item.source.mode, item.mtimeSeconds);
      rewritten.set(item.path, hash('sha256', data, 'hex'));
    } else writer.moveIn(unpackedPath(item), item.path);
  }
  for (const dir of plan.directories) writer.directory(dir);
  for (const item of plan.items) {
    const member = unpackedMember(item);
    if (member?.kind !== 'file') continue;
    bytes += member.sizeBytes;
    const { sha256, sha256InPrefix } = member;
    if (sha256InPrefix !== undefined && sha256InPrefix !== sha256) rewritten.set(item.path, sha256InPrefix);
  }
  return { files: plan.items.length, bytes, rewritten };
}

export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AppError(EXIT.interrupted, { code: 'INTERRUPTED', message: 'was interrupted' });
}

/** Node reads no more into one buffer; no file with a placeholder comes near. */
const maxRewrittenBytes = 2 ** 31 - 1;

/** Whether the unpacked file is as it is to be in the prefix. */
function isReady(item: LinkItem): boolean {
  if (item.source.kind !== 'file') return item.source.kind === 'link';
  const member = unpackedMember(item);
  return !item.source.entry.placeholder || (member?.kind === 'file' && member.sha256InPrefix !== undefined);
}

/** The bytes to write where they are not those that were unpacked. */
async function newBytes(item: LinkItem, prefixInside: string): Promise<Buffer | undefined> {
  const { source, owner } = item;
  if (source.kind === 'generated') return Buffer.from(source.text);
  const { placeholder } = source.entry;
  if (isReady(item) || !placeholder) return undefined;
  const member = unpackedMember(item);
  if (member?.kind === 'file' && member.sizeBytes > maxRewrittenBytes)
    throw packageInvalid(owner.locked.url, `${item.path} is too large for its placeholder to be replaced`);
  const data = await readBytes(unpackedPath(item));
  const replaced = putPrefix({ url: owner.locked.url, path: item.path, data, placeholder, prefixInside });
  return replaced === data ? undefined : replaced;
}

function unpackedPath(item: LinkItem): string {
  if (item.source.kind === 'generated') throw new Error(`${item.path} was not unpacked`);
  return path.join(item.owner.dir, item.source.entry.path);
}

function unpackedMember(item: LinkItem): UnpackedMember | undefined {
  return item.source.kind === 'generated' ? undefined : item.owner.members.get(item.source.entry.path);
}
