// Reads a tar archive from chunks, without a promise or a stream for each of its many small members. Touches no file.
// Formats: pax(1) of POSIX.1-2017 (ustar and pax headers); tar(5) for GNU's long names and base-256 numbers.
import type { MemberHeader } from './archive-members.ts';

/** What becomes of a member's bytes: not wanted; given at once; given as they come. */
export type TarWish = 'skip' | 'whole' | 'pieces';

export interface TarSink {
  begin(member: MemberHeader): TarWish;
  /** All bytes of a member that was wanted whole. They are the sink's only until it returns. */
  whole(data: Buffer): void;
  /** Some bytes of a member that was wanted in pieces. */
  piece(data: Buffer): void;
  /** After the last piece. */
  end(): void;
}

/** An archive that is cut short or no tar. */
export class TarError extends Error {
  override readonly name = 'TarError';
}

const blockBytes = 512;
/** Long names and pax records: PATH_MAX is 4096. More is an attack on our memory. */
const maxExtensionBytes = 4 << 20;
/** Headers, and what follows the last member: those of packages have some kilobytes. */
const maxBetweenBytes = 8 << 20;

const types: Readonly<Record<string, string>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
  '7': 'contiguous-file',
};

interface Extension {
  readonly kind: 'L' | 'K' | 'x' | 'g';
}
type Records = ReadonlyMap<string, string>;

/** Give it the chunks in order, then call `finish`. What the sink throws comes out of `push`. */
export class TarReader {
  readonly #sink: TarSink;
  /** A header of which a chunk had only the start. */
  readonly #header = Buffer.alloc(blockBytes);
  #headerBytes = 0;
  /** Of the member or extension that is being read. */
  #left = 0;
  #padding = 0;
  /** Since the last member. */
  #between = 0;
  #wish: TarWish = 'skip';
  #extension: Extension | undefined;
  #parts: Buffer[] = [];
  #longName: string | undefined;
  #longLink: string | undefined;
  #pax: Records | undefined;
  #globalPax: Records | undefined;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#left > 0) {
        const piece = chunk.subarray(at, at + this.#left);
        at += piece.length;
        this.#left -= piece.length;
        this.#take(piece);
        if (this.#left === 0) this.#ended();
      } else if (this.#padding > 0) {
        const skipped = Math.min(this.#padding, chunk.length - at);
        at += skipped;
        this.#padding -= skipped;
      } else if (this.#headerBytes === 0 && chunk.length - at >= blockBytes) {
        const block = chunk.subarray(at, at + blockBytes);
        at += blockBytes;
        this.#begin(block);
      } else {
        const copied = chunk.copy(this.#header, this.#headerBytes, at);
        at += copied;
        this.#headerBytes += copied;
        if (this.#headerBytes < blockBytes) return;
        this.#headerBytes = 0;
        this.#begin(this.#header);
      }
    }
  }

  /** @throws TarError where a member is not whole. Archives without the two empty blocks at their end are common. */
  finish(): void {
    if (this.#left > 0 || this.#padding > 0 || this.#headerBytes > 0) throw new TarError('Unexpected end of data');
  }

  #begin(block: Buffer): void {
    this.#pass(blockBytes);
    if (!isHeader(block)) return;
    const flag = String.fromCharCode(block[156] ?? 0);
    const headerSize = parseNumber(block, 124, 12);
    if (flag === 'L' || flag === 'K' || flag === 'N' || flag === 'x' || flag === 'g') {
      if (headerSize > maxExtensionBytes) throw new TarError(`a header of ${headerSize} bytes exceeds max size`);
      this.#pass(headerSize);
      this.#extension = { kind: flag === 'N' ? 'L' : flag };
      this.#wish = 'whole';
      this.#start(headerSize);
      return;
    }
    const pax = this.#pax ?? this.#globalPax;
    const type = types[flag];
    const sizeBytes = type === 'directory' ? 0 : (paxNumber(pax, 'size') ?? headerSize);
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw new TarError('a member without a size');
    this.#between = 0;
    this.#wish = this.#sink.begin({
      name: pax?.get('path') ?? this.#longName ?? parseName(block),
      type,
      mode: parseNumber(block, 100, 8),
      mtimeSeconds: wholeSeconds(paxNumber(pax, 'mtime') ?? parseNumber(block, 136, 12)),
      sizeBytes,
      linkName: pax?.get('linkpath') ?? this.#longLink ?? (block[157] === 0 ? undefined : parseText(block, 157, 100)),
    });
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#pax = undefined;
    this.#start(sizeBytes);
  }

