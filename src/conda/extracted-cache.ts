// Packages as they were extracted, kept beside the archives by the archive's sha256, for prefixes on the same file system:
// these get clones of their files, or further names of them, instead of unpacking them again.
import path from 'node:path';
import { parseAsideName, renderAsideName } from '../system/aside-name.ts';
import { readErrnoName } from '../system/disk-room.ts';
import { makeSharedDir, readText, readdirIfThere, removeTree, rename, writeNewFile } from '../system/files.ts';
import { isGone } from '../system/process-identity.ts';
import { cannotShare, probeSharing, readFileState, type Sharing } from '../system/shared-files.ts';
import { TreeWriter } from '../system/tree-writer.ts';
import { unpackArchive, type Unpacked, type UnpackedMember } from './archive.ts';
import {
  parseExtractedRecord,
  renderExtractedRecord,
  type ExtractedMember,
  type ExtractedRecord,
} from './extracted-record.ts';
import { Damaged, shareExtracted, type ShareRequest } from './share-extracted.ts';

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

interface Wanted extends ShareRequest {
  readonly sha256: string;
  /** The archive; its bytes have been verified. */
  readonly file: string;
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
      return await shareExtracted(record, path.join(entry, FILES), cache.sharing, wanted, signal);
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
/** In an entry. */
const [FILES, RECORD] = ['files', 'record'];

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
  return path.join(path.dirname(entry), await renderAsideName(path.basename(entry)));
}

/** What killed processes of this host have left; what is another host's only its own processes, or `gc`, can tell. */
async function removeAbandoned(parent: string): Promise<void> {
  for (const name of (await readdirIfThere(parent)) ?? []) {
    const aside = parseAsideName(name);
    if (aside && (await isGone(aside.tag))) await removeTree(path.join(parent, name));
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
