// Prefix replacement of any bytes is that of an implementation which shares no code with ours (test/oracle/install.py).
import path from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { PrefixTooLongError, replacePrefix } from '../../../src/conda/prefix-replacement.ts';
import { runCommand } from '../../../src/system/run-command.ts';
import { anyText } from '../../any-text.ts';

const placeholder = '/tmp/build_placehold_placehold';
const prefixes = ['/o', '/opt/conda/analysis', `/opt/${'long/'.repeat(30)}env`, '/my opt/env', placeholder];
const piece = fc.oneof(
  { weight: 4, arbitrary: fc.constant(placeholder) },
  fc.constantFrom('\0', '\n', '\r\n', ' -x', '\\ ', '/bin/sh', ':', placeholder.slice(0, 20), 'y'.repeat(90), '\u00e9'),
  anyText(6),
);
const start = fc.constantFrom(
  '',
  '#!',
  '#! ',
  '\u007fELF',
  `#!${placeholder}/bin/python`,
  `#!/${'z'.repeat(140)}/sh -e`,
);
const narrow = fc
  .tuple(start, fc.array(piece, { maxLength: 12 }))
  .map(([first, rest]) => Buffer.from(first + rest.join('')));
/** Whole strings: at which of the two bytes of a character a search may begin is told by where strings are aligned. */
const wide = fc
  .array(fc.constantFrom(placeholder, '/lib', 'x', ':'), { maxLength: 8 })
  .map((parts) => Buffer.from(`a${parts.join('')}\0\0`, 'utf16le'));
const cases = fc.record({
  mode: fc.constantFrom('text' as const, 'binary' as const),
  data: fc.oneof(narrow, wide),
  prefix: fc.constantFrom(...prefixes),
});

it('is the same for any text and binary', async () => {
  const samples = fc.sample(cases, 3000);

  const { stdout } = await runCommand({
    program: 'python3',
    args: ['-I', path.join(import.meta.dirname, '../../oracle/replace.py')],
    input: JSON.stringify(
      samples.map(({ data, ...rest }) => ({ ...rest, placeholder, data: data.toString('base64') })),
    ),
  });

  const theirs = z.array(z.string().nullable()).parse(JSON.parse(stdout.toString('utf8')));
  expect(theirs).toHaveLength(samples.length);
  expect(theirs.filter((one) => one === null).length).toBeGreaterThan(10);
  for (const [index, { mode, data, prefix }] of samples.entries()) {
    const ours = replaceOrRefuse(data, mode, prefix);
    const other = theirs[index];
    expect({ mode, prefix, data, became: ours?.toString('latin1') }).toEqual({
      ...{ mode, prefix, data },
      became: typeof other === 'string' ? Buffer.from(other, 'base64').toString('latin1') : undefined,
    });
  }
});

function replaceOrRefuse(data: Buffer, mode: 'text' | 'binary', prefix: string): Buffer | undefined {
  try {
    return replacePrefix(data, mode, placeholder, prefix);
  } catch (error) {
    if (error instanceof PrefixTooLongError) return undefined;
    throw error;
  }
}
