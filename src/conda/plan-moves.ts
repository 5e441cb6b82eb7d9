// Which unpacked directories go into the prefix whole, by one rename, and which files by themselves. Pure.
import path from 'node:path';
import type { UnpackedPackage, LinkItem } from './link-plan.ts';

interface DirectoryMove {
  readonly owner: UnpackedPackage;
  /** Relative to the package's directory. */
  readonly from: string;
  /** Relative to the prefix. */
  readonly to: string;
}

export interface Moves {
  /** No one is below another. */
  readonly directories: readonly DirectoryMove[];
  /** All that is not in one of those directories. */
  readonly items: readonly LinkItem[];
}

/** A directory of the prefix and what is to be below it. */
interface Node {
  owner: UnpackedPackage | undefined;
  /** The directory in the package whose content this one has, as far as one can tell from what was looked at. */
  from: string;
  items: number;
  /** Something else is below: of another package, from elsewhere in the package, or still to be written. */
  isMixed: boolean;
  isMoved: boolean;
}

/**
 * A directory moves when what is below it in the prefix is just what is below one unpacked directory. Most do: of the
 * 113,151 files and links of the large test environment 2,088 are moved by themselves.
 * @param isReady whether an item is on disk as it is to be
 */
export function planMoves(items: readonly LinkItem[], isReady: (item: LinkItem) => boolean): Moves {
  const nodes = gatherDirectories(items, isReady);
  gatherParents(nodes);
  const counts = new MemberCounts();
  const directories: DirectoryMove[] = [];
  for (const dir of [...nodes.keys()].sort((a, b) => depthOf(a) - depthOf(b))) {
    const node = nodes.get(dir);
    if (!node) continue;
    node.isMoved = nodes.get(path.posix.dirname(dir))?.isMoved ?? false;
    const { owner, from } = node;
    if (node.isMoved || node.isMixed || !owner || counts.below(owner, from) !== node.items) continue;
    node.isMoved = true;
    directories.push({ owner, from, to: dir });
  }
  return {
    directories,
    items: items.filter((item) => nodes.get(path.posix.dirname(item.path))?.isMoved !== true),
  };
}

function gatherDirectories(items: readonly LinkItem[], isReady: (item: LinkItem) => boolean): Map<string, Node> {
  const nodes = new Map<string, Node>();
  for (const item of items) {
    const node = nodeAt(nodes, path.posix.dirname(item.path));
    const source = item.source.kind === 'generated' || !isReady(item) ? undefined : item.source.entry.path;
    if (source === undefined || path.posix.basename(source) !== path.posix.basename(item.path)) node.isMixed = true;
    else add(node, item.owner, path.posix.dirname(source), 1);
  }
  return nodes;
}

/** What is below a directory counts for the one above, from the deepest up. */
function gatherParents(nodes: Map<string, Node>): void {
  const byDepth: string[][] = [];
  const note = (dir: string): void => {
    (byDepth[depthOf(dir)] ??= []).push(dir);
  };
  for (const dir of nodes.keys()) note(dir);
  for (let depth = byDepth.length - 1; depth > 0; depth--) {
    for (const dir of byDepth[depth] ?? []) {
      const node = nodes.get(dir);
      const above = path.posix.dirname(dir);
      if (!nodes.has(above)) note(above);
      const parent = nodeAt(nodes, above);
      const from = node?.from ?? '.';
      if (!node?.owner || node.isMixed || path.posix.basename(from) !== path.posix.basename(dir)) parent.isMixed = true;
      else add(parent, node.owner, path.posix.dirname(from), node.items);
    }
  }
}

function nodeAt(nodes: Map<string, Node>, dir: string): Node {
  const there = nodes.get(dir);
  if (there) return there;
  const node: Node = { owner: undefined, from: '', items: 0, isMixed: dir === '.', isMoved: false };
  nodes.set(dir, node);
  return node;
}

function add(node: Node, owner: UnpackedPackage, from: string, items: number): void {
  node.items += items;
  // The package's own top directory is not the prefix's.
  if (from === '.' || (node.owner && (node.owner !== owner || node.from !== from))) node.isMixed = true;
  node.owner = owner;
  node.from = from;
}

const depthOf = (dir: string): number => (dir === '.' ? 0 : dir.split('/').length);

/** How many files and links are unpacked below a directory: also those that are not to be in the prefix. */
class MemberCounts {
  readonly #of = new Map<UnpackedPackage, Map<string, number>>();

  below(owner: UnpackedPackage, dir: string): number {
    let counts = this.#of.get(owner);
    if (!counts) {
      counts = new Map();
      this.#of.set(owner, counts);
      for (const [member, { kind }] of owner.members) {
        if (kind === 'directory') continue;
        for (let at = path.posix.dirname(member); at !== '.'; at = path.posix.dirname(at))
          counts.set(at, (counts.get(at) ?? 0) + 1);
      }
    }
    return counts.get(dir) ?? 0;
  }
}
