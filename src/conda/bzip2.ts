// The bytes of a .tar.bz2, decompressed by the system's bzip2: twice as fast as JavaScript ones, and on another core.
import type { Readable } from 'node:stream';
import { AppError } from '../system/app-error.ts';
import { streamCommand } from '../system/stream-command.ts';

/**
 * @param use reads as much as it wants
 * @throws what `use` throws as AppError; else bzip2's own failure, of which a cut tar is only the effect; else what `use` throws
 */
export async function readBzip2<T>(
  file: string,
  use: (content: Readable) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const bzip2 = streamCommand({
    program: 'bzip2',
    args: ['--decompress', '--stdout', '--', file],
    signal,
    failureHint: 'install bzip2 (`condense doctor` tells how)',
  });
  try {
    const result = await use(bzip2.stdout);
    // What it says of the end of a file that was read to its end counts.
    if (!bzip2.stdout.readableEnded) bzip2.stop();
    await bzip2.ended;
    return result;
  } catch (error) {
    bzip2.stop();
    // A refusal stands, whatever bzip2 says of a pipe that nobody reads any more.
    if (error instanceof AppError) await bzip2.ended.catch(() => undefined);
    else await bzip2.ended;
    throw error;
  }
}
