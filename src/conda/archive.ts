// Unpacks a .conda or .tar.bz2 package into a directory of its own: each file is hashed, given the prefix and written at once.
// Formats: CEP 35. `.conda` is a zip of two zstd tars (info-*, pkg-*), `.tar.bz2` one tar; the member paths are the same.
import { createHash, hash, type Hash } from 'node:crypto';
import { PassThrough, type Duplex, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import yauzl from 'yauzl';
import { AppError, errorMessage } from '../system/app-error.ts';
import { readErrnoName } from '../system/disk-room.ts';
import { EXIT } from '../system/exit-codes.ts';
import { stat } from '../system/files.ts';
import type { MemberWriter } from '../system/tree-writer.ts';
import { MemberTable, type FileMember, type Member, type MemberHeader } from './archive-members.ts';
import { readBzip2 } from './bzip2.ts';
import { INFO_FILES, parseManifest, type InfoFiles, type ManifestEntry } from './package-metadata.ts';
import { packageHostile, packageInvalid } from './package-problem.ts';
import { putPrefix } from './put-prefix.ts';
import { TarReader, type TarSink, type TarWish } from './tar-reader.ts';

/** A member as it is now in the package's directory. */
export type UnpackedMember =
  | {
      readonly kind: 'file';
      mode: number;
      mtimeSeconds: number;
      /** Of what the archive has, as is the digest. */
      sizeBytes: number;
      sha256: string;
      /** The digest of the file as it was written, where the prefix has been put in place of the placeholder. */
      sha256InPrefix?: string;
    }
  | { readonly kind: 'link'; mtimeSeconds: number; target: string }
  | { readonly kind: 'directory' };

export interface Unpacking {
  /** The archive on disk. */
  readonly file: string;
  /** Where it came from: tells the format, and names the package in messages. */
  readonly url: string;
  /** Nothing has been written to it. */
  readonly writer: MemberWriter;
  /**
   * Where users will see the environment. Files that hold the package's placeholder are written with this in its place, as
   * far as info/paths.json comes before them; the others are left as they are. Default: none is replaced.
   */
  readonly prefixInside?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Unpacked {
  /** The members that are now in the directory, by path; without those that the manifest does not list, and without info/. */
  readonly members: ReadonlyMap<string, UnpackedMember>;
  readonly info: InfoFiles;
  /** What info/paths.json lists. */
  readonly manifest: readonly ManifestEntry[] | undefined;
}

/** A second name of a file that was written with the prefix, and may have to be without: unpack again, replacing nothing. */
export class SharedWithPrefix extends Error {
  override readonly name = 'SharedWithPrefix';
}

/** Members up to this size are held whole: one write, one hash. Larger ones are written as they come. */
const wholeFileBytes = 4 << 20;
/** Larger ones are left to the linker. A libLLVM has 100 MB; several may be held at once. */
export const maxReplacedBytes = 64 << 20;
/** No info file comes near; they are read whole. */
const maxInfoFileBytes = 256 << 20;
/** How many times its own size an archive may unpack to: that of real files stays below 20. */
const maxRatio = 200;
/** What a package may unpack to whatever its archive's size: files of zeros are small in an archive. */
const freeListedBytes = 1 << 30;
/** Of the sizes tried the one that takes least processor time (docs/performance.md). */
const zstdOptions: zlib.ZstdOptions = { chunkSize: 2 << 20 };

/**
 * @throws AppError PACKAGE_HOSTILE, PACKAGE_INVALID (also for a broken archive), TOOL_MISSING (no bzip2), INTERRUPTED;
 * SharedWithPrefix
 */
export async function unpackArchive(unpacking: Unpacking): Promise<Unpacked> {
  const { file, url, signal } = unpacking;
  const unpacker = new Unpacker(unpacking, (await stat(file)).size);
  try {
    if (url.endsWith('.conda')) await unpackConda(file, url, unpacker, signal);
    else if (url.endsWith('.tar.bz2'))
      await readBzip2(file, (tar) => unpackTar(tar, new PassThrough(), unpacker, signal), signal);
    else throw packageInvalid(url, 'is neither a .conda nor a .tar.bz2 package');
  } catch (error) {
    if (signal?.aborted) throw new AppError(EXIT.interrupted, { code: 'INTERRUPTED', message: 'was interrupted' });
    const isBrokenArchive = error instanceof AppError && error.problems.some(({ code }) => code === 'TOOL_FAILED');
    if ((error instanceof AppError && !isBrokenArchive) || error instanceof SharedWithPrefix || isDiskError(error))
      throw error;
    throw packageInvalid(url, `cannot be unpacked: ${errorMessage(error)}`);
  } finally {
    unpacker.close();
  }
  return unpacker;
}

async function unpackConda(file: string, url: string, unpacker: Unpacker, signal?: AbortSignal): Promise<void> {
  const zip = await yauzl.openPromise(file, { lazyEntries: true, autoClose: false });
  try {
    const entries: yauzl.Entry[] = [];
    for await (const entry of zip.eachEntry()) entries.push(entry);
    // info first: it says what the rest may be.
    for (const part of ['info', 'pkg']) {
      const found = entries.filter(
        ({ fileName }) => fileName.startsWith(`${part}-`) && fileName.endsWith('.tar.zst') && !fileName.includes('/'),
      );
      const [entry] = found;
      if (!entry || found.length > 1) throw packageInvalid(url, `has ${found.length} ${part}-*.tar.zst, not one`);
      const stream = await zip.openReadStreamPromise(entry);
      await unpackTar(stream, zlib.createZstdDecompress(zstdOptions), unpacker, signal);
    }
  } finally {
    zip.close();
  }
}

async function unpackTar(source: Readable, through: Duplex, unpacker: Unpacker, signal?: AbortSignal): Promise<void> {
  const reader = new TarReader(unpacker);
  await pipeline(source, through, async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      reader.push(chunk);
    }
  });
  // A program that was stopped for it may have ended its output where a member ends.
  signal?.throwIfAborted();
  reader.finish();
}

