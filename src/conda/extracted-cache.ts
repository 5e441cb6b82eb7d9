// Packages as they were extracted, kept beside the archives by the archive's sha256, for prefixes on the same file system:
// these get clones of their files, or further names of them, instead of unpacking them again.
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { AppError } from '../system/app-error.ts';
import { readErrnoName } from '../system/disk-room.ts';
import {
  digestText,
  makeDir,
  makeSharedDir,
  readText,
  readdirIfThere,
  removeTree,
  rename,
  writeNewFile,
} from '../system/files.ts';
import { isGone, readProcessTag } from '../system/process-identity.ts';
import {
  cannotShare,
  digestNow,
  probeSharing,
  readFileState,
  readNow,
  type FileState,
  type Sharing,
} from '../system/shared-files.ts';
import { TreeWriter } from '../system/tree-writer.ts';
import { MemberTable } from './archive-members.ts';
import { maxReplacedBytes, unpackArchive, type Unpacked, type UnpackedMember } from './archive.ts';
import {
  parseExtractedRecord,
  renderExtractedRecord,
  type ExtractedMember,
  type ExtractedRecord,
} from './extracted-record.ts';
import { throwIfInterrupted } from './link.ts';
import { parseManifest, type ManifestEntry } from './package-metadata.ts';
import { putPrefix } from './put-prefix.ts';

/** How a prefix takes files from the cache. */
export interface ExtractedCache {
  readonly dir: string;
  readonly sharing: Sharing;
}

/** What to do without the cache, and whether it can be asked for the next package. */
export interface NotExtracted {
  readonly why: string;
  readonly isOver: boolean;
}

interface Wanted {
  readonly sha256: string;
  readonly url: string;
  /** The archive; its bytes have been verified. */
  readonly file: string;
  /** Does not exist yet. */
  readonly place: string;
  readonly prefixInside: string;
}

/**
 * Makes the cache ready.
 * @param place where prefixes take its files: it exists
 * @returns or, in words, why it is of no use there
 */
export async function openExtractedCache(
  { dir, mayHardLink }: { readonly dir: string; readonly mayHardLink: boolean },
  place: string,
): Promise<ExtractedCache | string> {
  try {
    await makeSharedDir(dir);
    const sharing = probeSharing(dir, place, mayHardLink);
    if (sharing) return { dir, sharing };
  } catch (error) {
    if (!isUnwritable(error)) throw error;
    return `the extracted packages in ${dir} cannot be written (${codeOf(error)})`;
  }
  const links = mayHardLink
    ? 'clones or hard links'
    : 'clones, and hard links are not for a prefix that others write to';
  return `${dir} and ${path.dirname(place)} share no file system that has ${links}`;
}

/**
 * Fills `place` with a package as `unpackArchive` does, from the cache, where it is put first if it is not there.
 * @param warn is told of a package in the cache that somebody, or the disk, has changed: it is extracted anew
 * @throws AppError as unpackArchive
 */
export async function takeExtracted(
  cache: ExtractedCache,
  wanted: Wanted,
  warn: (text: string) => void,
  signal: AbortSignal,
): Promise<Unpacked | NotExtracted> {
  const entry = entryOf(cache.dir, wanted.sha256);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const record = await readRecord(entry);
    if (record === undefined) {
      const failed = await writeEntry(entry, wanted, signal);
      if (failed) return failed;
      continue;
    }
    if (record === 'refused') return { why: `${entry} cannot be read`, isOver: false };
    try {
      if (record === 'damaged') throw new Damaged('its record');
      return await share(record, path.join(entry, FILES), cache.sharing, wanted, signal);
    } catch (error) {
      await removeTree(wanted.place);
      if (error instanceof Damaged) {
        warn(`${entry} is not what was extracted (${error.message}): it is removed and extracted again`);
        const failed = await removeEntry(entry);
        if (failed) return failed;
      } else if (cannotShare(error)) {
        return { why: `the files of ${entry} cannot be shared (${codeOf(error)})`, isOver: false };
      } else if (isFull(error)) {
        // The prefix comes first: what is kept gives it room.
        await removeEntry(entry);
        return { why: describeOver(cache.dir, error), isOver: true };
      } else if (codeOf(error) !== 'ENOENT') throw error;
      // Another process has just removed it.
    }
  }
  return { why: `${entry} changes all the time`, isOver: false };
}

