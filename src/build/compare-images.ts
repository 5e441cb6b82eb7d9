// Which files of two images differ, and how: by unpacking both into scratch and looking at one file after the other.
import path from 'node:path';
import { digestFile, readLinkIfThere, walkTree, type TreeEntry } from '../system/files.ts';
import { runUnsquash } from '../system/unsquash.ts';

export interface ImageDifference {
  /** As in the container: `/opt/conda/analysis3-26.11/bin/python3`. */
  readonly path: string;
  readonly what: string;
}

export interface ImagePair {
  readonly released: string;
  readonly rebuilt: string;
  /** A directory of this build's own; twice the unpacked image has to fit. The caller removes it. */
  readonly scratch: string;
  /** How many differences are enough. */
  readonly most: number;
  readonly signal: AbortSignal;
}

/** @returns the first ones in the order of their paths; none where only the packing differs */
export async function compareImages({ scratch, most, signal, ...images }: ImagePair): Promise<ImageDifference[]> {
  const trees = { released: path.join(scratch, 'released'), rebuilt: path.join(scratch, 'rebuilt') };
  for (const side of ['released', 'rebuilt'] as const) {
    await runUnsquash({ image: images[side], dest: trees[side], signal, writesTo: scratch });
  }
  const [released, rebuilt] = [await readTree(trees.released), await readTree(trees.rebuilt)];
  const differences: ImageDifference[] = [];
  for (const name of [...new Set([...released.keys(), ...rebuilt.keys()])].sort()) {
    signal.throwIfAborted();
    const [was, is] = [released.get(name), rebuilt.get(name)];
    const what = describeShape(was, is) ?? (was && (await compareContent(trees, was)));
    if (what !== undefined) differences.push({ path: `/${name}`, what });
    if (differences.length >= most) break;
  }
  return differences;
}

async function readTree(root: string): Promise<ReadonlyMap<string, TreeEntry>> {
  const entries = new Map<string, TreeEntry>();
  for await (const entry of walkTree(root)) entries.set(entry.path, entry);
  return entries;
}

function describeShape(was: TreeEntry | undefined, is: TreeEntry | undefined): string | undefined {
  if (!was || !is) return was ? 'is in the release only' : 'is in the rebuilt image only';
  if (was.kind !== is.kind) return `is a ${was.kind} in the release, and a ${is.kind} when it is rebuilt`;
  if (was.mode !== is.mode) return `has mode ${was.mode.toString(8)} in the release, then ${is.mode.toString(8)}`;
  if (was.sizeBytes !== is.sizeBytes) return `has ${was.sizeBytes} bytes in the release, then ${is.sizeBytes}`;
  // Directories and links get a fixed time when they are packed.
  return was.kind === 'file' && was.modifiedMs !== is.modifiedMs
    ? `was modified ${new Date(was.modifiedMs).toISOString()} in the release, then ${new Date(is.modifiedMs).toISOString()}`
    : undefined;
}

async function compareContent(
  trees: { readonly released: string; readonly rebuilt: string },
  { path: name, kind }: TreeEntry,
): Promise<string | undefined> {
  const [was, is] = [path.join(trees.released, name), path.join(trees.rebuilt, name)];
  if (kind === 'link') {
    const [from, to] = [await readLinkIfThere(was), await readLinkIfThere(is)];
    return from === to ? undefined : `leads to ${from ?? '?'} in the release, then to ${to ?? '?'}`;
  }
  return kind === 'file' && (await digestFile(was)) !== (await digestFile(is)) ? 'has other bytes' : undefined;
}