function isDiskError(error: unknown): boolean {
  const code = error instanceof Error ? readErrnoName(error) : undefined;
  return ['ENOSPC', 'EDQUOT', 'EACCES', 'EROFS', 'EIO', 'ENOENT', 'EMFILE'].includes(code ?? '');
}

/** Writes the members of one package. */
class Unpacker implements TarSink, Unpacked {
  readonly members = new Map<string, UnpackedMember>();
  readonly info: { -readonly [name in keyof InfoFiles]: InfoFiles[name] } = {};
  manifest: ManifestEntry[] | undefined;
  readonly #unpacking: Unpacking;
  readonly #table: MemberTable;
  #listed: ReadonlyMap<string, ManifestEntry> | undefined;
  #unlistedBytesLeft: number;
  #listedBytesLeft: number;
  /** The file whose bytes come next. */
  #member: FileMember | undefined;
  #piecemeal: { readonly file: ReturnType<MemberWriter['newFile']>; readonly hash: Hash } | undefined;

  constructor(unpacking: Unpacking, archiveBytes: number) {
    this.#unpacking = unpacking;
    this.#table = new MemberTable(unpacking.url);
    this.#unlistedBytesLeft = maxRatio * archiveBytes + (64 << 20);
    this.#listedBytesLeft = maxRatio * archiveBytes + freeListedBytes;
  }

