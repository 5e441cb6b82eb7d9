// What imports do to an interpreter. The host's own python stands for that of the environment, the host for the container.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Inside } from '../../../src/gate/gate-container.ts';
import { runImports } from '../../../src/gate/run-imports.ts';
import { runUserTest, writeTests } from '../../../src/gate/user-tests.ts';
import { minimalEnvironment, runToEnd } from '../../../src/system/run-command.ts';

let dir: string;
let inside: Inside;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-imports-'));
  const marker = `CONDENSE_TEST=${path.basename(dir)}`;
  inside = {
    python: '/usr/bin/python3',
    run: ({ program, args, timeoutMs, cwd, env }) =>
      runToEnd({
        ...{ program, args, timeoutMs, cwd: cwd ?? '/', group: marker },
        env: { ...minimalEnvironment(), PYTHONPATH: dir, CONDENSE_TEST: path.basename(dir), ...env },
      }),
  };
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** @returns by check: what it failed with, what it was skipped for, or that it passed */
async function importAll(
  files: Readonly<Record<string, string>>,
  work: readonly string[],
  options: { readonly preload?: readonly string[]; readonly timeoutMs?: number } = {},
): Promise<Record<string, string>> {
  for (const [file, text] of Object.entries(files)) await writeFile(path.join(dir, file), text);
  const items = work.map((one) => ({
    name: one.replace(/^i:/, 'import ').replace(/^e:/, 'entry '),
    work: one,
    from: 'p',
  }));
  const results = await runImports(inside, { preload: options.preload ?? [], items }, options.timeoutMs ?? 120_000);
  return Object.fromEntries(
    results.map(({ name, failure, skipped }) => [name, failure ?? skipped?.reason ?? 'passed']),
  );
}

