// The few instructions that enter a session: what they say they are, and what they do where nothing can be entered.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ENTER_INSTRUCTIONS, renderEnterProgram } from '../../../launcher/enter-program.ts';

let dir = '';
let enter = '';
beforeAll(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'condense-enter-'));
  enter = path.join(dir, 'enter');
  fs.writeFileSync(enter, renderEnterProgram(), { mode: 0o755 });
});
afterAll(() => {
  fs.rmSync(dir, { recursive: true });
});

const run = (program: string, args: readonly string[]): ReturnType<typeof spawnSync> =>
  spawnSync(program, args, { cwd: dir, encoding: 'latin1', timeout: 60_000 });
/** The words of a shell that says what it was given. */
const SHELL = ['/bin/bash', '--norc', '-pfc', 'printf "%s|" "$0" "$@"'];

test('the assembler makes the bytes of the text beside them', () => {
  const text = ['.intel_syntax noprefix', ...ENTER_INSTRUCTIONS.map((instruction) => instruction[1]), ''].join('\n');
  fs.writeFileSync(path.join(dir, 'enter.s'), text.replaceAll(': ', ':\n'));
  expect(run('gcc', ['-c', 'enter.s', '-o', 'enter.o'])).toMatchObject({ status: 0, stderr: '' });
  expect(run('objcopy', ['-O', 'binary', '--only-section=.text', 'enter.o', 'enter.bin'])).toMatchObject({ status: 0 });
  expect(fs.readFileSync(path.join(dir, 'enter.bin')).toString('hex')).toBe(
    ENTER_INSTRUCTIONS.map(([bytes]) => bytes).join(''),
  );
});

test('where the descriptors are no namespaces it becomes the shell, which gets all that follows byte for byte', () => {
  const rest = ['/', '/', '/bin/true', 'zero', '', 'a\nb', '\xe9'.repeat(3)];
  // 0 is a pipe, the others are nothing.
  for (const [user, mount] of [
    ['0', '0'],
    ['98765', '4'],
  ] as const) {
    const { stdout, status } = run(enter, [user, mount, ...SHELL, ...rest]);
    expect({ status, stdout: Buffer.from(String(stdout), 'latin1').toString('utf8') }).toEqual({
      status: 0,
      stdout: `${rest.join('|')}|`,
    });
  }
});

test('with words missing it does nothing: 126', () => {
  expect(run(enter, [])).toMatchObject({ status: 126, stdout: '', stderr: '' });
  expect(run(enter, ['0', '0', ...SHELL, '/', '/'])).toMatchObject({ status: 126, stdout: '', stderr: '' });
});