  #pass(bytes: number): void {
    this.#between += bytes;
    if (this.#between > maxBetweenBytes)
      throw new TarError(`has more than ${maxBetweenBytes} bytes between or after its members`);
  }

  #start(sizeBytes: number): void {
    this.#left = sizeBytes;
    this.#padding = (blockBytes - (sizeBytes % blockBytes)) % blockBytes;
    if (sizeBytes === 0) this.#ended();
  }

  #take(piece: Buffer): void {
    if (this.#wish === 'whole') this.#parts.push(piece);
    else if (this.#wish === 'pieces') this.#sink.piece(piece);
  }

  #ended(): void {
    const { length } = this.#parts;
    const [first] = this.#parts;
    if (this.#extension) this.#extend(this.#extension, Buffer.concat(this.#parts));
    else if (this.#wish === 'whole') this.#sink.whole(length === 1 && first ? first : Buffer.concat(this.#parts));
    else if (this.#wish === 'pieces') this.#sink.end();
    this.#extension = undefined;
    if (length > 0) this.#parts = [];
  }

  #extend({ kind }: Extension, data: Buffer): void {
    if (kind === 'L') this.#longName = parseText(data, 0, data.length);
    else if (kind === 'K') this.#longLink = parseText(data, 0, data.length);
    else if (kind === 'g') this.#globalPax = parsePax(data);
    else this.#pax = new Map([...(this.#globalPax ?? []), ...parsePax(data)]);
  }
}

/** False for an empty block. */
function isHeader(block: Buffer): boolean {
  let sum = 8 * 0x20; // the checksum itself counts as spaces
  for (let at = 0; at < 148; at++) sum += block[at] ?? 0;
  for (let at = 156; at < blockBytes; at++) sum += block[at] ?? 0;
  if (sum === 8 * 0x20) return false;
  if (sum !== parseNumber(block, 148, 8)) throw new TarError('a header whose checksum is wrong');
  if (block.toString('latin1', 257, 262) !== 'ustar') throw new TarError('a header of an unknown format');
  return true;
}

/** ustar has room for the directories of a long name elsewhere; GNU, `ustar  `, has other things there. */
function parseName(block: Buffer): string {
  const name = parseText(block, 0, 100);
  return block[262] === 0 && block[345] !== 0 ? `${parseText(block, 345, 155)}/${name}` : name;
}

function parseText(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return block.toString('utf8', start, end === -1 || end > start + length ? start + length : end);
}

/** Octal digits amid spaces and NULs, or base 256 where the first bit is set; NaN for anything else. */
function parseNumber(block: Buffer, start: number, length: number): number {
  const first = block[start] ?? 0;
  if ((first & 0x80) !== 0) {
    if (first !== 0x80) return first === 0xff ? -1 : Number.NaN;
    let value = 0;
    for (let at = start + 1; at < start + length; at++) value = value * 256 + (block[at] ?? 0);
    return value;
  }
  let value = 0;
  let isNumber = false;
  for (let at = start; at < start + length; at++) {
    const byte = block[at] ?? 0;
    if (byte >= 0x30 && byte <= 0x37) {
      value = value * 8 + byte - 0x30;
      isNumber = true;
    } else if (byte !== 0x20 && byte !== 0) return Number.NaN;
    else if (isNumber) break;
  }
  return value;
}

/** `<length> <key>=<value>\n`, the length being that of the whole record in bytes. */
function parsePax(data: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < data.length && data[at] !== 0;) {
    const space = data.indexOf(0x20, at);
    const length = Number(data.toString('latin1', at, space));
    const end = at + length;
    if (space === -1 || !Number.isInteger(length) || end > data.length || end <= space + 1)
      throw new TarError('a pax header that cannot be read');
    const equals = data.indexOf(0x3d, space);
    if (equals === -1 || equals >= end) throw new TarError('a pax header that cannot be read');
    records.set(data.toString('utf8', space + 1, equals), data.toString('utf8', equals + 1, end - 1));
    at = end;
  }
  return records;
}

function paxNumber(pax: Records | undefined, key: string): number | undefined {
  const text = pax?.get(key);
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/**
 * Whole seconds, rounded down as Python and squashfs do: a .pyc names its source's time so. A pax time is exact where the
 * header's own may be rounded up (Python's tarfile, PEP 552, pax(1) `mtime`). squashfs has 32 bits, and so has the time in
 * a .pyc.
 */
function wholeSeconds(seconds: number): number {
  return Number.isFinite(seconds) ? Math.min(Math.max(Math.floor(seconds), 0), 0xffff_ffff) : 0;
}
