// Writes tar archives in memory, with equal bytes for equal entries. Names are taken as they come: hostile ones are wanted in tests.
import { buffer } from 'node:stream/consumers';
import { pack, type Header } from 'tar-stream';

export type PackageEntry =
  | {
      readonly type: 'file';
      readonly path: string;
      readonly data: string | Uint8Array;
      /** Default 0644. */
      readonly mode?: number;
      /** Recorded in paths.json: `text` is to be replaced by the prefix. */
      readonly placeholder?: { readonly text: string; readonly mode: 'text' | 'binary' };
      /** Recorded in paths.json: copy, never hard-link. */
      readonly noLink?: boolean;
    }
  | { readonly type: 'symlink'; readonly path: string; readonly target: string }
  /** A hard link inside the archive; `target` is the name of an earlier entry. */
  | { readonly type: 'hardlink'; readonly path: string; readonly target: string }
  | { readonly type: 'directory'; readonly path: string; readonly mode?: number };

/** The modification time of every entry: what is built from equal input is equal. */
export const entryTime = new Date('2024-06-01T00:00:00Z');

/** @returns the bytes of a POSIX tar archive with the entries in the order given, owned by root */
export async function writeTar(entries: readonly PackageEntry[]): Promise<Buffer> {
  const archive = pack();
  const bytes = buffer(archive);
  for (const entry of entries) {
    if (entry.type === 'file') archive.entry(tarHeader(entry), Buffer.from(entry.data));
    else archive.entry(tarHeader(entry));
  }
  archive.finalize();
  return bytes;
}

function tarHeader(entry: PackageEntry): Partial<Header> & { name: string } {
  const header = { name: entry.path, mtime: entryTime, uid: 0, gid: 0 };
  switch (entry.type) {
    case 'file':
      return { ...header, type: 'file', mode: entry.mode ?? 0o644 };
    case 'directory':
      return { ...header, type: 'directory', mode: entry.mode ?? 0o755 };
    case 'symlink':
      return { ...header, type: 'symlink', mode: 0o777, linkname: entry.target };
    case 'hardlink':
      return { ...header, type: 'link', mode: 0o644, linkname: entry.target };
  }
}
