// Performs a link plan: moves what was unpacked into the prefix, with the prefix put into the files that hold it.
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { createHash } from 'node:crypto';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { readBytes } from '../system/files.ts';
import { TreeWriter } from '../system/tree-writer.ts';
import type { LinkItem, LinkPlan } from './link-plan.ts';
import { packageInvalid } from './package-problem.ts';
import { PrefixTooLongError, replacePrefix } from './prefix-replacement.ts';

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
  for (const dir of plan.directories) writer.directory(dir);
  for (const [index, item] of plan.items.entries()) {
    if (index % batch === 0) {
      // Signals are only seen between turns of the event loop.
      await setImmediate();
      throwIfInterrupted(signal);
    }
    const data = await newBytes(item, prefixInside);
    if (data) {
      writer.file(item.path, data, item.source.kind === 'link' ? 0o644 : item.source.mode, item.mtimeSeconds);
      rewritten.set(item.path, createHash('sha256').update(data).digest('hex'));
      bytes += data.length;
    } else {
      writer.moveIn(unpackedPath(item), item.path);
      bytes += memberBytes(item);
    }
  }
  return { files: plan.items.length, bytes, rewritten };
}

export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AppError(EXIT.interrupted, { code: 'INTERRUPTED', message: 'was interrupted' });
}

/** Node reads no more into one buffer; no file with a placeholder comes near. */
const maxRewrittenBytes = 2 ** 31 - 1;

/** The bytes to write where they are not those that were unpacked. */
async function newBytes(item: LinkItem, prefixInside: string): Promise<Buffer | undefined> {
  const { source } = item;
  if (source.kind === 'generated') return Buffer.from(source.text);
  const { placeholder } = source.entry;
  if (source.kind === 'link' || !placeholder) return undefined;
  if (memberBytes(item) > maxRewrittenBytes)
    throw packageInvalid(item.owner.locked.url, `${item.path} is too large for its placeholder to be replaced`);
  const data = await readBytes(unpackedPath(item));
  try {
    const replaced = replacePrefix(data, placeholder.mode, placeholder.text, prefixInside);
    return replaced === data ? undefined : replaced;
  } catch (error) {
    if (!(error instanceof PrefixTooLongError)) throw error;
    throw packageInvalid(
      item.owner.locked.url,
      `${item.path} cannot be installed at ${prefixInside}: ${error.message}`,
    );
  }
}

function unpackedPath(item: LinkItem): string {
  if (item.source.kind === 'generated') throw new Error(`${item.path} was not unpacked`);
  return path.join(item.owner.dir, item.source.entry.path);
}

function memberBytes(item: LinkItem): number {
  if (item.source.kind === 'generated') return 0;
  const member = item.owner.members.get(item.source.entry.path);
  return member?.kind === 'file' ? member.sizeBytes : 0;
}
