// What is found in start-up files, and what they are like without it.
import { expect, test } from 'vitest';
import { planCondarc } from '../../../src/user/condarc.ts';
import { parseStartFile } from '../../../src/user/parse-start-file.ts';
import { planStartText } from '../../../src/user/plan-start-text.ts';
import type { StartLanguage } from '../../../src/user/start-files.ts';

const BLOCK = [
  '# >>> conda initialize >>>',
  `__conda_setup="$('/home/a/miniconda3/bin/conda' 'shell.bash' 'hook' 2> /dev/null)"`,
  'eval "$__conda_setup"',
  '# <<< conda initialize <<<',
];
const find = (text: string, language: StartLanguage = 'sh') =>
  parseStartFile(text, language).map(({ kind, firstLine, lastLine }) => `${kind} ${firstLine}-${lastLine}`);
const plan = (text: string, language: StartLanguage = 'sh') =>
  planStartText({ text, language }, parseStartFile(text, language));

test('finds blocks of conda and mamba, of old and new versions, by their lines', () => {
  const old = ['# >>> conda init >>>', 'x', '# <<< conda init <<<'];
  const mamba = ['# >>> mamba initialize >>>', `export MAMBA_EXE='/b/micromamba';`, '# <<< mamba initialize <<<'];
  const text = ['alias ll=ls', ...BLOCK, ...old, '', ...mamba].join('\n');

  expect(find(text)).toEqual(['conda-block 2-5', 'conda-block 6-8', 'conda-block 10-12']);
  expect(parseStartFile(text, 'sh')).toMatchObject([
    { tool: 'conda', commands: ['conda'] },
    { tool: 'conda', commands: ['conda'] },
    { tool: 'mamba', commands: ['micromamba'] },
  ]);
});

test('a block without an end is left to a person, and hides none that follows', () => {
  const text = [...BLOCK.slice(0, 2), ...BLOCK].join('\n');

  expect(find(text)).toEqual(['conda-unfinished 1-1', 'conda-block 3-6']);
  expect(plan(BLOCK.slice(0, 2).join('\n'))).toBe(BLOCK.slice(0, 2).join('\n'));
});

test('what was put into a function is found to be there, and stays as it is', () => {
  for (const language of ['sh', 'fish'] as const) {
    const once = plan(`before\n${BLOCK.join('\n')}\nafter\n`, language);

    expect(parseStartFile(once, language)).toMatchObject([{ kind: 'conda-block', isLazy: true }]);
    expect(plan(once, language)).toBe(once);
    expect(once).toContain(BLOCK.join('\n'));
  }
});

test('a block for csh that only reads a file starts nothing; one that asks conda is left to a person', () => {
  const asks = BLOCK.with(1, 'eval `/b/conda shell.csh hook`').join('\n');
  const reads = [
    'if ( -f "/b/conda.csh" ) then',
    '    source "/b/conda.csh"',
    'else',
    '    setenv PATH "/b:$PATH"',
    'endif',
  ];
  const sources = [BLOCK[0], '# by conda init', ...reads, BLOCK.at(-1)].join('\n');

  expect(parseStartFile(sources, 'csh')).toMatchObject([{ kind: 'conda-block', isLazy: true }]);
  expect(parseStartFile(asks, 'csh')).toMatchObject([{ kind: 'conda-block', isLazy: false }]);
  expect(plan(asks, 'csh')).toBe(asks);
});

test.each<[StartLanguage, string, string]>([
  ['sh', 'export PYTHONPATH=$HOME/lib:$PYTHONPATH', 'whole'],
  ['sh', '  PYTHONPATH="/a b:${PYTHONPATH}"; export PYTHONPATH # mine', 'whole'],
  ['sh', 'declare -x PYTHONHOME=/usr', 'whole'],
  ['sh', 'export PYTHONPATH=$(find /lib -name python)', 'by hand'],
  ['sh', 'export PYTHONPATH=/a:\\', 'by hand'],
  ['sh', 'export PYTHONPATH="/a', 'by hand'],
  ['sh', 'export PYTHONPATH=/a; module load x', 'by hand'],
  ['sh', 'PYTHONPATH=lib python3 x.py', 'nothing'],
  ['sh', '# export PYTHONPATH=/a', 'nothing'],
  ['sh', 'unset PYTHONPATH', 'nothing'],
  ['sh', 'export MY_PYTHONPATH=/a', 'nothing'],
  ['csh', 'setenv PYTHONPATH ${HOME}/lib', 'whole'],
  ['csh', 'setenv PYTHONHOME `which python`', 'by hand'],
  ['fish', 'set -gx PYTHONPATH /a /b', 'whole'],
  ['fish', 'set -gx PYTHONPATH (pwd)', 'by hand'],
])('in %s, %s is %s', (language, line, expected) => {
  const [found] = parseStartFile(line, language);

  expect(
    found === undefined ? 'nothing' : found.kind === 'python-variable' && found.isWhole ? 'whole' : 'by hand',
  ).toBe(expected);
  const off = plan(line, language);
  expect(parseStartFile(off, language)).toHaveLength(expected === 'by hand' ? 1 : 0);
  expect(off.endsWith(line.trimStart())).toBe(true);
});

test('activations at login are found, of conda and not of venvs', () => {
  const text =
    'conda activate work\nsource ~/venv/bin/activate\n  mamba activate  # mine\nalias a="conda activate b"\n';

  expect(find(text)).toEqual(['activation 1-1', 'activation 3-3']);
  expect(plan(text)).toBe(text);
});

test.each([
  ['', 'auto_activate_base: false\n'],
  ['channels:\n  - conda-forge', 'channels:\n  - conda-forge\nauto_activate_base: false\n'],
  ['# mine\nauto_activate_base: true  # why\nx: 1\n', '# mine\nauto_activate_base: false\nx: 1\n'],
  ['auto_activate: yes\n', 'auto_activate: false\n'],
  ['{channels: [a]}\n', undefined],
  ['channels: [a\n', undefined],
])('.condarc %j becomes %j', (text, expected) => {
  expect(planCondarc(text)).toBe(expected);
});
