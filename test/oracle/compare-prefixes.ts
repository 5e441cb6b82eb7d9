// How two prefixes of the same packages differ: tree, types, modes, bytes, links, and the records of conda-meta field by field.
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { digestFile, walkTree } from '../../src/system/files.ts';

const recordSchema = z.looseObject({
  files: z.array(z.string()),
  paths_data: z.object({ paths: z.array(z.looseObject({ _path: z.string() })) }),
});

/** @returns one line for each difference */
export async function comparePrefixes(request: {
  readonly ours: string;
  readonly oracles: string;
  /** What the oracle does not make: bytecode, and what scripts write. A record lists such a path where it is there. */
  readonly onlyOurs: ReadonlySet<string>;
}): Promise<string[]> {
  const [ours, oracles] = await Promise.all([describeTree(request.ours), describeTree(request.oracles)]);
  const skipped = new Set(request.onlyOurs);
  for (const at of request.onlyOurs)
    for (let dir = path.dirname(at); dir !== '.' && !oracles.has(dir); dir = path.dirname(dir)) skipped.add(dir);
  const differences: string[] = [];
  for (const at of new Set([...ours.keys(), ...oracles.keys()])) {
    if (skipped.has(at)) continue;
    const [one, other] = [ours.get(at) ?? 'nothing', oracles.get(at) ?? 'nothing'];
    if (one !== other) differences.push(`${at}: ${one}, the oracle has ${other}`);
  }
  const absent = new Set([...request.onlyOurs].filter((at) => !ours.has(at)));
  return [...differences, ...(await compareRecords({ ...request, absent }))];
}

/** Type, mode, and contents or target, by path; hard links are told by the first path of the same file. */
async function describeTree(root: string): Promise<Map<string, string>> {
  const tree = new Map<string, string>();
  const firstOf = new Map<number, string>();
  const paths: string[] = [];
  for await (const { path: relative } of walkTree(root)) paths.push(relative);
  for (const relative of paths.sort()) {
    if (relative.startsWith('conda-meta')) continue;
    const file = path.join(root, relative);
    const at = await lstat(file);
    const mode = (at.mode & 0o7777).toString(8);
    if (at.isDirectory()) tree.set(relative, `a directory ${mode}`);
    else if (at.isSymbolicLink()) tree.set(relative, `a link to ${await readlink(file)}`);
    else if (at.isFile()) {
      const first = firstOf.get(at.ino);
      firstOf.set(at.ino, first ?? relative);
      tree.set(relative, `a file ${mode} ${await digestFile(file)}${first === undefined ? '' : ` linked to ${first}`}`);
    } else tree.set(relative, 'neither file, directory nor link');
  }
  return tree;
}

/** Each field that the oracle's records have; ours may say more, such as where the cache of a conda would be. */
async function compareRecords(request: {
  readonly ours: string;
  readonly oracles: string;
  readonly onlyOurs: ReadonlySet<string>;
  readonly absent: ReadonlySet<string>;
}): Promise<string[]> {
  const { ours, oracles, onlyOurs, absent } = request;
  const names = (await readdir(path.join(oracles, 'conda-meta'))).sort();
  const our = (await readdir(path.join(ours, 'conda-meta'))).filter((name) => name.endsWith('.json')).sort();
  if (!isDeepStrictEqual(our, names)) return [`conda-meta: ${our.join(' ')}, the oracle has ${names.join(' ')}`];
  const differences: string[] = [];
  for (const name of names) {
    const [one, other] = await Promise.all(
      [ours, oracles].map(async (prefix) =>
        recordSchema.parse(JSON.parse(await readFile(path.join(prefix, 'conda-meta', name), 'utf8'))),
      ),
    );
    if (!one || !other) continue;
    const differ = (what: string, a: unknown, b: unknown): void => {
      if (!isDeepStrictEqual(a, b))
        differences.push(`${name}: ${what} is ${JSON.stringify(a)}, the oracle has ${JSON.stringify(b)}`);
    };
    const { files, paths_data, requested_specs, ...fields } = other;
    for (const [key, value] of Object.entries(fields)) differ(key, one[key], value ?? undefined);
    differ('requested_specs', one['requested_specs'] ?? [], requested_specs);
    differ('files', [...new Set(one.files)].sort(), [...new Set(files)].filter((at) => !absent.has(at)).sort());
    const byPath = new Map(one.paths_data.paths.map((entry) => [entry._path, entry]));
    for (const entry of paths_data.paths.filter(({ _path }) => !absent.has(_path)))
      for (const [key, value] of Object.entries(entry).filter(
        ([key]) => key !== 'sha256_in_prefix' || !onlyOurs.has(entry._path),
      ))
        differ(`${key} of ${entry._path}`, byPath.get(entry._path)?.[key], withoutDefault(value));
  }
  return differences;
}

/** What is the same as leaving it out. */
const withoutDefault = (value: unknown): unknown =>
  value === null || value === '' || value === false ? undefined : value;
