// Where a channel is in a mirror: a function of its URL alone, so that a mirror can grow without moving anything.
import { digestText } from '../system/files.ts';

/** What a path component may be without a second thought, on disk, in a URL and in a channel's name (CEP 26). */
const PLAIN = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;

/**
 * `conda/conda.anaconda.org/conda-forge` for `https://conda.anaconda.org/conda-forge`: what is below one host stays together,
 * so that `<mirror>/conda/<host>` serves as an alias. Other schemes come first: `conda/_file/data/channel`.
 * @param publicUrl without credentials
 */
export function channelDirectory(publicUrl: string): string {
  const url = new URL(publicUrl);
  const scheme = url.protocol === 'https:' ? [] : [plainName(`_${url.protocol.slice(0, -1)}`)];
  const host = url.host === '' ? [] : [url.host.replace(':', '_')];
  const parts = url.pathname.split('/').filter((part) => part !== '');
  return ['conda', ...scheme, ...host.map(plainName), ...parts.map(plainName)].join('/');
}

/** The directory of a channel's names, without the last: what to set as alias. */
export function aliasDirectory(publicUrl: string, alias: string): string | undefined {
  const base = alias.replace(/\/+$/, '');
  return publicUrl.startsWith(`${base}/`) ? channelDirectory(base) : undefined;
}

function plainName(part: string): string {
  if (PLAIN.test(part)) return part;
  return `${part.replaceAll(/[^A-Za-z0-9._-]/g, '_').replace(/^[^A-Za-z0-9_]/, '_')}-${digestText(part).slice(0, 8)}`;
}
