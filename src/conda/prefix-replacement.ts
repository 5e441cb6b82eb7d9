// Puts the real prefix where a package's files have the build's. Pure: bytes in, bytes out.
// Behaviour: conda/core/portability.py (replace_prefix, binary_replace, replace_long_shebang); CEP 34 `prefix_placeholder`.

/** Linux reads 127 bytes of a first line (BINPRM_BUF_SIZE - 1); older kernels and conda count so. */
const maxShebangBytes = 127;

/** A prefix that does not fit where the placeholder was. */
export class PrefixTooLongError extends Error {
  override readonly name = 'PrefixTooLongError';
}

/**
 * @param prefix where users will see the environment
 * @returns the new bytes, or `data` itself where nothing had to change
 * @throws PrefixTooLongError for binaries, whose strings must not grow
 */
export function replacePrefix(data: Buffer, mode: 'text' | 'binary', placeholder: string, prefix: string): Buffer {
  return mode === 'text' ? replaceText(data, placeholder, prefix) : replaceBinary(data, placeholder, prefix);
}

function replaceText(data: Buffer, placeholder: string, prefix: string): Buffer {
  const needle = Buffer.from(placeholder);
  if (!data.includes(needle)) return data;
  // A space would end the interpreter's path: escape it, so that the line is seen to need shortening.
  const first = Buffer.from(`#!${placeholder}`);
  const start = data.subarray(0, first.length).equals(first)
    ? Buffer.from(`#!${prefix.replaceAll(' ', '\\ ')}`)
    : Buffer.alloc(0);
  const rest = start.length > 0 ? data.subarray(first.length) : data;
  return shortenShebang(Buffer.concat([start, replaceAll(rest, needle, Buffer.from(prefix))]));
}

function replaceAll(data: Buffer, needle: Buffer, replacement: Buffer): Buffer {
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = data.indexOf(needle); at !== -1; at = data.indexOf(needle, from)) {
    parts.push(data.subarray(from, at), replacement);
    from = at + needle.length;
  }
  parts.push(data.subarray(from));
  return Buffer.concat(parts);
}

/** `#!/usr/bin/env name` where the kernel could not read the path. It finds the right one while the environment is active. */
function shortenShebang(data: Buffer): Buffer {
  if (data[0] !== 0x23 || data[1] !== 0x21) return data;
  const newline = data.indexOf(0x0a);
  const end = newline === -1 ? data.length : newline;
  const [, interpreter, options] = /^#! *(\/(?:\\ |[^ \n\r\t])*)(.*)$/.exec(data.toString('latin1', 0, end)) ?? [];
  if (interpreter === undefined || options === undefined) return data;
  const slash = interpreter.lastIndexOf('/');
  if (end <= maxShebangBytes && !interpreter.slice(0, slash).includes('\\ ')) return data;
  const line = `#!/usr/bin/env ${interpreter.slice(slash + 1)}${options}`;
  return Buffer.concat([Buffer.from(line, 'latin1'), data.subarray(end)]);
}

/** Each NUL-terminated string that holds the placeholder is shortened, and filled with NULs to its old length. */
function replaceBinary(data: Buffer, placeholder: string, prefix: string): Buffer {
  const needle = Buffer.from(placeholder);
  const replacement = Buffer.from(prefix);
  let at = data.indexOf(needle);
  if (at === -1) return data;
  const result = Buffer.from(data);
  while (at !== -1) {
    const end = data.indexOf(0, at);
    // What no NUL ends is no C string: conda leaves it alone too.
    if (end === -1) break;
    if (replacement.length > needle.length) {
      throw new PrefixTooLongError(
        `the prefix has ${replacement.length} bytes, the package's placeholder only ${needle.length}`,
      );
    }
    const text = replaceAll(data.subarray(at, end), needle, replacement);
    text.copy(result, at);
    result.fill(0, at + text.length, end);
    at = data.indexOf(needle, end);
  }
  return result;
}
