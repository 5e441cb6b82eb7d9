// What single texts of a configuration may be: names, paths, channels. Each rule says what is wrong, or nothing.
import path from 'node:path';
import { parseExcludeNewer } from './exclude-newer.ts';

interface Complaint {
  /** Follows the key: "must be ...". */
  readonly message: string;
  readonly hint?: string | undefined;
}
export type TextRule = (text: string) => Complaint | undefined;

/** Names become file names, module names and words of shell, Tcl and Lua text: nothing that any of them could read otherwise. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
export const PYTHON_MODULE = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/;
export const COMMAND = /^[A-Za-z0-9_][A-Za-z0-9._+@-]{0,254}$/;
export const HOST_PATTERN = /^[A-Za-z0-9*?][A-Za-z0-9.*?:_-]*$/;
export const GROUP = /^[^\s\p{C}:,/-][^\s\p{C}:,/]*$/u;
export const VIRTUAL_PACKAGE = /^__[a-z0-9_]+$/;
export const VIRTUAL_VERSION = /^([A-Za-z0-9][A-Za-z0-9._+!-]*)?$/;
export const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** What the launcher or bash see to themselves: no rule could change them. */
const UNRULED = /^(PATH|HOME|PWD|OLDPWD|SHLVL|PS[124]|LC_ALL|IFS|_|UID|EUID|PPID|BASH.*|SHELLOPTS|__cl_.*)$/;
const CHANNEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;

// Endings that the product itself gives to a name's files: analysis3-26.11.sqsh, analysis3-26.11.d, analysis3-26.11.lua.
const PRODUCT_ENDING = /\.(sqsh|d|lua)$/;
const NAME_TEXT =
  'must start with a letter or digit, followed by letters, digits, dots, dashes and underscores (64 at most)';

