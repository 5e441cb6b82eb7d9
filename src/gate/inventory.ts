// What is in an installed environment, as its own metadata says: packages, distributions, modules, entry points. Pure.
import { z } from 'zod';

const Inventory = z.strictObject({
  /** What conda-meta lists; `files` are those below site-packages that can be modules, and metadata, relative to it. */
  packages: z.array(
    z.strictObject({ name: z.string(), version: z.string(), build: z.string(), files: z.array(z.string()) }),
  ),
  /** Records of conda-meta that cannot be read. */
  unreadable: z.array(z.string()),
  /** What importlib.metadata finds. */
  distributions: z.array(
    z.strictObject({
      name: z.string(),
      version: z.string(),
      /** Of its metadata, e.g. `numpy-1.24.2.dist-info`. */
      directory: z.string(),
      /** As `files` above, of RECORD; null where there is none. */
      files: z.array(z.string()).nullable(),
      scripts: z.array(z.strictObject({ name: z.string(), value: z.string() })),
    }),
  ),
});
export type Inventory = z.infer<typeof Inventory>;

/** @throws Error where the program's answer is no inventory */
export function parseInventory(text: string): Inventory {
  return Inventory.parse(JSON.parse(text));
}

/** As RECORDS_PROGRAM prints them: `<name>-<version>-<build>.json`. */
export function parseRecordNames(text: string): Inventory {
  const names = text.split('\0').filter((name) => name !== '');
  const packages = names.map((file) => {
    const [, name = file, version = '', build = ''] = /^(.+)-([^-]+)-([^-]+)\.json$/.exec(file) ?? [];
    return { name, version, build, files: [] };
  });
  return { packages, unreadable: [], distributions: [] };
}

/** An importable module and the package that brings it. */
export interface TopModule {
  readonly module: string;
  readonly from: string;
}

/**
 * Every top-level module of every package, sorted: a file, or a directory with `__init__`. A directory without one is a
 * namespace that packages share (PEP 420), where what is in it counts: `google/cloud/storage/__init__.py` is
 * `google.cloud.storage`. Files that lie deeper in directories without `__init__` are data of some tool (ansible has 5,000
 * of them): of a namespace with nothing else the namespace itself counts.
 */
export function listTopModules({ packages, distributions }: Inventory): readonly TopModule[] {
  const owners = new Map<string, string>();
  const ofConda = listCondaMetadata(packages);
  for (const { name, files } of packages) for (const file of files) owners.set(file, name);
  for (const { name, directory, files } of distributions) {
    // conda's own packages have their files in conda-meta: what is left is what pip added.
    if (files === null || ofConda.has(directory)) continue;
    for (const file of files) owners.set(file, name);
  }
  const found = new Map<string, string>();
  const namespaces = new Map<string, string>();
  const regular = new Set<string>(); // directories with __init__: nothing below them is top-level
  for (const file of owners.keys()) if (/(^|\/)__init__\.(py|[^/]*so)$/.test(file)) regular.add(parentOf(file));
  for (const [file, owner] of owners) {
    const parts = file.split('/');
    const name = parts.pop() ?? '';
    const last = moduleName(name);
    if (last === undefined || !parts.every(isIdentifier)) continue;
    const outermost = parts.findIndex((_, index) => regular.has(parts.slice(0, index + 1).join('/')));
    // A library without Python's tag that is in a directory without __init__ is mostly one that is loaded by other means.
    const isLoose = outermost < 0 && parts.length > 0;
    if (isLoose && (/^[^.]+\.so$/.test(name) || parts.length > 1)) {
      namespaces.set(parts[0] ?? '', owner);
      continue;
    }
    const module = outermost >= 0 ? parts.slice(0, outermost + 1) : [...parts, last];
    if (module.at(-1) === '__init__' || module.some((part) => part.startsWith('__'))) continue;
    found.set(module.join('.'), found.get(module.join('.')) ?? owner);
  }
  const tops = new Set([...found.keys()].map((module) => module.split('.')[0]));
  for (const [top, owner] of namespaces) if (!tops.has(top)) found.set(top, owner);
  return [...found].map(([module, from]) => ({ module, from })).sort((a, b) => (a.module < b.module ? -1 : 1));
}

/** The metadata that conda's packages brought, as directories or single files: `numpy-1.24.2.dist-info`. */
export function listCondaMetadata(packages: Inventory['packages']): ReadonlySet<string> {
  const tops = packages.flatMap(({ files }) => files.map((file) => file.split('/')[0] ?? ''));
  return new Set(tops.filter((name) => /\.(dist|egg)-info$/.test(name)));
}

const parentOf = (file: string): string => file.slice(0, Math.max(0, file.lastIndexOf('/')));
const isIdentifier = (text: string): boolean => /^[A-Za-z_]\w*$/.test(text);

/** `x` of `x.py`, `x.so`, `x.abi3.so` and `x.cpython-311-x86_64-linux-gnu.so` (PEP 3149). */
function moduleName(file: string): string | undefined {
  const [, name] = /^([^.]+)\.(?:py|so|(?:abi3|cpython-[\w-]+)\.so)$/.exec(file) ?? [];
  return name !== undefined && isIdentifier(name) ? name : undefined;
}
