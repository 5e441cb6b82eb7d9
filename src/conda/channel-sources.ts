// Who is asked for what a channel has: the channel itself, or the mirrors that the site names for it, in order.
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { parseChannel, type Channel } from './channel.ts';

/** The URLs below `of` are asked for below each of `by`, and not below `of` unless it is one of these. */
export interface MirroredUrl {
  /** Without credentials and slash at the end: a channel, or what several begin with. */
  readonly of: string;
  /** At least one; http, https or file. */
  readonly by: readonly Channel[];
}

/**
 * Pure. `channels.mirrors` of the configuration.
 * @param alias the URL under which bare names are found
 * @throws AppError CHANNEL_INVALID, all of them at once
 */
export function parseMirrors(
  written: Readonly<Record<string, readonly string[]>>,
  alias: string,
): readonly MirroredUrl[] {
  const problems: Problem[] = [];
  const read = (text: string): Channel[] => {
    const channel = parseChannel(text, alias);
    if (!('code' in channel)) return [channel];
    problems.push(channel);
    return [];
  };
  const mirrors = Object.entries(written).flatMap(([of, by]) =>
    read(of).map(({ publicUrl }) => ({ of: publicUrl, by: by.flatMap(read) })),
  );
  if (problems.length > 0) throw new AppError(EXIT.configuration, problems);
  return mirrors;
}

/**
 * Pure. The longest `of` counts, as in pixi (prefix-dev, pixi configuration, "Mirror configuration").
 * @param wanted a channel, or something below one
 */
export function planSources(wanted: Channel, mirrors: readonly MirroredUrl[] = []): readonly Channel[] {
  const mirrored = mirrors
    .filter(({ of }) => wanted.publicUrl === of || wanted.publicUrl.startsWith(`${of}/`))
    .sort((a, b) => b.of.length - a.of.length)[0];
  if (!mirrored) return [wanted];
  const rest = wanted.publicUrl.slice(mirrored.of.length);
  return mirrored.by.map(({ url, publicUrl }) => ({ url: url + rest, publicUrl: publicUrl + rest }));
}
