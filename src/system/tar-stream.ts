// A tar archive of given entries as a stream of bytes, for a program that reads one. Format: pax(1) of POSIX.1-2017.
import fs from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { Span } from './spool-writer.ts';

/** All bytes of a file, or where they are in another one. */
export type Content = { readonly data: Uint8Array } | ({ readonly spool: string } & Span);

export type TarEntry = {
  /** Relative, with `/`. */
  readonly path: string;
} & (
  | { readonly kind: 'directory'; readonly mode: number; readonly mtimeSeconds: number }
  | { readonly kind: 'file'; readonly mode: number; readonly mtimeSeconds: number; readonly content: Content }
  | { readonly kind: 'link'; readonly target: string; readonly mtimeSeconds: number }
  /** Another name of an earlier file. */
  | { readonly kind: 'hardlink'; readonly target: string }
);

/** The order in which mksquashfs goes through a tree: name by name, what is in a directory straight after it. */
export function compareTarPaths(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a.replaceAll('/', '\0')), Buffer.from(b.replaceAll('/', '\0')));
}

const blockBytes = 512;
const chunkBytes = 1 << 20;

/** @throws what reading the spools throws; also where one ends too early */
export async function* renderTar(entries: Iterable<TarEntry>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for (const piece of renderPieces(entries)) {
    parts.push(piece);
    bytes += piece.length;
    if (bytes < chunkBytes) continue;
    // Reading is synchronous, and signals are only seen between turns of the event loop.
    await setImmediate();
    yield Buffer.concat(parts);
    parts = [];
    bytes = 0;
  }
  yield Buffer.concat(parts);
}

function* renderPieces(entries: Iterable<TarEntry>): Generator<Uint8Array> {
  const spools = new Spools();
  try {
    for (const entry of entries) {
      yield* renderHeaders(entry);
      if (entry.kind !== 'file') continue;
      const { content } = entry;
      if ('data' in content) yield content.data;
      else yield* spools.read(content.spool, content);
      yield renderPadding(sizeOf(content));
    }
    yield Buffer.alloc(2 * blockBytes);
  } finally {
    spools.close();
  }
}

/** What is in one spool mostly stands together in the archive. */
class Spools {
  #open: { readonly file: string; readonly descriptor: number } | undefined;

  *read(file: string, { offsetBytes, sizeBytes }: Span): Generator<Uint8Array> {
    if (this.#open?.file !== file) {
      this.close();
      this.#open = { file, descriptor: fs.openSync(file, 'r') };
    }
    const { descriptor } = this.#open;
    for (let done = 0; done < sizeBytes;) {
      const piece = Buffer.allocUnsafe(Math.min(chunkBytes, sizeBytes - done));
      const read = fs.readSync(descriptor, piece, 0, piece.length, offsetBytes + done);
      if (read === 0) throw new Error(`${file} ends after ${offsetBytes + done} bytes`);
      done += read;
      yield piece.subarray(0, read);
    }
  }

  close(): void {
    if (this.#open) fs.closeSync(this.#open.descriptor);
    this.#open = undefined;
  }
}

const sizeOf = (content: Content): number => ('data' in content ? content.data.length : content.sizeBytes);

const renderPadding = (sizeBytes: number): Buffer => Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);

interface Header {
  readonly name: string;
  readonly type: string;
  readonly mode: number;
  readonly mtimeSeconds: number;
  readonly sizeBytes: number;
  readonly linkName: string;
}

function* renderHeaders(entry: TarEntry): Generator<Buffer> {
  const header: Header = {
    name: entry.kind === 'directory' ? `${entry.path}/` : entry.path,
    type: { file: '0', hardlink: '1', link: '2', directory: '5' }[entry.kind],
    mode: entry.kind === 'file' || entry.kind === 'directory' ? entry.mode : 0o777,
    mtimeSeconds: entry.kind === 'hardlink' ? 0 : entry.mtimeSeconds,
    sizeBytes: entry.kind === 'file' ? sizeOf(entry.content) : 0,
    linkName: entry.kind === 'link' || entry.kind === 'hardlink' ? entry.target : '',
  };
  const records = renderPax(header);
  if (records.length > 0) {
    yield renderHeader({ ...header, name: 'pax', type: 'x', sizeBytes: records.length, linkName: '' });
    yield records;
    yield renderPadding(records.length);
  }
  yield renderHeader(header);
}

/** What does not fit into the header: names of more than 100 bytes, sizes of more than 11 octal digits. */
const maxNameBytes = 100;
const maxSizeBytes = 8 ** 11 - 1;

function renderPax({ name, linkName, sizeBytes }: Header): Buffer {
  let records = '';
  if (Buffer.byteLength(name) > maxNameBytes) records += renderRecord('path', name);
  if (Buffer.byteLength(linkName) > maxNameBytes) records += renderRecord('linkpath', linkName);
  if (sizeBytes > maxSizeBytes) records += renderRecord('size', String(sizeBytes));
  return Buffer.from(records);
}

/** `<length> <key>=<value>\n`, the length being that of the whole record in bytes. */
function renderRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + String(bytes).length;
  length = bytes + String(length).length;
  return `${length}${rest}`;
}

function renderHeader({ name, type, mode, mtimeSeconds, sizeBytes, linkName }: Header): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, digits: number): void => {
    block.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1');
  };
  block.write(name, 0, maxNameBytes, 'utf8');
  octal(mode, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(sizeBytes > maxSizeBytes ? 0 : sizeBytes, 124, 11);
  octal(mtimeSeconds, 136, 11);
  block.write('        ', 148, 'latin1'); // the checksum counts as spaces
  block.write(type, 156, 'latin1');
  block.write(linkName, 157, maxNameBytes, 'utf8');
  block.write('ustar\x0000', 257, 'latin1');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
