// Where packages come from: a channel as written (name, label, URL, path) to its URL. CEP 26 "Identifying channels".
import { pathToFileURL } from 'node:url';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { redactUrls } from '../system/redact-urls.ts';

export interface Channel {
  /** For requests only: may hold credentials. No trailing slash, no subdir. */
  readonly url: string;
  /** The same without credentials: for locks, messages and cache keys. */
  readonly publicUrl: string;
}

/** conda's subdirs (conda/base/constants.py KNOWN_SUBDIRS, those of Linux, macOS and Windows). */
const SUBDIRS =
  /^(?:noarch|linux-(?:32|64|aarch64|armv6l|armv7l|ppc64|ppc64le|riscv64|s390x)|osx-(?:64|arm64)|win-(?:32|64|arm64))$/;
/** CEP 26: path components and labels; each starts with a letter, a digit or `_`, so `..` is none. */
const CHANNEL_NAME = /^[A-Za-z0-9_][\w.-]*(?:\/[A-Za-z0-9_][\w.-]*)*$/;

/**
 * The channels of a spec in order, highest priority first, each once.
 * @param written names (`conda-forge`, `conda-forge/label/dev`), http(s) or file URLs, absolute paths; `nodefaults` says nothing here, where nothing is implied
 * @param alias the URL under which bare names are found (conda's `channel_alias`)
 * @throws AppError CHANNEL_INVALID, all of them at once
 */
export function parseChannels(written: readonly string[], alias: string): readonly Channel[] {
  const channels = new Map<string, Channel>();
  const problems: Problem[] = [];
  for (const text of written) {
    if (text === 'nodefaults') continue;
    const result = parseChannel(text, alias);
    if ('code' in result) problems.push(result);
    else if (!channels.has(result.publicUrl)) channels.set(result.publicUrl, result);
  }
  if (problems.length > 0) throw new AppError(EXIT.configuration, problems);
  return [...channels.values()];
}

export function parseChannel(text: string, alias: string): Channel | Problem {
  if (text === 'defaults') {
    return invalid(
      text,
      'means "what this machine\'s conda is configured to use"',
      'name the channels, e.g. conda-forge, or give their URLs',
    );
  }
  if (text.startsWith('/')) return fromUrl(pathToFileURL(text).href, text);
  if (/^(?:https?|file):\/\//i.test(text)) return fromUrl(text, text);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    return invalid(text, 'has a scheme that is not http, https or file', 'give an https:// or file:// URL');
  }
  if (!CHANNEL_NAME.test(text)) {
    return invalid(
      text,
      'is neither a channel name, nor a URL, nor an absolute path',
      'write a name such as conda-forge, an https:// URL, or an absolute path',
    );
  }
  return fromUrl(`${alias.replace(/\/+$/, '')}/${text}`, text);
}

/** Whether a file URL names a path: no other machine's, and no name with a slash or NUL in it. */
export function isPath(url: URL): boolean {
  return url.host === '' && !/%(?:2f|00)/i.test(url.pathname);
}

function fromUrl(href: string, written: string): Channel | Problem {
  const url = URL.canParse(href) ? new URL(href) : undefined;
  if (!url || (url.protocol === 'file:' && !isPath(url)) || url.search !== '' || url.hash !== '') {
    return invalid(written, 'is not a channel URL', 'write https://host/path or file:///path, without ? and #');
  }
  const parts = url.pathname.split('/').filter((part) => part !== '');
  if (SUBDIRS.test(parts.at(-1) ?? '')) parts.pop();
  url.pathname = parts.join('/');
  const full = url.href.replace(/\/+$/, '');
  url.username = '';
  url.password = '';
  return { url: full, publicUrl: redactUrls(url.href).replace(/\/+$/, '') };
}

function invalid(text: string, why: string, hint: string): Problem {
  return { code: 'CHANNEL_INVALID', message: `channel ${JSON.stringify(redactUrls(text))} ${why}`, hint };
}
