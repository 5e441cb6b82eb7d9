// Text as one Lua string, whatever bytes it holds.

/**
 * A double-quoted Lua string that is `text` in UTF-8 and nothing else (Lua 5.1 reference manual, 2.1, and all after it).
 * Everything outside printable ASCII is written as decimal escapes of three digits, so that no digit after it joins it.
 * @throws RangeError for NUL, which no environment variable can hold
 */
export function quoteLua(text: string): string {
  if (text.includes('\0')) throw new RangeError('a Lua string for the environment cannot hold a NUL character');
  let quoted = '"';
  for (const byte of Buffer.from(text, 'utf8')) {
    if (byte === 0x22 || byte === 0x5c) quoted += `\\${String.fromCharCode(byte)}`;
    else if (byte >= 0x20 && byte < 0x7f) quoted += String.fromCharCode(byte);
    else quoted += `\\${byte.toString().padStart(3, '0')}`;
  }
  return `${quoted}"`;
}