/** A value as it can stand in a message: quoted, one line, not endless. */
export function quoted(text: string): string {
  const short = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  // JSON escapes control characters; the others that a terminal acts on are of Unicode's class C.
  const safe = JSON.stringify(short).replaceAll(
    /\p{C}/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
  return `'${safe.slice(1, -1).replaceAll('\\"', '"')}'`;
}

export const nameRule: TextRule = (text) => {
  if (!NAME.test(text)) return { message: `${NAME_TEXT}, not ${quoted(text)}` };
  if (text.includes('..')) return { message: `must not contain '..', as ${quoted(text)} does` };
  return undefined;
};

/** Names of environments and versions. `reserved`: words that mean something else to a user's tool. */
export function publicNameRule(reserved: Readonly<Record<string, string>>): TextRule {
  return (text) => {
    const ending = PRODUCT_ENDING.exec(text)?.[0];
    if (ending)
      return { message: `must not end in '${ending}', as files of ${quoted(text.slice(0, -ending.length))} do` };
    const meaning = Object.hasOwn(reserved, text) ? reserved[text] : undefined;
    if (meaning !== undefined) return { message: `must not be ${quoted(text)}: ${meaning}` };
    return nameRule(text);
  };
}

/** Why a path cannot be used by name in `#!` lines and bind options, if so. */
export function unusableCharacter(file: string): string | undefined {
  // execve(2): the interpreter of a #! line ends at white space. apptainer's --bind is src[:dest[:opts]],src[:...].
  if (/\p{Cc}/u.test(file)) return 'has a control character';
  if (/\s/u.test(file)) return `has white space: a '#!' line ends there`;
  if (file.includes(':')) return `has a colon: it separates the parts of the runtime's bind option`;
  if (file.includes(',')) return `has a comma: it separates the runtime's bind options`;
  if (/["\\]/.test(file)) return `has a quotation mark or backslash: the runtime reads them as its own`;
  return undefined;
}

/** A path as typed, before it is made absolute. */
export const pathRule: TextRule = (text) => {
  if (text === '') return { message: 'must not be empty' };
  if (text.startsWith('~')) {
    return {
      message: `is ${quoted(text)}, but nothing expands '~'`,
      hint: 'write an absolute path, or one relative to this file',
    };
  }
  if (text.includes('$')) {
    return {
      message: `is ${quoted(text)}, but nothing expands '$'`,
      hint: 'write the path itself',
    };
  }
  return undefined;
};

/** A directory below the prefix, e.g. `apps/conda_envs`: each part is a name. */
export const relativeDirRule: TextRule = (text) => {
  if (path.posix.isAbsolute(text)) {
    return { message: `must be relative to the prefix, not ${quoted(text)}`, hint: 'e.g. apps/conda_envs' };
  }
  if (text.split('/').includes('..')) return { message: `must not leave the prefix, as ${quoted(text)} does` };
  const wrong = text.split('/').find((part) => nameRule(part) !== undefined);
  if (wrong === undefined) return undefined;
  return {
    message: `must be names with '/' between them; ${quoted(wrong)} is not a name`,
    hint: 'e.g. apps/conda_envs',
  };
};

/** A host's name in which `*` and `?` stand for anything, but not all of it: what is not the site's own gets no command of it. */
export const hostPatternRule: TextRule = (text) => {
  const hint = `e.g. node* or '*.cluster.example.org'`;
  if (!HOST_PATTERN.test(text))
    return { message: `must be a host's name, with '*' and '?', not ${quoted(text)}`, hint };
  if (/^[*?.]+$/.test(text)) return { message: `must not match every host, as ${quoted(text)} does`, hint };
  return undefined;
};

/** A pattern of paths below the prefix of an environment (src/build/path-glob.ts). */
export const patternRule: TextRule = (text) => {
  const hint = `e.g. share/doc or '**/*.js.map'`;
  if (text.startsWith('/'))
    return { message: `must be relative to the environment's prefix, not ${quoted(text)}`, hint };
  if (text.split('/').some((part) => ['', '.', '..'].includes(part)))
    return { message: `must be names with '/' between them, not ${quoted(text)}`, hint };
  if (/[\p{Cc}\\[\]{}!]/u.test(text))
    return {
      message: `has only '*', '**' and '?' as wildcards, and none of \\ [ ] { } !, not as in ${quoted(text)}`,
      hint,
    };
  if (/^[*?/]+$/.test(text)) return { message: `must not match everything, as ${quoted(text)} does`, hint };
  return undefined;
};

/** The name of a conda package (CEP 26). */
export const packageNameRule: TextRule = (text) =>
  /^[a-z0-9_][a-z0-9._-]*$/.test(text)
    ? undefined
    : { message: `must be the name of a conda package in lower case, not ${quoted(text)}` };

/** Where in an image something of the site's goes, below the prefix of its environment. */
export const imagePathRule: TextRule = (text) => {
  const hint = 'e.g. etc/jupyter/site.json';
  if (text.startsWith('/'))
    return { message: `must be relative to the environment's prefix, not ${quoted(text)}`, hint };
  if (text.split('/').some((part) => ['', '.', '..'].includes(part)) || /\p{Cc}/u.test(text))
    return { message: `must be names with '/' between them, not ${quoted(text)}`, hint };
  if (/^(conda-meta|\.condense)(\/|$)/.test(text))
    return { message: `must not be ${quoted(text)}: conda's records and condense's mark are there` };
  return undefined;
};

/** A library as others ask for it, `libcuda.so.1`, perhaps with `*` and `?`. */
export const sonameRule: TextRule = (text) =>
  /^[\w.+*?-]*[\w][\w.+*?-]*$/.test(text)
    ? undefined
    : { message: `must be the name of a library, with '*' and '?', not ${quoted(text)}`, hint: 'e.g. libcuda.so.1' };

/** A release that stays: `analysis3-26.11/20261121T044052Z-14180186`, or every one of a version. */
export const pinnedReleaseRule: TextRule = (text) => {
  const [name = '', id, ...rest] = text.split('/');
  if (!nameRule(name) && rest.length === 0 && (id === undefined || /^\d{8}T\d{6}Z-[0-9a-f]{8}$/.test(id)))
    return undefined;
  return {
    message: `must be <full name>/<release id> or a full name, not ${quoted(text)}`,
    hint: 'condense list --releases',
  };
};

/** Directories of users, with wildcards. */
export const venvGlobRule: TextRule = (text) => {
  const hint = 'e.g. /home/*/venvs/*';
  if (!path.posix.isAbsolute(text) || path.posix.normalize(text) !== text)
    return { message: `must be a plain absolute path, not ${quoted(text)}`, hint };
  if (/[\p{Cc}\\[\]{}!]/u.test(text) || text.includes('**'))
    return { message: `has only '*' and '?' as wildcards, not as in ${quoted(text)}`, hint };
  return undefined;
};

/** The name of an environment variable that a rule can name. */
export const variableRule: TextRule = (text) => {
  if (!VARIABLE.test(text)) return { message: `must be the name of an environment variable, not ${quoted(text)}` };
  return UNRULED.test(text) ? { message: `must not be ${quoted(text)}: it always comes along` } : undefined;
};

/** A directory as entries of a list of directories begin with it, perhaps with `!` before it. */
export const droppedEntryRule: TextRule = (text) => {
  const directory = text.replace(/^!/, '');
  const plain = path.posix.resolve('/', directory);
  if (!path.posix.isAbsolute(directory) || plain === '/' || /[:\p{Cc}]/u.test(directory)) {
    return { message: `must be an absolute path other than '/', without a colon, not ${quoted(text)}` };
  }
  if (plain === directory) return undefined;
  return {
    message: `must be a plain path, not ${quoted(text)}`,
    hint: `write ${text.startsWith('!') ? '!' : ''}${plain}`,
  };
};

/** A host directory that is bound into the container under its own name. */
export const bindRule: TextRule = (text) => {
  const wrong = pathRule(text);
  if (wrong) return wrong;
  const unusable = unusableCharacter(text);
  if (unusable) return { message: `${quoted(text)} ${unusable}` };
  if (!path.posix.isAbsolute(text)) return { message: `must be an absolute path, not ${quoted(text)}` };
  const plain = path.posix.resolve(text);
  if (plain !== text) return { message: `must be a plain path, not ${quoted(text)}`, hint: `write ${plain}` };
  if (plain === '/') return { message: `must not be '/': it would hide the whole image` };
  if (plain === '/opt' || plain === '/opt/conda' || plain.startsWith('/opt/conda/')) {
    return { message: `must not be ${quoted(plain)}: it would hide the environments of the image at /opt/conda` };
  }
  return undefined;
};

/** A bare channel name, looked up below the alias, or a URL. */
export const channelRule: TextRule = (text) => {
  if (CHANNEL_NAME.test(text)) return undefined;
  if (/^(https?:\/\/[^/]|file:\/\/\/)/.test(text) && URL.canParse(text) && !/[\s\p{C}]/u.test(text)) return undefined;
  return {
    message: `must be a channel's name or its http://, https:// or file:/// URL, not ${quoted(text)}`,
    hint: /^[./]/.test(text) ? 'write a local channel as file:///absolute/path' : undefined,
  };
};

/** A MatchSpec; whether it is one is for who solves. A `#` would make a comment of the line in conda-meta/pinned. */
export const pinRule: TextRule = (text) => {
  if (text.trim() !== '' && !/[\p{Cc}#]/u.test(text)) return undefined;
  return { message: `must be a conda spec on one line, not ${quoted(text)}`, hint: `write e.g. 'cudatoolkit <10.3'` };
};

/** The base URL of bare channel names. */
export const channelAliasRule: TextRule = (text) =>
  CHANNEL_NAME.test(text) || channelRule(text)
    ? { message: `must be an http://, https:// or file:/// URL, not ${quoted(text)}` }
    : undefined;

export const excludeNewerRule: TextRule = (text) =>
  parseExcludeNewer(text, 0) === undefined
    ? {
        message: `must be a date such as 2026-11-01, a time such as 2026-11-01T12:00:00Z, or an age such as 7 days, not ${quoted(text)}`,
      }
    : undefined;
