// What a task is told is what was typed, whatever it looks like.
import { Command, Option } from 'commander';
import { expect, it } from 'vitest';
import { readTaskCommand } from '../../../src/cli/task-command.ts';
import { parseWait } from '../../../src/cli/wait-time.ts';

function read(...argv: string[]): readonly string[] {
  const read: Command[] = [];
  const program = new Command('condense').exitOverride();
  program
    .command('lock [environment...]')
    .option('--jobs <count>')
    .addOption(new Option('--on <where>'))
    .option('--all')
    .option('--check')
    .option('--update [package...]')
    .option('--exclude-newer <when>')
    .action(function (this: Command) {
      read.push(this);
    });
  program.parse(['lock', ...argv], { from: 'user' });
  const { name, options, operands } = readTaskCommand(read[0] ?? program);
  return [name, ...options, '--', ...operands];
}

it('passes options on as they were typed, but for where it runs and for what', () => {
  const typed = [
    '--exclude-newer',
    '7 days',
    '--update',
    'numpy',
    '-x',
    '--on',
    'slurm',
    '--jobs',
    '2',
    '--',
    'a',
    '--b',
  ];
  expect(() => read(...typed)).toThrow(); // -x is no option
  expect(read(...typed.filter((word) => word !== '-x'))).toEqual([
    ...['lock', '--update=numpy', '--exclude-newer=7 days', '--', 'a', '--b'],
  ]);
  expect(read('--update', '--check')).toEqual(['lock', '--check', '--update', '--']);
  expect(read('--all')).toEqual(['lock', '--']);
});

it('takes what a task is told for the same again', () => {
  const told = read('--exclude-newer=--check', '--update=a b', '--update=c', 'x');
  expect(read(...told.slice(1))).toEqual(told);
});

it('knows times to wait', () => {
  expect(['90 seconds', '1 minute', '2 hours', '1day'].map(parseWait)).toEqual([90_000, 60_000, 7_200_000, 86_400_000]);
  expect(['', '2', '-1 hours', '2 hours ', 'an hour', '99999 days'].map(parseWait)).toEqual(Array(6).fill(undefined));
});
