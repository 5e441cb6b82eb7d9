// `matrix`: many environments from one description.
import { expect, test } from 'vitest';
import { parseSiteConfig } from '../../../src/config/parse-site-config.ts';
import { makeLayout } from '../make-layout.ts';
import { problemsOf } from './problems.ts';

const probe = { tmpDir: '/tmp', uid: 1000 };
const base = `site: test\nprefix: /apps/conda\nadmin_dir: /apps/admin\n`;
const parse = (text: string) => parseSiteConfig(base + text, '/etc/condense/install_config.yaml', probe);

test('makes an environment of each combination, in whose texts the values stand', () => {
  const { environments } = parse(`
matrix:
  py{python}-{set}:
    axes: { python: ['3.11', '3.12'], set: [climate, ml] }
    version: '26.11'
    stable: '26.11'
    spec: environments/{set}.yml
    pinned: ['python {python}.*']
    module: { variables: { SET: '{set}', LAUNCHER: '{launcher}' } }
environments:
  other: { version: '1' }
`);

  expect([...environments.keys()]).toEqual([
    ...['other', 'py3.11-climate', 'py3.11-ml', 'py3.12-climate', 'py3.12-ml'],
  ]);
  expect(environments.get('py3.12-climate')).toMatchObject({
    ...{ version: '26.11', stable: '26.11', specFile: '/etc/condense/environments/climate.yml' },
    pinned: [{ text: 'python 3.12.*', at: expect.stringContaining(':11:') as string }],
    module: { variables: { SET: 'climate', LAUNCHER: '{launcher}' } },
  });
});

test('gives each a lock of its own, though they have one environment.yml', () => {
  const { environments } = parse(`matrix: { 'a{n}': { axes: { n: ['1', '2'] }, version: '1', spec: a.yml } }\n`);
  const layout = makeLayout('/site');

  expect([...environments.values()].map((one) => layout.environmentLock(one))).toEqual([
    ...['/etc/condense/a.a1.lock.yml', '/etc/condense/a.a2.lock.yml'],
  ]);
});

const told = (text: string): readonly string[] => problemsOf(() => parse(text));

test('tells all that is wrong with it at once, where the matrix says it and once for all environments', () => {
  expect(
    told(`
matrix:
  a{n}:
    axes: { n: ['1', '2'] }
    version: 26.10
    colour: red
  b-{n}:
    axes: { n: [3.10], m: [] }
  c:
    version: '1'
  same:
    axes: { n: ['1', '2'] }
    version: '1'
  '{n}':
    axes: { n: [default] }
    version: '1'
environments: {}
`),
  ).toEqual([
    expect.stringMatching(/^8:14 {2}matrix\['a\{n\}'\]\.version must be text/),
    expect.stringMatching(/^9:5 {2}matrix\['a\{n\}'\]\.colour/),
    expect.stringMatching(/^11:17 {2}matrix\['b-\{n\}'\]\.axes\.n\[0\] must be text/),
    expect.stringMatching(/^12:3 {2}matrix\.c\.axes must say what varies/),
    expect.stringMatching(/^15:5 {2}matrix\.same makes 'same' twice/),
    expect.stringMatching(/^17:3 {2}matrix\['\{n\}'\]: the name must not be 'default'/),
  ]);
});

test('is refused where it would make thousands, and where it is no matrix at all', () => {
  const axis = (name: string): string => `${name}: [${Array.from({ length: 20 }, (_, n) => `'${n}'`).join(', ')}]`;

  expect(told(`matrix: { '{a}{b}{c}': { axes: { ${axis('a')}, ${axis('b')}, ${axis('c')} } } }\n`)).toEqual([
    expect.stringContaining('at most 200'),
  ]);
  for (const matrix of ['[]', 'x', '{ a: x }', '{ "{prefix}": { axes: { prefix: [a] }, version: "1" } }'])
    expect(told(`matrix: ${matrix}\n`), matrix).toHaveLength(1);
});
