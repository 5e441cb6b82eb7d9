// Fills a directory with a package from the cache of extracted ones: with clones or further names of its files.
import { setImmediate } from 'node:timers/promises';
import { AppError } from '../system/app-error.ts';
import { readErrnoName } from '../system/disk-room.ts';
import { digestText, makeDir } from '../system/files.ts';
import { digestNow, readFileState, readNow, type FileState, type Sharing } from '../system/shared-files.ts';
import { TreeWriter } from '../system/tree-writer.ts';
import { MemberTable } from './archive-members.ts';
import { maxReplacedBytes, type Unpacked, type UnpackedMember } from './archive.ts';
import type { ExtractedMember, ExtractedRecord } from './extracted-record.ts';
import { throwIfInterrupted } from './link.ts';
import { parseManifest, type ManifestEntry } from './package-metadata.ts';
import { putPrefix } from './put-prefix.ts';

/** Somebody has written to what was extracted, or the disk has. */
export class Damaged extends Error {
  override readonly name = 'Damaged';
}

/** How many members between two looks at the signal. */
const batch = 500;

export interface ShareRequest {
  readonly url: string;
  /** Does not exist yet. */
  readonly place: string;
  readonly prefixInside: string;
}

/**
 * @param files where the members of the record are
 * @throws Damaged, Error of the system
 */
export async function shareExtracted(
  { members: recorded, info }: ExtractedRecord,
  files: string,
  sharing: Sharing,
  { url, place, prefixInside }: ShareRequest,
  signal: AbortSignal,
): Promise<Unpacked> {
  await makeDir(place);
  const writer = new TreeWriter(place);
  const manifest = info['paths.json'] && parseManifest(url, info['paths.json']);
  const placeholders = new Map<string, ManifestEntry['placeholder']>();
  for (const entry of manifest ?? []) placeholders.set(entry.path, entry.placeholder);
  // A file with two names stays as it is: the linker writes one for each.
  const shared = new Set(recorded.flatMap((one) => (one.kind === 'name' ? [one.of] : [])));
  const members = new Map<string, UnpackedMember>();
  const table = new MemberTable(url);
  for (const [index, one] of recorded.entries()) {
    if (index % batch === 0) {
      await setImmediate(); // signals are only seen between turns of the event loop
      throwIfInterrupted(signal);
    }
    assertAdmitted(table, one);
    switch (one.kind) {
      case 'directory':
        members.set(one.path, { kind: 'directory' });
        break;
      case 'link':
        writer.link(one.path, one.target, one.mtimeSeconds);
        members.set(one.path, { kind: 'link', target: one.target, mtimeSeconds: one.mtimeSeconds });
        break;
      case 'name': {
        const original = members.get(one.of);
        if (!original) throw new Damaged(`no ${one.of}`);
        writer.hardLink(one.path, one.of);
        members.set(one.path, original);
        break;
      }
      case 'file': {
        const { path: at, member, state } = one;
        const file = `${files}/${at}`;
        assertUnchanged(file, at, member.sha256, state);
        const placeholder = shared.has(at) || member.sizeBytes > maxReplacedBytes ? undefined : placeholders.get(at);
        if (!placeholder) {
          writer.share(file, at, sharing, member.mtimeSeconds);
          members.set(at, { ...member });
          break;
        }
        const data = putPrefix({ url, path: at, data: readNow(file), placeholder, prefixInside });
        writer.file(at, data, member.mode, member.mtimeSeconds);
        members.set(at, { ...member, sha256InPrefix: digestText(data) });
        break;
      }
    }
  }
  return { members, info, manifest };
}

/** As for an archive: whoever may write to the cache is not to write to anything else by it. */
function assertAdmitted(table: MemberTable, one: ExtractedMember): void {
  const type = { file: 'file', name: 'link', link: 'symlink', directory: 'directory' }[one.kind];
  const linkName = one.kind === 'link' ? one.target : one.kind === 'name' ? one.of : undefined;
  const header = { name: one.path, type, linkName, mode: 0, mtimeSeconds: 0, sizeBytes: 0 };
  try {
    if (table.admit(header)?.path === one.path) return;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
  }
  throw new Damaged(JSON.stringify(one.path));
}

/**
 * A clone leaves the original alone, so what was recorded still holds: nobody can write to a file and leave the kernel's
 * time of its last change as it was. A new name changes that time, too: then the bytes are looked at.
 */
function assertUnchanged(file: string, name: string, sha256: string, recorded: FileState): void {
  const state = stateIfThere(file);
  const isSame =
    state?.mode === recorded.mode &&
    state.sizeBytes === recorded.sizeBytes &&
    state.mtimeSeconds === recorded.mtimeSeconds;
  if (!isSame) throw new Damaged(name);
  const isUntouched = state.inode === recorded.inode && state.changedNs === recorded.changedNs;
  if (!isUntouched && digestNow(file) !== sha256) throw new Damaged(name);
}

function stateIfThere(file: string): FileState | undefined {
  try {
    return readFileState(file);
  } catch (error) {
    if (error instanceof Error && ['ENOENT', 'ENOTDIR'].includes(readErrnoName(error) ?? '')) return undefined;
    throw error;
  }
}
