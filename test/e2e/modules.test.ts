// The modules of a published site, in every shell with every module system.
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asOrdinaryUser, makeHome, runAsOrdinaryUser } from '../../ci/ordinary-user.ts';
import { MODULE_SYSTEMS, runModuleSession, SYSTEMS_AND_SHELLS } from '../modules/module-shells.ts';
import { writeActivationChannel } from './activation-channel.ts';
import { expectSameAsActivation } from './activation-reference.ts';
import { writeCondaChannel } from './conda-channel.ts';
import { condaActivate, condaDeactivate } from './conda-activate.ts';
import { writeHelloChannel } from './hello-channel.ts';
import { TestSite, type Ran } from './test-site.ts';

let site: TestSite;
let home: string;
let installed: Ran;

beforeAll(async () => {
  site = await TestSite.make();
  home = await makeHome();
  await chmod(home, 0o755);
  await site.writeConfig(
    `  zoo: { version: '1', stable: '1' }\n  hello: { version: '2', stable: '2' }\n` +
      `  tools: { version: '1', stable: '1', module: { own_environments: { directory: $SCRATCH/conda, channels: [c] } } }\n`,
    // Four environments, of which two are built.
    `matrix:\n  hi{hello}-{set}: { axes: { hello: ['1', '2'], set: [few, many] }, version: '1', stable: '1', ` +
      `spec: 'environments/{set}/environment.yml', pinned: ['hello {hello}.*'] }\n`,
  );
  const zoo = await writeActivationChannel(site.dir);
  await site.writeSpec(
    'zoo',
    [zoo],
    ['activation'],
    'variables:\n  FROM_BOTH: of the environment.yml\n  FROM_SPEC: "with space/$HOME"\n',
  );
  const channel = await writeHelloChannel(site.dir);
  await site.writeSpec('hello', [channel], ['hello=2.0']);
  await site.writeSpec('tools', [await writeCondaChannel(site.dir)], ['conda']);
  await site.writeSpec('few', [channel], ['hello']);
  await site.writeSpec('many', [channel, zoo], ['hello', 'activation']);
  installed = await site.condense('install', 'zoo');
  await site.condenseOk('install', 'hello');
}, 300_000);
afterAll(async () => {
  await site.remove();
  await rm(home, { recursive: true, force: true });
});

/** What a user may have set before. */
const USERS = {
  ...{ GDAL_DATA: '/my/gdal:x', PERL5LIB: '/my/perl', MANPATH: '/my/man', XML_CATALOG_FILES: 'file:///my/catalog' },
  ...{ CFLAGS: '-O3 -g', LDFLAGS: '-L/my/lib', CMAKE_PREFIX_OF_SITE: '/site', GSETTINGS_SCHEMA_DIR: '/my/schemas' },
  ...{ ZOO_TEXT: 'mine', CONDA_PREFIX: '/my/conda', CONDA_SHLVL: '3', FROM_BOTH: 'mine' },
};

it('tells at the build what a module cannot express', () => {
  expect(installed.exitCode, installed.stderr).toBe(0);
  for (const words of [
    'activation sets ZOO_LINES to several lines, which a module cannot express',
    'activation defines the alias zoo-list: modules give it to bash and zsh only',
    'activation puts /opt/conda/zoo-1/libexec/zoo on PATH: commands there are not among those of the farm',
    'the activate.d scripts for csh leave ZOO_TEXT "something else"',
    'the activate.d scripts for csh define zoo-list, which a module does not',
    'the activate.d scripts for fish leave ZOO_FISH "yes", those for sh unset',
  ]) {
    expect(installed.stderr.replaceAll(/\s+/g, ' ')).toContain(words);
  }
});

it('keeps in the manifest what it has told', async () => {
  const release = await site.liveRelease('zoo-1');
  const file = path.join(site.prefix, 'apps/condense/releases/zoo-1', release ?? '', 'manifest.json');
  const manifest = JSON.parse(await readFile(file, 'utf8')) as { activation: { warnings: string[] } };

  expect(manifest.activation.warnings).toContainEqual(expect.stringContaining('ZOO_LINES'));
});

