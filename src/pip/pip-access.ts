// The secrets of a pip section: taken out of its URLs, and given to pip (and to the git that it starts) by way of a netrc.
// pip reads that before it asks (pip documentation, "Authentication"); on command lines every user of the node could read them.
import { OPEN_ACCESS, type ChannelAccess } from '../conda/channel-access.ts';
import { decodeUserInfo } from '../conda/http.ts';
import { findLogin, type Login } from '../conda/netrc.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { describePipLine } from './pip-lines.ts';
import type { PipSection } from './pip-section.ts';

export interface PipAccess {
  /** The netrc that pip gets: the hosts of the section and no others. */
  readonly netrc: string;
  /** For our own downloads. */
  readonly access: ChannelAccess;
}

/** Without `user:password@`; text that is no URL stays as it is. */
export function withoutUserInfo(text: string): string {
  const [, git = '', rest = text] = /^(git\+)?(https?:.*)$/is.exec(text) ?? [];
  const url = /^https?:/i.test(rest) ? URL.parse(rest) : undefined;
  if (!url) return text;
  url.username = '';
  url.password = '';
  return git + url.href;
}

/**
 * Pure. @param logins of the netrc of whoever builds
 * @throws AppError PIP_LINE_INVALID where a host has two passwords: netrc knows one of each host
 */
export function planPipAccess(section: PipSection, logins: readonly Login[]): PipAccess {
  const found = new Map<string, Login>();
  const problems: Problem[] = [];
  const channels = new Map<string, string>();
  const places = [
    ...section.indexes.map(({ place, line }) => ({ place, line })),
    ...[...section.requirements, ...section.constraints].flatMap(({ requirement: { source }, line }) =>
      source.kind === 'url' ? [{ place: source.url, line }] : [],
    ),
  ];
  for (const { place, line } of places) {
    const url = URL.parse(place.replace(/^git\+/i, ''));
    if (!url || !/^https?:$/.test(url.protocol)) continue;
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const own = url.username !== '' || url.password !== '';
    const login = own
      ? { host, login: decodeUserInfo(url.username), password: decodeUserInfo(url.password) }
      : findLogin(logins, host);
    if (!login) continue;
    const other = found.get(host);
    if (other && (other.login !== login.login || other.password !== login.password)) {
      problems.push(describePipLine(line, `${host} has other credentials in another line, or in ~/.netrc`));
    }
    found.set(host, { ...login, host });
    if (own) channels.set(url.origin, withOrigin(url));
  }
  if (problems.length > 0) throw new AppError(EXIT.configuration, problems);
  return {
    netrc: [...found.values()].map(renderLogin).join(''),
    access: {
      ...OPEN_ACCESS,
      channels: [...channels].map(([publicUrl, url]) => ({ publicUrl, url })),
      logins,
    },
  };
}

function withOrigin(url: URL): string {
  const only = new URL(url.origin);
  only.username = url.username;
  only.password = url.password;
  return only.href.replace(/\/$/, '');
}

function renderLogin({ host, login, password }: Login): string {
  const quote = (text: string): string =>
    /^[^\s"\\#]+$/.test(text) ? text : `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  return `machine ${host ?? ''} login ${quote(login)} password ${quote(password)}\n`;
}
