// ~/.netrc: credentials by host, as conda (requests, Python's netrc module) reads them.
// Format: docs.python.org "netrc — netrc file processing"; GNU inetutils manual, "The .netrc file".
import os from 'node:os';
import path from 'node:path';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { readSecretFile, type Warn } from './secret-file.ts';

export interface Login {
  /** Without port; `undefined` for the `default` entry. */
  readonly host: string | undefined;
  readonly login: string;
  readonly password: string;
}

/**
 * The file that NETRC names, else `.netrc` or `_netrc` in the home directory (requests.utils.get_netrc_auth).
 * @throws AppError NETRC_INVALID, naming the file and line and nothing that is in it; NETRC_MISSING
 */
export async function readNetrc(
  env: Readonly<Record<string, string | undefined>>,
  warn: Warn,
): Promise<readonly Login[]> {
  const named = env['NETRC'];
  if (named) {
    const text = await readSecretFile(named, warn);
    if (text !== undefined) return parseNetrc(text, named);
    throw new AppError(EXIT.siteNotReady, {
      code: 'NETRC_MISSING',
      message: 'NETRC names a file that is not there, or cannot be read',
      at: named,
      hint: 'unset NETRC, or write the file',
    });
  }
  const home = env['HOME'] ?? os.homedir();
  for (const name of ['.netrc', '_netrc']) {
    const file = path.join(home, name);
    const text = await readSecretFile(file, warn);
    if (text !== undefined) return parseNetrc(text, file);
  }
  return [];
}

/** Pure. @throws AppError NETRC_INVALID */
export function parseNetrc(text: string, file: string): readonly Login[] {
  const logins: { host: string | undefined; login: string; password: string }[] = [];
  const token = /\s*(?:"((?:[^"\\]|\\[^])*)"|([^"\s]\S*))/gy;
  const next = (): string | undefined => {
    const at = token.lastIndex;
    const match = token.exec(text);
    if (!match) token.lastIndex = at; // for the place in errors
    return (match?.[1] ?? match?.[2])?.replaceAll(/\\([^])/g, '$1');
  };
  const skipPast = (end: RegExp): void => {
    const found = text.slice(token.lastIndex).search(end);
    token.lastIndex = found < 0 ? text.length : token.lastIndex + found;
  };
  const invalid = (why: string): AppError =>
    new AppError(EXIT.siteNotReady, {
      code: 'NETRC_INVALID',
      message: `cannot be read: ${why}`,
      at: `${file}:${text.slice(0, token.lastIndex).split('\n').length}`,
      hint: 'write each entry as: machine <host> login <name> password <password>',
    });
  const value = (): string => {
    const found = next();
    if (found === undefined) throw invalid('an entry is not complete, or a quote is not closed');
    return found;
  };
  for (;;) {
    const word = next();
    if (word === undefined) {
      if (text.slice(token.lastIndex).trim() === '') return logins;
      throw invalid('a quote is not closed');
    }
    const entry = logins.at(-1);
    if (word.startsWith('#')) skipPast(/\n/);
    else if (word === 'macdef') skipPast(/\n[ \t]*\n|$(?![^])/);
    else if (word === 'machine') logins.push({ host: value().toLowerCase(), login: '', password: '' });
    else if (word === 'default') logins.push({ host: undefined, login: '', password: '' });
    else if (!entry || !['login', 'user', 'account', 'password'].includes(word))
      throw invalid('machine, default, login, password, account or macdef is expected here');
    else if (word === 'account') value();
    else if (word === 'password') entry.password = value();
    else entry.login = value();
  }
}

/** The last entry of a host counts, as in Python; `default` where none is for the host. */
export function findLogin(logins: readonly Login[], host: string): Login | undefined {
  return logins.findLast((login) => login.host === host) ?? logins.findLast((login) => login.host === undefined);
}
