// Shell scripts as text: what the launcher's own pieces look like in the file, and as one word of a command line.

/**
 * Without comment lines, but for what shellcheck is told, and indentation: bash takes some hundred instructions for each character that it reads, and reads
 * them at every start. For scripts of ours, which have no string or here-document over several lines in which that matters.
 */
export function compactScript(text: string): string {
  return text.replaceAll(/^[ \t]*(#(?! shellcheck ).*)?\n/gm, '').replaceAll(/^[ \t]+/gm, '');
}

/**
 * A script as one word between single quotes, which bash reads in half the time of `$'...'` with its escapes.
 * @throws RangeError for what cannot stand in the prelude, a comment to Node
 */
export function quoteScript(text: string): string {
  if (text.includes('*/') || /[^\n -~]/.test(text))
    throw new RangeError('a script of ours holds a byte it may not hold');
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
