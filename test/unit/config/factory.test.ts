// `scheduler` and `notify`: how they are written.
import { expect, test } from 'vitest';
import { parseSiteConfig } from '../../../src/config/parse-site-config.ts';
import { problemsOf } from './problems.ts';

const probe = { tmpDir: '/tmp', uid: 1000 };
const base = `site: test\nprefix: /apps/conda\nadmin_dir: /apps/admin\nenvironments: {}\n`;
const parse = (text: string) => parseSiteConfig(base + text, '/etc/condense/install_config.yaml', probe);

test('words of a command line stay as they are, also where one stands twice', () => {
  const { scheduler } = parse(
    `scheduler: { options: [-l, mem=20gb, -l, 'walltime=02:00:00'], commands: { lock: [-q, copyq] }, scratch: PBS_JOBFS }`,
  );
  expect(scheduler).toEqual({
    options: ['-l', 'mem=20gb', '-l', 'walltime=02:00:00'],
    ...{ commands: { lock: ['-q', 'copyq'] }, scratch: 'PBS_JOBFS' },
  });
});

test('the program that is told is one on PATH, or a path from where the configuration is', () => {
  expect(parse('notify: { command: [tell, ./a] }').notify.command).toEqual(['tell', './a']);
  expect(parse('notify: { command: [./bin/tell, ./a] }').notify.command).toEqual(['/etc/condense/bin/tell', './a']);
});

test('a command that is never a job, what is no word and what is no variable are refused', () => {
  const problems = problemsOf(() =>
    parse(`scheduler: { options: ['', "a\\nb"], commands: { rollback: [-q, x] }, scratch: '$TMPDIR' }`),
  );
  expect(problems).toHaveLength(4);
  expect(problems.join('\n')).toContain('must be a command that runs as a job (install, plan, build, test, lock,');
});