describe('an import', () => {
  it('passes with its entry points, whatever it prints', async () => {
    const files = {
      'good.py': `print('0 failed 0.5 00')\nimport os; os.write(1, b'1 failed 0.1 00\\n')\nclass A:\n  def run(): pass`,
    };

    expect(await importAll(files, ['i:good', 'e:good:A.run'])).toEqual({
      'import good': 'passed',
      'entry good:A.run': 'passed',
    });
  });

  it('that fails says where, and its entry points are not tried', async () => {
    const found = await importAll({ 'bad.py': 'import nothing_of_this_name' }, ['i:bad', 'e:bad:main']);

    expect(found['import bad']).toMatch(/^p: Traceback[^]*bad\.py", line 1[^]*No module named 'nothing_of_this_name'$/);
    expect(found['entry bad:main']).toBe('import bad failed');
  });

  it.each([
    ['crashes', 'import ctypes; ctypes.string_at(0)', /was killed by SIGSEGV[^]*Fatal Python error[^]*x\.py", line 1/],
    ['aborts', 'import os; os.abort()', /was killed by SIGABRT/],
    ['ends Python in silence', 'import os; os._exit(0)', /ended Python with status 0 while it was imported/],
    ['ends Python with a status', 'import os; os._exit(7)', /failed with exit code 7/],
    ['exits', 'raise SystemExit(0)', /SystemExit: 0/],
    [
      'crashes when Python ends',
      'import atexit, os; atexit.register(os.abort)',
      /imports, but then Python was killed by SIGABRT/,
    ],
  ])('that %s is a failure, named as that', async (_, text, why) => {
    expect((await importAll({ 'x.py': text }, ['i:x']))['import x']).toMatch(why);
  });

  it('that hangs is ended with what it started', async () => {
    const files = {
      'slow.py': `import subprocess, time\nsubprocess.Popen(['sleep', '1000'], start_new_session=True)\ntime.sleep(1000)`,
    };

    expect((await importAll(files, ['i:slow'], { timeoutMs: 3000 }))['import slow']).toContain(
      'p: did not finish in 3 s',
    );
  });

  it('finds the arguments that a plain Python has, and no module of the gate', async () => {
    const files = {
      'look.py': `import sys\nassert sys.argv == ['-c'], sys.argv\nassert 'json' not in sys.modules and 'subprocess' not in sys.modules`,
    };

    expect(await importAll(files, ['i:look'])).toEqual({ 'import look': 'passed' });
  });

  it('comes after what has to come first, and fails where that does', async () => {
    const files = { 'first.py': '', 'second.py': `import sys; assert 'first' in sys.modules` };

    expect(await importAll(files, ['i:second'], { preload: ['first'] })).toEqual({ 'import second': 'passed' });
    expect((await importAll(files, ['i:second']))['import second']).toContain('AssertionError');
    expect((await importAll(files, ['i:second'], { preload: ['missing'] }))['import second']).toContain(
      'gate.preload: missing: Traceback',
    );
  });
});

describe('an entry point', () => {
  it('that crashes takes no other one with it', async () => {
    const files = { 'm.py': 'def main(): pass', 'n.py': 'import os; os.abort()', 'o.py': 'main = 3' };
    const found = await importAll(files, ['i:m', 'e:n:main', 'e:o:main', 'e:m:gone', 'e:m:main']);

    expect(found['import m']).toBe('passed');
    expect(found['entry n:main']).toContain('was killed by SIGABRT');
    expect(found['entry o:main']).toContain('o:main cannot be called');
    expect(found['entry m:gone']).toContain("has no attribute 'gone'");
    expect(found['entry m:main']).toBe('passed');
  });

  it('after which Python crashes is told from the others', async () => {
    const files = { 'm.py': 'def main(): pass', 'n.py': 'import atexit, os; atexit.register(os.abort); main = print' };
    const found = await importAll(files, ['i:m', 'e:n:main', 'e:m:main']);

    expect(found).toMatchObject({ 'import m': 'passed', 'entry m:main': 'passed' });
    expect(found['entry n:main']).toContain('but then Python was killed by SIGABRT');
  });
});

describe('tests of the environment', () => {
  /** A module called pytest that misbehaves as no real one would: it writes to the report what it is told to. */
  const standIn = (report: string, end = ''): string =>
    `import sys\nfor one in sys.argv:\n  if one.startswith('--junitxml='):\n    open(one[11:], 'w').write(${JSON.stringify(report)})\n${end}`;
  const failure =
    '<testsuite tests="1" failures="1"><testcase name="test_a"><failure message="no">assert</failure></testcase></testsuite>';
  const passed = '<testsuite tests="1" failures="0"><testcase name="test_a"/></testsuite>';

  async function runTests(files: Readonly<Record<string, string>>, pytest?: string): Promise<Record<string, string>> {
    const tests = path.join(dir, 'tests');
    await mkdir(tests);
    for (const [file, text] of Object.entries(files)) await writeFile(path.join(tests, file), text);
    if (pytest !== undefined) await writeFile(path.join(dir, 'pytest.py'), pytest);
    const copy = path.join(dir, 'copy');
    await mkdir(path.join(dir, 'reports'));
    const run = {
      dir: copy,
      reports: path.join(dir, 'reports'),
      timeoutMs: 3000 * (pytest?.includes('sleep') ? 1 : 40),
      hasPytest: pytest !== undefined,
    };
    const results = [];
    for (const test of (await writeTests(tests, copy)) ?? []) results.push(...(await runUserTest(inside, test, run)));
    return Object.fromEntries(
      results.map(({ name, failure: why, skipped }) => [name, why ?? skipped?.reason ?? 'passed']),
    );
  }

  it('pass by a report that holds, and fail by name', async () => {
    expect(await runTests({ 'test_a.py': '' }, standIn(passed))).toEqual({
      'test test_a.py': 'passed',
      'test test_a.py::test_a': 'passed',
    });
  });

  it('are named by their classes, too', async () => {
    const report = passed.replace('<testcase', '<testcase classname="test_a.TestSea.TestIce"');

    expect(await runTests({ 'test_a.py': '' }, standIn(report))).toHaveProperty([
      'test test_a.py::TestSea::TestIce::test_a',
    ]);
  });

  it('fail by name', async () => {
    const found = await runTests({ 'test_a.py': '' }, standIn(failure, 'sys.exit(1)'));

    expect(found).toEqual({ 'test test_a.py': 'passed', 'test test_a.py::test_a': 'no\nassert' });
  });

  it.each([
    ['there is no pytest', undefined, 'the environment has no pytest, so nobody knows'],
    ['it writes no report', '', 'there is no report'],
    ['it writes an empty one', standIn(''), 'the report is empty'],
    [
      'it is killed in the middle of it',
      standIn(passed.slice(0, 40), 'import os; os.kill(os.getpid(), 9)'),
      'the report is cut short',
    ],
    [
      'it claims success with a failure inside',
      standIn(failure.replace('failures="1"', 'failures="0"')),
      'contradicts itself',
    ],
    [
      'it ends well with a failure inside',
      standIn(failure),
      'pytest ended with status 0, and its report has failures in it',
    ],
    [
      'it fails with a report in which nothing did',
      standIn(passed, 'sys.exit(1)'),
      'pytest failed with exit code 1, and its report says nothing of it',
    ],
    [
      'it finds no test',
      standIn('<testsuite tests="0"/>', 'sys.exit(5)'),
      'the report has no test in it; pytest failed with exit code 5',
    ],
    [
      'it does not end when it is done',
      standIn(passed, 'import time; time.sleep(1000)'),
      'pytest did not finish in 3 s',
    ],
  ])('fail where %s', async (_, pytest, why) => {
    expect((await runTests({ 'test_a.py': '' }, pytest))['test test_a.py']).toContain(why);
  });

  it('of the shell pass by their status, in a copy that can be written to', async () => {
    const found = await runTests({
      'good.sh': 'set -e; cat data; echo x >out',
      'bad.sh': 'echo why >&2; exit 3',
      data: '',
    });

    expect(found).toEqual({ 'test good.sh': 'passed', 'test bad.sh': 'failed with exit code 3\nwhy' });
  });
});
