// Text as one Tcl word, whatever characters it holds.

/**
 * A double-quoted Tcl word that evaluates to `text` and to nothing else: no substitution, no second word.
 * Braces are escaped too, because they are counted in the bodies of `proc` and `if` (Tcl(n), rules 6 to 9).
 * Everything outside printable ASCII is written as \u escapes, so that it does not depend on how the file is read.
 * @throws RangeError for NUL, which no environment variable can hold
 */
export function quoteTcl(text: string): string {
  if (text.includes('\0')) throw new RangeError('a Tcl word for the environment cannot hold a NUL character');
  let quoted = '"';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (character === '\n') quoted += '\\n';
    else if ('\\"$[]{}#;'.includes(character)) quoted += `\\${character}`;
    else if (code >= 0x20 && code < 0x7f) quoted += character;
    // Tcl 8.6 keeps characters beyond the BMP as two halves, like UTF-16: \U would be cut to 16 bits.
    else
      for (let i = 0; i < character.length; i++)
        quoted += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  }
  return `${quoted}"`;
}
