// What an image will have, whichever way it is made: names, kinds and, for the audit, bytes.
import path from 'node:path';
import { parseElf, type ElfFacts, type ReadPiece } from '../system/elf-file.ts';
import { readLinkIfThere, walkTree } from '../system/files.ts';
import { readPieces } from '../system/host-files.ts';
import type { TarEntry } from '../system/tar-stream.ts';

export interface ContentEntry {
  readonly kind: 'file' | 'directory' | 'link';
  /** Of a link, as written. */
  readonly target?: string | undefined;
  readonly mode: number;
  /** Of what is on disk. */
  readonly modifiedMs?: number | undefined;
  /** Of a file. */
  readonly bytes?:
    | { readonly file: string; readonly offsetBytes: number; readonly sizeBytes: number }
    | { readonly data: Uint8Array }
    | undefined;
}

/** By path, relative to the prefix. */
export type ImageContent = ReadonlyMap<string, ContentEntry>;

/** Of a prefix on disk. */
export async function readPrefixContent(prefixOnDisk: string): Promise<ImageContent> {
  const content = new Map<string, ContentEntry>();
  for await (const { path: at, kind, mode, sizeBytes, modifiedMs } of walkTree(prefixOnDisk)) {
    const file = path.join(prefixOnDisk, at);
    const target = kind === 'link' ? await readLinkIfThere(file) : undefined;
    const bytes = kind === 'file' ? { file, offsetBytes: 0, sizeBytes } : undefined;
    content.set(at, { kind, target, mode, modifiedMs: kind === 'file' ? modifiedMs : undefined, bytes });
  }
  return content;
}

/** Of packages that are not on disk as a tree. */
export function planPrefixContent(entries: readonly TarEntry[]): ImageContent {
  const content = new Map<string, ContentEntry>();
  for (const entry of entries) {
    if (entry.kind === 'directory') content.set(entry.path, { kind: 'directory', mode: entry.mode });
    else if (entry.kind === 'link') content.set(entry.path, { kind: 'link', target: entry.target, mode: 0o777 });
    else if (entry.kind === 'file') {
      const bytes =
        'data' in entry.content
          ? entry.content
          : {
              file: entry.content.spool,
              offsetBytes: entry.content.offsetBytes,
              sizeBytes: entry.content.sizeBytes,
            };
      content.set(entry.path, { kind: 'file', mode: entry.mode, bytes });
    }
  }
  // Directories need not be said.
  for (const { path: at } of entries)
    for (let dir = path.posix.dirname(at); dir !== '.' && !content.has(dir); dir = path.posix.dirname(dir))
      content.set(dir, { kind: 'directory', mode: 0o755 });
  for (const entry of entries) {
    const original = entry.kind === 'hardlink' ? content.get(entry.target) : undefined;
    if (original) content.set(entry.path, original);
  }
  return content;
}

/** @returns what `work` makes of the bytes; undefined where there are none */
export function readContent<T>({ bytes }: ContentEntry, work: (read: ReadPiece) => T): T | undefined {
  if (!bytes) return undefined;
  if ('data' in bytes) return work((offset, length) => Buffer.from(bytes.data.subarray(offset, offset + length)));
  const { file, offsetBytes, sizeBytes } = bytes;
  return readPieces(
    file,
    (read) => work((offset, length) => read(offset, Math.max(0, Math.min(length, sizeBytes - offset)))),
    offsetBytes,
  );
}

/** Libraries need no mode to be loaded, but they are called so. */
const LIBRARY_NAME = /\.so(\.[\w.]+)?$/;

/** Programs and libraries by path; `broken` for one that begins as such and cannot be read. */
export function readObjects(content: ImageContent): ReadonlyMap<string, ElfFacts | 'broken'> {
  const objects = new Map<string, ElfFacts | 'broken'>();
  for (const [at, entry] of content) {
    if (entry.kind !== 'file' || ((entry.mode & 0o111) === 0 && !LIBRARY_NAME.test(at))) continue;
    const elf = readContent(entry, parseElf);
    if (elf !== undefined && elf !== 'other') objects.set(at, elf);
  }
  return objects;
}
