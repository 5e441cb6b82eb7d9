// Where a redirect may lead: to http(s), never from https to http, and with credentials only to where they belong.
import { RequestRefused } from './http-refusal.ts';

/** curl's default is 50, requests' 30; a channel and its object store need two or three. */
export const MAX_REDIRECTS = 10;

export interface Redirect {
  /** For the request only: an object store's signed URL is a credential. */
  readonly url: string;
  /** Whether headers with credentials may be sent there (Fetch standard, 4.4 "HTTP-redirect fetch"). */
  readonly sameOrigin: boolean;
}

const HINT = 'tell the owner of the channel where it redirects to';

/**
 * Pure. @returns where to ask instead, or `undefined` for an answer that is no redirect
 * @throws RequestRefused, without what is secret in a URL
 */
export function planRedirect(from: string, status: number, location: string | null): Redirect | undefined {
  if (![301, 302, 303, 307, 308].includes(status) || location === null) return undefined;
  const at = new URL(from);
  const to = URL.parse(location, from);
  if (!to) throw new RequestRefused('the server redirects to something that is no URL', HINT);
  if (!/^https?:$/.test(to.protocol))
    throw new RequestRefused(`the server redirects to a ${to.protocol} URL, which is not followed`, HINT);
  if (at.protocol === 'https:' && to.protocol === 'http:') {
    throw new RequestRefused(
      `the server redirects from https to http://${to.host}, where anybody on the way could answer`,
      HINT,
    );
  }
  // fetch refuses them; nobody but the server knows whose they are.
  to.username = '';
  to.password = '';
  return { url: to.href, sameOrigin: at.origin === to.origin };
}
