// Large files that come in pieces, for caches: whole and checked under their name, or not there.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { parseAsideName, renderAsideName } from './aside-name.ts';
import { withRoom } from './disk-room.ts';
import { isGone } from './process-identity.ts';

export interface Written {
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Opened when the first chunk is asked for: a stream that nobody reads yet would throw its error at nobody. */
export async function* readChunks(file: string): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) yield chunk as Buffer;
}

/** What came before its writer was killed. */
export interface PartialStream {
  /** A name of this process now: nobody else goes on with it. */
  readonly file: string;
  readonly sizeBytes: number;
}

interface StreamOptions {
  /** What the stream is, in hex: where its process is killed, `takePartial` finds the rest of it by that. */
  readonly key?: string | undefined;
  /** Goes on where that one ended. */
  readonly partial?: PartialStream | undefined;
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
  { key, partial }: StreamOptions = {},
): Promise<Written> {
  const aside = partial?.file ?? path.join(dir, await renderAsideName(key));
  const hash = createHash('sha256');
  let sizeBytes = 0;
  try {
    if (partial) {
      for await (const chunk of readChunks(aside)) {
        hash.update(chunk);
        sizeBytes += chunk.length;
      }
    }
    const handle = await withRoom(aside, fs.open(aside, partial ? 'a' : 'wx', 0o644));
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

/** Takes over the longest of what killed processes of this host have left of a stream; the rest of them is removed. */
export async function takePartial(dir: string, key: string): Promise<PartialStream | undefined> {
  let longest: PartialStream | undefined;
  for (const name of await fs.readdir(dir)) {
    const aside = parseAsideName(name);
    if (aside?.key !== key || !(await isGone(aside.tag))) continue;
    const file = path.join(dir, await renderAsideName(key));
    try {
      await fs.rename(path.join(dir, name), file); // of two that try, one succeeds
    } catch (error) {
      if (isElsewhere(error)) continue;
      throw error;
    }
    const { size, uid } = await fs.stat(file);
    if (uid !== process.geteuid?.()) {
      await fs.rm(file, { force: true }); // it cannot be written by this account
      continue;
    }
    const shorter = longest && longest.sizeBytes >= size ? file : longest?.file;
    if (shorter !== file) longest = { file, sizeBytes: size };
    if (shorter !== undefined) await fs.rm(shorter, { force: true });
  }
  return longest;
}

export async function removePartial({ file }: PartialStream): Promise<void> {
  await fs.rm(file, { force: true });
}

/** What `writeStream` leaves where its process is killed. */
export const isAbandonedStream = (name: string): boolean =>
  parseAsideName(name) !== undefined || /^\.[0-9a-f]{18}\.tmp$/.test(name);

/**
 * Removes the files in `dir` that are unwanted and a day old: a younger one may be in use by another process. So may an
 * older one where a clock was put right meanwhile: what names a process of this host that is alive stays.
 */
export async function removeDayOldFiles(dir: string, isUnwanted: (name: string) => boolean): Promise<void> {
  const before = Date.now() - 24 * 60 * 60 * 1000;
  for (const name of await fs.readdir(dir)) {
    if (!isUnwanted(name)) continue;
    const tag = parseAsideName(name)?.tag;
    const file = path.join(dir, name);
    try {
      if ((await fs.stat(file)).mtimeMs >= before) continue;
      if (tag === undefined || (await isGone(tag)) !== false) await fs.rm(file, { force: true });
    } catch (error) {
      if (!isElsewhere(error)) throw error;
    }
  }
}

/** Another process finished with it or removed it first; or it is not ours to remove, and harms nobody. */
function isElsewhere(error: unknown): boolean {
  return ['ENOENT', 'EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '');
}
