// From verified archives to directories with their metadata, several at once; each is checked against its own manifest.
import path from 'node:path';
import pLimit from 'p-limit';
import { makeDir, readBytes } from '../system/files.ts';
import type { Report } from '../system/events.ts';
import { TreeWriter } from '../system/tree-writer.ts';
import { unpackArchive, type UnpackedMember } from './archive.ts';
import type { UnpackedPackage } from './link-plan.ts';
import type { LockedPackage } from './lock.ts';
import { manifestSizes, parseManifest, parsePackageMetadata, type ManifestEntry } from './package-metadata.ts';
import { PACKAGE_BUILD, PACKAGE_NAME, PACKAGE_VERSION } from './package-file.ts';
import { packageInvalid } from './package-problem.ts';

/** Decompression runs beside the main thread; more only wait for it. */
const atOnce = 4;
const maxProblems = 5;

/**
 * @param archives the file of each package, by sha256; their bytes have been verified
 * @param scratch an existing directory on the prefix's file system; the caller removes it
 */
export async function unpackPackages(request: {
  readonly packages: readonly LockedPackage[];
  readonly archives: ReadonlyMap<string, string>;
  readonly scratch: string;
  readonly report: Report;
  readonly signal?: AbortSignal | undefined;
}): Promise<UnpackedPackage[]> {
  const { packages, archives, scratch, report } = request;
  // One failure ends them all: nothing still writes when the caller removes the scratch.
  const failed = new AbortController();
  const signal = request.signal ? AbortSignal.any([request.signal, failed.signal]) : failed.signal;
  let first: { readonly error: unknown } | undefined;
  let done = 0;
  const limit = pLimit(atOnce);
  const unpacked = await Promise.all(
    packages.map((locked, index) =>
      limit(async () => {
        if (signal.aborted && first) return undefined;
        try {
          const file = archives.get(locked.sha256);
          if (file === undefined) throw new Error(`${locked.url} was not fetched`);
          const one = await unpackPackage(locked, file, path.join(scratch, String(index)), signal);
          done += 1;
          report({ type: 'progress', stage: 'unpack', done, total: packages.length, unit: 'packages' });
          return one;
        } catch (error) {
          first ??= { error };
          failed.abort();
          return undefined;
        }
      }),
    ),
  );
  if (first) throw first.error;
  return unpacked.filter((one) => one !== undefined);
}

async function unpackPackage(
  locked: LockedPackage,
  file: string,
  dir: string,
  signal: AbortSignal,
): Promise<UnpackedPackage> {
  const { url } = locked;
  const writer = new TreeWriter(dir);
  await makeDir(dir);
  const members = await unpackArchive({
    file,
    url,
    writer,
    readSizes: (manifest) => manifestSizes(parseManifest(url, manifest)),
    signal,
  });
  const info = async (name: string): Promise<Buffer | undefined> =>
    members.get(`info/${name}`)?.kind === 'file' ? await readBytes(path.join(dir, 'info', name)) : undefined;
  const metadata = parsePackageMetadata(url, {
    'index.json': await info('index.json'),
    'paths.json': await info('paths.json'),
    // Its name in 2016 (conda/gateways/disk/read.py, read_package_metadata).
    'link.json': (await info('link.json')) ?? (await info('package_metadata.json')),
    files: await info('files'),
    has_prefix: await info('has_prefix'),
    no_link: await info('no_link'),
    no_softlink: await info('no_softlink'),
  });
  const { index } = metadata;
  // They become file names.
  if (!PACKAGE_NAME.test(index.name) || !PACKAGE_VERSION.test(index.version) || !PACKAGE_BUILD.test(index.build))
    throw packageInvalid(url, 'info/index.json has a name, version or build that CEP 26 does not allow');
  if (index.name !== locked.name || index.version !== locked.version || index.build !== locked.build) {
    throw packageInvalid(
      url,
      `is ${index.name} ${index.version} ${index.build}, but the channel called it ${locked.name} ${locked.version} ${locked.build}`,
    );
  }
  const problems = compareWithManifest(metadata.entries, members);
  if (problems.length > 0) {
    const more = problems.length > maxProblems ? `; and ${problems.length - maxProblems} more` : '';
    throw packageInvalid(url, `${problems.slice(0, maxProblems).join('; ')}${more}`);
  }
  return { locked, metadata, members, dir };
}

/** What is wrong with the members, in the manifest's words (conda: LinkPathAction.verify). */
function compareWithManifest(
  entries: readonly ManifestEntry[],
  members: ReadonlyMap<string, UnpackedMember>,
): string[] {
  return entries.flatMap((entry): string[] => {
    const member = members.get(entry.path);
    const name = JSON.stringify(entry.path);
    if (!member) return entry.type === 'directory' ? [] : [`info/paths.json lists ${name}, but it is not there`];
    if (entry.type === 'directory')
      return member.kind === 'directory' ? [] : [`${name} is a ${member.kind}, not a directory`];
    if (member.kind === 'directory') return [`${name} is a directory, not a file`];
    // The digest and size of a link are those of what it points at, which may be in another package.
    if (member.kind === 'link' || entry.type === 'softlink') return [];
    if (entry.sizeBytes !== undefined && entry.sizeBytes !== member.sizeBytes)
      return [`${name} has ${member.sizeBytes} bytes, not ${entry.sizeBytes}`];
    if (entry.sha256 !== undefined && entry.sha256.toLowerCase() !== member.sha256)
      return [`${name} has the sha256 ${member.sha256}, not ${entry.sha256}`];
    return [];
  });
}
