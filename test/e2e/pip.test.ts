// The pip section, from an index on loopback to what users run: the environment's own pip, in the real container.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeHome, runAsOrdinaryUser } from '../../ci/ordinary-user.ts';
import { parseLock } from '../../src/conda/lock.ts';
import { ensureTestChannel } from '../channel/make-channel.ts';
import { backendFiles, makeSdist, makeWheel } from '../pip/distributions.ts';
import { PipIndex } from '../pip/pip-index.ts';
import { TestSite } from './test-site.ts';

let site: TestSite;
let home: string;
let channel: string;
let index: PipIndex;

const section = (...lines: readonly string[]): string =>
  `  - pip:\n${lines.map((line) => `    - '${line.replaceAll("'", "''")}'\n`).join('')}`;

const SPEC = ['python=3.11', 'packaging'];
const PASSWORD = 'open-sesame';
/** What a person's own pip would be told; nothing of it may count. */
const own = { PIP_INDEX_URL: 'http://127.0.0.1:1/simple', PIP_REQUIRE_VIRTUALENV: '1' };

async function install(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await site.start(['--json', 'install', 'p', ...args], own);
  if (exitCode !== 0) throw new Error(`${stdout}\n${stderr}`);
  expect(stdout + stderr).not.toContain(PASSWORD);
  return stdout;
}

interface Release {
  readonly packages: readonly { name: string; version: string; build: string; source?: string; sha256: string }[];
  readonly image: { readonly sha256: string };
  readonly dir: string;
}

async function liveRelease(): Promise<Release> {
  const dir = path.join(site.prefix, 'apps/condense/releases/p-1', (await site.liveRelease('p-1')) ?? '');
  const manifest = JSON.parse(await readFile(path.join(dir, 'manifest.json'), 'utf8')) as Omit<Release, 'dir'>;
  return { ...manifest, dir };
}

beforeAll(async () => {
  site = await TestSite.make();
  home = await makeHome();
  channel = pathToFileURL((await ensureTestChannel()).dir).href;
  index = await PipIndex.start();
  index.login = `me:${PASSWORD}`;
  index.add(
    await makeWheel({
      name: 'greet',
      version: '1.0',
      files: {
        'greet/__init__.py':
          'import packaging, helper\ndef main():\n    print("greet 1.0", helper.NAME, packaging.__version__)\n',
      },
      entryPoints: '[console_scripts]\ngreet = greet:main\n',
      metadata: ['Requires-Dist: packaging>=20', 'Requires-Dist: helper'],
    }),
    await makeWheel({ name: 'helper', version: '2.0', files: { 'helper.py': 'NAME = "helper 2.0"\n' } }),
    await makeSdist('fromsource', '0.5', backendFiles('fromsource', '0.5')),
  );
  await mkdir(path.join(site.dir, '.config/pip'), { recursive: true });
  await writeFile(path.join(site.dir, '.config/pip/pip.conf'), '[global]\nindex-url = http://127.0.0.1:1/simple\n');
  await writeConfig('[]');
  await site.writeSpec('p', [channel], SPEC, section(indexLine(), '-r requirements.txt'));
  await writeFile(path.join(site.dir, 'environments/p/requirements.txt'), 'greet >=1\nfromsource\n');
  await install();
});
afterAll(async () => {
  await index.stop();
  await site.remove();
  await rm(home, { recursive: true, force: true });
});

const indexLine = (): string => `--index-url ${index.url.replace('//', `//me:${PASSWORD}@`)}`;
const writeConfig = (outside: string): Promise<void> =>
  site.writeConfig(
    `  p: { version: '1', stable: '1', gate: { imports: [greet, fromsource] }, outside_commands: ${outside} }\n`,
  );

const asUser = async (...command: string[]): Promise<string> => {
  const ran = await runAsOrdinaryUser(home, command);
  return ran.exitCode === 0 ? ran.stdout : `exit ${ran.exitCode ?? '?'}: ${ran.stderr}`;
};

