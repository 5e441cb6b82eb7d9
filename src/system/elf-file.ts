// What the dynamic loader reads of a program or library. Format: elf(5); System V ABI, "Program Header", "Dynamic Section".
// The file is only read: ldd(1) would have its loader run.

/** Bytes from an offset on: fewer where the file ends. */
export type ReadPiece = (offset: number, length: number) => Buffer;

export interface ElfFacts {
  /** Class, byte order and machine: a process can only have objects of one such kind. */
  readonly kind: string;
  /** Whether it can be started: it names a loader. */
  readonly interpreter?: string | undefined;
  readonly soname?: string | undefined;
  /** DT_NEEDED, in order. */
  readonly needed: readonly string[];
  /** DT_RPATH and DT_RUNPATH as written, split at `:`. */
  readonly rpath: readonly string[];
  readonly runpath: readonly string[];
}

/** No file of a toolchain comes near these; one that says more is broken. */
const MOST_DYNAMIC = 1 << 20;
const MOST_STRINGS = 1 << 28;
const MOST_HEADERS = 4096;

const PT = { load: 1, dynamic: 2, interpreter: 3 } as const;
const DT = { needed: 1n, stringTable: 5n, stringSize: 10n, soname: 14n, rpath: 15n, runpath: 29n } as const;
const TYPE = { executable: 2, shared: 3 } as const;

/**
 * @returns `other`: no ELF file, or an object file, which nothing loads; `broken`: it begins as ELF but cannot be read
 */
export function parseElf(read: ReadPiece): ElfFacts | 'other' | 'broken' {
  const start = read(0, 64);
  if (start.length < 52 || start.readUInt32BE(0) !== 0x7f454c46) return 'other';
  const [bits, order] = [start[4], start[5]];
  if ((bits !== 1 && bits !== 2) || (order !== 1 && order !== 2) || (bits === 2 && start.length < 64)) return 'broken';
  const reader = new ElfReader(read, bits === 2, order === 1);
  const type = reader.half(start, 16);
  if (type !== TYPE.executable && type !== TYPE.shared) return 'other';
  const kind = `ELF${bits * 32}${order === 1 ? 'LE' : 'BE'} machine ${reader.half(start, 18)}`;
  try {
    return { kind, ...readSegments(reader, start) };
  } catch (error) {
    if (error instanceof BrokenElf || error instanceof RangeError) return 'broken';
    throw error;
  }
}

class BrokenElf extends Error {}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

function readSegments(reader: ElfReader, start: Buffer): Omit<ElfFacts, 'kind'> {
  const segments = reader.segments(start);
  const interpreter = segments.find(({ type }) => type === PT.interpreter);
  const dynamic = segments.find(({ type }) => type === PT.dynamic);
  const loader = interpreter && textAt(reader.piece(interpreter.offset, interpreter.size, MOST_HEADERS), 0);
  if (!dynamic) return { interpreter: loader, needed: [], rpath: [], runpath: [] };
  const entries = reader.dynamic(dynamic);
  const valueOf = (tag: bigint): number | undefined => entries.find((entry) => entry.tag === tag)?.value;
  const address = valueOf(DT.stringTable);
  const size = valueOf(DT.stringSize);
  if (address === undefined || size === undefined) throw new BrokenElf();
  const holder = segments.find(
    (one) => one.type === PT.load && address >= one.address && address < one.address + one.size,
  );
  if (!holder) throw new BrokenElf();
  const strings = reader.piece(holder.offset + (address - holder.address), size, MOST_STRINGS);
  const textOf = (tag: bigint): string[] =>
    entries.filter((entry) => entry.tag === tag).map(({ value }) => textAt(strings, value));
  const listOf = (tag: bigint): string[] => textOf(tag).flatMap((text) => text.split(':').filter((one) => one !== ''));
  return {
    interpreter: loader,
    soname: textOf(DT.soname)[0],
    needed: textOf(DT.needed),
    rpath: listOf(DT.rpath),
    runpath: listOf(DT.runpath),
  };
}

function textAt(strings: Buffer, offset: number): string {
  const end = strings.indexOf(0, offset);
  if (offset >= strings.length || end < 0) throw new BrokenElf();
  return strings.toString('utf8', offset, end);
}

class ElfReader {
  readonly #read: ReadPiece;
  readonly #is64: boolean;
  readonly #isLittle: boolean;

  constructor(read: ReadPiece, is64: boolean, isLittle: boolean) {
    this.#read = read;
    this.#is64 = is64;
    this.#isLittle = isLittle;
  }

  half(bytes: Buffer, at: number): number {
    return this.#isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
  }

  #word(bytes: Buffer, at: number): number {
    return this.#isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
  }

  /** An address or offset. */
  #wide(bytes: Buffer, at: number): bigint {
    if (!this.#is64) return BigInt(this.#word(bytes, at));
    return this.#isLittle ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at);
  }

  /** @throws BrokenElf where the file ends before */
  piece(offset: number, size: number, most: number): Buffer {
    if (size > most || !Number.isSafeInteger(offset + size)) throw new BrokenElf();
    const bytes = this.#read(offset, size);
    if (bytes.length < size) throw new BrokenElf();
    return bytes;
  }

  segments(start: Buffer): Segment[] {
    const is64 = this.#is64;
    const offset = Number(this.#wide(start, is64 ? 32 : 28));
    const entrySize = this.half(start, is64 ? 54 : 42);
    const count = this.half(start, is64 ? 56 : 44);
    if (count === 0) return [];
    if (count > MOST_HEADERS || entrySize < (is64 ? 56 : 32)) throw new BrokenElf();
    const table = this.piece(offset, entrySize * count, MOST_DYNAMIC);
    return Array.from({ length: count }, (_, index) => {
      const at = index * entrySize;
      const wide = (in64: number, in32: number): number => Number(this.#wide(table, at + (is64 ? in64 : in32)));
      return { type: this.#word(table, at), offset: wide(8, 4), address: wide(16, 8), size: wide(32, 16) };
    });
  }

  dynamic({ offset, size }: Segment): { readonly tag: bigint; readonly value: number }[] {
    const bytes = this.piece(offset, size, MOST_DYNAMIC);
    const width = this.#is64 ? 8 : 4;
    const entries = [];
    for (let at = 0; at + 2 * width <= bytes.length; at += 2 * width) {
      const tag = this.#wide(bytes, at);
      if (tag === 0n) break;
      entries.push({ tag, value: Number(this.#wide(bytes, at + width)) });
    }
    return entries;
  }
}