it('builds and publishes members of a matrix, which differ along both axes, each with a module of its own', async () => {
  await site.condenseOk('install', 'hi1-few', 'hi2-many');

  for (const system of MODULE_SYSTEMS) {
    const steps = ['module load conda/hi1-few', 'hello', 'module switch conda/hi1-few-1 conda/hi2-many-1', 'hello'];
    const { environments, stdout, stderr } = await runModuleSession(
      system,
      'bash',
      site.modules,
      steps,
      {},
      asOrdinaryUser,
    );

    expect(stdout, stderr).toBe('hello 1.0 from /opt/conda/hi1-few-1\nhello 2.0 from /opt/conda/hi2-many-1');
    expect(environments[1]).not.toHaveProperty('ZOO_TEXT');
    expect(environments[3]).toMatchObject({
      ZOO_TEXT: expect.any(String) as string,
      CONDA_PREFIX: '/opt/conda/hi2-many-1',
    });
  }
});

it('has a conda in an image make and activate environments of the user’s own, on the host, and take them back', async () => {
  await site.condenseOk('install', 'tools');
  const scratch = path.join(home, 'scratch');
  const mine = path.join(scratch, 'conda/envs/mine');
  const look = 'command -v whoami; echo $CONDA_DEFAULT_ENV';
  for (const [system, shell] of [
    ['Environment Modules 4', 'bash'],
    ['Environment Modules 5', 'zsh'],
    ['Lmod', 'bash'],
  ] as const) {
    const { environments, stdout, stderr } = await runModuleSession(
      system,
      shell,
      site.modules,
      [
        'module load conda/tools',
        'conda info --base; conda create -n mine; conda create -n other; eval "$(conda shell.posix hook)"',
        'conda activate mine; ln -sf /usr/bin/whoami $CONDA_PREFIX/bin; conda install xarray',
        look,
        'conda activate other',
        'conda deactivate',
        'conda activate base',
        'conda activate none || echo no such environment',
        'module unload conda',
      ],
      { SCRATCH: scratch },
      asOrdinaryUser,
    );
    const [before, loaded = {}, hooked, activated = {}, , other, back, base, none, after] = environments;

    expect(stdout, stderr).toBe(`/opt/conda/tools-1\n${mine}/bin/whoami\nmine\nno such environment`);
    const farm = site.scripts('tools-1', 'bin');
    expect(loaded).toMatchObject({
      ...{ CONDA_ENVS_PATH: `${scratch}/conda/envs:${site.prefix}/apps/conda/envs`, CONDA_EXE: `${farm}/conda` },
      ...{ CONDA_PKGS_DIRS: `${scratch}/conda/pkgs`, CONDA_PREFIX: '/opt/conda/tools-1' },
    });
    expect(hooked).toEqual(loaded);
    expect(activated).toEqual({
      ...loaded,
      ...{ CONDA_PREFIX: mine, CONDA_DEFAULT_ENV: 'mine', CONDA_PROMPT_MODIFIER: '(mine) ' },
      PATH: `${mine}/bin:${loaded['PATH'] ?? ''}`,
    });
    expect(await readdir(path.join(mine, 'conda-meta'))).toContain('xarray.json');
    expect(other).toMatchObject({ CONDA_DEFAULT_ENV: 'other', CONDA_SHLVL: '2', CONDA_PREFIX_1: mine });
    expect(back).toEqual(activated);
    expect(base).toEqual(loaded);
    expect(none).toEqual(loaded);
    expect(after).toEqual(before);
    await rm(scratch, { recursive: true });
  }
});

