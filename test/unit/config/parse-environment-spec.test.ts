// What is taken from conda's environment.yml, and what a person reads when it is wrong.
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { parseEnvironmentSpec } from '../../../src/config/parse-environment-spec.ts';
import type { EnvironmentSpec } from '../../../src/config/environment-spec.ts';
import { AppError } from '../../../src/system/app-error.ts';
import { problemsOf } from './problems.ts';
import { anyText } from '../../any-text.ts';

const parse = (text: string): EnvironmentSpec => parseEnvironmentSpec(text, '/s/environment.yml');

describe('a right environment.yml', () => {
  it('keeps each line as written, with its place', () => {
    const spec = parse(`
name: analysis3
channels: [conda-forge, nodefaults, file:///data/channel, conda-forge]
dependencies:
  - python=3.11 # [linux]
  - "numpy >=1.20,<2  "
  - conda-forge::xarray[build=py*]
  - pip
  - pip:
      - -r requirements.txt
      - -e .
      - git+https://example.org/x.git@main#egg=x
variables:
  TEXT: yes
  VERSION: 1.10
  FLAG: true
  EMPTY: ''
  LINES: "a\\nb"
`);

    expect(spec).toEqual({
      file: '/s/environment.yml',
      name: 'analysis3',
      channels: ['conda-forge', 'file:///data/channel'],
      dependencies: [
        { text: 'python=3.11', at: '/s/environment.yml:5:5' },
        { text: 'numpy >=1.20,<2', at: '/s/environment.yml:6:5' },
        { text: 'conda-forge::xarray[build=py*]', at: '/s/environment.yml:7:5' },
        { text: 'pip', at: '/s/environment.yml:8:5' },
      ],
      pip: [
        { text: '-r requirements.txt', at: '/s/environment.yml:10:9' },
        { text: '-e .', at: '/s/environment.yml:11:9' },
        { text: 'git+https://example.org/x.git@main#egg=x', at: '/s/environment.yml:12:9' },
      ],
      variables: { TEXT: 'yes', VERSION: '1.10', FLAG: 'true', EMPTY: '', LINES: 'a\nb' },
      notes: [],
    });
  });

  it('needs no more than one package', () => {
    expect(parse('dependencies: [python]')).toMatchObject({ name: undefined, channels: [], pip: [], variables: {} });
  });

  it('adds pip for a pip section, as conda does', () => {
    const spec = parse('dependencies:\n  - python\n  - pip:\n      - x\n');

    expect(spec.dependencies.map(({ text }) => text)).toEqual(['python', 'pip']);
    expect(spec.notes).toEqual([
      { text: 'pip is added to the packages, for the pip section', at: '/s/environment.yml:3:5' },
    ]);
  });

  test.each(['pip>=23', 'conda-forge::pip', 'PIP', 'pip =23'])('sees that %s is pip', (pip) => {
    expect(parse(`dependencies:\n  - ${pip}\n  - pip: [x]\n`).dependencies).toHaveLength(1);
  });

  it('takes an empty pip section for none, as conda does', () => {
    expect(parse('dependencies:\n  - python\n  - pip:\n')).toMatchObject({
      pip: [],
      dependencies: [{ text: 'python' }],
    });
  });

  it('notes what it ignores and what is there twice', () => {
    const spec = parse(
      'dependencies:\n  - numpy\n  - python\n  - conda-forge::NumPy>=2\nprefix: /x\nplatforms: [linux-64]\n',
    );

    expect(spec.dependencies).toHaveLength(3);
    expect(spec.notes).toEqual([
      { text: "numpy is listed twice: 'numpy' at /s/environment.yml:2:5", at: '/s/environment.yml:4:5' },
      { text: "prefix is ignored: the site's configuration decides that", at: '/s/environment.yml:5:1' },
      { text: "platforms is ignored: the site's configuration decides that", at: '/s/environment.yml:6:1' },
    ]);
  });
});

