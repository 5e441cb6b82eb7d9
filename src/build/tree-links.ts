// Where a path of a tree leads through its links, as path_resolution(7) has it. Pure.

/** What is known of a path: links have a target, relative to their directory or absolute with `/` for the tree's root. */
export interface LinkedEntry {
  readonly kind: 'file' | 'directory' | 'link';
  readonly target?: string | undefined;
}

/** As many links in a row as Linux follows. */
const MAX_LINKS = 40;

/** @returns the links on the way, and last what is at its end where that is in the tree; a link that leads out ends it */
export function resolveInTree(start: string, tree: ReadonlyMap<string, LinkedEntry>): string[] {
  const way: string[] = [];
  let waiting = start.split('/');
  let at: string[] = [];
  for (let links = 0; waiting.length > 0;) {
    const [part = '', ...rest] = waiting;
    waiting = rest;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (at.length === 0) return way;
      at = at.slice(0, -1);
      continue;
    }
    const path = [...at, part].join('/');
    const entry = tree.get(path);
    if (!entry) return way;
    if (entry.kind !== 'link') {
      at = [...at, part];
      continue;
    }
    way.push(path);
    links += 1;
    if (entry.target === undefined || links > MAX_LINKS) return way;
    if (entry.target.startsWith('/')) at = [];
    waiting = [...entry.target.split('/'), ...waiting];
  }
  way.push(at.join('/'));
  return way;
}
