// How this machine reaches channels: the secrets that go into requests, and into nothing that is written or shown.
import type { Channel } from './channel.ts';
import { findLogin, readNetrc, type Login } from './netrc.ts';

export interface ChannelAccess {
  /** With the credentials that their URLs were written with. */
  readonly channels: readonly Channel[];
  /** Of netrc. */
  readonly logins: readonly Login[];
}

/** To channels that ask for nothing. */
export const OPEN_ACCESS: ChannelAccess = { channels: [], logins: [] };

/** @throws AppError NETRC_INVALID, NETRC_MISSING */
export async function readChannelAccess(
  channels: readonly Channel[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<ChannelAccess> {
  return { channels, logins: await readNetrc(env) };
}

/**
 * Pure. What to ask for a URL that is written without credentials: those of the channel that it is below, else those of
 * netrc for its host (requests' order: a URL's own go first).
 */
export function authorizeUrl(publicUrl: string, access: ChannelAccess): string {
  const channel = access.channels
    .filter(({ publicUrl: base }) => publicUrl === base || publicUrl.startsWith(`${base}/`))
    .sort((a, b) => b.publicUrl.length - a.publicUrl.length)[0];
  const url = new URL(channel ? `${channel.url}${publicUrl.slice(channel.publicUrl.length)}` : publicUrl);
  if (/^https?:$/.test(url.protocol) && url.username === '' && url.password === '') {
    const login = findLogin(access.logins, url.hostname.replace(/^\[|\]$/g, ''));
    if (login) {
      // The setters leave "%" alone, and it would be read as the start of an escape.
      url.username = encodeURIComponent(login.login);
      url.password = encodeURIComponent(login.password);
    }
  }
  return url.href;
}
