import { expect, test } from 'vitest';
import { parseSiteConfig } from '../../../src/config/parse-site-config.ts';
import { problemsOf } from './problems.ts';

const parse = (lines: string, site = '') =>
  parseSiteConfig(
    `site: s\nprefix: /apps/conda\nadmin_dir: /admin\n${site}environments:\n  a:\n    version: '1'\n${lines}`,
    '/etc/site.yaml',
    { tmpDir: '/tmp', uid: 7 },
  );

test('reads what is removed and replaced, each with its place', () => {
  const { environments } = parse(
    `    remove: { openssh: [git] }\n    replace: { openmpi: /apps/openmpi/4 }\n    libraries: { elsewhere: ['libcuda.*'] }\n`,
    'binds: { run: [/usr, /apps] }\n',
  );

  expect(environments.get('a')?.customise).toEqual({
    remove: [{ package: 'openssh', spared: ['git'], at: '/etc/site.yaml:8:15' }],
    replace: [{ package: 'openmpi', by: '/apps/openmpi/4', at: '/etc/site.yaml:9:16' }],
    files: [],
    hooks: { programs: [], timeoutMs: 3_600_000 },
    libraries: { strict: false, elsewhere: ['libcuda.*'] },
  });
});

test.each([
  [`remove: { '../x': [] }`, `the name must be the name of a conda package in lower case, not '../x'`],
  [`remove: { a: ['b c'] }`, `must be the name of a conda package in lower case, not 'b c'`],
  [`replace: { A: /usr/x }`, `the name must be the name of a conda package in lower case, not 'A'`],
  [`replace: { a: usr/x }`, `must be an absolute path, not 'usr/x'`],
  [`replace: { a: /usr/../etc/x }`, `must be a plain path, not '/usr/../etc/x' | write /etc/x`],
  [`replace: { a: '/usr/x y' }`, `'/usr/x y' has white space`],
  [`replace: { a: /opt/conda/b-1 }`, 'it would hide the environments'],
  [`replace: { a: / }`, 'it would hide the whole image'],
  [`{ remove: { a: [] }, replace: { a: /usr/x } }`, 'is in remove, too'],
  [`libraries: { elsewhere: ['*'] }`, `must be the name of a library, with '*' and '?', not '*'`],
  [`libraries: { elsewhere: [lib/a.so] }`, `must be the name of a library`],
])('refuses %s', (line, problem) => {
  const lines = line.startsWith('{') ? `    remove: { a: [] }\n    replace: { a: /usr/x }\n` : `    ${line}\n`;
  const [first, ...more] = problemsOf(() => parse(lines));

  expect(first).toContain(problem);
  expect(more).toEqual([]);
});

test('reads files and hooks, relative to the configuration', () => {
  const { environments } = parse(
    `    files: { etc/a.json: files/a.json }\n    hooks: { stage: hooks/a.sh, pack: /opt/b, timeout_seconds: 5 }\n`,
  );

  expect(environments.get('a')?.customise).toMatchObject({
    files: [{ to: 'etc/a.json', from: '/etc/files/a.json', at: '/etc/site.yaml:7:14' }],
    hooks: {
      programs: [
        { stage: 'stage', file: '/etc/hooks/a.sh' },
        { stage: 'pack', file: '/opt/b' },
      ],
      timeoutMs: 5000,
    },
  });
});

test.each(['/etc/x', '../x', 'a/../../x', 'a//b', './a', 'conda-meta/x.json', 'conda-meta', '.condense', 'a\\nb'])(
  'puts no file at %j',
  (place) => {
    const [first, ...more] = problemsOf(() => parse(`    files: { "${place}": x }\n`));

    expect(first).toContain('the name must');
    expect(more).toEqual([]);
  },
);
