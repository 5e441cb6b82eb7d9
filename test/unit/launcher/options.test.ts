// The launcher's own options that make something.
import { expect, test } from 'vitest';
import { parseOptions } from '../../../launcher/options.ts';

test('--layer takes a directory and all that pip is told, options of pip too', () => {
  expect(parseOptions(['--layer', 'mine', '-r', 'a.txt', '--help'])).toEqual({
    layer: 'mine',
    pip: ['-r', 'a.txt', '--help'],
  });
});

test.each([[['--layer']], [['--layer', 'mine']], [['--layer', '', 'x']]])('%j is wrong usage', (args) => {
  expect(parseOptions(args)).toEqual({ unknown: '--layer' });
});
