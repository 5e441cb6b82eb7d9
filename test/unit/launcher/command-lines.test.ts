// The parsers of "run this on that host" command lines, and what they refuse to understand.
import { describe, expect, test } from 'vitest';
import { parsePbsCommandLine } from '../../../launcher/pbs-command-line.ts';
import { listCommandOf, listCommands } from '../../../launcher/simple-commands.ts';
import { findSrunPrograms } from '../../../launcher/srun-command-line.ts';
import { matchesHost, parseSshCommandLine } from '../../../launcher/ssh-command-line.ts';

/** `host|before|command`, or what undefined is. */
const ssh = (line: string): string => {
  const parsed = parseSshCommandLine(line.split(' '));
  return parsed === undefined ? 'as it is' : `${parsed.host}|${parsed.before.join(' ')}|${parsed.command.join(' ')}`;
};

describe('ssh', () => {
  test.each([
    ['node1 python3 x.py', 'node1|node1|python3 x.py'],
    ['-x -p 22 me@Node1 python3 -c x', 'node1|-x -p 22 me@Node1|python3 -c x'],
    ['-xp22 -oBatchMode=yes -o Port=22 node1 ls', 'node1|-xp22 -oBatchMode=yes -o Port=22 node1|ls'],
    ['-tt -fn node1 ls', 'node1|-tt -fn node1|ls'],
    ['-tp 22 node1 ls', 'node1|-tp 22 node1|ls'],
    ['node1 -p 22 -x ls -l', 'node1|node1 -p 22 -x|ls -l'],
    ['-- node1 -x -- -odd', 'node1|-- node1 -x --|-odd'],
    ['-J a@b:1,c -L 1:h:2 -R 3 -D 4 -i key -F /dev/null node1 ls', undefined],
    ['ssh://me@node1:22 ls', 'node1|ssh://me@node1:22|ls'],
    ['-l me@home node1 ls', 'node1|-l me@home node1|ls'],
    ['-M -S none -S path node1 ls', undefined],
  ])('%s', (line, expected) => {
    expect(ssh(line)).toBe(expected ?? `node1|${line.slice(0, -3)}|ls`);
  });
  test.each([
    'node1',
    '-t node1',
    'node1 -x',
    'node1 --',
    'node1  ',
    '-W h:1 node1 ls',
    '-Wh:1 node1',
    '-N node1 ls',
    '-fN node1 ls',
    '-O exit node1 ls',
    '-Q cipher',
    '-V',
    '-G node1 ls',
    '-s node1 sftp',
    'node1 -s sftp',
    '-xs node1 sftp',
    '-oRequestTTY=force -oRemoteCommand=x node1 ls',
    '-o sessiontype=none node1 ls',
    '-P tag node1 ls',
    '--long node1 ls',
    '-p',
    '',
    'ssh://a/b ls',
  ])('%s is left alone', (line) => {
    expect(ssh(line)).toBe('as it is');
  });
});

describe('pbs_tmrsh', () => {
  test.each([
    ['node1 ls -l', 'node1|node1|ls -l'],
    ['-n -l me node1 ls', 'node1|-n -l me node1|ls'],
    ['node1 -n -l me ls -n', 'node1|node1 -n -l me|ls -n'],
    ['-lme node1 -lme ls', 'node1|-lme node1 -lme|ls'],
    ['-n node1 ls', 'node1|-n node1|ls'],
  ])('L10: %s', (line, expected) => {
    const parsed = parsePbsCommandLine(line.split(' '));
    expect(`${parsed?.host ?? ''}|${parsed?.before.join(' ') ?? ''}|${parsed?.command.join(' ') ?? ''}`).toBe(expected);
  });
  test.each(['node1', 'node1 -n', '-l node1', '-x node1 ls', '-- node1 ls', '--version', 'node1 -l'])(
    '%s is left alone',
    (line) => {
      expect(parsePbsCommandLine(line.split(' '))).toBeUndefined();
    },
  );
});

describe('srun', () => {
  test.each([
    ['hostname -f', [0]],
    ['-n 2 -N1 --label p', [4]],
    ['-n2 -lu --mpi pmix p', [4]],
    ['-ln 2 p', [2]],
    ['--exclusive --mem=3 --cpu-bind none -I -K1 p', [6]],
    ['--pty -- -p', [2]],
    ['-n 1 p a : -n 2 --label q b : r', [2, 8, 11]],
    ['-n 1 : -n 2 q :', [5]],
    ['-n', []],
    ['-n 2', []],
    ['--version', []],
    ['--mpi list', []],
  ])('%s', (line, at) => {
    expect(findSrunPrograms(line.split(' '))).toEqual(at);
  });
});

describe('the commands of a line', () => {
  test.each([
    ['python3 x.py', ['python3']],
    [`cd '/a b' && A=1 B="x y" python3 -c 'import os; os'`, ['cd', 'python3']],
    ['PATH=/x:$PATH ; export PATH ; /f/orted -mca a b', ['export', '/f/orted']],
    [`env -u A X=1 nice -n 5 nohup exec python3`, ['python3']],
    ['bash -lc "cd x; python3 y" | tee log & wait', ['bash', 'cd', 'python3', 'tee', 'wait']],
    ['/bin/sh -c "git-upload-pack \'a\'"', ['/bin/sh', 'git-upload-pack']],
    ['if test -e x; then python3; fi\nls\n', ['test', 'python3', 'fi', 'ls']],
    ['(cd x; timeout -k 5 10 "pyt"hon3)', ['cd', 'python3']],
    [`echo "python3; python3" 'a\nb' \\; c`, ['echo']],
    ['A=1', []],
    [' ', []],
    [`unclosed 'quote`, ['unclosed']],
  ])('%s', (text, expected) => {
    expect(listCommands(text)).toEqual(expected);
  });
  test('words that are words already are not split again', () => {
    expect(listCommandOf(['a;b', 'python3'])).toEqual(['a;b']);
    expect(listCommandOf(['/bin/sh', '-c', 'x; python3'])).toEqual(['/bin/sh', 'x', 'python3']);
  });
});

test('patterns of hosts are those of ssh_config, and nothing else of them is one', () => {
  expect(matchesHost('node1', ['x', 'node?'])).toBe(true);
  expect(matchesHost('node1.example.org', ['*.Example.org'])).toBe(true);
  expect(matchesHost('node10', ['node?', 'nodex*', 'node.0'])).toBe(false);
  expect(matchesHost('github.com', [])).toBe(false);
});
