// From one verified archive to a directory with its metadata, checked against its own manifest.
import { makeDir, removeTree } from '../system/files.ts';
import { TreeWriter } from '../system/tree-writer.ts';
import { SharedWithPrefix, unpackArchive, type Unpacked, type UnpackedMember } from './archive.ts';
import type { UnpackedPackage } from './link-plan.ts';
import type { LockedPackage } from './lock.ts';
import { PACKAGE_BUILD, PACKAGE_NAME, PACKAGE_VERSION } from './package-file.ts';
import { parsePackageMetadata, type ManifestEntry } from './package-metadata.ts';
import { packageInvalid } from './package-problem.ts';

const maxProblems = 5;

/** All that can be sent to another thread. */
export interface PackageToUnpack {
  readonly locked: LockedPackage;
  /** The archive; its bytes have been verified. */
  readonly file: string;
  /** Does not exist yet. */
  readonly dir: string;
  readonly prefixInside: string;
}

export async function unpackPackage(wanted: PackageToUnpack, signal: AbortSignal): Promise<UnpackedPackage> {
  const { locked, dir } = wanted;
  const { url } = locked;
  const { members, info, manifest } = await unpackInto(wanted, signal);
  const metadata = parsePackageMetadata(url, info, manifest);
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

async function unpackInto(wanted: PackageToUnpack, signal: AbortSignal): Promise<Unpacked> {
  const { locked, file, dir, prefixInside } = wanted;
  const unpack = async (prefix: string | undefined): Promise<Unpacked> => {
    await makeDir(dir);
    const writer = new TreeWriter(dir);
    return await unpackArchive({ file, url: locked.url, writer, prefixInside: prefix, signal });
  };
  try {
    return await unpack(prefixInside);
  } catch (error) {
    if (!(error instanceof SharedWithPrefix)) throw error;
    await removeTree(dir);
    return await unpack(undefined);
  }
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
