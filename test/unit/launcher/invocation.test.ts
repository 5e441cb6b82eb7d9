// What the planner reads of the waiting shell, and the small pure pieces around it.
import { describe, expect, test } from 'vitest';
import { outermost } from '../../../launcher/binds.ts';
import { applySettings, sortEnvironment } from '../../../launcher/environment.ts';
import { parseInvocation } from '../../../launcher/invocation.ts';
import { parseOptions } from '../../../launcher/options.ts';

describe('the invocation', () => {
  const status = 'Name:\tbash\nSigIgn:\t0000000000000001\n';
  const texts = { cmdline: '', environ: '', status, stdin: '/dev/pts/3', stderr: '/dev/tty1' };
  test('empty arguments count, and the shell may have options or not', () => {
    expect(parseInvocation({ ...texts, cmdline: '/bin/bash\0-pf\0./x\0\0a\nb\0', environ: 'A=1\0B=\0' }, 2)).toEqual({
      self: './x',
      args: ['', 'a\nb'],
      environment: ['A=1', 'B='],
      ignoredSignals: '0000000000000001',
      onTerminal: true,
    });
    expect(parseInvocation({ ...texts, cmdline: 'bash\0launcher\0', stdin: 'pipe:[7]' }, 0)).toMatchObject({
      self: 'launcher',
      args: [],
      environment: [],
      onTerminal: false,
    });
  });
  test('anything else is refused', () => {
    expect(() => parseInvocation({ ...texts, cmdline: 'bash\0' }, 0)).toThrow(RangeError);
    expect(() => parseInvocation(texts, 3)).toThrow(RangeError);
  });
});

test('options end at the first word that is none', () => {
  expect(parseOptions(['--explain', 'x', '--help'])).toEqual({
    purpose: 'explain',
    command: ['x', '--help'],
  });
  expect(parseOptions(['--', '--help'])).toEqual({ purpose: 'run', command: ['--help'] });
  expect(parseOptions(['-x', 'y'])).toEqual({ unknown: '-x' });
  expect(parseOptions(['', '-x'])).toMatchObject({ command: ['', '-x'] });
});

test('binds: parents swallow children, and what a bind cannot say is refused', () => {
  expect(outermost(['/a/b', '/a', '/ab', '/a/', '/c/d'])).toEqual(['/a', '/ab', '/c/d']);
  for (const bad of ['relative', '/a,b', '/a:b', '/a"b']) expect(() => outermost([bad])).toThrow(RangeError);
});

test('settings replace, keep everything behind the first =, and name the first bad line', () => {
  expect(applySettings(['A=1', 'B=2'], '# c\n\nA= x=y \n')).toEqual(['B=2', 'A= x=y ']);
  expect(applySettings([], 'A=1\n1A=2\n')).toBe(2);
});

test('the environment: odd names pass by themselves, private ones end here, PATH is replaced', () => {
  const sorted = sortEnvironment(
    ['PATH=/a', 'A=1', 'a.b=2', 'x[0]=3', '__cl_z=4', 'UID=5', '_=6', 'SHELLOPTS=braceexpand'],
    '/new',
  );
  expect(sorted).toEqual({
    wanted: ['PATH=/new', 'A=1'],
    names: ['PATH', 'A'],
    shellOptions: 'braceexpand',
    bashOptions: undefined,
  });
});