  begin(header: MemberHeader): TarWish {
    const member = this.#table.admit(header);
    if (!member || !this.#isWanted(member)) return 'skip';
    if (member.kind !== 'file') {
      this.#writeOther(member);
      return 'skip';
    }
    this.#member = member;
    const { path, mode, mtimeSeconds, sizeBytes } = member;
    if (sizeBytes <= wholeFileBytes || path.startsWith('info/')) return 'whole';
    if (this.#placeholder(path) && sizeBytes <= maxReplacedBytes) return 'whole';
    this.#piecemeal = {
      file: this.#unpacking.writer.newFile(path, mode, mtimeSeconds),
      hash: createHash('sha256'),
    };
    return 'pieces';
  }

  whole(data: Buffer): void {
    const { url, writer, prefixInside = '' } = this.#unpacking;
    const member = this.#begun();
    const { path, mode, mtimeSeconds, sizeBytes } = member;
    if (path.startsWith('info/')) {
      this.#takeInfo(path.slice('info/'.length), data);
      return;
    }
    const sha256 = hash('sha256', data, 'hex');
    const placeholder = this.#placeholder(path);
    const written = placeholder ? putPrefix({ url, path, data, placeholder, prefixInside }) : data;
    writer.file(path, written, mode, mtimeSeconds);
    const file = { kind: 'file', mode, mtimeSeconds, sizeBytes, sha256 } as const;
    if (!placeholder) this.members.set(path, file);
    else
      this.members.set(path, { ...file, sha256InPrefix: written === data ? sha256 : hash('sha256', written, 'hex') });
  }

  piece(data: Buffer): void {
    this.#piecemeal?.hash.update(data);
    this.#piecemeal?.file.write(data);
  }

  end(): void {
    const { path, mode, mtimeSeconds, sizeBytes } = this.#begun();
    const sha256 = this.#piecemeal?.hash.digest('hex') ?? '';
    this.close();
    this.members.set(path, { kind: 'file', mode, mtimeSeconds, sizeBytes, sha256 });
  }

  /** Of the file that was being written, when no more comes. */
  close(): void {
    const open = this.#piecemeal;
    this.#piecemeal = undefined;
    open?.file.close();
  }

  #begun(): FileMember {
    if (!this.#member) throw new Error('bytes of no member');
    return this.#member;
  }

  #placeholder(path: string): ManifestEntry['placeholder'] {
    return this.#unpacking.prefixInside === undefined ? undefined : this.#listed?.get(path)?.placeholder;
  }

  #takeInfo(name: string, data: Buffer): void {
    // A copy: the chunk that it is a part of is large.
    this.info[name as keyof InfoFiles] = Buffer.from(data);
    if (name !== 'paths.json') return;
    this.manifest = parseManifest(this.#unpacking.url, data);
    this.#listed = new Map(this.manifest.map((entry) => [entry.path, entry]));
  }

  #isWanted(member: Member): boolean {
    const { path } = member;
    const isInfo = path.startsWith('info/');
    if (member.kind !== 'file') return !isInfo;
    const { url } = this.#unpacking;
    const { sizeBytes } = member;
    if (isInfo && sizeBytes > maxInfoFileBytes) throw packageHostile(url, path, `has ${sizeBytes} bytes`);
    const entry = isInfo ? undefined : this.#listed?.get(path);
    // Links are measured by what they point at, so their size says nothing.
    const listed = entry?.type === 'hardlink' ? entry.sizeBytes : undefined;
    if (listed !== undefined) {
      if (listed !== sizeBytes)
        throw packageHostile(url, path, `has ${sizeBytes} bytes, not ${listed} as info/paths.json says`);
      this.#listedBytesLeft -= sizeBytes;
    } else this.#unlistedBytesLeft -= sizeBytes;
    // What is not written is read all the same.
    if (this.#unlistedBytesLeft < 0 || this.#listedBytesLeft < 0)
      throw packageHostile(url, path, 'makes the package far larger than its archive');
    return isInfo ? INFO_FILES.has(path.slice('info/'.length)) : !this.#listed || entry !== undefined;
  }

  #writeOther(member: Exclude<Member, FileMember>): void {
    const { writer, url } = this.#unpacking;
    const { path } = member;
    switch (member.kind) {
      case 'directory':
        this.members.set(path, { kind: 'directory' });
        break;
      case 'link':
        writer.link(path, member.target, member.mtimeSeconds);
        this.members.set(path, { kind: 'link', target: member.target, mtimeSeconds: member.mtimeSeconds });
        break;
      case 'hardlink': {
        const original = this.members.get(member.target);
        if (original?.kind !== 'file')
          throw packageInvalid(url, `${path} is a hard link to ${member.target}, which info/paths.json does not list`);
        if (original.sha256InPrefix !== undefined) throw new SharedWithPrefix(path);
        writer.hardLink(path, member.target);
        this.members.set(path, original);
        break;
      }
    }
  }
}
