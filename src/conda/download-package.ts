// One package from one source into the cache: whole, and with the digest of the lock, or not there.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere } from '../system/files.ts';
import { readChunks, removePartial, takePartial, writeStream, type PartialStream } from '../system/streamed-files.ts';
import { authorizeRequest, OPEN_ACCESS, type ChannelAccess } from './channel-access.ts';
import { requestChannel, unexpectedAnswer } from './http.ts';
import type { LockedPackage } from './lock.ts';

export type WantedPackage = Pick<LockedPackage, 'name' | 'url' | 'sha256' | 'sizeBytes'>;

/** What came is not what the lock says. */
export class WrongContent extends Error {
  override readonly name = 'WrongContent';
}

/** Somebody answers, and has no such file. */
export class NotThere extends Error {
  override readonly name = 'NotThere';
}

/** Where the lock does not say how large a package is: more is an attack or a mistake. */
const MAX_PACKAGE_BYTES = 2 ** 35;

interface DownloadOptions {
  readonly access?: ChannelAccess | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Into `file`, from where `wanted.url` says; goes on with what a killed process has left. @throws WrongContent, NotThere, Error */
export async function download(
  wanted: WantedPackage,
  file: string,
  { access = OPEN_ACCESS, signal }: DownloadOptions,
  tries: number | undefined,
  count: (bytes: number) => void,
): Promise<void> {
  const dir = path.dirname(file);
  const store = async (chunks: AsyncIterable<Uint8Array>, partial?: PartialStream): Promise<void> => {
    let counted = 0;
    const countMore = (bytes: number): void => {
      counted += bytes;
      count(bytes);
    };
    countMore(partial?.sizeBytes ?? 0);
    try {
      await writeStream(
        dir,
        limited(chunks, wanted, signal, countMore, partial?.sizeBytes),
        (written) => {
          if (written.sha256 !== wanted.sha256) {
            throw new WrongContent(
              `expected sha256 ${wanted.sha256}, got ${written.sha256} (${written.sizeBytes} bytes)`,
            );
          }
          return path.basename(file);
        },
        { key: wanted.sha256, partial },
      );
    } catch (error) {
      count(-counted);
      throw error;
    }
  };
  const partial = await takePartial(dir, wanted.sha256);
  if (wanted.url.startsWith('file:')) {
    if (partial) await removePartial(partial);
    await store(readChunks(fileURLToPath(wanted.url)));
    return;
  }
  // Killed between the last byte and the rename.
  if (partial?.sizeBytes === wanted.sizeBytes && partial) {
    await store(nothing(), partial);
    return;
  }
  // RFC 9110, 14: the rest of it, of the bytes as they are. What it is part of is known by its digest.
  const authorized = authorizeRequest(wanted.url, access);
  const headers = {
    ...authorized.headers,
    ...(partial ? { range: `bytes=${partial.sizeBytes}-`, 'accept-encoding': 'identity' } : {}),
  };
  const maxBytes = wanted.sizeBytes === undefined ? MAX_PACKAGE_BYTES : undefined;
  try {
    await requestChannel({ url: authorized.url, headers, signal, tries, maxBytes }, async (response, body) => {
      if (response.status === 200) await store(body);
      else if (partial && response.status === 206) {
        const from = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
        if (from !== String(partial.sizeBytes) || !(await lstatIfThere(partial.file)))
          throw new WrongContent('the server sent another part than was asked for');
        await store(body, partial);
      } else if (partial && response.status === 416) throw new WrongContent('the server has less than came before');
      else if (response.status === 404) throw new NotThere(unexpectedAnswer(response, wanted.url).message);
      else throw unexpectedAnswer(response, wanted.url);
    });
  } finally {
    if (partial) await removePartial(partial); // where the server sent the whole: after a rename nothing has that name
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // Every byte is there.
}

/** Stops as soon as more comes than the lock says: a server cannot fill the disk. */
async function* limited(
  chunks: AsyncIterable<Uint8Array>,
  { sha256, sizeBytes }: WantedPackage,
  signal: AbortSignal | undefined,
  count: (bytes: number) => void,
  before = 0,
): AsyncGenerator<Uint8Array> {
  let received = before;
  for await (const chunk of chunks) {
    stopIfAborted(signal);
    received += chunk.length;
    if (sizeBytes !== undefined && received > sizeBytes) {
      throw new WrongContent(`expected ${sizeBytes} bytes with sha256 ${sha256}, got more`);
    }
    count(chunk.length);
    yield chunk;
  }
}

export function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw new AppError(EXIT.interrupted, { code: 'INTERRUPTED', message: 'the download was interrupted' });
}
