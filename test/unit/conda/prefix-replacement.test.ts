// Text and binary prefix replacement, against conda's rules.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PrefixTooLongError, replacePrefix } from '../../../src/conda/prefix-replacement.ts';

const placeholder = `/home/build/_h_env_${'placehold_'.repeat(20)}`;
const prefix = '/opt/conda/analysis3-26.11';
const text = (data: string, to = prefix): string =>
  replacePrefix(Buffer.from(data), 'text', placeholder, to).toString();
const binary = (data: Buffer, to = prefix): Buffer => replacePrefix(data, 'binary', placeholder, to);

/** Node has no names for most of these. */
function encode(text: string, encoding: 'utf16le' | 'utf16be' | 'utf32le' | 'utf32be'): Buffer {
  const units = Array.from(text, (character) => character.codePointAt(0) ?? 0);
  const size = encoding.startsWith('utf16') ? 2 : 4;
  const data = Buffer.alloc(size * units.length);
  for (const [index, unit] of units.entries())
    if (encoding.endsWith('le')) data.writeUIntLE(unit, index * size, size);
    else data.writeUIntBE(unit, index * size, size);
  return data;
}

describe('in text', () => {
  it('replaces every occurrence', () => {
    expect(text(`a=${placeholder}/bin:${placeholder}${placeholder}\n`)).toBe(`a=${prefix}/bin:${prefix}${prefix}\n`);
  });

  it('gives back the very same bytes where there is none', () => {
    const data = Buffer.from(`#!/bin/sh\n/${'long'.repeat(100)}\n`);

    expect(replacePrefix(data, 'text', placeholder, prefix)).toBe(data);
  });

  it.each(['utf16le', 'utf16be', 'utf32le', 'utf32be'] as const)('replaces in %s', (encoding) => {
    const data = encode(`\u00e9${placeholder}/b${placeholder}`, encoding);

    expect(replacePrefix(data, 'text', placeholder, prefix)).toEqual(encode(`\u00e9${prefix}/b${prefix}`, encoding));
  });

  it('replaces around bytes that are no UTF-8', () => {
    const data = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(placeholder), Buffer.from([0x80, 0])]);

    const replaced = replacePrefix(data, 'text', placeholder, prefix);

    expect(replaced).toEqual(Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(prefix), Buffer.from([0x80, 0])]));
  });

  it('keeps a shebang that the kernel can read', () => {
    expect(text(`#!${placeholder}/bin/python -E\nx`)).toBe(`#!${prefix}/bin/python -E\nx`);
  });

  it('keeps a shebang of 127 bytes and shortens one of 128, with its options', () => {
    const fits = `/${'p'.repeat(127 - '#!//bin/python -E'.length)}`;

    expect(text(`#!${placeholder}/bin/python -E\nx`, fits)).toBe(`#!${fits}/bin/python -E\nx`);
    expect(text(`#!${placeholder}/bin/python -E\nx`, `${fits}p`)).toBe('#!/usr/bin/env python -E\nx');
  });

  it('shortens a shebang with a space in the prefix, and leaves the space elsewhere', () => {
    expect(text(`#!${placeholder}/bin/perl -w\n${placeholder}`, '/opt/my env')).toBe(
      '#!/usr/bin/env perl -w\n/opt/my env',
    );
  });

  it('shortens a shebang that the kernel could not read, whatever is in it, as conda does', () => {
    expect(text(`#!/${'long/'.repeat(100)}sh -e\n`)).toBe('#!/usr/bin/env sh -e\n');
  });

  it('shortens a shebang that ends in CR LF, and keeps the CR', () => {
    expect(text(`#!/${'long/'.repeat(100)}sh -e\r\nx`)).toBe('#!/usr/bin/env sh -e\r\nx');
  });

  it('does not grow a file without measure', () => {
    expect(() => replacePrefix(Buffer.alloc(1 << 20, '/'), 'text', '/', 'q'.repeat(1000))).toThrow(PrefixTooLongError);
  });

  it('shortens a shebang that ends the file', () => {
    expect(text(`#!${placeholder}/bin/sh`, '/opt/my env')).toBe('#!/usr/bin/env sh');
  });

  it('leaves no placeholder and changes nothing else, whatever the text', () => {
    const words = fc.array(fc.oneof(fc.constant(placeholder), fc.string()), { maxLength: 8 });
    fc.assert(
      fc.property(words, (parts) => {
        const data = `x${parts.join('')}`;
        expect(text(data)).toBe(data.replaceAll(placeholder, prefix));
      }),
    );
  });
});

