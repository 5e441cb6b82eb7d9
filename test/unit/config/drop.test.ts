import { expect, test } from 'vitest';
import { parseSiteConfig } from '../../../src/config/parse-site-config.ts';
import { problemsOf } from './problems.ts';

const parse = (lines: string) =>
  parseSiteConfig(`site: s\nprefix: /apps/conda\nadmin_dir: /admin\n${lines}`, '/etc/site.yaml', {
    tmpDir: '/tmp',
    uid: 7,
  });

test('drops nothing unless it is told to', () => {
  const { environments } = parse(`environments: { a: { version: '1' } }\n`);

  expect(environments.get('a')?.drop).toEqual({ staticLibraries: false, tests: false, patterns: [], keep: [] });
});

test('gives each environment the rules of the site: its own true or false instead, its own patterns besides', () => {
  const { environments } = parse(`drop: { static_libraries: true, tests: true, patterns: [share/doc], keep: [lib/a.a] }
environments:
  a:
    version: '1'
    drop: { tests: false, patterns: ['**/*.js.map'], keep: [share/doc/b] }
`);

  expect(environments.get('a')?.drop).toEqual({
    staticLibraries: true,
    tests: false,
    patterns: [
      { text: 'share/doc', at: '/etc/site.yaml:4:57' },
      { text: '**/*.js.map', at: '/etc/site.yaml:8:38' },
    ],
    keep: ['lib/a.a', 'share/doc/b'],
  });
});

test.each([
  ['/opt/conda/a-1/share', 'must be relative'],
  ['../b-1/share', "must be names with '/' between them"],
  ['share/../../b', "must be names with '/' between them"],
  ['./share', "must be names with '/' between them"],
  ['share/', "must be names with '/' between them"],
  ['', "must be names with '/' between them"],
  ['**', 'must not match everything'],
  ['*/**/?*', 'must not match everything'],
  ['lib/*.{a,la}', "has only '*', '**' and '?' as wildcards"],
  ['lib/[ab]', "has only '*', '**' and '?' as wildcards"],
  ['!lib', "has only '*', '**' and '?' as wildcards"],
])('refuses the pattern %j', (pattern, problem) => {
  for (const key of ['patterns', 'keep']) {
    const [line, ...more] = problemsOf(() => parse(`drop: { ${key}: ['${pattern}'] }\nenvironments: {}\n`));

    expect(line).toContain(`drop.${key}[0] ${problem}`);
    expect(more).toEqual([]);
  }
});
