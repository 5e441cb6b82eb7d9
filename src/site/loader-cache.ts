// Where the host's dynamic loader finds a library by name: /etc/ld.so.cache, which ldconfig(8) writes.
// Format: glibc, sysdeps/generic/dl-cache.h, struct cache_file_new.
import { lookAt, readPieces } from '../system/host-files.ts';

const MAGIC = 'glibc-ld.so.cache1.1';
const HEADER_BYTES = 48;
const ENTRY_BYTES = 24;
const MOST_BYTES = 1 << 26;

/** Paths by soname, in the loader's order. */
export type LoaderCache = ReadonlyMap<string, readonly string[]>;

/** @returns nothing of what is no such file, or is cut off */
export function parseLoaderCache(bytes: Buffer): LoaderCache {
  const found = new Map<string, string[]>();
  // Old systems put the same in an older form before it.
  const start = bytes.indexOf(MAGIC, 0, 'latin1');
  if (start < 0 || bytes.length < start + HEADER_BYTES) return found;
  const cache = bytes.subarray(start);
  // The byte order is that of the machine that wrote it, which is this one.
  const isLittle = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  const word = (at: number): number => (isLittle ? cache.readUInt32LE(at) : cache.readUInt32BE(at));
  const text = (at: number): string | undefined => {
    const end = cache.indexOf(0, at);
    return at < cache.length && end >= 0 ? cache.toString('utf8', at, end) : undefined;
  };
  const count = Math.min(word(20), Math.floor((cache.length - HEADER_BYTES) / ENTRY_BYTES));
  for (let index = 0; index < count; index++) {
    const at = HEADER_BYTES + index * ENTRY_BYTES;
    const [soname, file] = [text(word(at + 4)), text(word(at + 8))];
    if (soname === undefined || file?.startsWith('/') !== true) continue;
    const paths = found.get(soname);
    if (paths) paths.push(file);
    else found.set(soname, [file]);
  }
  return found;
}

export function readLoaderCache(file = '/etc/ld.so.cache'): LoaderCache {
  const sizeBytes = Math.min(lookAt(file)?.sizeBytes ?? 0, MOST_BYTES);
  return readPieces(file, (read) => parseLoaderCache(read(0, sizeBytes))) ?? new Map();
}
