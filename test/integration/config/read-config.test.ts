// The two files on a real disk, and `condense config` over them.
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addConfigCommands } from '../../../src/cli/config.ts';
import { readEnvironmentSpec, readSiteConfig } from '../../../src/config/read-config.ts';
import { AppError } from '../../../src/system/app-error.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-config-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

const config = `site: test\nprefix: ./site\nadmin_dir: ./admin\nenvironments:\n  a: { version: '1', spec: a.yml }\n  b: { version: '1', spec: b.yml }\n`;

async function write(name: string, content: string | Uint8Array): Promise<string> {
  const file = path.join(dir, name);
  await writeFile(file, content);
  return file;
}

async function thrown(work: Promise<unknown>): Promise<AppError> {
  const error: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof AppError)) throw new Error('no AppError', { cause: error });
  expect(error.exit).toBe(3);
  return error;
}

describe('reading a configuration', () => {
  it('makes its paths absolute from where the file is', async () => {
    const site = await readSiteConfig(await write('install_config.yaml', config));

    expect(site.prefix).toBe(path.join(dir, 'site'));
    expect(site.environments.get('a')?.specFile).toBe(path.join(dir, 'a.yml'));
  });

  it('says that there is no such file, and what to do', async () => {
    const file = path.join(dir, 'none.yaml');
    const forSite = await thrown(readSiteConfig(file));
    const forSpec = await thrown(readEnvironmentSpec(path.join(file, 'below')));

    expect(forSite.problems).toEqual([
      {
        code: 'CONFIG_MISSING',
        at: file,
        message: `there is no such file (${file})`,
        hint: 'condense <command> --config <file>, or run it where install_config.yaml is',
      },
    ]);
    expect(forSpec.problems[0]?.code).toBe('CONFIG_MISSING');
  });

  it('says that it is a directory', async () => {
    expect((await thrown(readSiteConfig(dir))).problems).toEqual([
      { code: 'CONFIG_UNREADABLE', at: dir, message: 'this is a directory; a file is expected' },
    ]);
  });

  it('says that this user may not read it', async () => {
    const file = await write('install_config.yaml', config);
    await chmod(file, 0);
    const isRoot = process.geteuid?.() === 0;

    // Nothing is closed to root: be nobody for the moment.
    if (isRoot) process.seteuid?.(65534);
    try {
      expect((await thrown(readSiteConfig(file))).problems).toEqual([
        { code: 'CONFIG_UNREADABLE', at: file, message: 'this user may not read it', hint: `ls -l ${file}` },
      ]);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it('says that it is not UTF-8', async () => {
    const file = await write('latin1.yaml', Buffer.from('site: caf\u00e9\n', 'latin1'));

    expect((await thrown(readSiteConfig(file))).problems).toEqual([
      {
        code: 'CONFIG_INVALID',
        at: file,
        message: 'the file is not UTF-8 text',
        hint: `iconv -f latin1 -t utf-8 ${file}`,
      },
    ]);
  });

  it('takes a byte order mark and Windows line ends', async () => {
    const file = await write('dos.yaml', `\ufeff${config.replaceAll('\n', '\r\n')}`);

    expect((await readSiteConfig(file)).site).toBe('test');
  });
});

describe('condense config', () => {
  let shown: { data: object; lines: readonly string[] } | undefined;
  async function run(...args: string[]): Promise<void> {
    const output = {
      result: (data: object, lines: readonly string[]): void => {
        shown = { data, lines };
      },
    };
    const program = new Command().option('--config <file>', '', path.join(dir, 'install_config.yaml'));
    addConfigCommands(program.command('config'), () => output);
    await program.parseAsync(['config', ...args], { from: 'user' });
  }

  it('check says what was found', async () => {
    await write('install_config.yaml', config);
    await write('a.yml', 'channels: [x]\ndependencies: [python, numpy, pip, pip: [y]]\n');
    await write('b.yml', 'dependencies: [python]\nprefix: /x\n');

    await run('check');

    expect(shown?.lines).toEqual([
      `${dir}/install_config.yaml is valid: site test, prefix ${dir}/site`,
      `a-1: 3 packages and 1 for pip from x (${dir}/a.yml)`,
      `b-1: 1 package from conda-forge (${dir}/b.yml)`,
      `  note  ${dir}/b.yml:2:1  prefix is ignored: the site's configuration decides that`,
    ]);
    expect(shown?.data).toMatchObject({ site: 'test', environments: [{ fullName: 'a-1', packages: 3 }, {}] });
  });

  it('check lists the problems of every environment.yml at once', async () => {
    await write('install_config.yaml', config);
    await write('a.yml', 'dependencies: [1]\nnmae: x\n');

    const { problems } = await thrown(run('check'));

    expect(problems.map(({ at, code }) => `${code} ${path.relative(dir, at ?? '')}`)).toEqual([
      'CONFIG_INVALID a.yml:1:16',
      'CONFIG_INVALID a.yml:2:1',
      'CONFIG_MISSING b.yml',
    ]);
  });

  it('check takes another file than that of --config', async () => {
    const file = await write('other.yaml', config.replace(/environments:[^]*/, 'environments: {}\n'));

    await run('check', file);

    expect(shown?.lines.at(-1)).toBe('no environments yet');
  });

  it('show prints the values with where they come from', async () => {
    const file = await write('install_config.yaml', config);

    await run('show');

    expect(shown?.lines).toContain(`prefix: ${dir}/site # ${file}:2:9`);
    expect(shown?.lines).toContain('module_family: conda # default');
    expect(shown?.data).toMatchObject({
      file,
      values: expect.arrayContaining([{ path: ['site'], value: 'test', from: `${file}:1:7` }]) as unknown,
    });
  });

  it('schema prints JSON for editors, without a configuration', async () => {
    await run('schema');

    expect(JSON.parse(shown?.lines.join('\n') ?? '')).toMatchObject({ type: 'object', additionalProperties: false });
  });
});
