// noarch: python targets and entry points.
import { describe, expect, it } from 'vitest';
import {
  isNoarchSource,
  noarchTarget,
  parseEntryPoint,
  planPython,
  renderEntryPoint,
} from '../../../src/conda/python-linking.ts';

const url = 'https://channel.example/noarch/tool-1-0.conda';
const python = { sitePackages: 'lib/python3.13/site-packages', interpreter: 'bin/python3.13' };

describe('the environment’s python', () => {
  it('has its site-packages by its version', () => {
    expect(planPython({ url, version: '3.13.1rc2' })).toEqual(python);
  });

  it('has them where its package says (CEP 17)', () => {
    const layout = planPython({ url, version: '3.13.0', sitePackagesPath: 'lib/python3.13t/site-packages' });

    expect(layout.sitePackages).toBe('lib/python3.13t/site-packages');
  });

  it.each(['../elsewhere', '/usr/lib', 'lib/../../x', './'])('refuses site-packages at %j', (sitePackagesPath) => {
    expect(() => planPython({ url, version: '3.13.0', sitePackagesPath })).toThrow(/leaves the environment/);
  });
});

describe('paths of noarch packages', () => {
  it.each([
    ['site-packages/a/__init__.py', 'lib/python3.13/site-packages/a/__init__.py'],
    ['python-scripts/tool', 'bin/tool'],
    ['share/doc/site-packages/a', 'share/doc/site-packages/a'],
    ['site-packages-extra/a', 'site-packages-extra/a'],
    ['etc/tool.conf', 'etc/tool.conf'],
  ])('puts %s at %s', (from, to) => {
    expect(noarchTarget(from, python)).toBe(to);
  });

  it('compiles the Python files of site-packages only', () => {
    expect(
      ['site-packages/a.py', 'site-packages/a.pyi', 'share/a.py', 'python-scripts/a.py'].filter(isNoarchSource),
    ).toEqual(['site-packages/a.py']);
  });
});

describe('entry points', () => {
  it.each([
    ['tool = tool.cli:main', { command: 'tool', module: 'tool.cli', func: 'main' }],
    ['f2py=numpy.f2py.f2py2e:main', { command: 'f2py', module: 'numpy.f2py.f2py2e', func: 'main' }],
    ['dask-ssh = distributed.cli:App.run [ssh]', { command: 'dask-ssh', module: 'distributed.cli', func: 'App.run' }],
  ])('reads %j', (text, entryPoint) => {
    expect(parseEntryPoint(url, text)).toEqual(entryPoint);
  });

  it.each([
    '../../etc/profile = os:system',
    'sub/tool = a:b',
    '.. = a:b',
    'tool = a',
    'tool = a:b; import os',
    'tool = a:b\nimport os',
    'to\nol = a:b',
    '= a:b',
  ])('refuses %j', (text) => {
    expect(() => parseEntryPoint(url, text)).toThrow(/entry point/);
  });

  it('of any length are refused at once: the pattern of one would take hours', () => {
    for (const text of [`a${' '.repeat(1_000_000)}`, `a = b:c${' '.repeat(1_000_000)}x`])
      expect(() => parseEntryPoint(url, text)).toThrow(/entry point/);
  });

  it('become the script that conda writes', () => {
    const script = renderEntryPoint({ command: 'tool', module: 'tool.cli', func: 'App.run' }, python, '/opt/conda/a-1');

    expect(script).toBe(
      [
        '#!/opt/conda/a-1/bin/python3.13',
        '# -*- coding: utf-8 -*-',
        'import re',
        'import sys',
        '',
        'from tool.cli import App',
        '',
        "if __name__ == '__main__':",
        "    sys.argv[0] = re.sub(r'(-script\\.pyw?|\\.exe)?$', '', sys.argv[0])",
        '    sys.exit(App.run())',
        '',
      ].join('\n'),
    );
  });

  it('start through sh where the kernel could not read the path', () => {
    const script = renderEntryPoint({ command: 't', module: 'm', func: 'f' }, python, '/opt/my env');

    expect(script.split('\n').slice(0, 3)).toEqual([
      '#!/bin/sh',
      `'''exec' "/opt/my env/bin/python3.13" "$0" "$@" #'''`,
      '# -*- coding: utf-8 -*-',
    ]);
  });
});
