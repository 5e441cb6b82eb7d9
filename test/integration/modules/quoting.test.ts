// Quoting for Tcl and Lua, asked of the real interpreters.
import { execa } from 'execa';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quoteLua } from '../../../src/modules/quote-lua.ts';
import { quoteTcl } from '../../../src/modules/quote-tcl.ts';

/** What an interpreter makes of words, as bytes. */
type Evaluate = (texts: readonly string[]) => Promise<string[]>;

async function run(program: string, script: string): Promise<string[]> {
  const { stdout } = await execa(program, ['-'].slice(program === 'tclsh' ? 1 : 0), {
    input: script,
    stripFinalNewline: false,
    env: { LC_ALL: 'C' },
  });
  return stdout.split('\0').slice(0, -1);
}

const evaluateInTcl: Evaluate = (texts) =>
  run(
    'tclsh',
    `fconfigure stdout -translation binary\nforeach word [list ${texts.map(quoteTcl).join(' ')}] { puts -nonewline [encoding convertto utf-8 $word]; puts -nonewline "\\0" }\n`,
  );
const evaluateInLua: Evaluate = (texts) =>
  run('lua5.3', `for _, text in ipairs({ ${texts.map(quoteLua).join(', ')} }) do io.write(text, "\\0") end\n`);

const character = (max: number): fc.Arbitrary<string> =>
  fc
    .oneof({ arbitrary: fc.nat({ max: 0x7f }), weight: 3 }, fc.nat({ max }))
    .filter((code) => code > 0 && (code < 0xd800 || code > 0xdfff))
    .map((code) => String.fromCodePoint(code));

it.each<[string, Evaluate, number]>([
  // Beyond the BMP Tcl 8.6 keeps surrogate halves: no module is given such a value (findModuleLimit).
  ['tclsh', evaluateInTcl, 0xffff],
  ['lua', evaluateInLua, 0x10ffff],
])('gives %s back every text as it was', async (_, evaluate, max) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: character(max) }), { minLength: 1, maxLength: 40 }), async (texts) => {
      expect(await evaluate(texts)).toEqual(texts);
    }),
    { numRuns: 60 },
  );
});

describe('quoteTcl', () => {
  it('stays one word inside the braces of a procedure body', async () => {
    const { stdout } = await execa('tclsh', { input: `proc p { } {\n puts ${quoteTcl('} [exit 3] {')}\n}\np\n` });

    expect(stdout).toBe('} [exit 3] {');
  });
});

it.each([quoteTcl, quoteLua])('%o refuses NUL, which no variable can hold', (quote) => {
  expect(() => quote('a\0b')).toThrow(RangeError);
});
