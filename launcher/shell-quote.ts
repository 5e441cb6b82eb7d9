// Turns bytes into one word of bash source that means exactly those bytes, in any locale.

/**
 * Bytes are strings of the characters U+0000 to U+00FF, one each ("latin1"), as the launcher keeps everything of its caller's.
 * The word is ASCII, has no white space outside quotes, and never holds the JavaScript comment terminator:
 * the prelude stands inside such a comment.
 * @throws RangeError for a character that is no byte, or NUL, which no word of a command line can hold
 */
export function shellQuote(bytes: string): string {
  if (/[^\u0001-\u00ff]/.test(bytes)) throw new RangeError('a shell word holds bytes other than NUL only');
  if (/^[A-Za-z0-9_@%+:,./-]+$/.test(bytes)) return bytes;
  const quoted = /^[ -~]*$/.test(bytes)
    ? `'${bytes.replaceAll("'", `'\\''`)}'`
    : // Octal: bash 4.4's \xHH takes one or two digits, \NNN up to three, and three are always given.
      `$'${bytes.replace(/[^ -&(-[\]-~]/g, (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`)}'`;
  return quoted.startsWith('$') ? quoted.replaceAll('*/', '*\\057') : quoted.replaceAll('*/', `*''/`);
}

/** The UTF-8 bytes of a text of ours, in the same form. */
export function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
