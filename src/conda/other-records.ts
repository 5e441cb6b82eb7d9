// conda-meta records that another program wrote, made the same for the same lock: what it says of files stays, the rest is ours.
import { z } from 'zod';
import { parseMemberName } from './archive-members.ts';
import { renderPackageRecord } from './conda-meta.ts';
import type { LockedPackage } from './lock.ts';
import { packageInvalid } from './package-problem.ts';

/** A path below the prefix: packages have a say in what is recorded. */
const plainPath = z.string().refine((text) => {
  const parsed = parseMemberName(text);
  return !('refused' in parsed) && parsed.path === text && text !== '';
});
const RecordedPath = z.looseObject({ _path: plainPath, path_type: z.string().optional() });
const WrittenRecord = z.looseObject({
  name: z.string(),
  version: z.string(),
  files: z.array(z.string()).default([]),
  paths_data: z.looseObject({ paths: z.array(RecordedPath).default([]) }).default({ paths: [] }),
});
export type WrittenRecord = z.infer<typeof WrittenRecord>;

/** @throws AppError PACKAGE_INVALID: the program wrote what is no record */
export function parseWrittenRecord(text: string, locked: LockedPackage): WrittenRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = WrittenRecord.safeParse(value);
  if (!parsed.success)
    throw packageInvalid(locked.url, 'was installed with a record in conda-meta that cannot be read');
  return parsed.data;
}

/** The bytecode that the program compiled, by its own account. */
export function listCompiled(record: WrittenRecord): string[] {
  return record.paths_data.paths.filter(({ path_type }) => path_type === 'pyc_file').map(({ _path }) => _path);
}

/**
 * The Python sources to compile: those of noarch packages, and those that the prefix was put into and that came with
 * bytecode, which names their old size.
 * @param sitePackages of the environment's python, relative to the prefix
 */
export function listSources(
  records: readonly { readonly record: WrittenRecord; readonly isNoarchPython: boolean }[],
  sitePackages: string,
): string[] {
  const packaged = records.flatMap(({ record }) => record.paths_data.paths);
  const compiledDirs = new Set(
    packaged
      .filter(({ _path, path_type }) => path_type !== 'pyc_file' && _path.includes('/__pycache__/'))
      .map(({ _path }) => _path.slice(0, _path.lastIndexOf('/__pycache__/'))),
  );
  const sources = records.flatMap(({ record, isNoarchPython }) =>
    record.paths_data.paths
      .filter(({ _path }) => _path.endsWith('.py'))
      .filter(
        ({ _path, prefix_placeholder: placeholder }) =>
          (isNoarchPython && _path.startsWith(`${sitePackages}/`)) ||
          (typeof placeholder === 'string' && compiledDirs.has(_path.slice(0, _path.lastIndexOf('/')))),
      )
      .map(({ _path }) => _path),
  );
  return [...new Set(sources)].sort();
}

/**
 * Where the package came from, its digests and its index are those of the lock and the archive (an explicit install knows a
 * file of the scratch alone, and libmamba then makes the rest up); nothing of the building machine is left.
 */
export function renderOtherRecord(request: {
  readonly record: WrittenRecord;
  readonly locked: LockedPackage;
  /** info/index.json of the archive. */
  readonly index: Readonly<Record<string, unknown>>;
  /** The bytecode of its sources, by source. */
  readonly bytecode: ReadonlyMap<string, string>;
  /** sha256 of bytecode that came with a package and is compiled anew, by path. */
  readonly recompiled: ReadonlyMap<string, string>;
  readonly requestedSpecs: readonly string[];
  readonly prefixInside: string;
}): string {
  const { record, locked, bytecode, prefixInside } = request;
  const paths = record.paths_data.paths
    .filter(({ path_type }) => path_type !== 'pyc_file')
    .map((one) => {
      const sha256 = request.recompiled.get(one._path);
      return sha256 === undefined ? one : { ...one, sha256_in_prefix: sha256 };
    });
  const listed = new Set(paths.map(({ _path }) => _path));
  for (const { _path } of [...paths]) {
    const pyc = bytecode.get(_path);
    if (pyc !== undefined && !listed.has(pyc)) paths.push({ _path: pyc, path_type: 'pyc_file' });
  }
  // As our own reading of the index has them where it has none.
  const index = { depends: [], constrains: [], ...request.index };
  return renderPackageRecord({ locked, index, paths, requestedSpecs: request.requestedSpecs, prefixInside });
}
