// `module`: how it is written, for the site and for one environment.
import { expect, test } from 'vitest';
import { parseSiteConfig } from '../../../src/config/parse-site-config.ts';
import { findShellLimits, MODULE_SYSTEMS } from '../../../src/modules/shell-limits.ts';
import { planModuleFacts } from '../../../src/build/module-facts.ts';
import { makeLayout } from '../make-layout.ts';
import { makeManifest } from '../release/make-manifest.ts';
import { problemsOf } from './problems.ts';

const probe = { tmpDir: '/tmp', uid: 1000 };
const base = `site: test\nprefix: /apps/conda\nadmin_dir: /apps/admin\n`;
const parse = (text: string) => parseSiteConfig(base + text, '/etc/condense/install_config.yaml', probe);

test('an environment adds its variables to those of the site, and takes its other keys instead of them', () => {
  const { environments } = parse(`
module: { variables: { CARTOPY_DATA_DIR: /data/cartopy, A: 'x y' }, prerequisites: [pbs], notice_after_days: 200 }
environments:
  a: { version: '1' }
  b: { version: '1', module: { variables: { A: '{farm}/python3' }, prerequisites: [], end_of_life: '2027-06-30' } }
`);
  expect(environments.get('a')?.module).toEqual({
    ...{ variables: { CARTOPY_DATA_DIR: '/data/cartopy', A: 'x y' }, prerequisites: ['pbs'], noticeAfterDays: 200 },
  });
  expect(environments.get('b')?.module).toEqual({
    variables: { CARTOPY_DATA_DIR: '/data/cartopy', A: '{farm}/python3' },
    ...{ prerequisites: [], noticeAfterDays: 200, endOfLife: '2027-06-30' },
  });
});

test('what modules need themselves, what not every shell can be given, and dates that are none are refused', () => {
  const problems = problemsOf(() =>
    parse(`
module: { variables: { PATH: /x, LMOD_CMD: /x, B: '{home}', C: "a\\nb", D: '~/x', E: '/a:=b' }, prerequisites: ['gcc; id'] }
environments:
  a: { version: '1', module: { end_of_life: 2027-13-01 } }
`),
  );
  expect(problems).toHaveLength(8);
});

test('every value that is taken can be given to every shell by every module system', () => {
  const taken = [...Array(127).keys()].flatMap((code) => {
    const value = `${String.fromCharCode(code)}a:${String.fromCharCode(code)}`;
    const text = `module: { variables: { A: ${JSON.stringify(value)} } }\nenvironments: { a: { version: '1' } }\n`;
    try {
      return parse(text).environments.get('a')?.module.variables['A'] ?? [];
    } catch {
      return [];
    }
  });

  expect(taken.length).toBeGreaterThan(70);
  for (const system of MODULE_SYSTEMS)
    expect(taken.filter((value) => findShellLimits(system, [value]).length > 0)).toEqual([]);
});

test('a module for environments of users takes the channels of the site, and tells conda by its own variables', () => {
  const text = `
channels: { defaults: [conda-forge, bioconda] }
environments:
  tools: { version: '1', module: { own_environments: { directory: $SCRATCH/conda, threads: 4, pinned: [python 3.11.*, 'numpy <3'] } } }
`;
  const { environments } = parse(text);
  const layout = makeLayout('/site');
  const policy = environments.get('tools')?.module ?? { variables: {}, prerequisites: [] };
  const { variables, own } = planModuleFacts(layout, 'test', policy, makeManifest({ commands: [] }), 'id');

  expect(variables).toEqual({
    ...{ CONDA_CHANNELS: 'conda-forge,bioconda', CONDA_CHANNEL_PRIORITY: 'strict', CONDA_AUTO_UPDATE_CONDA: 'false' },
    ...{ CONDA_DEFAULT_THREADS: '4', CONDA_PINNED_PACKAGES: 'python 3.11.*&numpy <3' },
  });
  expect(own).toEqual({
    pieces: [
      { isVariable: true, text: 'SCRATCH' },
      { isVariable: false, text: '/conda' },
    ],
    settings: [
      { name: 'CONDA_ENVS_PATH', after: '/envs:/site/apps/conda/envs' },
      { name: 'CONDA_PKGS_DIRS', after: '/pkgs' },
    ],
  });
});

test('a directory of all users, one that leaves its place, and what would split a list of conda are refused, all at once', () => {
  const wrong = (own: string): number =>
    problemsOf(() => parse(`environments:\n  a: { version: '1', module: { own_environments: ${own} } }\n`)).length;

  for (const directory of ['/scratch/conda', 'scratch/$USER', '$S/../x', '/a:$U', '$S/a b', '/$1', '$(id)/x', '${S}'])
    expect(wrong(`{ directory: ${JSON.stringify(directory)} }`), directory).toBe(1);
  expect(
    wrong(`{ directory: '/x', package_caches: ['/a,b', pkgs], channels: ['a,b'], pinned: ['a&b'], threads: 0 }`),
  ).toBe(6);
});