describe.each(MODULE_SYSTEMS)('%s', (system) => {
  it.each([
    ['nothing set before', {}],
    ['what users may have set', USERS],
  ])('gives programs the same variables as real activation: %s', async (_, env) => {
    // What is told at the build, and what deactivate.d scripts would need.
    const known = ['ZOO_LINES', '_CONDA_SET_GDAL_DATA', 'GSETTINGS_SCHEMA_DIR_CONDA_BACKUP'];

    await expectSameAsActivation(site, home, system, 'zoo-1', env, known);
    await expectSameAsActivation(site, home, system, 'hello-2', env, []);
  });

  it.each(['bash', 'zsh'] as const)('defines aliases and functions in %s and takes them away', async (shell) => {
    const ask = 'alias; zoo_greet; zoo_greet you';
    const steps = ['module load conda/zoo', ask, 'module unload conda', ask];
    const { stdout } = await runModuleSession(system, shell, site.modules, steps);

    expect(stdout.split('\n').filter((line) => line.includes('zoo') || line.startsWith('hello'))).toEqual([
      expect.stringMatching(/^(alias )?zoo-list=.*ls -l "\$HOME" \| head.*$/),
      'hello nobody else; "quoted" \\ zoo-1',
      'hello you; "quoted" \\ zoo-1',
    ]);
  });
});

it.each(SYSTEMS_AND_SHELLS)(
  '%s in %s runs the environment, switches, reloads, and gives back what users had set',
  async (system, shell) => {
    const { environments, stdout, stderr } = await runModuleSession(
      system,
      shell,
      site.modules,
      [
        'module load conda/zoo',
        'module switch conda/zoo-1 conda/hello-2',
        'hello',
        'module switch conda/hello-2 conda/zoo-1',
        system === 'Lmod' ? 'module update' : 'module reload',
        'module load conda/hello-2',
        'module unload conda',
      ],
      USERS,
      asOrdinaryUser,
    );
    const [before = {}, zoo, hello, , again, reloaded, both, after] = environments;

    expect(stdout, stderr).toContain('hello 2.0 from /opt/conda/hello-2');
    expect(zoo).toMatchObject({ CONDA_PREFIX: '/opt/conda/zoo-1', ZOO_TEXT: 'a "b" $c `d` \\e; #f & Ã©' });
    expect(hello).toEqual({
      ...before,
      ...{ CONDA_PREFIX: '/opt/conda/hello-2', CONDA_DEFAULT_ENV: 'hello-2', CONDA_PROMPT_MODIFIER: '(hello-2) ' },
      ...{ CONDA_SHLVL: '1', HELLO_DATA: '/opt/conda/hello-2/share/hello' },
      ...{ PATH: `${site.scripts('hello-2', 'bin')}:${before['PATH'] ?? ''}` },
      ...Object.fromEntries(Object.entries(hello ?? {}).filter(([name]) => /^CONDENSE_(RELEASE|SAVED_)/.test(name))),
    });
    expect(again).toEqual(zoo);
    expect(reloaded).toEqual(zoo);
    // One at a time: Environment Modules refuses the second, Lmod takes it for the first.
    expect(both).toEqual(system === 'Lmod' ? hello : zoo);
    expect(after).toEqual(before);
  },
);

describe.each(['sh', 'bash', 'zsh', 'csh', 'tcsh', 'fish'] as const)('the file to source, in %s', (shell) => {
  const [ending, source] = shell.endsWith('csh')
    ? ['.csh', 'source']
    : shell === 'fish'
      ? ['.fish', 'source']
      : ['', '.'];
  const words = {
    ...{ sh: 'echo "$# $*"', bash: 'echo "$# $*"', zsh: 'echo "$# $*"' },
    ...{ csh: 'echo $#argv $argv', tcsh: 'echo $#argv $argv', fish: 'echo (count $argv) $argv' },
  }[shell];

  it.each([
    ['nothing set before', {}],
    ['what users may have set', USERS],
  ])('does what the module does, once, and leaves positional parameters alone: %s', async (_, env) => {
    const file = site.scripts('zoo-1', `bin/activate${ending}`);
    const sourced = await runInShell(shell, `${source} ${file}\n${words}\n/usr/bin/env -0`, env);
    const twice = await runInShell(shell, `${source} ${file}\n${source} ${file}\n${words}\n/usr/bin/env -0`, env);
    const { environments } = await runModuleSession('Lmod', 'bash', site.modules, ['module load conda/zoo-1'], env);

    expect(twice).toEqual(sourced);
    expect(sourced.first).toBe('2 a b c');
    const loaded = environments[1] ?? {};
    const names = Object.keys(loaded).filter((name) => !['HOME', 'USER', 'LOGNAME'].includes(name));
    expect(Object.fromEntries(names.map((name) => [name, sourced.environment[name]]))).toEqual(
      Object.fromEntries(names.map((name) => [name, loaded[name]])),
    );
  });
});

