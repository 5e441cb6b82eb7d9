// What environments and versions may be called: their names become files, modules and words of three languages.
import { describe, expect, it, test } from 'vitest';
import { parseSiteConfig } from '../../../src/config/parse-site-config.ts';
import type { SiteConfig } from '../../../src/config/site-config.ts';
import { problemsOf } from './problems.ts';

const parse = (text: string): SiteConfig => parseSiteConfig(text, '/c/install_config.yaml', { tmpDir: '/tmp', uid: 0 });
const base = 'site: test\nprefix: /apps/conda\nadmin_dir: /apps/admin\n';
const environment = (options: string): string => `${base}environments:\n  a: ${options}\n`;

describe('a name', () => {
  test.each([
    ['-x', 'must start with a letter or digit'],
    ['.x', 'must start with a letter or digit'],
    ['a b', 'must start with a letter or digit'],
    ['a/b', 'must start with a letter or digit'],
    ['é', 'must start with a letter or digit'],
    ['a$(id)', 'must start with a letter or digit'],
    ['n'.repeat(65), 'must start with a letter or digit'],
    ['a..b', "must not contain '..'"],
    ['a.sqsh', "must not end in '.sqsh'"],
    ['a.d', "must not end in '.d'"],
    ['a.lua', "must not end in '.lua'"],
  ])('%j is neither a name nor a version', (name, reason) => {
    const asName = problemsOf(() => parse(`${base}environments:\n  ${JSON.stringify(name)}: { version: '1' }\n`));
    const asVersion = problemsOf(() => parse(environment(`{ version: ${JSON.stringify(name)} }`)));

    expect(asName).toEqual([expect.stringContaining(`the name ${reason}`)]);
    expect(asName[0]).toMatch(/^5:3 /);
    expect(asVersion).toEqual([expect.stringContaining(`5:17  environments.a.version ${reason}`)]);
  });

  test.each(['default', 'base', 'root', 'stable', 'unstable'])('no environment is called %s', (name) => {
    expect(problemsOf(() => parse(`${base}environments:\n  ${name}: { version: '1' }\n`))).toEqual([
      expect.stringContaining(`must not be '${name}'`),
    ]);
  });

  it('refuses a default environment that there is not', () => {
    expect(problemsOf(() => parse(`${base}default_environment: b\nenvironments:\n  a: { version: '1' }\n`))).toEqual([
      "4:22  default_environment is 'b', which is not among the environments: a",
    ]);
  });

  test.each(['stable', 'unstable'])('no version is called %s', (version) => {
    expect(problemsOf(() => parse(environment(`{ version: ${version} }`)))).toEqual([
      `5:17  environments.a.version must not be '${version}': it would be mistaken for the alias`,
    ]);
  });

  it("refuses a prefix that makes a '#!' line longer than the kernel reads", () => {
    const text = (prefix: string): string =>
      `site: t\nprefix: ${prefix}\nadmin_dir: /x\nenvironments:\n  a: { version: '1' }\n`;
    // '#!' + prefix + /apps/conda_scripts/a-1.d/bin/python3 + newline: 256 bytes are read.
    const rest = '/apps/conda_scripts/a-1.d/bin/python3'.length;
    const fits = `/${'d'.repeat(256 - 3 - rest - 1)}`;

    expect(problemsOf(() => parse(text(fits)))).toEqual([]);
    expect(problemsOf(() => parse(text(`${fits}d`)))).toEqual([
      expect.stringContaining("makes a '#!' line of more than 256 bytes"),
    ]);
  });
});
