// Performs a link plan: moves what was unpacked into the prefix, and puts the prefix into files where that is still to be done.
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { hash } from 'node:crypto';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { TreeWriter } from '../system/tree-writer.ts';
import type { LinkPlan } from './link-plan.ts';
import { planMoves } from './plan-moves.ts';
import { countBytes, isReady, listReplaced, readNewBytes, unpackedPath } from './unpacked-files.ts';

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
  const moves = planMoves(plan.items, isReady);
  for (const { owner, from, to } of moves.directories) writer.moveDirectoryIn(path.join(owner.place, from), to);
  for (const [index, item] of moves.items.entries()) {
    if (index % batch === 0) {
      // Signals are only seen between turns of the event loop.
      await setImmediate();
      throwIfInterrupted(signal);
    }
    const data = await readNewBytes(item, prefixInside);
    if (data) {
      writer.file(item.path, data, item.source.kind === 'link' ? 0o644 : item.source.mode, item.mtimeSeconds);
      rewritten.set(item.path, hash('sha256', data, 'hex'));
    } else writer.moveIn(unpackedPath(item), item.path);
  }
  for (const dir of plan.directories) writer.directory(dir);
  for (const [file, digest] of listReplaced(plan.items)) rewritten.set(file, digest);
  return { files: plan.items.length, bytes: countBytes(plan.items), rewritten };
}

export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AppError(EXIT.interrupted, { code: 'INTERRUPTED', message: 'was interrupted' });
}
