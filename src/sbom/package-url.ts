// Package URLs (purl): names of packages that scanners of other projects know. Formats: the purl specification and its
// definitions of the types conda and pypi.
import type { LockedDistribution, LockedPackage } from '../conda/lock.ts';

/** @param alias where bare channel names are found: below it a channel is called by its name, as everybody calls it */
export function renderCondaUrl(
  {
    name,
    version,
    build,
    channel,
    subdir,
    url,
  }: Pick<LockedPackage, 'name' | 'version' | 'build' | 'channel' | 'subdir' | 'url'>,
  alias: string,
): string {
  return renderUrl('conda', name.toLowerCase(), version, {
    build,
    channel: channel.startsWith(`${alias}/`) ? channel.slice(alias.length + 1) : channel,
    subdir,
    type: url.endsWith('.conda') ? 'conda' : 'tar.bz2',
  });
}

export function renderPypiUrl({ name, version, kind, url, commit }: LockedDistribution): string {
  return renderUrl('pypi', name, version, {
    ...(kind === 'git' ? { vcs_url: `git+${url}@${commit ?? ''}` } : {}),
    ...(kind === 'wheel' || kind === 'sdist' ? { download_url: url } : {}),
  });
}

/** Qualifiers are sorted by key; an empty one is left out. */
function renderUrl(type: string, name: string, version: string, qualifiers: Readonly<Record<string, string>>): string {
  const query = Object.entries(qualifiers)
    .filter(([, value]) => value !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${encode(value)}`);
  return `pkg:${type}/${encode(name)}@${encode(version)}${query.length > 0 ? `?${query.join('&')}` : ''}`;
}

/** All but letters, digits, `.`, `-`, `_`, `~` and `:` is percent-encoded. */
function encode(text: string): string {
  return encodeURIComponent(text)
    .replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%3A', ':');
}
