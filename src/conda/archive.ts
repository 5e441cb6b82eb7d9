// Unpacks a .conda or .tar.bz2 package into a directory of its own, hashing as it writes.
// Formats: CEP 35. `.conda` is a zip of two zstd tars (info-*, pkg-*), `.tar.bz2` one tar; the member paths are the same.
import { createHash, hash } from 'node:crypto';
import { PassThrough, Transform, type Duplex, type Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import tar from 'tar-stream';
import yauzl from 'yauzl';
import { AppError, errorMessage } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { stat } from '../system/files.ts';
import { streamCommand } from '../system/stream-command.ts';
import type { TreeWriter } from '../system/tree-writer.ts';
import { MemberTable, type FileMember, type Member } from './archive-members.ts';
import { packageHostile, packageInvalid } from './package-problem.ts';

/** A member as it is now in the package's directory. */
export type UnpackedMember =
  | { readonly kind: 'file'; mode: number; mtimeSeconds: number; sizeBytes: number; sha256: string }
  | { readonly kind: 'link'; mtimeSeconds: number; target: string }
  | { readonly kind: 'directory' };

export interface Unpacking {
  /** The archive on disk. */
  readonly file: string;
  /** Where it came from: tells the format, and names the package in messages. */
  readonly url: string;
  /** Writes into an empty directory. */
  readonly writer: TreeWriter;
  /** Called once with the bytes of info/paths.json: the size that each path may have. */
  readonly readSizes: (manifest: Buffer) => ReadonlyMap<string, number | undefined>;
  readonly signal?: AbortSignal | undefined;
}

const manifestName = 'info/paths.json';
/** Members up to this size are held whole: one write, one hash. Larger ones are written as they come. */
const wholeFileBytes = 4 << 20;
/** No info file comes near; they are read whole. */
const maxInfoFileBytes = 256 << 20;
/** How many times its own size an archive may unpack to: that of real files stays below 20. */
const maxRatio = 200;
/** What a package may unpack to whatever its archive's size: files of zeros are small in an archive. */
const freeListedBytes = 1 << 30;
/** What may come between members: tar-stream holds long names and pax headers whole, and those of packages have some kilobytes. */
const maxBetweenBytes = 8 << 20;
const zstdOptions: zlib.ZstdOptions = { chunkSize: 512 << 10 };

/**
 * @returns the members that are now in the directory, by path; those that the manifest does not list are left out
 * @throws AppError PACKAGE_HOSTILE, PACKAGE_INVALID (also for a broken archive), TOOL_MISSING (no bzip2), INTERRUPTED
 */
export async function unpackArchive(unpacking: Unpacking): Promise<ReadonlyMap<string, UnpackedMember>> {
  const { file, url, signal } = unpacking;
  const unpacker = new Unpacker(unpacking, (await stat(file)).size);
  try {
    if (url.endsWith('.conda')) await unpackConda(file, url, unpacker, signal);
    else if (url.endsWith('.tar.bz2')) await unpackTarBz2(file, unpacker, signal);
    else throw packageInvalid(url, 'is neither a .conda nor a .tar.bz2 package');
  } catch (error) {
    if (signal?.aborted) throw new AppError(EXIT.interrupted, { code: 'INTERRUPTED', message: 'was interrupted' });
    const isBrokenArchive = error instanceof AppError && error.problems.some(({ code }) => code === 'TOOL_FAILED');
    if ((error instanceof AppError && !isBrokenArchive) || isDiskError(error)) throw error;
    throw packageInvalid(url, `cannot be unpacked: ${errorMessage(error)}`);
  }
  return unpacker.members;
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

async function unpackTarBz2(file: string, unpacker: Unpacker, signal?: AbortSignal): Promise<void> {
  // The system's bzip2: twice as fast as JavaScript ones, and on another core.
  const bzip2 = streamCommand({
    program: 'bzip2',
    args: ['--decompress', '--stdout', '--', file],
    signal,
    failureHint: 'install bzip2 (`condense doctor` tells how)',
  });
  try {
    await unpackTar(bzip2.stdout, new PassThrough(), unpacker, signal);
  } catch (error) {
    bzip2.stop();
    // What we refused made bzip2 fail; otherwise it failed by itself, and a cut tar is only the effect.
    if (error instanceof AppError) await bzip2.ended.catch(() => undefined);
    else await bzip2.ended;
    throw error;
  }
  bzip2.stop();
  await bzip2.ended;
}

async function unpackTar(source: Readable, through: Duplex, unpacker: Unpacker, signal?: AbortSignal): Promise<void> {
  const extract = tar.extract();
  // tar-stream's own stream library keeps Node's contract; its types do not say so.
  const meter = new TarMeter();
  extract.on('entry', (header) => {
    meter.expect(header);
  });
  const feeding = pipeline(source, through, meter, extract as unknown as Writable, signal ? { signal } : {});
  // Its failure also ends the loop below; without this it would be an unhandled rejection first.
  feeding.catch(() => undefined);
  try {
    for await (const entry of extract) {
      signal?.throwIfAborted();
      await unpacker.take(entry.header, entry as unknown as Readable);
    }
  } finally {
    extract.destroy();
  }
  await feeding;
}

/** Stops a tar of which little is members: headers, or what follows the last member, without end. */
class TarMeter extends Transform {
  #taken = 0;
  #memberEnd = 0;

  expect(header: tar.Header): void {
    this.#memberEnd = this.#taken + header.size;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: (error: Error | null, chunk?: Buffer) => void): void {
    this.#taken += chunk.length;
    const isEndless = this.#taken > this.#memberEnd + maxBetweenBytes;
    if (isEndless) done(new Error(`has more than ${maxBetweenBytes} bytes between or after its members`));
    else done(null, chunk);
  }
}

function isDiskError(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EACCES', 'EROFS', 'EIO', 'ENOENT', 'EMFILE'].includes(
    (error as NodeJS.ErrnoException).code ?? '',
  );
}

/** Writes the members of one package. */
class Unpacker {
  readonly members = new Map<string, UnpackedMember>();
  readonly #unpacking: Unpacking;
  readonly #table: MemberTable;
  #sizes: ReadonlyMap<string, number | undefined> | undefined;
  #unlistedBytesLeft: number;
  #listedBytesLeft: number;

  constructor(unpacking: Unpacking, archiveBytes: number) {
    this.#unpacking = unpacking;
    this.#table = new MemberTable(unpacking.url);
    this.#unlistedBytesLeft = maxRatio * archiveBytes + (64 << 20);
    this.#listedBytesLeft = maxRatio * archiveBytes + freeListedBytes;
  }

  async take(header: tar.Header, content: Readable): Promise<void> {
    const member = this.#table.admit({
      name: header.name,
      type: header.type,
      mode: header.mode,
      mtimeSeconds: memberTime(header),
      sizeBytes: header.size,
      linkName: header.linkname,
    });
    if (!member || !this.#isWanted(member)) {
      content.resume();
      return;
    }
    if (member.kind === 'file') {
      await this.#writeFile(member, content);
      return;
    }
    content.resume();
    this.#writeOther(member);
  }

  #isWanted(member: Member): boolean {
    if (member.kind !== 'file') return true;
    const { path, sizeBytes } = member;
    const { url } = this.#unpacking;
    const isInfo = path.startsWith('info/');
    if (isInfo && sizeBytes > maxInfoFileBytes) throw packageHostile(url, path, `has ${sizeBytes} bytes`);
    const listed = this.#sizes?.get(path);
    if (!isInfo && listed !== undefined) {
      if (listed !== sizeBytes)
        throw packageHostile(url, path, `has ${sizeBytes} bytes, not ${listed} as info/paths.json says`);
      this.#listedBytesLeft -= sizeBytes;
    } else this.#unlistedBytesLeft -= sizeBytes;
    // What is not written is read all the same.
    if (this.#unlistedBytesLeft < 0 || this.#listedBytesLeft < 0)
      throw packageHostile(url, path, 'makes the package far larger than its archive');
    return isInfo || this.#sizes?.has(path) !== false;
  }

  async #writeFile(member: FileMember, content: Readable): Promise<void> {
    const { path, mode, mtimeSeconds, sizeBytes } = member;
    const { writer } = this.#unpacking;
    let sha256: string;
    if (sizeBytes <= wholeFileBytes || path === manifestName) {
      const data = await readWhole(content);
      sha256 = hash('sha256', data, 'hex');
      writer.file(path, data, mode, mtimeSeconds);
      if (path === manifestName) this.#sizes = this.#unpacking.readSizes(data);
    } else {
      const hasher = createHash('sha256');
      const file = writer.newFile(path, mode, mtimeSeconds);
      try {
        for await (const chunk of content as AsyncIterable<Buffer>) {
          hasher.update(chunk);
          file.write(chunk);
        }
      } finally {
        file.close();
      }
      sha256 = hasher.digest('hex');
    }
    this.members.set(path, { kind: 'file', mode, mtimeSeconds, sizeBytes, sha256 });
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
        writer.hardLink(path, member.target);
        this.members.set(path, original);
        break;
      }
    }
  }
}

async function readWhole(content: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of content as AsyncIterable<Buffer>) chunks.push(chunk);
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}

/**
 * Whole seconds, rounded down as Python and squashfs do: a .pyc names its source's time so. A pax time is exact where the
 * header's own may be rounded up (Python's tarfile, PEP 552, pax(1) `mtime`).
 */
function memberTime(header: tar.Header): number {
  const exact = Number((header.pax as Partial<Record<string, string>> | null | undefined)?.['mtime'] ?? Number.NaN);
  const seconds = Math.floor(Number.isFinite(exact) ? exact : header.mtime.getTime() / 1000);
  // squashfs has 32 bits, and so has the time in a .pyc.
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 0xffff_ffff) : 0;
}
