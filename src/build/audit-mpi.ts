// Whether all that an image has of MPI means one and the same library: programs in C, Fortran's bindings and mpi4py. A site's
// Open MPI has one Fortran side for each compiler, and a wrong one is found at run time only, if then. Pure.
import path from 'node:path';
import { isFortranRuntime, isMpiC, isMpiFortran, isOfMpi } from '../site/mpi-names.ts';
import type { FoundNeed, LibraryAnswer, Need } from './audit-libraries.ts';

interface Disagreement {
  /** Relative to the prefix. */
  readonly object: string;
  /** What follows its name. */
  readonly message: string;
}

/** @param installations directories of the site that replace packages */
export function auditMpi(
  { found, missing, linked }: Pick<LibraryAnswer, 'found' | 'missing' | 'linked'>,
  installations: readonly string[],
): Disagreement[] {
  return [
    ...findSeveral(found, missing),
    ...findMixed(found, installations),
    ...findMisnamed(found),
    ...findOtherCompilers(found, linked),
  ];
}

/** More than one C library. */
function findSeveral(found: readonly FoundNeed[], missing: readonly Need[]): Disagreement[] {
  const sides = new Map<string, { readonly name: string; readonly users: string[] }>();
  const add = (key: string, name: string, object: string): void => {
    const side = sides.get(key) ?? { name, users: [] };
    sides.set(key, side);
    side.users.push(object);
  };
  for (const { soname, found: at, object } of found) if (isMpiC(soname)) add(at.path, `${soname} (${at.path})`, object);
  // Without any MPI at all a library that is missing disagrees with nothing.
  const isThere = sides.size > 0;
  for (const { soname, object } of missing) if (isThere && isMpiC(soname)) add(soname, `${soname} (not found)`, object);
  if (sides.size < 2) return [];
  const order = [...sides.values()].sort((a, b) => b.users.length - a.users.length);
  const [main, ...others] = order;
  return others.map(({ name, users }) => ({
    object: users[0] ?? '',
    message: `needs ${name}${more(users)}, while ${main?.users[0] ?? ''}${more(main?.users ?? [])} needs ${main?.name ?? ''}: one program cannot have two MPI libraries`,
  }));
}

const more = (users: readonly string[]): string => (users.length > 1 ? ` (as do ${users.length - 1} others)` : '');

/** Fortran's side of another installation than the C library: the host may have one by the same name. */
function findMixed(found: readonly FoundNeed[], installations: readonly string[]): Disagreement[] {
  const originOf = ({ inImage, leftFor, path: at }: FoundNeed['found']): string =>
    inImage === undefined
      ? (installations.find((dir) => [leftFor ?? at, at].some((file) => file.startsWith(`${dir}/`))) ??
        path.posix.dirname(at))
      : 'the image';
  const c = found.find(({ soname }) => isMpiC(soname));
  const origin = c && originOf(c.found);
  const other = origin && found.find((need) => isMpiFortran(need.soname) && originOf(need.found) !== origin);
  if (!other) return [];
  const message = `needs ${other.soname} of ${originOf(other.found)}, while ${c.object} needs ${c.soname} of ${origin}: MPI must be of one installation`;
  return [{ object: other.object, message }];
}

/** A file by the right name that says of itself that it is another one. */
function findMisnamed(found: readonly FoundNeed[]): Disagreement[] {
  const seen = new Set<string>();
  return found.flatMap(({ object, soname, found: { path: at, elf } }) => {
    const own = elf?.soname;
    if (!isOfMpi(soname) || own === undefined || own === soname || seen.has(soname)) return [];
    seen.add(soname);
    return [{ object, message: `needs ${soname}, and ${at}, which is found by that name, calls itself ${own}` }];
  });
}

/** Fortran's side compiled by another compiler, or another version of it, than the programs that use it. */
function findOtherCompilers(found: readonly FoundNeed[], linked: LibraryAnswer['linked']): Disagreement[] {
  const outside = new Set(linked.map(({ link }) => link));
  const runtimes = new Map<string, string[]>();
  for (const { object, soname } of found)
    if (isFortranRuntime(soname)) runtimes.set(object, [...(runtimes.get(object) ?? []), soname]);
  const seen = new Set<string>();
  return found.flatMap(({ object, soname, found: { path: at, elf } }) => {
    const own = elf?.needed.filter((name) => isFortranRuntime(name)) ?? [];
    const its = runtimes.get(object) ?? [];
    if (!isMpiFortran(soname) || outside.has(object) || own.length === 0 || its.length === 0) return [];
    if (own.some((name) => its.includes(name)) || seen.has(soname)) return [];
    seen.add(soname);
    return [
      { object, message: `needs ${its.join(', ')}, and its ${soname} (${at}) was compiled for ${own.join(', ')}` },
    ];
  });
}