describe('in binaries', () => {
  const filled = (body: string, length: number): Buffer => Buffer.concat([Buffer.from(body)], length);

  it('fills the string up with NULs and leaves what follows where it was', () => {
    const data = Buffer.from(`\x7fELF${placeholder}/lib\0next\0`);
    const end = data.length - 'next\0'.length;

    const replaced = binary(data);

    expect(replaced.subarray(0, end)).toEqual(filled(`\x7fELF${prefix}/lib`, end));
    expect(replaced.subarray(end).toString()).toBe('next\0');
  });

  it('replaces several in one string and pads once, at its end', () => {
    const data = Buffer.from(`${placeholder}/a:${placeholder}/b:${placeholder}\0z`);

    expect(binary(data)).toEqual(
      Buffer.concat([filled(`${prefix}/a:${prefix}/b:${prefix}`, data.length - 1), Buffer.from('z')]),
    );
  });

  it.each(['utf16le', 'utf16be', 'utf32le', 'utf32be'] as const)(
    'replaces strings of %s, aligned or not',
    (encoding) => {
      const string = encode(`${placeholder}/\u0100a:${placeholder}\0`, encoding);
      const replaced = encode(`${prefix}/\u0100a:${prefix}`, encoding);
      for (const offset of [0, 1, 3]) {
        const data = Buffer.concat([Buffer.alloc(offset, 1), string, Buffer.from('\x01tail')]);

        const expected = Buffer.concat([
          ...[
            Buffer.alloc(offset, 1),
            replaced,
            Buffer.alloc(string.length - replaced.length),
            Buffer.from('\x01tail'),
          ],
        ]);

        // Shifted by a byte, text of one byte order looks like text of the other: of strings that no compiler aligned, only
        // those of the first are told apart.
        if (offset === 0 || encoding.endsWith('le')) expect(binary(data)).toEqual(expected);
        expect(binary(data).length).toBe(data.length);
      }
    },
  );

  it('leaves a string alone that no NUL ends', () => {
    const data = Buffer.from(`a\0${placeholder}/lib`);

    expect(binary(data)).toEqual(data);
  });

  it('takes a prefix as long as the placeholder and refuses a longer one', () => {
    const data = Buffer.from(`${placeholder}\0`);
    const same = 'q'.repeat(placeholder.length);

    expect(binary(data, same)).toEqual(Buffer.from(`${same}\0`));
    expect(() => binary(data, `${same}q`)).toThrow(PrefixTooLongError);
  });

  it('does not mind a long prefix where there is nothing to replace', () => {
    const data = Buffer.from('nothing\0');

    expect(binary(data, 'q'.repeat(1000))).toBe(data);
  });

  it('does not change the bytes it was given', () => {
    const data = Buffer.from(`${placeholder}\0`);
    const before = Buffer.from(data);

    binary(data);

    expect(data).toEqual(before);
  });

  it('never changes the length, and each string is replaced as text would be', () => {
    const part = fc.oneof(
      { weight: 3, arbitrary: fc.constant(Buffer.from(placeholder)) },
      { weight: 2, arbitrary: fc.constant(Buffer.from([0])) },
      fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const data = Buffer.concat([...parts, Buffer.from([0])]);

        const replaced = binary(data);

        expect(replaced.length).toBe(data.length);
        let from = 0;
        for (let end = data.indexOf(0); end !== -1; end = data.indexOf(0, from)) {
          const string = data.toString('latin1', from, end).replaceAll(placeholder, prefix);
          expect(replaced.toString('latin1', from, end)).toBe(string.padEnd(end - from, '\0'));
          from = end + 1;
        }
      }),
    );
  });
});
