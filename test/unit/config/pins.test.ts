import { expect, test } from 'vitest';
import { parseSiteConfig } from '../../../src/config/parse-site-config.ts';
import { problemsOf } from './problems.ts';

const parse = (lines: string) =>
  parseSiteConfig(`site: s\nprefix: /apps/conda\nadmin_dir: /admin\n${lines}`, '/etc/site.yaml', {
    tmpDir: '/tmp',
    uid: 7,
  });

test('gives each environment the pins of the site, then its own, with the place of each', () => {
  const { environments } = parse(`pinned: ['cudatoolkit <10.3']
environments:
  a:
    version: '1'
    pinned: [numpy 1.*]
  b: { version: '1' }
`);

  const site = { text: 'cudatoolkit <10.3', at: '/etc/site.yaml:4:10' };
  expect(environments.get('a')?.pinned).toEqual([site, { text: 'numpy 1.*', at: '/etc/site.yaml:8:14' }]);
  expect(environments.get('b')?.pinned).toEqual([site]);
});

test('refuses what cannot stand on a line of conda-meta/pinned, and what stands twice', () => {
  const problems = problemsOf(() => parse(`pinned: ['', "a\\nb", 'c # why', d, d]\nenvironments: {}\n`));

  expect(problems).toEqual([
    expect.stringContaining("pinned[0] must be a conda spec on one line, not ''"),
    expect.stringContaining("pinned[1] must be a conda spec on one line, not 'a\\nb'"),
    expect.stringContaining("pinned[2] must be a conda spec on one line, not 'c # why'"),
    expect.stringContaining("pinned[4] repeats item 4, 'd'"),
  ]);
});
