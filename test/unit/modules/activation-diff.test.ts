import { describe, expect, it } from 'vitest';
import { compareActivation, parseEnvironment, PROBE } from '../../../src/modules/activation-diff.ts';

const env = (variables: Record<string, string>): ReadonlyMap<string, string> => new Map(Object.entries(variables));

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
    const afterProbe = env({ PERL5LIB: `/e/a:/e/b:${PROBE}`, GDAL_DATA: '/e/gdal', MANPATH: `${PROBE}:/e/man` });

    expect(compareActivation(env({}), after, afterProbe).changes).toEqual([
      { kind: 'set', name: 'GDAL_DATA', value: '/e/gdal' },
      { kind: 'append', name: 'MANPATH', entries: ['/e/man'] },
      { kind: 'prepend', name: 'PERL5LIB', entries: ['/e/a', '/e/b'] },
    ]);
  });

  it('sets a single path whose name ends in PATH, as it is not a list', () => {
    const after = env({ UDUNITS2_XML_PATH: '/e/udunits2.xml' });

    expect(compareActivation(env({}), after, after).changes).toEqual([
      { kind: 'set', name: 'UDUNITS2_XML_PATH', value: '/e/udunits2.xml' },
    ]);
  });

  it('unsets what activation removes, and leaves alone what it does not touch', () => {
    const before = env({ LANG: 'C', PYTHONHOME: '/x' });

    expect(compareActivation(before, env({ LANG: 'C' }), env({ LANG: 'C' })).changes).toEqual([
      { kind: 'unset', name: 'PYTHONHOME' },
    ]);
  });

  it('leaves PATH to the farm and the shell to its own variables', () => {
    const after = env({ PATH: '/e/bin:/usr/bin', SHLVL: '2', _: '/usr/bin/env', PWD: '/' });

    expect(compareActivation(env({ PATH: '/usr/bin' }), after, after)).toEqual({ changes: [], warnings: [] });
  });

  it('says what a module cannot express instead of dropping it in silence', () => {
    const after = env({ 'BASH_FUNC_f%%': '() {  :\n}', BAD: 'a\uFFFDb', LINES: 'a\nb', SMILE: '🌍', TIDE: '~' });

    const { changes, warnings } = compareActivation(env({}), after, after);

    expect(changes).toEqual([{ kind: 'set', name: 'TIDE', value: '~' }]);
    expect(warnings).toEqual([
      'activation sets BAD to bytes that are not UTF-8, which a module cannot express',
      'activation exports "BASH_FUNC_f%%", which a module cannot express',
      'activation sets LINES to several lines, which a module cannot express',
      'activation sets SMILE to a character beyond U+FFFF, which a module cannot express',
      'activation sets TIDE to what Environment Modules cannot give sh and bash and csh and zsh and fish: it is not set there',
    ]);
  });
});
