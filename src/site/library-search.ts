// Which file the dynamic loader would take for a library that a program or another library needs: ld.so(8), in its order.
// Nothing is run.
import path from 'node:path';
import type { ElfFacts } from '../system/elf-file.ts';
import type { ContainerView, Located } from './container-view.ts';
import type { LoaderCache } from './loader-cache.ts';

/** A program or library, with the name that it is loaded by: links in it stay for `$ORIGIN` (glibc, elf/dl-load.c). */
export interface LoadedObject {
  /** As the container sees it. */
  readonly path: string;
  readonly elf: ElfFacts;
}

export interface FoundLibrary extends Located {
  /** How: by a path of the object, by the path of programs that load it, or because the host knows the name. */
  readonly by: 'path' | 'program' | 'system';
  /** The name that it is loaded by. */
  readonly loadedAs: string;
  /** Undefined where only its name is known. */
  readonly elf: ElfFacts | undefined;
}

/** Of a file that was located: its facts; `unknown` for one that can no longer be read; undefined for no ELF file. */
export type ElfOf = (located: Located) => ElfFacts | 'unknown' | undefined;

/** Where glibc looks last; each distribution has some of them. */
const SYSTEM_DIRS = ['/lib64', '/usr/lib64', '/lib', '/usr/lib'];

export class LibrarySearch {
  readonly #view: ContainerView;
  readonly #cache: LoaderCache;
  readonly #elfOf: ElfOf;
  readonly #programDirs: readonly string[];

  /** @param programDirs DT_RPATH of the environment's programs, which holds for all that they load */
  constructor(view: ContainerView, cache: LoaderCache, elfOf: ElfOf, programDirs: readonly string[]) {
    this.#view = view;
    this.#cache = cache;
    this.#elfOf = elfOf;
    this.#programDirs = programDirs;
  }

  find(object: LoadedObject, soname: string): FoundLibrary | undefined {
    if (soname.includes('/')) return soname.startsWith('/') ? this.#tryFile(object, soname, 'path') : undefined;
    const { elf } = object;
    const own = expandDirs(elf.runpath.length > 0 ? elf.runpath : elf.rpath, object.path);
    // DT_RPATH of the programs is not asked for an object that has a DT_RUNPATH.
    const inherited = elf.runpath.length > 0 ? [] : this.#programDirs;
    return (
      this.#tryDirs(object, soname, own, 'path') ??
      this.#tryDirs(object, soname, inherited, 'program') ??
      this.#tryFiles(object, this.#cache.get(soname) ?? [], 'system') ??
      this.#tryDirs(object, soname, SYSTEM_DIRS, 'system')
    );
  }

  #tryDirs(object: LoadedObject, soname: string, dirs: readonly string[], by: FoundLibrary['by']) {
    return this.#tryFiles(
      object,
      dirs.map((dir) => `${dir}/${soname}`),
      by,
    );
  }

  #tryFiles(object: LoadedObject, files: readonly string[], by: FoundLibrary['by']): FoundLibrary | undefined {
    for (const file of files) {
      const found = this.#tryFile(object, file, by);
      if (found) return found;
    }
    return undefined;
  }

  /** One of another class or machine is passed over. */
  #tryFile(object: LoadedObject, file: string, by: FoundLibrary['by']): FoundLibrary | undefined {
    const located = this.#view.locate(file);
    if (located?.kind !== 'file') return undefined;
    const elf = this.#elfOf(located);
    if (elf === undefined || (elf !== 'unknown' && elf.kind !== object.elf.kind)) return undefined;
    return { ...located, by, loadedAs: file, elf: elf === 'unknown' ? undefined : elf };
  }
}

/** `$ORIGIN` is the directory of the object. Others (`$LIB`, `$PLATFORM`) and relative ones are of no use in an image. */
export function expandDirs(dirs: readonly string[], objectPath: string): string[] {
  const origin = path.posix.dirname(objectPath);
  return dirs
    .map((dir) => dir.replaceAll(/\$(?:ORIGIN|\{ORIGIN\})/g, () => origin))
    .filter((dir) => dir.startsWith('/') && !dir.includes('$'))
    .map((dir) => path.posix.normalize(dir).replace(/\/+$/, ''));
}
