// Puts the real prefix where a package's files have the build's. Pure: bytes in, bytes out.
// Behaviour: conda/core/portability.py (replace_prefix, binary_replace, replace_long_shebang); CEP 34 `prefix_placeholder`.

/** Linux reads 127 bytes of a first line (BINPRM_BUF_SIZE - 1); older kernels and conda count so. */
const maxShebangBytes = 127;
/** A text that grows by more is no text: a placeholder such as "/" makes a file many times as long. */
const maxGrowthBytes = 64 << 20;

/** A prefix that does not fit where the placeholder was. */
export class PrefixTooLongError extends Error {
  override readonly name = 'PrefixTooLongError';
}

/** An encoding in which a path may stand in a file, and the bytes of one NUL in it. */
interface PathEncoding {
  readonly unitBytes: 1 | 2 | 4;
  readonly encode: (text: string) => Buffer;
}

/** Of the paths of a build: there are two or three at a time, for thousands of files. */
function memoize(encode: (text: string) => Buffer): (text: string) => Buffer {
  const known = new Map<string, Buffer>();
  return (text) => {
    const there = known.get(text);
    if (there) return there;
    if (known.size > 16) known.clear();
    const bytes = encode(text);
    known.set(text, bytes);
    return bytes;
  };
}

/** In conda's order (POPULAR_ENCODINGS, conda pull request 9946): what is found in one is no longer there for the next. */
const narrow: PathEncoding = { unitBytes: 1, encode: memoize((text) => Buffer.from(text)) };
const wide: readonly PathEncoding[] = [
  { unitBytes: 2, encode: memoize((text) => Buffer.from(text, 'utf16le')) },
  { unitBytes: 2, encode: memoize((text) => Buffer.from(text, 'utf16le').swap16()) },
  { unitBytes: 4, encode: memoize((text) => utf32(text, (buffer, code, at) => buffer.writeUInt32LE(code, at))) },
  { unitBytes: 4, encode: memoize((text) => utf32(text, (buffer, code, at) => buffer.writeUInt32BE(code, at))) },
];

/**
 * @param placeholder not empty
 * @param prefix where users will see the environment
 * @returns the new bytes, or `data` itself where nothing had to change
 * @throws PrefixTooLongError for binaries, whose strings must not grow, and for texts that would grow without measure
 */
export function replacePrefix(data: Buffer, mode: 'text' | 'binary', placeholder: string, prefix: string): Buffer {
  if (placeholder === '') throw new Error('an empty placeholder is everywhere');
  return mode === 'text' ? replaceText(data, placeholder, prefix) : replaceBinary(data, placeholder, prefix);
}

function replaceText(data: Buffer, placeholder: string, prefix: string): Buffer {
  // A space would end the interpreter's path: escape it, so that the line is seen to need shortening.
  const first = Buffer.from(`#!${placeholder}`);
  const isShebang = data.subarray(0, first.length).equals(first);
  const start = isShebang ? Buffer.from(`#!${prefix.replaceAll(' ', '\\ ')}`) : Buffer.alloc(0);
  let rest = isShebang ? data.subarray(first.length) : data;
  for (const { encode } of [narrow, ...wide]) rest = replaceAll(rest, encode(placeholder), encode(prefix));
  return shortenShebang(isShebang ? Buffer.concat([start, rest]) : rest);
}

/** @returns `data` itself where the needle is not in it */
function replaceAll(data: Buffer, needle: Buffer, replacement: Buffer): Buffer {
  const growth = replacement.length - needle.length;
  let count = 0;
  for (let at = data.indexOf(needle); at !== -1; at = data.indexOf(needle, at + needle.length)) {
    count += 1;
    if (count * growth > maxGrowthBytes)
      throw new PrefixTooLongError(`it holds the package's placeholder more than ${count} times`);
  }
  if (count === 0) return data;
  const result = Buffer.allocUnsafe(data.length + count * growth);
  let from = 0;
  let to = 0;
  for (let at = data.indexOf(needle); at !== -1; at = data.indexOf(needle, from)) {
    to += data.copy(result, to, from, at);
    to += replacement.copy(result, to);
    from = at + needle.length;
  }
  data.copy(result, to, from);
  return result;
}

/** `#!/usr/bin/env name` where the kernel could not read the path. It finds the right one while the environment is active. */
function shortenShebang(data: Buffer): Buffer {
  if (data[0] !== 0x23 || data[1] !== 0x21) return data;
  const newline = data.indexOf(0x0a);
  const end = newline === -1 ? data.length : newline;
  const [, interpreter, options] = /^#! *(\/(?:\\ |[^ \n\r\t])*)(.*)/s.exec(data.toString('latin1', 0, end)) ?? [];
  if (interpreter === undefined || options === undefined) return data;
  const slash = interpreter.lastIndexOf('/');
  if (end <= maxShebangBytes && !interpreter.slice(0, slash).includes('\\ ')) return data;
  const line = `#!/usr/bin/env ${interpreter.slice(slash + 1)}${options}`;
  return Buffer.concat([Buffer.from(line, 'latin1'), data.subarray(end)]);
}

/**
 * Strings of wide characters may stand anywhere, but compilers align them: an aligned one is what it seems, where the same
 * bytes one further would be text of the other byte order (rattler: prefix_replacement/binary.rs, find_cstring_patches).
 */
function replaceBinary(data: Buffer, placeholder: string, prefix: string): Buffer {
  let result = data;
  const replace = ({ encode, unitBytes }: PathEncoding, isAligned: boolean): void => {
    result = replaceStrings(result, encode(placeholder), encode(prefix), unitBytes, isAligned, data);
  };
  replace(narrow, false);
  for (const isAligned of [true, false]) for (const encoding of wide) replace(encoding, isAligned);
  return result;
}

/**
 * Each NUL-terminated string that holds the placeholder is shortened, and filled with NULs to its old length.
 * @param original never written to; `data` is written to in place where it is another
 */
function replaceStrings(
  data: Buffer,
  needle: Buffer,
  replacement: Buffer,
  unitBytes: number,
  isAligned: boolean,
  original: Buffer,
): Buffer {
  let result = data;
  let at = data.indexOf(needle);
  while (at !== -1) {
    if (isAligned && at % unitBytes !== 0) {
      at = data.indexOf(needle, at + 1);
      continue;
    }
    const end = findNul(data, at + needle.length, unitBytes);
    // What no NUL ends is no C string: conda leaves it alone too.
    if (end === -1) break;
    if (replacement.length > needle.length) {
      throw new PrefixTooLongError(
        `the prefix has ${replacement.length} bytes, the package's placeholder only ${needle.length}`,
      );
    }
    if (result === original) result = Buffer.from(original);
    const text = replaceAll(data.subarray(at, end), needle, replacement);
    text.copy(result, at);
    result.fill(0, at + text.length, end);
    at = data.indexOf(needle, end);
  }
  return result;
}

/** Where the next NUL character begins, looking at every `unitBytes`-th place only. */
function findNul(data: Buffer, from: number, unitBytes: number): number {
  if (unitBytes === 1) return data.indexOf(0, from);
  for (let at = from; at + unitBytes <= data.length; at += unitBytes)
    if (data.subarray(at, at + unitBytes).every((byte) => byte === 0)) return at;
  return -1;
}

function utf32(text: string, write: (buffer: Buffer, code: number, at: number) => void): Buffer {
  const codes = Array.from(text, (character) => character.codePointAt(0) ?? 0);
  const buffer = Buffer.alloc(4 * codes.length);
  for (const [index, code] of codes.entries()) write(buffer, code, 4 * index);
  return buffer;
}
