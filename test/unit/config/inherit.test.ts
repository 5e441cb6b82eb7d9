// What of a caller's environment does not come along: how it is written.
import { expect, test } from 'vitest';
import { parseSiteConfig } from '../../../src/config/parse-site-config.ts';
import { problemsOf } from './problems.ts';

const probe = { tmpDir: '/tmp', uid: 1000 };
const base = `site: test\nprefix: /apps/conda\nadmin_dir: /apps/admin\n`;
const parse = (text: string) => parseSiteConfig(base + text, '/etc/condense/install_config.yaml', probe);

test('an environment takes each rule of the site that it has none of its own for', () => {
  const { environments } = parse(`
inherit: { drop: [PYTHONHOME, LD_PRELOAD], lists: { LD_LIBRARY_PATH: [/apps, '!/apps/openmpi'] } }
environments:
  a: { version: '1' }
  b: { version: '1', inherit: { drop: [], user_site: true } }
`);
  const lists = { LD_LIBRARY_PATH: ['/apps', '!/apps/openmpi'] };
  expect(environments.get('a')?.inherit).toEqual({ drop: ['PYTHONHOME', 'LD_PRELOAD'], lists, userSite: false });
  expect(environments.get('b')?.inherit).toEqual({ drop: [], lists, userSite: true });
});

test('variables that always come along, what is no variable, and entries that no directory begins with are refused', () => {
  const problems = problemsOf(() =>
    parse(`
inherit: { drop: [PATH, 'A B'], lists: { HOME: [/x], LD_LIBRARY_PATH: [apps, '!/apps/', '/'] } }
environments:
  a: { version: '1', inherit: { lists: { 'x[$(id)]': [/x] } } }
`),
  );
  expect(problems.join('\n')).toMatchInlineSnapshot(`
    "5:19  inherit.drop[0] must not be 'PATH': it always comes along
    5:25  inherit.drop[1] must be the name of an environment variable, not 'A B'
    5:42  inherit.lists.HOME: the name must not be 'HOME': it always comes along
    5:72  inherit.lists.LD_LIBRARY_PATH[0] must be an absolute path other than '/', without a colon, not 'apps'
    5:78  inherit.lists.LD_LIBRARY_PATH[1] must be a plain path, not '!/apps/' | write !/apps
    5:89  inherit.lists.LD_LIBRARY_PATH[2] must be an absolute path other than '/', without a colon, not '/'
    7:42  environments.a.inherit.lists['x[$(id)]']: the name must be the name of an environment variable, not 'x[$(id)]'"
  `);
});
