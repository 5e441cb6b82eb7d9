import { describe, expect, it } from 'vitest';
import { Output } from '../../../src/cli/output.ts';
import { AppError } from '../../../src/system/app-error.ts';
import { EXIT } from '../../../src/system/exit-codes.ts';

interface Captured {
  readonly output: Output;
  stdout: string;
  stderr: string;
}

function capture(
  options: { json?: boolean; tty?: boolean; debug?: boolean; env?: Record<string, string> } = {},
): Captured {
  const captured = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr') => ({
    isTTY: options.tty ?? false,
    columns: 80,
    write: (text: string) => {
      captured[name] += text;
      return true;
    },
  });
  const output = new Output(
    { stdout: stream('stdout'), stderr: stream('stderr'), env: options.env ?? {} },
    { json: options.json ?? false, debug: options.debug ?? false },
  );
  return Object.assign(captured, { output });
}

const mistake = new AppError(EXIT.configuration, [
  {
    code: 'CONFIG_INVALID',
    message: 'version must be text\nnot 22.1',
    at: 'install_config.yaml:6:14',
    hint: "write version: '22.10'",
  },
  { code: 'CONFIG_INVALID', message: 'unknown key' },
]);

describe('errors', () => {
  it('says what, where, what to do and the code of every problem, without a stack', () => {
    const captured = capture();

    expect(captured.output.error(mistake)).toBe(3);
    expect(captured.stderr).toBe(
      `error  install_config.yaml:6:14  version must be text
       not 22.1
hint   write version: '22.10'
code   CONFIG_INVALID
error  unknown key
code   CONFIG_INVALID
`,
    );
    expect(captured.stdout).toBe('');
  });

  it('is one JSON line on stdout for machines', () => {
    const captured = capture({ json: true });

    captured.output.error(mistake);

    expect(JSON.parse(captured.stdout)).toEqual({ v: 1, type: 'error', exit: 3, problems: mistake.problems });
    expect(captured.stderr).toBe('');
  });

  it('calls what nobody foresaw a bug, and shows its stack only when asked', () => {
    const quiet = capture();
    const loud = capture({ debug: true });
    const bug = new Error('x is undefined', { cause: new Error('deeper') });

    expect(quiet.output.error(bug)).toBe(1);
    expect(quiet.stderr).toContain('error  internal error: x is undefined');
    expect(quiet.stderr).not.toContain('    at ');
    loud.output.error(bug);
    expect(loud.stderr).toContain('caused by Error: deeper');
  });
});

describe('narration', () => {
  it('has colours on a terminal only, and none with NO_COLOR', () => {
    const event = { type: 'stage-finished', stage: 'pack', seconds: 1.25 } as const;
    const piped = capture();
    const terminal = capture({ tty: true });
    const plain = capture({ tty: true, env: { NO_COLOR: '1' } });
    for (const captured of [piped, terminal, plain]) captured.output.report(event);

    expect(piped.stderr).toBe('✓ pack 1.3 s\n');
    expect(terminal.stderr).toContain('\u001b[32m');
    expect(plain.stderr).toBe('✓ pack 1.3 s\n');
  });

  it('draws a bar on a terminal and takes it away before the next line', () => {
    const captured = capture({ tty: true, env: { NO_COLOR: '1' } });

    captured.output.report({ type: 'progress', stage: 'fetch', done: 5e6, total: 10e6, unit: 'bytes' });
    captured.output.report({ type: 'note', text: 'next' });

    expect(captured.stderr).toContain('50%  5.0 MB of 10.0 MB');
    expect(captured.stderr.endsWith('\r\u001b[Knote   next\n')).toBe(true);
  });

  it('goes to stdout as JSON lines with --json', () => {
    const captured = capture({ json: true });

    captured.output.report({ type: 'warning', text: 'w' });
    captured.output.result({ a: 1 }, ['for people']);

    expect(captured.stdout).toBe('{"v":1,"type":"warning","text":"w"}\n{"v":1,"type":"result","a":1}\n');
    expect(captured.stderr).toBe('');
  });

  it('shows no credentials of a URL, whoever put them there', () => {
    const secret = 'https://me:s3cret@h.example/t/s3cret/main';
    for (const json of [false, true]) {
      const captured = capture({ json, debug: true });
      captured.output.result({ channels: [secret] }, [`channels ${secret}`]);
      captured.output.report({ type: 'note', text: secret });
      captured.output.error(new AppError(EXIT.buildFailed, { code: 'X', message: secret, at: secret, hint: secret }));
      captured.output.error(new Error(secret));

      expect(captured.stdout + captured.stderr).toContain('https://h.example/main');
      expect(captured.stdout + captured.stderr).not.toContain('s3cret');
    }
  });
});
