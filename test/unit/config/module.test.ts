// `module`: how it is written, for the site and for one environment.
import { expect, test } from 'vitest';
import { parseSiteConfig } from '../../../src/config/parse-site-config.ts';
import { findShellLimits, MODULE_SYSTEMS } from '../../../src/modules/shell-limits.ts';
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
