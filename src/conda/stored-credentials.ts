// Credentials by host that `pixi auth login` and `rattler auth login` keep: RATTLER_AUTH_FILE, then ~/.rattler/credentials.json.
// Format: rattler_networking, authentication_storage/{authentication,storage}.rs and backends/file.rs.
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { pathExists } from '../system/files.ts';
import { readSecretFile, type Warn } from './secret-file.ts';

export type StoredCredential = { readonly host: string } & (
  | { readonly kind: 'bearer' | 'token'; readonly token: string }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
);

/** What would be another header or line of a request. */
const secret = z.string().regex(/^[^\p{Cc}]+$/u);
const Entry = z.union([
  z.strictObject({ BearerToken: secret }),
  z.strictObject({ CondaToken: secret }),
  z.strictObject({ BasicHTTP: z.object({ username: z.string(), password: z.string() }) }),
]);
const Written = z.record(z.string(), z.unknown());

/**
 * Entries of the file that RATTLER_AUTH_FILE names come before those of the one in the home directory.
 * @throws AppError CREDENTIALS_MISSING, CREDENTIALS_INVALID, naming the file and nothing that is in it
 */
export async function readStoredCredentials(
  env: Readonly<Record<string, string | undefined>>,
  warn: Warn,
): Promise<readonly StoredCredential[]> {
  const named = env['RATTLER_AUTH_FILE'];
  if (named && !(await pathExists(named))) {
    throw new AppError(EXIT.siteNotReady, {
      code: 'CREDENTIALS_MISSING',
      message: 'RATTLER_AUTH_FILE names a file that is not there',
      at: named,
      hint: 'unset RATTLER_AUTH_FILE, or write the file',
    });
  }
  const files = [...(named ? [named] : []), path.join(env['HOME'] ?? os.homedir(), '.rattler', 'credentials.json')];
  const credentials: StoredCredential[] = [];
  for (const file of files) {
    const text = await readSecretFile(file, warn);
    if (text !== undefined) credentials.push(...parseStoredCredentials(text, file, warn));
  }
  return credentials;
}

/** Pure but for what it warns of. @throws AppError CREDENTIALS_INVALID: JSON.parse's own message would show the text */
export function parseStoredCredentials(text: string, file: string, warn: Warn): StoredCredential[] {
  let written: unknown;
  try {
    written = JSON.parse(text);
  } catch {
    written = undefined;
  }
  const entries = Written.safeParse(written);
  if (!entries.success) {
    throw new AppError(EXIT.siteNotReady, {
      code: 'CREDENTIALS_INVALID',
      message: 'is not a file of credentials as rattler writes it: a JSON object of hosts',
      at: file,
      hint: 'write it anew: pixi auth login <host> --token <token>',
    });
  }
  return Object.entries(entries.data).flatMap(([place, value]): StoredCredential[] => {
    const entry = Entry.safeParse(value);
    if (!entry.success) {
      warn(
        `${file}: the entry of ${JSON.stringify(place)} is no BearerToken, CondaToken or BasicHTTP, and is not used`,
      );
      return [];
    }
    const host = place.toLowerCase();
    if ('BearerToken' in entry.data) return [{ host, kind: 'bearer', token: entry.data.BearerToken }];
    if ('CondaToken' in entry.data) return [{ host, kind: 'token', token: entry.data.CondaToken }];
    return [{ host, kind: 'basic', ...entry.data.BasicHTTP }];
  });
}

/**
 * rattler's get_by_url: the host itself, then `*.` before it and before each domain that it is in. Of two files the first.
 * @param host lower case, without port
 */
export function findCredential(credentials: readonly StoredCredential[], host: string): StoredCredential | undefined {
  const exact = credentials.find((credential) => credential.host === host);
  if (exact || /^[\d.]+$|:/.test(host)) return exact; // an address has no domain
  for (let domain = host; domain !== ''; domain = domain.split('.').slice(1).join('.')) {
    const found = credentials.find((credential) => credential.host === `*.${domain}`);
    if (found) return found;
  }
  return undefined;
}
