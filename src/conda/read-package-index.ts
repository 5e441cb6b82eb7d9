// Reads info/index.json out of a package archive, and no more of it than that takes.
import { PassThrough, type Duplex, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import yauzl from 'yauzl';
import { AppError, errorMessage } from '../system/app-error.ts';
import { readBzip2 } from './bzip2.ts';
import { packageInvalid } from './package-problem.ts';
import { TarReader } from './tar-reader.ts';

/** The largest of conda-forge have a tenth of that. */
const MAX_INDEX_BYTES = 4 << 20;

/**
 * @param file the archive, verified
 * @param url where it came from: tells the format, and names the package in messages
 * @returns what the file says, not checked
 * @throws AppError PACKAGE_INVALID, TOOL_MISSING (no bzip2)
 */
export async function readPackageIndex(file: string, url: string): Promise<Readonly<Record<string, unknown>>> {
  let bytes: Buffer | undefined;
  try {
    bytes = url.endsWith('.conda')
      ? await readOfConda(file)
      : await readBzip2(file, (tar) => findIndex(tar, new PassThrough()));
  } catch (error) {
    if (error instanceof AppError && error.problems.some(({ code }) => code === 'TOOL_MISSING')) throw error;
    throw packageInvalid(url, `cannot be read: ${errorMessage(error)}`);
  }
  if (!bytes) throw packageInvalid(url, 'has no info/index.json');
  const value = parseObject(bytes);
  if (!value) throw packageInvalid(url, 'info/index.json is not a JSON object');
  return value;
}

async function readOfConda(file: string): Promise<Buffer | undefined> {
  const zip = await yauzl.openPromise(file, { lazyEntries: true, autoClose: false });
  try {
    for await (const entry of zip.eachEntry()) {
      if (!/^info-[^/]*\.tar\.zst$/.test(entry.fileName)) continue;
      return await findIndex(await zip.openReadStreamPromise(entry), zlib.createZstdDecompress());
    }
    return undefined;
  } finally {
    zip.close();
  }
}

async function findIndex(source: Readable, through: Duplex): Promise<Buffer | undefined> {
  let found: Buffer | undefined;
  const reader = new TarReader({
    begin: ({ name, type, sizeBytes }) => {
      if (found || name.replace(/^\.\//, '') !== 'info/index.json' || type !== 'file') return 'skip';
      if (sizeBytes > MAX_INDEX_BYTES) throw new Error(`its info/index.json has ${sizeBytes} bytes`);
      return 'whole';
    },
    whole: (data) => {
      found = Buffer.from(data);
    },
    piece: () => undefined,
    end: () => undefined,
  });
  try {
    await pipeline(source, through, async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        reader.push(chunk);
        if (found) return;
      }
      reader.finish();
    });
  } catch (error) {
    // Also that what comes after it was not read.
    if (!found) throw error;
  }
  return found;
}

function parseObject(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
