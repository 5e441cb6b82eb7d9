import { describe, expect, it } from 'vitest';
import {
  compareActivation,
  parseEnvironment,
  probeOf,
  type ActivationDiff,
} from '../../../src/modules/activation-diff.ts';

const env = (variables: Record<string, string>): ReadonlyMap<string, string> => new Map(Object.entries(variables));

/** With a probe in each variable that is there after either capture. */
const compare = (
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  afterProbe: ReadonlyMap<string, string>,
  more: { aliases?: ReadonlyMap<string, string>; functions?: ReadonlyMap<string, string>; probed?: string[] } = {},
): ActivationDiff =>
  compareActivation(
    before,
    { environment: after, aliases: more.aliases ?? env({}), functions: more.functions ?? env({}) },
    afterProbe,
    new Set([...after.keys(), ...(more.probed ?? [])].filter((name) => !before.has(name))),
  );

describe('parseEnvironment', () => {
  it('keeps newlines, equals signs and quotes of a value', () => {
    const bytes = Buffer.from('A=1\nB=2\0C=x="y"\0EMPTY=\0');

    expect([...parseEnvironment(bytes)]).toEqual([
      ['A', '1\nB=2'],
      ['C', 'x="y"'],
      ['EMPTY', ''],
    ]);
  });
});

describe('compareActivation', () => {
  it('tells a variable that is extended from one that is replaced, by what happens to the probe', () => {
    const after = env({ PERL5LIB: '/e/a:/e/b', GDAL_DATA: '/e/gdal', MANPATH: '/e/man' });
    const afterProbe = env({
      PERL5LIB: `/e/a:/e/b:${probeOf('PERL5LIB')}`,
      GDAL_DATA: '/e/gdal',
      MANPATH: `${probeOf('MANPATH')}:/e/man`,
    });

    expect(compare(env({}), after, afterProbe).changes).toEqual([
      { kind: 'set', name: 'GDAL_DATA', value: '/e/gdal' },
      { kind: 'append', name: 'MANPATH', entries: ['/e/man'] },
      { kind: 'prepend', name: 'PERL5LIB', entries: ['/e/a', '/e/b'] },
    ]);
  });

  it('sets a single path whose name ends in PATH, as it is not a list', () => {
    const after = env({ UDUNITS2_XML_PATH: '/e/udunits2.xml' });

    expect(compare(env({}), after, after).changes).toEqual([
      { kind: 'set', name: 'UDUNITS2_XML_PATH', value: '/e/udunits2.xml' },
    ]);
  });

  it('unsets what activation removes, and leaves alone what it does not touch', () => {
    const before = env({ LANG: 'C', PYTHONHOME: '/x' });

    expect(compare(before, env({ LANG: 'C' }), env({ LANG: 'C' })).changes).toEqual([
      { kind: 'unset', name: 'PYTHONHOME' },
    ]);
  });

  it('leaves PATH to the farm and the shell to its own variables', () => {
    const after = env({ PATH: '/e/bin:/usr/bin', SHLVL: '2', _: '/usr/bin/env', PWD: '/' });

    expect(compare(env({ PATH: '/usr/bin' }), after, after)).toEqual({ changes: [], warnings: [] });
  });

  it('says what a module cannot express instead of dropping it in silence', () => {
    const after = env({
      'BASH_FUNC_f%%': '() {  :\n}',
      'a.b': '1',
      BAD: 'a\uFFFDb',
      LINES: 'a\nb',
      SMILE: '🌍',
      TIDE: '~',
    });

    const { changes, warnings } = compare(env({}), after, after);

    expect(changes).toEqual([{ kind: 'set', name: 'TIDE', value: '~' }]);
    expect(warnings).toEqual([
      'activation sets BAD to bytes that are not UTF-8, which a module cannot express',
      'activation sets LINES to several lines, which a module cannot express',
      'activation sets SMILE to a character beyond U+FFFF, which a module cannot express',
      'activation exports "a.b", which a module cannot express',
      'activation sets TIDE to what Environment Modules cannot give sh and bash and csh and zsh and fish: it is not set there',
    ]);
  });
});

describe('what becomes of what users have set', () => {
  const one = (value: string | undefined, probe: string | undefined): ActivationDiff =>
    compare(env({}), env(value === undefined ? {} : { X: value }), env(probe === undefined ? {} : { X: probe }), {
      probed: ['X'],
    });
  const probe = probeOf('X');

  it.each([
    [
      'a list whose end is empty, which stands for the default directories',
      '/m:',
      `/m:${probe}`,
      { before: '/m:', after: '' },
    ],
    ['options with blanks between them', '-O2', `-O2 ${probe}`, { before: '-O2 ', after: '' }],
    ['what is only set where nothing is', '-O2', probe, { before: '', after: '' }],
  ])('keeps %s', (_, value, probed, around) => {
    expect(one(value, probed)).toEqual({ changes: [{ kind: 'around', name: 'X', value, ...around }], warnings: [] });
  });

  it('extends what it does not set by itself, takes away what scripts unset, and leaves alone what they only read', () => {
    expect(one(undefined, `/p:${probe}`).changes).toEqual([{ kind: 'around', name: 'X', before: '/p:', after: '' }]);
    expect(one(undefined, undefined).changes).toEqual([{ kind: 'unset', name: 'X' }]);
    expect(one(undefined, probe)).toEqual({ changes: [], warnings: [] });
  });

  it('knows what scripts keep for their deactivate.d counterparts, set or empty', () => {
    const after = env({ GDAL_DATA: '/e', OLD_SCHEMA: '', SCHEMA: '/s' });
    const afterProbe = env({
      ...{ GDAL_DATA: '/e', SCHEMA: '/s', OLD_SCHEMA: probeOf('SCHEMA'), _CONDA_SET_GDAL_DATA: probeOf('GDAL_DATA') },
    });

    expect(compare(env({}), after, afterProbe)).toEqual({
      changes: [
        { kind: 'set', name: 'GDAL_DATA', value: '/e' },
        { kind: 'backup', name: 'OLD_SCHEMA', of: 'SCHEMA' },
        { kind: 'set', name: 'SCHEMA', value: '/s' },
        { kind: 'backup', name: '_CONDA_SET_GDAL_DATA', of: 'GDAL_DATA' },
      ],
      warnings: [],
    });
  });

  it('says where a variable is made from another one that users may have set', () => {
    const { changes, warnings } = compare(env({}), env({ X: '/usr/lib' }), env({ X: `${probeOf('JAVA_HOME')}/lib` }));

    expect(changes).toEqual([{ kind: 'set', name: 'X', value: '/usr/lib' }]);
    expect(warnings).toEqual([
      'activation makes X from variables that users may have set, which a module cannot express',
    ]);
  });
});

it('has aliases and functions for the shells whose scripts define them, and refuses names that are none', () => {
  const aliases = env({ ll: 'ls -l', 'a;b': 'x' });
  const functions = env({ greet: 'echo hello\nreturn 0' });

  const { changes, warnings } = compare(env({}), env({}), env({}), { aliases, functions });

  expect(changes).toEqual([
    { kind: 'alias', name: 'll', value: 'ls -l' },
    { kind: 'function', name: 'greet', body: 'echo hello\nreturn 0' },
  ]);
  expect(warnings).toEqual([
    'activation defines the alias "a;b", which a module cannot express',
    'activation defines the alias ll: modules give it to bash and zsh only',
    'activation defines the function greet: modules give it to bash and zsh only',
  ]);
});
