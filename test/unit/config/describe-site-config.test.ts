// `condense config show`: every value, where it comes from, no secrets.
import { describe, expect, it, test } from 'vitest';
import { parse as parseAnyYaml } from 'yaml';
import { describeSiteConfig, renderSiteConfig, withoutCredentials } from '../../../src/config/describe-site-config.ts';
import { parseSiteConfig, parseSiteConfigSource } from '../../../src/config/parse-site-config.ts';

const probe = { tmpDir: '/tmp', uid: 0 };
const text = `site: test
prefix: ./site
admin_dir: /admin
squashfs: { compression: gzip }
groups: { users: climate }
virtual_packages: { __cuda: '12.10' }
environments:
  a:
    version: '22.10'
    gate: { imports: [numpy] }
`;

describe('the configuration that is shown', () => {
  const { config, source } = parseSiteConfigSource(text, '/c/install_config.yaml', probe);
  const values = describeSiteConfig(config, source);

  it('says of each value where it is in the file, or that it is a default', () => {
    const from = Object.fromEntries(values.map((value) => [value.path.join('.'), value.from]));

    expect(from).toMatchObject({
      prefix: '/c/install_config.yaml:2:9',
      staging_dir: 'default',
      'squashfs.compression': '/c/install_config.yaml:4:26',
      'squashfs.level': 'default',
      'groups.users': '/c/install_config.yaml:5:18',
      'environments.a.version': '/c/install_config.yaml:9:14',
      'environments.a.spec': 'default',
      'environments.a.gate.imports': '/c/install_config.yaml:10:22',
    });
    expect(from).not.toHaveProperty('groups.owners');
  });

  it('shows an environment with what it takes over from the site, and where that is written', () => {
    const site = `site: s\nprefix: /p\nadmin_dir: /a\npinned: [numpy 1.*]\ndrop: { tests: true, patterns: [share/doc] }\n`;
    const parsed = parseSiteConfigSource(`${site}environments: { a: { version: '1' } }\n`, '/c.yaml', probe);

    const shown = describeSiteConfig(parsed.config, parsed.source)
      .filter(({ path }) => ['pinned', 'drop'].includes(path[2] ?? ''))
      .map(({ path, value, from }) => [path.slice(2).join('.'), value, from]);

    expect(shown).toEqual([
      ['pinned', ['numpy 1.*'], '/c.yaml:4:9'],
      ['drop.static_libraries', false, 'default'],
      ['drop.tests', true, '/c.yaml:5:16'],
      ['drop.patterns', ['share/doc'], '/c.yaml:5:32'],
      ['drop.keep', [], 'default'],
    ]);
  });

  it('is a configuration that means the same', () => {
    const shown = renderSiteConfig(values);

    expect(parseSiteConfig(shown, '/c/install_config.yaml', probe)).toEqual(config);
    expect(shown).toContain('prefix: /c/site # /c/install_config.yaml:2:9\n');
    expect(parseAnyYaml(shown)).toMatchObject({ virtual_packages: { __cuda: '12.10' } });
  });

  test.each([
    ['https://me:secret@example.org/c', 'https://***@example.org/c'],
    ['https://example.org/t/tk-123/c', 'https://example.org/t/***/c'],
    ['https://example.org/conda-forge', 'https://example.org/conda-forge'],
    ['conda-forge', 'conda-forge'],
  ])('%s is shown as %s', (url, shown) => {
    expect(withoutCredentials(url)).toBe(shown);
  });
});
