// Large files that come in pieces, for caches: whole and checked under their name, or not there.
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { withRoom } from './disk-room.ts';

export interface Written {
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Opened when the first chunk is asked for: a stream that nobody reads yet would throw its error at nobody. */
export async function* readChunks(file: string): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) yield chunk as Buffer;
}

/**
 * Writes what comes to a temporary name in the same directory, and renames it once `accept` lets it through. Two
 * writers of one name do not meet. Not flushed to disk: a cache is checked again when it is read, or made anew.
 * @param accept sees what was written, throws to have it removed, and may name the file by what it holds
 */
export async function writeStream(
  dir: string,
  chunks: AsyncIterable<Uint8Array>,
  accept: (written: Written) => string,
): Promise<Written> {
  const aside = path.join(dir, `.${randomBytes(9).toString('hex')}.tmp`);
  const hash = createHash('sha256');
  let sizeBytes = 0;
  try {
    const handle = await withRoom(aside, fs.open(aside, 'wx', 0o644));
    try {
      for await (const chunk of chunks) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        await withRoom(aside, handle.writeFile(chunk));
      }
    } finally {
      await handle.close();
    }
    const written = { sha256: hash.digest('hex'), sizeBytes };
    await fs.rename(aside, path.join(dir, accept(written)));
    return written;
  } catch (error) {
    await fs.rm(aside, { force: true });
    throw error;
  }
}

/** What `writeStream` leaves where its process is killed. */
export const isAbandonedStream = (name: string): boolean => /^\.[0-9a-f]{18}\.tmp$/.test(name);

/** Removes the files in `dir` that are unwanted and a day old: a younger one may be in use by another process. */
export async function removeDayOldFiles(dir: string, isUnwanted: (name: string) => boolean): Promise<void> {
  const before = Date.now() - 24 * 60 * 60 * 1000;
  for (const name of await fs.readdir(dir)) {
    if (!isUnwanted(name)) continue;
    const file = path.join(dir, name);
    try {
      if ((await fs.stat(file)).mtimeMs < before) await fs.rm(file, { force: true });
    } catch (error) {
      // Another process finished with it, or removed it first.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
