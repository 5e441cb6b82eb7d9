// How this machine reaches channels: their mirrors, and the secrets that go into requests and into nothing that is written or shown.
import type { Report } from '../system/events.ts';
import { readAnacondaTokens, type AnacondaToken } from './anaconda-tokens.ts';
import type { Channel } from './channel.ts';
import type { MirroredUrl } from './channel-sources.ts';
import { findLogin, readNetrc, type Login } from './netrc.ts';
import { findCredential, readStoredCredentials, type StoredCredential } from './stored-credentials.ts';

export interface ChannelAccess {
  /** With the credentials that their URLs were written with. */
  readonly channels: readonly Channel[];
  /** Of netrc. */
  readonly logins: readonly Login[];
  /** Of rattler's file. */
  readonly credentials?: readonly StoredCredential[] | undefined;
  /** Of anaconda-client. */
  readonly tokens?: readonly AnacondaToken[] | undefined;
  readonly mirrors?: readonly MirroredUrl[] | undefined;
  /** Nobody is asked: what is in the caches and what file:// URLs name has to do. */
  readonly offline?: boolean | undefined;
}

export interface AuthorizedRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** To channels that ask for nothing. */
export const OPEN_ACCESS: ChannelAccess = { channels: [], logins: [] };

/** @throws AppError NETRC_INVALID, NETRC_MISSING, CREDENTIALS_INVALID, CREDENTIALS_MISSING */
export async function readChannelAccess(
  channels: readonly Channel[],
  env: Readonly<Record<string, string | undefined>>,
  more: Pick<ChannelAccess, 'mirrors' | 'offline'> & { readonly report?: Report | undefined } = {},
): Promise<ChannelAccess> {
  const warn = (text: string): void => more.report?.({ type: 'warning', text });
  return {
    channels,
    logins: await readNetrc(env, warn),
    credentials: await readStoredCredentials(env, warn),
    tokens: await readAnacondaTokens(env, warn),
    mirrors: more.mirrors,
    offline: more.offline,
  };
}

/**
 * Pure. What to ask for a URL that is written without credentials. Those of the channel that it is below come first; then,
 * where that has none, those of rattler's file, anaconda-client's token for the URL, and netrc's login for the host
 * (rattler's AuthenticationStorage::from_env_and_defaults; conda/gateways/connection/session.py, CondaHttpAuth).
 */
export function authorizeRequest(publicUrl: string, access: ChannelAccess): AuthorizedRequest {
  const known = [...access.channels, ...(access.mirrors ?? []).flatMap(({ by }) => by)];
  const channel = known
    .filter(({ publicUrl: base }) => publicUrl === base || publicUrl.startsWith(`${base}/`))
    .sort((a, b) => b.publicUrl.length - a.publicUrl.length || Number(hasSecret(b)) - Number(hasSecret(a)))[0];
  const url = new URL(channel ? `${channel.url}${publicUrl.slice(channel.publicUrl.length)}` : publicUrl);
  if (!/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    return { url: url.href, headers: {} };
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!channel || !hasSecret(channel)) {
    const credential = findCredential(access.credentials ?? [], host);
    if (credential?.kind === 'bearer')
      return { url: url.href, headers: { authorization: `Bearer ${credential.token}` } };
    if (credential?.kind === 'token') return { url: withToken(url.href, url.origin, credential.token), headers: {} };
    if (credential?.kind === 'basic') return withLogin(url, credential.username, credential.password);
    const found = (access.tokens ?? [])
      .filter(({ url: base }) => url.href === base || url.href.startsWith(`${base}/`))
      .sort((a, b) => b.url.length - a.url.length)[0];
    if (found) return { url: withToken(url.href, found.url, found.token), headers: {} };
  }
  const login = findLogin(access.logins, host);
  return login ? withLogin(url, login.login, login.password) : { url: url.href, headers: {} };
}

const hasSecret = ({ url, publicUrl }: Channel): boolean => url !== publicUrl;

/** conda's form: `https://host/t/<token>/channel`; where a server is not at the root, below its own path. */
function withToken(href: string, base: string, token: string): string {
  return `${base}/t/${encodeURIComponent(token)}${href.slice(base.length)}`;
}

function withLogin(url: URL, username: string, password: string): AuthorizedRequest {
  // The setters leave "%" alone, and it would be read as the start of an escape.
  url.username = encodeURIComponent(username);
  url.password = encodeURIComponent(password);
  return { url: url.href, headers: {} };
}
