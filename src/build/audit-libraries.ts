// Whether every program and library of an image finds the libraries that it needs, and which it lost on the way. What is
// needed is read from the files (src/system/elf-file.ts); whoever asks gives the ways to look, nothing is run.
import path from 'node:path';
import { ContainerView, type Located } from '../site/container-view.ts';
import type { LoaderCache } from '../site/loader-cache.ts';
import { expandDirs, LibrarySearch, type FoundLibrary, type LoadedObject } from '../site/library-search.ts';
import type { ElfFacts } from '../system/elf-file.ts';
import type { ImageContent } from './image-content.ts';

export interface LibraryQuestion {
  readonly content: ImageContent;
  readonly objects: ReadonlyMap<string, ElfFacts | 'broken'>;
  /** What the prefix had before anything was taken out. */
  readonly before?: ImageContent | undefined;
  readonly prefixInside: string;
  /** What users' containers have of the host. */
  readonly binds: readonly string[];
  readonly cache: LoaderCache;
  /** Of a file of the host. */
  readonly readHostElf: (file: string) => ElfFacts | undefined;
}

/** One library that one object needs. */
export interface Need {
  /** Relative to the prefix. */
  readonly object: string;
  readonly soname: string;
}

export interface FoundNeed extends Need {
  readonly found: FoundLibrary;
}

export interface LibraryAnswer {
  /** How many programs and libraries were looked at. */
  readonly objects: number;
  readonly found: readonly FoundNeed[];
  /** Those that were found before; `was`: where, relative to the prefix. */
  readonly lost: readonly (Need & { readonly was: string })[];
  /** Those that were not there to begin with. */
  readonly missing: readonly Need[];
  /** Objects that cannot be read, or whose loader is not there. */
  readonly broken: readonly { readonly object: string; readonly why: string }[];
  /** Files of the host that links of the image stand for. */
  readonly linked: readonly LinkedObject[];
}

/** A program or library of the host that the image has by a link. */
interface LinkedObject extends LoadedObject {
  /** The link, relative to the prefix. */
  readonly link: string;
  /** What the link names, before links of the host are followed. */
  readonly file: string;
}

export function auditLibraries(question: LibraryQuestion): LibraryAnswer {
  const { content, objects, before, prefixInside, binds, cache } = question;
  const view = new ContainerView({ prefixInside, tree: content, binds });
  const elfOf = (located: Located): ElfFacts | undefined => {
    if (located.inImage === undefined) return question.readHostElf(located.path);
    const elf = objects.get(located.inImage);
    return elf === 'broken' ? undefined : elf;
  };
  const linked = findLinked(content, view, elfOf);
  const inside = (at: string): string => path.posix.join(prefixInside, at);
  const subjects: { readonly name: string; readonly object: LoadedObject }[] = [];
  const broken: { object: string; why: string }[] = [];
  for (const [name, elf] of objects) {
    if (elf === 'broken') broken.push({ object: name, why: 'is an ELF file that is cut off or damaged' });
    else subjects.push({ name, object: { path: inside(name), elf } });
  }
  for (const one of linked) subjects.push({ name: one.link, object: one });

  const programDirs = findProgramDirs(subjects);
  const search = new LibrarySearch(view, cache, elfOf, programDirs);
  const view0 = before && new ContainerView({ prefixInside, tree: before, binds });
  // What is gone can no longer be read.
  const elfOf0 = (located: Located): ElfFacts | 'unknown' | undefined =>
    located.inImage !== undefined && !content.has(located.inImage) ? 'unknown' : elfOf(located);
  const search0 = view0 && new LibrarySearch(view0, cache, elfOf0, programDirs);
  const names = new Set([...objects.keys()].map((name) => path.posix.basename(name)));
  const found: FoundNeed[] = [];
  const lost: (Need & { was: string })[] = [];
  const missing: Need[] = [];
  for (const { name, object } of subjects) {
    const loader = object.elf.interpreter;
    if (loader !== undefined && view.locate(loader)?.kind !== 'file')
      broken.push({ object: name, why: `is started by ${loader}, which the container does not have` });
    for (const soname of new Set(object.elf.needed)) {
      const need = { object: name, soname };
      const now = search.find(object, soname);
      const then = now ? undefined : search0?.find(object, soname);
      if (now) found.push({ ...need, found: now });
      else if (then) lost.push({ ...need, was: then.inImage ?? then.path });
      // Loaded already by its name when this object comes: extension modules of one package do so.
      else if (!names.has(path.posix.basename(soname))) missing.push(need);
    }
  }
  return { objects: subjects.length, found, lost, missing, broken, linked };
}

/** Links that lead out to programs and libraries; once for each directory in which the same file is linked. */
function findLinked(
  content: ImageContent,
  view: ContainerView,
  elfOf: (located: Located) => ElfFacts | undefined,
): LinkedObject[] {
  const linked = new Map<string, LinkedObject>();
  for (const [link, { kind }] of content) {
    if (kind !== 'link') continue;
    const loadedAs = path.posix.join(view.prefixInside, link);
    const located = view.locate(loadedAs);
    if (located?.kind !== 'file' || located.inImage !== undefined) continue;
    const key = `${path.posix.dirname(link)} ${located.path}`;
    const elf = linked.has(key) ? undefined : elfOf(located);
    if (!elf) continue;
    // The kernel tells a program its own path without links; libraries are known by the name that they were found by.
    const isProgram = elf.interpreter !== undefined && elf.soname === undefined;
    linked.set(key, {
      ...{ link, elf, file: located.leftFor ?? located.path },
      path: isProgram ? located.path : loadedAs,
    });
  }
  return [...linked.values()];
}

/** DT_RPATH of a program, where it has no DT_RUNPATH, holds for everything that it loads. */
function findProgramDirs(subjects: readonly { readonly name: string; readonly object: LoadedObject }[]): string[] {
  const dirs = subjects
    .filter(({ name, object }) => name.startsWith('bin/') && object.elf.interpreter !== undefined)
    .filter(({ object }) => object.elf.runpath.length === 0)
    .flatMap(({ object }) => expandDirs(object.elf.rpath, object.path));
  return [...new Set(dirs)];
}