describe('a conda of the user’s own', () => {
  const prefixOf = (name: string): string => path.join(site.prefix, 'apps/conda/envs', name);
  const users = Object.fromEntries(Object.entries(USERS).filter(([name]) => !name.startsWith('CONDA_')));

  it.each(['bash', 'zsh', 'tcsh', 'fish'] as const)(
    'activates by name in %s what the module sets, and gives back what was there',
    async (shell) => {
      const see = async (...script: string[]): Promise<Record<string, string>> =>
        (await runInShell(shell, [...script, 'echo', '/usr/bin/env -0'].join('\n'), users)).environment;
      const [activate, deactivate] = [condaActivate, condaDeactivate].map((line) => line(shell, prefixOf('zoo')));
      const before = await see();
      const activated = await see(activate ?? '');
      const after = await see(activate ?? '', deactivate ?? '');
      const { environments } = await runModuleSession('Lmod', 'bash', site.modules, ['module load conda/zoo'], users);

      const loaded = Object.entries(environments[1] ?? {}).filter(
        ([name]) => !/^(HOME|USER|LOGNAME|PATH|CONDA_.*)$/.test(name),
      );
      expect(activated).toMatchObject(Object.fromEntries(loaded));
      expect(activated).toMatchObject({ CONDA_PREFIX: prefixOf('zoo'), CONDA_SHLVL: '1' });
      expect(after).toEqual(before);
    },
  );

  it('stays the one in use where it activates an environment that has a conda, too', async () => {
    const script = `conda() { echo own; }; ${condaActivate('bash', prefixOf('tools'))}; conda; echo $CONDA_EXE; ${condaDeactivate('bash', prefixOf('tools'))}; conda`;
    const env = { SCRATCH: home, CONDA_EXE: '/my/conda' };

    expect((await runAsOrdinaryUser(home, ['bash', '-c', script], env)).stdout).toBe('own\n/my/conda\nown');
  });

  it('finds an environment that it will not change, and runs its programs, which see its files', async () => {
    const own = prefixOf('hello-2');
    const look = `cat "$CONDA_PREFIX/share/hello/version"`;
    const script = `${condaActivate('bash', own)}; hello; ${site.scripts('hello-2', 'launcher')} /bin/sh -c '${look}'`;
    const ran = await runAsOrdinaryUser(home, ['bash', '-c', script]);

    expect(ran.stdout, ran.stderr).toBe('hello 2.0 from /opt/conda/hello-2\n2.0');
    expect((await readdir(path.join(own, 'conda-meta'))).sort()).toEqual(['frozen', 'history']);
    expect(JSON.parse(await readFile(path.join(own, 'conda-meta/frozen'), 'utf8'))).toHaveProperty('message');
  });
});

it('defines aliases and functions in bash where it is sourced, under set -eu', async () => {
  const file = site.scripts('zoo-1', 'bin/activate');
  const { first } = await runInShell('bash', `set -eu; . ${file}; zoo_greet you; alias zoo-list >&2`, {});

  expect(first).toBe('hello you; "quoted" \\ zoo-1');
});

/** With two positional parameters. */
async function runInShell(
  shell: string,
  script: string,
  env: Readonly<Record<string, string>>,
): Promise<{ first: string; environment: Record<string, string> }> {
  const file = path.join(home, `script-${shell}`);
  await writeFile(file, `${script}\n`);
  const options =
    shell === 'fish' ? ['--no-config'] : shell.endsWith('sh') && shell !== 'sh' && shell !== 'bash' ? ['-f'] : [];
  const { stdout } = await execa(shell, [...options, file, 'a b', 'c'], {
    extendEnv: false,
    encoding: 'latin1',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: home, LC_ALL: 'C.UTF-8', ...env },
  });
  const [first = '', rest = ''] = stdout.split(/\n([^]*)/);
  const pairs = rest.split('\0').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  return { first, environment: Object.fromEntries(pairs) as Record<string, string> };
}
