// From one verified archive to a directory with its metadata, checked against its own manifest.
import { makeDir, removeTree } from '../system/files.ts';
import { SpoolWriter } from '../system/spool-writer.ts';
import { TreeWriter } from '../system/tree-writer.ts';
import { takeExtracted, type ExtractedCache } from './extracted-cache.ts';
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
  readonly place: string;
  /** The place becomes a file with all bytes of the package, else a directory. */
  readonly isSpooled: boolean;
  readonly prefixInside: string;
  /** Where it is taken from as it was extracted before, into a directory. Default: it is unpacked. */
  readonly extracted?: ExtractedCache | undefined;
}

/** What a person should know of how it was unpacked. */
export interface UnpackNotes {
  readonly warnings: string[];
  /** No other package can be put into the cache of what was extracted. */
  isCacheOver: boolean;
}

export async function unpackPackage(
  wanted: PackageToUnpack,
  signal: AbortSignal,
  notes: UnpackNotes,
): Promise<UnpackedPackage> {
  const { locked, place } = wanted;
  const { url } = locked;
  const { members, info, manifest, spans } =
    (await takeFromCache(wanted, signal, notes)) ?? (await unpackInto(wanted, signal));
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
  return { locked, metadata, members, place, spans };
}

type Placed = Unpacked & Pick<UnpackedPackage, 'spans'>;

async function takeFromCache(
  { extracted, isSpooled, locked, file, place, prefixInside }: PackageToUnpack,
  signal: AbortSignal,
  notes: UnpackNotes,
): Promise<Placed | undefined> {
  if (!extracted || isSpooled) return undefined;
  const wanted = { sha256: locked.sha256, url: locked.url, file, place, prefixInside };
  const taken = await takeExtracted(extracted, wanted, (text) => notes.warnings.push(text), signal);
  if ('members' in taken) return taken;
  notes.warnings.push(`${taken.why}: packages are unpacked as without it`);
  notes.isCacheOver = taken.isOver;
  return undefined;
}

async function unpackInto(wanted: PackageToUnpack, signal: AbortSignal): Promise<Placed> {
  const { place, isSpooled } = wanted;
  const unpack = isSpooled ? unpackSpooled : unpackTree;
  try {
    return await unpack(wanted, signal, wanted.prefixInside);
  } catch (error) {
    if (!(error instanceof SharedWithPrefix)) throw error;
    await removeTree(place);
    return await unpack(wanted, signal, undefined);
  }
}

async function unpackTree(
  { locked, file, place }: PackageToUnpack,
  signal: AbortSignal,
  prefixInside: string | undefined,
): Promise<Placed> {
  await makeDir(place);
  return await unpackArchive({ file, url: locked.url, writer: new TreeWriter(place), prefixInside, signal });
}

async function unpackSpooled(
  { locked, file, place }: PackageToUnpack,
  signal: AbortSignal,
  prefixInside: string | undefined,
): Promise<Placed> {
  const writer = new SpoolWriter(place);
  try {
    const { members, info, manifest } = await unpackArchive({ file, url: locked.url, writer, prefixInside, signal });
    return { members, info, manifest, spans: writer.spans };
  } finally {
    writer.close();
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
