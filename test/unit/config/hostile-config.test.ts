// Text that was made to break the reader: it ends in a configuration error and nothing else.
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { unusableCharacter } from '../../../src/config/text-rules.ts';
import { parseSiteConfig } from '../../../src/config/parse-site-config.ts';
import type { SiteConfig } from '../../../src/config/site-config.ts';
import { AppError } from '../../../src/system/app-error.ts';
import { problemsOf } from './problems.ts';
import { anyText } from '../../any-text.ts';

const parse = (text: string): SiteConfig => parseSiteConfig(text, '/c/install_config.yaml', { tmpDir: '/tmp', uid: 0 });
const required = 'site: test\nprefix: /apps/conda\nadmin_dir: /apps/admin\n';

/** Eight lists, each of nine times the list before: 9^8 values in a few hundred characters. */
const manyAliases = [1, 2, 3, 4, 5, 6, 7].reduce(
  (text, level) =>
    `${text}l${level}: &l${level} [${Array<string>(9)
      .fill(`*l${level - 1}`)
      .join()}]\n`,
  'l0: &l0 [1,1,1,1,1,1,1,1,1]\n',
);

describe('hostile text', () => {
  test.each([
    ['aliases that multiply', manyAliases],
    ['a value that holds itself', 'a: &a [*a]\n'],
    ['brackets without end', '['.repeat(20_000)],
    ['deep brackets that do end', '['.repeat(3000) + ']'.repeat(3000)],
    ['a very long file', `site: ${'x'.repeat(5 << 20)}\n`],
    ['a NUL character', 'site: "\0"\n'],
    ['an environment called *', `${required}environments: { '*': [] }\n`],
    ['half a surrogate pair', 'site: \ud800\n'],
  ])('%s end in a configuration error', (_what, text) => {
    expect(problemsOf(() => parse(text)).length).toBeGreaterThan(0);
  });

  it('never comes out of a message as a control character', () => {
    const escape = String.fromCodePoint(0x1b, 0x9b, 0x202e);
    const problems = problemsOf(() =>
      parse(
        `site: ${JSON.stringify(`x${escape}`)}\n"${escape.slice(2)}x": 1\nprefix: "/a${escape.slice(2)}b"\nadmin_dir: /x\n`,
      ),
    );

    expect(problems.length).toBeGreaterThan(1);
    expect(problems.join()).not.toMatch(/\p{C}/u);
  });

  const word = fc.constantFrom(
    'site',
    'prefix',
    'environments',
    'binds',
    'run',
    'squashfs',
    'level',
    '22.10',
    '~',
    '&a',
    '*a',
    '!!set',
    '<<',
    '-',
    '?',
    ':',
    '{',
    '}',
    '[',
    ']',
    ',',
    '\n',
    '\n  ',
    '\t',
    "'",
    '"',
    '|',
    '#',
    '%YAML 1.1',
    '---',
    '/x',
    '../',
    '\0',
    '\ufeff',
    '__proto__',
  );

  it('ends in a value or an AppError, whatever the text', () => {
    const text = fc.oneof(
      anyText(),
      fc.array(word, { maxLength: 40 }).map((words) => words.join(' ')),
      fc.array(word, { maxLength: 40 }).map((words) => words.join('')),
      fc.json().map((json) => `${required}environments: ${json}`),
      fc.tuple(word, fc.json()).map(([key, json]) => `${required}${key}: ${json}`),
    );
    fc.assert(
      fc.property(text, (input) => {
        try {
          parse(input);
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
        }
      }),
      { numRuns: 150 },
    );
  });
});

it.each(['/a"b', '/a\\b', '/a:b', '/a,b', '/a b'])('refuses %s, which a bind option cannot name', (file) => {
  expect(unusableCharacter(file)).toMatch(/^has /);
});
