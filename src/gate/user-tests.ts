// The tests that stand beside an environment's spec: files of pytest and scripts of the shell.
import path from 'node:path';
import {
  copyNewFile,
  digestRegularFile,
  digestText,
  lstatIfThere,
  makeDir,
  readRegularText,
  stat,
  walkTree,
} from '../system/files.ts';
import { describeEnd } from '../system/run-command.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import type { Inside } from './gate-container.ts';
import { parseJUnit } from './parse-junit.ts';
import type { RawResult } from './raw-result.ts';

export interface UserTest {
  /** Relative to the directory of tests. */
  readonly file: string;
  readonly tool: 'pytest' | 'shell';
}

/** What pytest itself takes for tests (its python_files), and scripts of the shell. */
export function planUserTests(files: readonly string[]): readonly UserTest[] {
  return files.flatMap((file): UserTest[] => {
    const name = path.posix.basename(file);
    if (/^test_.*\.py$|_test\.py$/.test(name)) return [{ file, tool: 'pytest' }];
    return name.endsWith('.sh') ? [{ file, tool: 'shell' }] : [];
  });
}

/**
 * Of every file in the directory with its name and whether it can be run.
 * @returns undefined where there is no such directory
 * @throws AppError TESTS_UNREADABLE (exit 3)
 */
export async function readTestsDigest(dir: string): Promise<string | undefined> {
  const files = await listFiles(dir);
  if (!files) return undefined;
  const digests = [];
  for (const file of files) {
    const { mode } = await stat(path.join(dir, file));
    digests.push([file, (mode & 0o100) !== 0, await digestRegularFile(path.join(dir, file))]);
  }
  return digestText(JSON.stringify(digests));
}

async function listFiles(dir: string): Promise<string[] | undefined> {
  const there = await lstatIfThere(dir);
  if (!there) return undefined;
  const refuse = (at: string, message: string): AppError =>
    new AppError(EXIT.configuration, {
      code: 'TESTS_UNREADABLE',
      message,
      at,
      hint: 'tests of an environment are plain files in a directory',
    });
  if (!there.isDirectory()) throw refuse(dir, 'is no directory');
  const files: string[] = [];
  for await (const entry of walkTree(dir)) {
    if (/(^|\/)(__pycache__|\.pytest_cache|\.git)(\/|$)/.test(entry.path)) continue;
    if (entry.kind === 'file') files.push(entry.path);
    else if (entry.kind !== 'directory')
      throw refuse(path.join(dir, entry.path), 'is no regular file: it would be something else elsewhere');
  }
  return files.sort();
}

/**
 * Copies them to where the container sees them: what they write beside themselves does not come back.
 * @returns the tests; undefined where there is no such directory
 */
export async function writeTests(dir: string, to: string): Promise<readonly UserTest[] | undefined> {
  const files = await listFiles(dir);
  if (!files) return undefined;
  await makeDir(to);
  for (const file of files) {
    const { mode } = await stat(path.join(dir, file));
    await makeDir(path.dirname(path.join(to, file)));
    await copyNewFile(path.join(dir, file), path.join(to, file), (mode & 0o100) !== 0 ? 0o755 : 0o644);
  }
  return planUserTests(files);
}

export interface TestRun {
  /** The copy. */
  readonly dir: string;
  /** Where reports are written: it is there, and outside of the tests. */
  readonly reports: string;
  readonly timeoutMs: number;
  /** Whether the environment has pytest. */
  readonly hasPytest: boolean;
}

/** A shell script passes with status 0; a file of pytest by a whole report in which nothing failed, and status 0. */
export async function runUserTest(inside: Inside, { file, tool }: UserTest, run: TestRun): Promise<RawResult[]> {
  const name = `test ${file}`;
  const began = performance.now();
  const took = (): number => (performance.now() - began) / 1000;
  const command = { timeoutMs: run.timeoutMs, cwd: run.dir };
  if (tool === 'shell') {
    const end = await inside.run({ ...command, program: '/bin/bash', args: [`./${file}`] });
    const isGood = end.exitCode === 0 && !end.timedOut;
    const said = `${end.stdout.toString('utf8')}${end.stderr}`;
    return [{ name, seconds: took(), ...(isGood ? {} : { failure: withTail(describeEnd(end, run.timeoutMs), said) }) }];
  }
  if (!run.hasPytest) {
    const failure =
      'the environment has no pytest, so nobody knows: add pytest to the environment.yml, or write the test as a shell script';
    return [{ name, seconds: 0, failure }];
  }
  const report = path.join(run.reports, `${digestText(file).slice(0, 16)}.xml`);
  const end = await inside.run({
    ...command,
    program: inside.python,
    args: [
      '-m',
      'pytest',
      '-q',
      '-p',
      'no:cacheprovider',
      `--rootdir=${run.dir}`,
      `--junitxml=${report}`,
      '--',
      `./${file}`,
    ],
  });
  const seconds = took();
  const said = `${end.stdout.toString('utf8')}${end.stderr}`;
  const fail = (why: string): RawResult[] => [{ name, seconds, failure: withTail(why, said) }];
  if (end.timedOut) return fail(`pytest ${describeEnd(end, run.timeoutMs)}`);
  const found = parseJUnit(await readRegularText(report));
  if ('wrong' in found) return fail(`${found.wrong}; pytest ${describeEnd(end, run.timeoutMs)}`);
  const cases = found.cases.map((one) => ({
    ...one,
    name: `${name}::${describeClass(one.className, file)}${one.name}`,
  }));
  const failures = cases.filter(({ failure }) => failure !== undefined);
  const isGood = end.exitCode === 0;
  // 1: pytest's own status for failed tests.
  const isHonest = isGood ? failures.length === 0 : end.exitCode === 1 && failures.length > 0;
  const verdict = isHonest
    ? undefined
    : isGood
      ? 'pytest ended with status 0, and its report has failures in it'
      : `pytest ${describeEnd(end, run.timeoutMs)}, and its report says nothing of it`;
  const whole = { name, seconds, ...(verdict === undefined ? {} : { failure: withTail(verdict, said) }) };
  const parts = cases.map(({ name: part, seconds: time, failure, skipped }): RawResult => ({
    ...{ name: part, seconds: time },
    ...(failure === undefined ? {} : { failure: lastLines(failure) }),
    ...(skipped === undefined ? {} : { skipped: { reason: skipped.split('\n')[0] ?? '' } }),
  }));
  return [whole, ...parts];
}

/** `TestLevel::` of `test_sea.TestLevel`, as pytest itself names tests. */
function describeClass(className: string, file: string): string {
  const module = `${file.replace(/\.py$/, '').replaceAll('/', '.')}.`;
  return className.startsWith(module) ? `${className.slice(module.length).replaceAll('.', '::')}::` : '';
}

const lastLines = (text: string): string => text.trimEnd().split('\n').slice(-20).join('\n');
const withTail = (why: string, said: string): string => `${why}\n${lastLines(said)}`.trimEnd();