const entryOf = (dir: string, sha256: string): string => path.join(dir, sha256.slice(0, 2), sha256);
/** How many members between two looks at the signal. */
const batch = 500;
/** In an entry. */
const [FILES, RECORD] = ['files', 'record'];

/** Somebody has written to it, or the disk has. */
class Damaged extends Error {
  override readonly name = 'Damaged';
}

async function readRecord(entry: string): Promise<ExtractedRecord | 'damaged' | 'refused' | undefined> {
  try {
    return parseExtractedRecord(await readText(path.join(entry, RECORD))) ?? 'damaged';
  } catch (error) {
    if (cannotShare(error)) return 'refused';
    if (codeOf(error) !== 'ENOENT') throw error;
    return (await readdirIfThere(entry)) ? 'damaged' : undefined;
  }
}

/** Beside it first, and renamed when it is whole: two that do so at once do not meet, and a killed one leaves no entry. */
async function writeEntry(
  entry: string,
  { file, url }: Wanted,
  signal: AbortSignal,
): Promise<NotExtracted | undefined> {
  const parent = path.dirname(entry);
  const aside = await renderAside(entry);
  try {
    await makeSharedDir(parent);
    await removeAbandoned(parent);
    const files = path.join(aside, FILES);
    await makeSharedDir(files);
    const { members, info } = await unpackArchive({ file, url, writer: new TreeWriter(files), signal });
    const record = { members: [...listMembers(members, files)], info };
    await writeNewFile(path.join(aside, RECORD), renderExtractedRecord(record));
    await rename(aside, entry);
    return undefined;
  } catch (error) {
    await removeTree(aside);
    if (['ENOTEMPTY', 'EEXIST'].includes(codeOf(error))) return undefined; // another one was quicker
    if (!isUnwritable(error)) throw error;
    return { why: describeOver(path.dirname(parent), error), isOver: true };
  }
}

async function removeEntry(entry: string): Promise<NotExtracted | undefined> {
  const aside = await renderAside(entry);
  try {
    await rename(entry, aside);
    await removeTree(aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined; // another one was quicker
    if (!isUnwritable(error)) throw error;
    return { why: `${entry} cannot be removed (${codeOf(error)})`, isOver: false };
  }
  return undefined;
}

async function renderAside(entry: string): Promise<string> {
  const name = `.${path.basename(entry)}.${await readProcessTag()}.${randomBytes(6).toString('hex')}.tmp`;
  return path.join(path.dirname(entry), name);
}

/** What killed processes of this host have left; what is another host's only its own processes, or `gc`, can tell. */
async function removeAbandoned(parent: string): Promise<void> {
  for (const name of (await readdirIfThere(parent)) ?? []) {
    const tag = /^\.[0-9a-f]{64}\.([0-9a-f]{8}-\d+-[0-9a-f]{8})\.[0-9a-f]{12}\.tmp$/.exec(name)?.[1];
    if (tag !== undefined && (await isGone(tag))) await removeTree(path.join(parent, name));
  }
}

const codeOf = (error: unknown): string => (error instanceof Error ? readErrnoName(error) : undefined) ?? '';

const isFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(codeOf(error));
const isUnwritable = (error: unknown): boolean =>
  isFull(error) || ['EROFS', 'EACCES', 'EPERM', 'EIO'].includes(codeOf(error));
const describeOver = (dir: string, error: unknown): string => `no more is kept in ${dir} (${codeOf(error)})`;

function* listMembers(members: Unpacked['members'], files: string): Generator<ExtractedMember> {
  const names = new Map<UnpackedMember, string>();
  for (const [at, member] of members) {
    const of = names.get(member);
    if (of !== undefined) yield { kind: 'name', path: at, of };
    else if (member.kind === 'file') {
      names.set(member, at);
      const state = readFileState(`${files}/${at}`);
      if (!state) throw new Error(`${files}/${at} is no file`);
      yield { kind: 'file', path: at, member, state };
    } else if (member.kind === 'link')
      yield { kind: 'link', path: at, target: member.target, mtimeSeconds: member.mtimeSeconds };
    else yield { kind: 'directory', path: at };
  }
}

/** @throws Damaged, Error of the system */
async function share(
  { members: recorded, info }: ExtractedRecord,
  files: string,
  sharing: Sharing,
  { url, place, prefixInside }: Wanted,
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
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return undefined;
    throw error;
  }
}
