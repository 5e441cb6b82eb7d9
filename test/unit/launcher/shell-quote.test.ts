// The one function that quotes for the launcher's shell.
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesOf, shellQuote } from '../../../launcher/shell-quote.ts';

const byte = fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code));
const bytes = fc.array(byte, { maxLength: 40 }).map((list) => list.join(''));
const tricky = [
  '',
  ' ',
  "'",
  "''",
  '\\',
  "\\'",
  '*/',
  '**//',
  "*'/",
  '$(id)',
  '`',
  '\n',
  'a\nb\n',
  '~',
  '#',
  '!',
  '-n',
  'é',
  '\xff*/',
  '\x07' + '7',
  '\x1b[0m',
  '{a,b}',
  '=',
  'a=b',
];

test('any bytes are one word that bash reads back as the same bytes, in any locale', () => {
  const words = [
    ...tricky.map((text) => (/[^\0-\xff]/.test(text) ? bytesOf(text) : text)),
    ...fc.sample(bytes, { numRuns: 300, seed: 1 }),
  ];
  const script = `printf '%s\\0' ${words.map(shellQuote).join(' ')}`;
  for (const locale of ['C', 'C.UTF-8']) {
    const read = execFileSync('/bin/bash', ['--norc', '-c', script], { encoding: 'latin1', env: { LC_ALL: locale } });
    expect(read.split('\0').slice(0, -1)).toEqual(words);
  }
});

test('the word is ASCII and can stand in a JavaScript comment', () => {
  fc.assert(
    fc.property(fc.oneof(bytes, fc.constantFrom(...tricky)), (text) => {
      const word = shellQuote(text + '*/' + text);
      expect(word).toMatch(/^[\n -~]+$/);
      expect(word).not.toContain('*/');
    }),
  );
});

test('NUL and characters that are no bytes are refused', () => {
  expect(() => shellQuote('a\0b')).toThrow(RangeError);
  expect(() => shellQuote('€')).toThrow(RangeError);
  expect(shellQuote(bytesOf('€'))).toBe(String.raw`$'\342\202\254'`);
});
