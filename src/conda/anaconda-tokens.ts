// Tokens that `anaconda login` keeps, which conda sends by itself: conda/gateways/anaconda_client.py, read_binstar_tokens.
import os from 'node:os';
import path from 'node:path';
import { pathExists, readdir } from '../system/files.ts';
import { readSecretFile, type Warn } from './secret-file.ts';

export interface AnacondaToken {
  /** Below which it is sent. */
  readonly url: string;
  readonly token: string;
}

/** `https%3A%2F%2Fapi.anaconda.org.token`: the name is the URL that it is for. */
export async function readAnacondaTokens(
  env: Readonly<Record<string, string | undefined>>,
  warn: Warn,
): Promise<readonly AnacondaToken[]> {
  const tokens: AnacondaToken[] = [];
  for (const dir of tokenDirectories(env)) {
    if (!(await pathExists(dir))) continue;
    for (const name of (await readdir(dir)).sort()) {
      const urls = parseTokenFileName(name);
      if (urls.length === 0) continue;
      const token = (await readSecretFile(path.join(dir, name), warn))?.trim();
      if (token && !/\p{Cc}/u.test(token)) tokens.push(...urls.map((url) => ({ url, token })));
    }
  }
  return tokens;
}

/** platformdirs on Linux: user_config_dir of conda from 24.x on, user_data_dir of those before. */
function tokenDirectories(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const named = env['BINSTAR_CONFIG_DIR'];
  if (named) return [path.join(named, 'data')];
  const home = env['HOME'] ?? os.homedir();
  const within = (name: string, fallback: string): string =>
    path.join([env[name]].find((dir) => dir !== '') ?? path.join(home, fallback), 'binstar');
  return [within('XDG_CONFIG_HOME', '.config'), within('XDG_DATA_HOME', '.local/share')];
}

/** Pure. The URL of the API, and that of its channels: conda replaces the first `api` by `conda`. */
export function parseTokenFileName(name: string): readonly string[] {
  if (!name.endsWith('.token')) return [];
  let text: string;
  try {
    text = decodeURIComponent(name.slice(0, -'.token'.length).replaceAll('+', ' '));
  } catch {
    return []; // no URL-encoded text, so no token of anaconda-client
  }
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') return [];
  const api = url.href.replace(/\/+$/, '');
  return [...new Set([api, api.replace(/([./])api([./]|$)/, '$1conda$2')])];
}
