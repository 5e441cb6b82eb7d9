// What a path is inside the container, without starting one: the image's prefix, the host's bound directories and the links
// of the base (container/base.def.hbs), with links followed across all three as path_resolution(7) has it.
import { lookAt, type SeenFile } from '../system/host-files.ts';

interface ViewedEntry {
  readonly kind: 'file' | 'directory' | 'link';
  /** Of a link, as written. */
  readonly target?: string | undefined;
}

export interface Located {
  /** As the container sees it, all links followed. */
  readonly path: string;
  readonly kind: SeenFile['kind'];
  /** Relative to the prefix; undefined where it is the host's. */
  readonly inImage?: string | undefined;
  /** Where the way leaves the image for the host: what the last link of the image names. */
  readonly leftFor?: string | undefined;
}

export interface ViewRequest {
  /** `/opt/conda/analysis3-26.11` */
  readonly prefixInside: string;
  /** By path relative to the prefix. */
  readonly tree: ReadonlyMap<string, ViewedEntry>;
  /** Host directories that are seen under their own path. */
  readonly binds: readonly string[];
}

/** As many links in a row as Linux follows. */
const MAX_LINKS = 40;
/** Those of the host's top directories that the base has as links, where they are links. */
const ROOT_LINKS = new Set(['/bin', '/lib', '/lib32', '/lib64', '/libx32', '/sbin']);

export class ContainerView {
  readonly prefixInside: string;
  readonly #tree: ViewRequest['tree'];
  readonly #binds: readonly string[];
  readonly #parents: ReadonlySet<string>;
  readonly #host = new Map<string, SeenFile | undefined>();
  readonly #located = new Map<string, Located | undefined>();

  constructor({ prefixInside, tree, binds }: ViewRequest) {
    this.prefixInside = prefixInside;
    this.#tree = tree;
    this.#binds = binds;
    this.#parents = new Set([prefixInside, ...[prefixInside, ...binds].flatMap(listParents)]);
  }

  /** @param file absolute; undefined where it leads to nothing that the container has */
  locate(file: string): Located | undefined {
    if (this.#located.has(file)) return this.#located.get(file);
    const found = this.#follow(file);
    this.#located.set(file, found);
    return found;
  }

  #follow(file: string): Located | undefined {
    let waiting = file.split('/');
    let at: string[] = [];
    let last: Pick<Located, 'kind'> = { kind: 'directory' };
    let leftFor: string | undefined;
    for (let links = 0; waiting.length > 0;) {
      const [part = '', ...rest] = waiting;
      waiting = rest;
      if (part === '' || part === '.') continue;
      if (last.kind !== 'directory') return undefined;
      if (part === '..') {
        at = at.slice(0, -1);
        continue;
      }
      const path = `/${[...at, part].join('/')}`;
      const entry = this.#look(path);
      if (!entry) return undefined;
      if (entry.kind !== 'link') {
        at.push(part);
        last = entry;
        continue;
      }
      if (++links > MAX_LINKS) return undefined;
      const target = entry.target ?? '';
      if (target.startsWith('/')) {
        at = [];
        if (this.#relative(path) !== undefined) leftFor = [target, ...rest].join('/');
      }
      waiting = [...target.split('/'), ...waiting];
    }
    const path = `/${at.join('/')}`;
    const inImage = this.#relative(path);
    return { path, kind: last.kind, inImage, leftFor: inImage === undefined ? leftFor : undefined };
  }

  #relative(path: string): string | undefined {
    return path.startsWith(`${this.prefixInside}/`) ? path.slice(this.prefixInside.length + 1) : undefined;
  }

  #look(path: string): Pick<SeenFile, 'kind' | 'target'> | undefined {
    const relative = this.#relative(path);
    if (relative !== undefined) return this.#tree.get(relative);
    if (this.#binds.some((dir) => path === dir || path.startsWith(`${dir}/`))) return this.#lookOutside(path);
    if (this.#parents.has(path)) return { kind: 'directory' };
    const top = ROOT_LINKS.has(path) ? this.#lookOutside(path) : undefined;
    return top?.kind === 'link' ? top : undefined;
  }

  #lookOutside(path: string): SeenFile | undefined {
    if (!this.#host.has(path)) this.#host.set(path, lookAt(path));
    return this.#host.get(path);
  }
}

/** `/a/b/c` → `/a`, `/a/b` */
function listParents(dir: string): string[] {
  const parts = dir.split('/').filter((part) => part !== '');
  return parts.slice(0, -1).map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
}