const one = 'dependencies: [python]\n';
const wrong: [what: string, text: string, problems: string[]][] = [
  ['an empty file', '# nothing\n', ['1:1  the file is empty']],
  ['text', 'python\n', ["1:1  the file must be a mapping, but it is the text 'python'"]],
  ['no dependencies', 'name: x\n', ['1:1  dependencies is missing | dependencies: ["python=3.11"]']],
  [
    'dependencies without anything',
    'dependencies:\n',
    ['1:1  dependencies is empty | remove the key or give it a value'],
  ],
  ['an empty list', 'dependencies: []\n', ['1:15  dependencies must not be an empty list | write - python=3.11']],
  [
    'text for a list',
    'dependencies: numpy\n',
    ["1:15  dependencies must be a list, but it is the text 'numpy' | write dependencies: [numpy]"],
  ],
  [
    'unknown keys',
    `${one}dependancies: [x]\nchannel: x\n`,
    [
      '2:1  dependancies is not a known key | did you mean dependencies?',
      '3:1  channel is not a known key | did you mean channels?',
    ],
  ],
  [
    'lines that are no text',
    'dependencies:\n  - python\n  - 3.11\n  - numpy: 1.20\n  - [a]\n  -\n  - true\n  - ""\n',
    [
      "3:5  dependencies[1] must be a package such as python=3.11, but it is the number 3.11 | write the package's name, too: - name=3.11",
      "4:5  dependencies[2] must be a package such as python=3.11, but it is a mapping with the key 'numpy' | write - numpy=1.20",
      '5:5  dependencies[3] must be a package such as python=3.11, but it is a list | write one package on each line',
      '6:4  dependencies[4] must be a package such as python=3.11, but it is empty | remove the line',
      "7:5  dependencies[5] must be a package such as python=3.11, but it is the boolean true | write the package's name, too: - name=true",
      '8:5  dependencies[6] must be a package such as python=3.11, but it is empty | remove the line',
    ],
  ],
  [
    'a line of two lines',
    'dependencies:\n  - |\n    a\n    b\n',
    [
      "2:5  dependencies[0] must be a package such as python=3.11, but it is text with a line break or control character: 'a\\nb'",
    ],
  ],
  [
    'a pip section that is no list',
    'dependencies:\n  - pip: numpy\n',
    ['2:10  dependencies[0].pip must be a list | write - pip: and below it, further in, - package'],
  ],
  [
    'a pip line that is no text',
    'dependencies:\n  - pip:\n    - 1.0\n',
    [
      "3:7  dependencies[0].pip[0] must be a line for pip, but it is the number 1.0 | write the package's name, too: - name=1.0",
    ],
  ],
  [
    'two pip sections',
    'dependencies:\n  - pip\n  - pip: [a]\n  - pip: [b]\n',
    ['4:5  dependencies[2] is a second pip section; the first is at /s/environment.yml:3:5 | put all of it in one'],
  ],
  [
    'a name that is a number',
    `name: 22.10\n${one}`,
    ["1:7  name must be text, but YAML read 22.10 as the number 22.1 | write name: '22.10'"],
  ],
  [
    'a name with a slash',
    `name: a/b\n${one}`,
    ["1:7  name must be a name without white space, '/', ':' and '#', not 'a/b'"],
  ],
  [
    'channels that are no text',
    `channels: [1, a b, $X]\n${one}`,
    ["1:12  channels[0] must be text, but YAML read 1 as the number 1 | write - '1'"],
  ],
  [
    'channels that are nothing',
    `channels: ['', a b, $X/y]\n${one}`,
    [
      "1:12  channels[0] must be a channel's name or URL, not ''",
      "1:16  channels[1] must be a channel's name or URL, not 'a b'",
      "1:21  channels[2] is '$X/y', but nothing expands '$' | write the channel itself",
    ],
  ],
  [
    'variables that cannot be',
    `${one}variables:\n  A-B: x\n  C:\n  D: [x]\n  E: {}\n  F: "\\0"\n`,
    [
      '3:8  variables.A-B is not the name of a variable: letters, digits and underscores, no digit first',
      "4:5  variables.C must be text, but it is empty | write C: ''",
      '5:6  variables.D must be text, but it is a list',
      '6:6  variables.E must be text, but it is a mapping',
      '7:6  variables.F must not hold a NUL character',
    ],
  ],
  [
    'broken YAML',
    'dependencies:\n  - a\n - b\n',
    ['3:1  not valid YAML: A block sequence may not be used as an implicit map key'],
  ],
];

describe('a wrong environment.yml', () => {
  test.each(wrong)('%s is told with its place', (_what, text, problems) => {
    expect(problemsOf(() => parse(text))).toEqual(problems);
  });

  it('ends in a value or an AppError, whatever the text', () => {
    const word = fc.constantFrom(
      'name',
      'channels',
      'dependencies',
      'variables',
      'pip',
      ': ',
      ':',
      '- ',
      '\n',
      '\n  ',
      '\n    ',
      '1',
      'a',
      '[',
      ']',
      '{',
      '}',
      '&a ',
      '*a',
      '"',
      '\0',
    );
    const text = fc.oneof(
      anyText(),
      fc.array(word, { maxLength: 40 }).map((words) => words.join('')),
      fc.json().map((json) => `dependencies: ${json}`),
      fc.json().map((json) => `${one}variables: ${json}`),
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
