// The keys below `environments.<name>.gate`: every exception says why, and until when.
import { expect, it } from 'vitest';
import { parseSiteConfig } from '../../../src/config/parse-site-config.ts';
import { AppError } from '../../../src/system/app-error.ts';

const parse = (gate: string) =>
  parseSiteConfig(
    `site: s\nprefix: /p\nadmin_dir: /a\nenvironments:\n  a:\n    version: '1'\n    gate:\n      ${gate}\n`,
    '/c/install_config.yaml',
    { tmpDir: '/tmp', uid: 1 },
  ).environments.get('a')?.gate;

const problemsOf = (gate: string): string[] => {
  try {
    parse(gate);
    return [];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.problems.map(({ message }) => message);
  }
};

it('keeps each exception with its reason and its last day', () => {
  expect(
    parse(
      `{ skip: { a.b: { reason: r, until: '2027-06-30' } }, preload: { c: { first: [d], reason: r, until: '2027-06-30' } },
        expected_failures: { 'test x.py::y[1-2]': { reason: r, until: '2027-06-30' } }, help: [cdo], timeout_seconds: 60, processes: 4 }`,
    ),
  ).toEqual({
    imports: [],
    skip: { 'a.b': { reason: 'r', until: '2027-06-30' } },
    preload: { c: { first: ['d'], reason: 'r', until: '2027-06-30' } },
    expectedFailures: { 'test x.py::y[1-2]': { reason: 'r', until: '2027-06-30' } },
    ...{ help: ['cdo'], timeoutMs: 60_000, processes: 4 },
  });
});

it.each([
  ['no reason', `skip: { a: { until: '2027-06-30' } }`, 'gate.skip.a.reason'],
  ['an empty one', `skip: { a: { reason: ' ', until: '2027-06-30' } }`, 'must say why, on one line'],
  ['no last day', `expected_failures: { x: { reason: r } }`, 'gate.expected_failures.x.until'],
  ['a day that is none', `skip: { a: { reason: r, until: soon } }`, `must be a date such as 2027-06-30, not 'soon'`],
  ['nothing to import first', `preload: { a: { first: [], reason: r, until: '2027-06-30' } }`, 'gate.preload.a.first'],
  [
    'what is no module',
    `skip: { 'os; x': { reason: r, until: '2027-06-30' } }`,
    `must be the name of a Python module, not 'os; x'`,
  ],
  [
    'what is no name of a check',
    `expected_failures: { " ": { reason: r, until: '2027-06-30' } }`,
    'must be the name of a check on one line',
  ],
  ['no time at all', `timeout_seconds: 0`, 'gate.timeout_seconds'],
])('refuses an entry with %s', (_, gate, message) => {
  expect(problemsOf(`{ ${gate} }`).join('\n')).toContain(message);
});