describe('a pip section', () => {
  it('gives users its commands, beside what conda installed, and the module says so', async () => {
    const load = `. /etc/profile.d/modules.sh; module use ${site.modules}; module help conda/p 2>&1; module load conda/p && greet`;

    const said = await asUser('bash', '-c', load);

    expect(said).toContain('greet 1.0 helper 2.0 23.0');
    expect(said).toContain('fromsource 0.5 (pip)');
  });

  it('is in the manifest and in the lock, without its password', async () => {
    const { packages, dir } = await liveRelease();
    const lock = await readFile(path.join(dir, 'environment.lock.yml'), 'utf8');

    expect(packages.filter(({ source }) => source === 'pip').map(({ name, build }) => [name, build])).toEqual([
      ['fromsource', 'pypi_0'],
      ['greet', 'pypi_0'],
      ['helper', 'pypi_0'],
    ]);
    expect(packages.some(({ name, source }) => name === 'pip' && source === undefined)).toBe(true);
    expect(parseLock(lock, 'lock').pip?.packages.map(({ name, kind }) => [name, kind])).toEqual([
      ['fromsource', 'sdist'],
      ['greet', 'wheel'],
      ['helper', 'wheel'],
    ]);
    for (const name of ['environment.lock.yml', 'manifest.json', 'modules/p-1'])
      expect(await readFile(path.join(dir, name), 'utf8')).not.toContain(PASSWORD);
  });

  it('is nothing to do when nothing changed, and asks no index', async () => {
    const asked = index.requests.length;

    expect(await install()).toContain('"changed":false');
    expect(index.requests.length).toBe(asked);
  });

  it('is installed again from the lock, without index and solve, into the same image', async () => {
    const before = await liveRelease();
    const asked = index.requests.length;
    index.add(await makeWheel({ name: 'helper', version: '2.1', files: { 'helper.py': 'NAME = "helper 2.1"\n' } }));
    await writeConfig('[ssh]');

    expect(await install()).toContain('"changed":true');

    const after = await liveRelease();
    expect(index.requests.length).toBe(asked);
    expect(after.packages).toEqual(before.packages);
    expect(after.dir).not.toBe(before.dir);
    expect(after.image.sha256).toBe(before.image.sha256);
  });

  it('is in a rebuild to check the release, which has the same bytes, and in the bill of materials with its licences', async () => {
    expect(await site.condenseOk('verify', '--rebuild', 'p')).toContain('its image has the same bytes: ');

    const said = await site.condenseOk('sbom', '--licences', 'p');
    expect(said).toMatch(/^ {2}python +3\.11\.2 +LicenseRef-Debian$/m);
    expect(said).toMatch(/^\? greet +1\.0 +\(states none\) {2}\(pip\)$/m);
  });

  it('is refused at its line before anything is built, and resolved again when a file that it names changed', async () => {
    await writeFile(path.join(site.dir, 'environments/p/requirements.txt'), 'greet >=1\n-e .\n');
    const refused = await site.condense('build', 'p');
    expect(refused.exitCode).toBe(3);
    expect(refused.stderr).toMatch(/requirements\.txt:2:1 .*has to hold all of it/);

    await writeFile(path.join(site.dir, 'environments/p/requirements.txt'), 'greet >=1\nhelper>=3\n');
    const failed = await site.condense('build', 'p');

    expect(failed.exitCode).toBe(5);
    expect(failed.stderr).toMatch(/requirements\.txt:1:1 .*pip could not resolve/);
    expect(failed.stderr).toContain('helper>=3');
    expect(failed.stderr).not.toContain(PASSWORD);
    expect(await readdir(path.join(site.dir, 'staging'))).toEqual([]);
  });
});

describe('the lock of a pip section', () => {
  const spec = (): string => path.join(site.dir, 'environments/p');
  const lock = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await site.start(['lock', 'p', ...args], own);
    expect(stdout + stderr).not.toContain(PASSWORD);
    return { exitCode, said: `${stdout}\n${stderr}` };
  };
  const locked = async () =>
    parseLock(await readFile(path.join(spec(), 'environment.lock.yml'), 'utf8'), 'lock').pip?.packages.map(
      ({ name, version }) => `${name} ${version}`,
    );

  it('has what the newest release was made from, without asking an index', async () => {
    await writeFile(path.join(spec(), 'requirements.txt'), 'greet >=1\nfromsource\n');
    const asked = index.requests.length;

    expect(await lock()).toMatchObject({ exitCode: 0 });

    expect(index.requests.length).toBe(asked);
    expect(await locked()).toEqual(['fromsource 0.5', 'greet 1.0', 'helper 2.0']);
    expect(await lock('--check')).toMatchObject({ exitCode: 0 });
  });

  it('moves only the distribution that is named', async () => {
    index.add(await makeWheel({ name: 'greet', version: '1.1', metadata: ['Requires-Dist: helper'], files: {} }));

    const { exitCode, said } = await lock('--update', 'helper');

    expect([exitCode, said]).toEqual([0, expect.stringContaining('↑ helper 2.0 -> 2.1 (pip)')]);
    expect(await locked()).toEqual(['fromsource 0.5', 'greet 1.0', 'helper 2.1']);
    expect(await readdir(path.join(site.dir, 'staging'))).toEqual([]);
  });

  it('is stale when a file that the section names changed, and nothing is built from it then', async () => {
    await writeFile(path.join(spec(), 'requirements.txt'), 'greet >=1.1\nfromsource\n');

    for (const args of [
      ['lock', 'p', '--check'],
      ['build', 'p'],
    ]) {
      const { exitCode, stderr } = await site.start(args, own);
      expect([exitCode, stderr]).toEqual([3, expect.stringContaining('the pip section changed')]);
    }
    const { exitCode, said } = await lock('--offline');
    expect([exitCode, said]).toEqual([5, expect.stringContaining('PIP_NOT_LOCKED')]);
    await rm(path.join(spec(), 'environment.lock.yml'));
  });
});
