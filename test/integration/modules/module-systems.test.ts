// What users type, in every shell with both module systems, on modulefiles as condense writes them.
import { mkdtemp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderActivateFile } from '../../../src/modules/activate-files.ts';
import { renderLuaModule } from '../../../src/modules/lua-module.ts';
import { parseOwnDirectory, type ModuleFacts } from '../../../src/modules/module-facts.ts';
import { renderLuaModulerc, renderModulerc } from '../../../src/modules/modulerc.ts';
import { renderTclModule } from '../../../src/modules/tcl-module.ts';
import {
  MODULE_SYSTEMS,
  runModuleSession,
  SYSTEMS_AND_SHELLS,
  type ModuleSystem,
  type Shell,
} from '../../modules/module-shells.ts';

const template = (name: string): Promise<string> =>
  readFile(new URL(`../../../modules-templates/${name}`, import.meta.url), 'utf8');
const FARMS = '/site/apps/conda_scripts';
let dir: string;

const facts = (fullName: string): ModuleFacts => ({
  site: 'test site',
  family: 'conda',
  fullName,
  releaseId: '20261121T000000Z-00000000',
  farm: `${FARMS}/${fullName}.d/bin`,
  variables: { OMPI_MCA_orte_launch_agent: '/site/orted' },
  functions: [],
  activation: {
    changes: [
      { kind: 'set', name: 'CONDA_PROMPT_MODIFIER', value: `(${fullName}) ` },
      {
        kind: 'set',
        name: 'GREETING',
        value: `${fullName}: $HOME "q" 'r' \\ ; # \`x\` $(id) * ? ~ & | < > % é 漢`,
      },
      { kind: 'set', name: 'EMPTY', value: '' },
      { kind: 'set', name: 'ODD', value: '[x] {y} =z !' },
      { kind: 'prepend', name: 'PERL5LIB', entries: [`/${fullName}/a b`, `/${fullName}/b`] },
      { kind: 'append', name: 'INFOPATH', entries: [`/${fullName}/info`] },
      { kind: 'unset', name: 'PYTHONHOME' },
    ],
    warnings: [],
  },
  prerequisites: [],
  notices: [
    { afterSeconds: 0, text: `conda/${fullName} has not been supported since $(id) [exit] yesterday.` },
    { afterSeconds: 9_999_999_999, text: 'not yet' },
  ],
  packages: ['numpy 2.1', 'xarray 2026.1'],
  hasPython: true,
});

/** What `module load conda/<fullName>` makes of an environment. ODD is what not every shell can be given. */
function loadedIn(
  system: ModuleSystem,
  shell: Shell,
  fullName: string,
  before: Readonly<Record<string, string>>,
): Record<string, string> {
  const { activation, farm, releaseId } = facts(fullName);
  const after: Record<string, string> = { ...before };
  for (const change of activation.changes) if (change.kind === 'set') after[change.name] = change.value;
  after['PERL5LIB'] = [`/${fullName}/a b`, `/${fullName}/b`, ...(before['PERL5LIB'] ? [before['PERL5LIB']] : [])].join(
    ':',
  );
  after['INFOPATH'] = [...(before['INFOPATH'] ? [before['INFOPATH']] : []), `/${fullName}/info`].join(':');
  delete after['PYTHONHOME'];
  if (shell.endsWith('csh') || (shell === 'fish' && system !== 'Lmod')) delete after['ODD'];
  after['OMPI_MCA_orte_launch_agent'] = '/site/orted';
  after['CONDENSE_RELEASE'] = `${fullName}/${releaseId}`;
  after['PATH'] = `${farm}:${before['PATH'] ?? ''}`;
  return Object.fromEntries(
    Object.entries(after).map(([name, value]) => [name, Buffer.from(value).toString('latin1')]),
  );
}

const OWN = {
  pieces: parseOwnDirectory('/scratch/$PROJECT/$WHO/conda'),
  settings: [
    { name: 'CONDA_ENVS_PATH', after: '/envs:/site/apps/conda/envs' },
    { name: 'CONDA_PKGS_DIRS', after: '/pkgs,/site/pkgs' },
  ],
};
const SOURCED = [
  ['sh', ''],
  ['csh', '.csh'],
  ['fish', '.fish'],
] as const;

/** What is kept until unloading. */
const withoutSaved = (environment: Readonly<Record<string, string>> | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(environment ?? {}).filter(([name]) => !name.startsWith('CONDENSE_SAVED_')));

beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-modules-'));
  const family = path.join(dir, 'conda');
  await mkdir(family);
  for (const name of ['analysis3-26.11', 'analysis3-26.12', 'other-1']) {
    await writeFile(path.join(family, name), renderTclModule(await template('environment.tcl.hbs'), facts(name)));
    await writeFile(
      path.join(family, `${name}.lua`),
      renderLuaModule(await template('environment.lua.hbs'), facts(name)),
    );
  }
  const tools = { ...facts('tools-1'), own: OWN };
  await writeFile(path.join(family, 'tools-1'), renderTclModule(await template('environment.tcl.hbs'), tools));
  await writeFile(path.join(family, 'tools-1.lua'), renderLuaModule(await template('environment.lua.hbs'), tools));
  for (const [shell, ending] of SOURCED)
    await writeFile(
      path.join(dir, `activate${ending}`),
      renderActivateFile(shell, await template(`activate.${shell}.hbs`), tools),
    );
  await writeAlias('analysis3-26.11');
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function writeAlias(fullName: string): Promise<void> {
  const aliases = new Map([['analysis3', fullName]]);
  await writeFile(path.join(dir, 'conda/.modulerc'), renderModulerc('conda', aliases));
  await writeFile(path.join(dir, 'conda/.modulerc.lua'), renderLuaModulerc('conda', aliases));
}

const MINE = {
  PERL5LIB: '/mine:/mine too',
  INFOPATH: '/mine',
  PYTHONHOME: '/mine:with colon',
  GREETING: 'mine: a b:c',
  CONDENSE_RELEASE: 'x/y',
};

describe.each(SYSTEMS_AND_SHELLS)('%s in %s', (system, shell) => {
  const loaded = (fullName: string, before: Readonly<Record<string, string>>): Record<string, string> =>
    loadedIn(system, shell, fullName, before);

  it.each([
    ['nothing set before', {}],
    ['everything set before', MINE],
  ])('sets what activation sets through the alias, and leaves no trace on unloading: %s', async (_, env) => {
    const { environments, stderr } = await runModuleSession(
      system,
      shell,
      dir,
      ['module load conda/analysis3', 'module unload conda'],
      env,
    );
    const [before = {}, during, after] = environments;

    expect(withoutSaved(during), stderr).toEqual(loaded('analysis3-26.11', before));
    expect(after).toEqual(before);
  });

  it('switches to another version and back, reloads, and restores what was there at first', async () => {
    const { environments, stderr } = await runModuleSession(
      system,
      shell,
      dir,
      [
        'module load conda/analysis3-26.11',
        'module switch conda/analysis3-26.11 conda/analysis3-26.12',
        'module switch conda/analysis3-26.12 conda/other-1',
        system === 'Lmod' ? 'module update' : 'module reload',
        'module unload conda',
      ],
      MINE,
    );
    const [before = {}, first, second, third, reloaded, after] = environments;

    expect(withoutSaved(first), stderr).toEqual(loaded('analysis3-26.11', before));
    expect(withoutSaved(second), stderr).toEqual(loaded('analysis3-26.12', before));
    expect(withoutSaved(third), stderr).toEqual(loaded('other-1', before));
    expect(withoutSaved(reloaded), stderr).toEqual(loaded('other-1', before));
    expect(after).toEqual(before);
  });

  it('has one environment at a time: Environment Modules refuses the second, Lmod takes it for the first', async () => {
    const { environments, stderr } = await runModuleSession(
      system,
      shell,
      dir,
      ['module load conda/analysis3-26.11', 'module load conda/other-1', 'module purge'],
      MINE,
    );
    const [before = {}, , second, after] = environments;

    expect(withoutSaved(second), stderr).toEqual(loaded(system === 'Lmod' ? 'other-1' : 'analysis3-26.11', before));
    expect(stderr).toMatch(system === 'Lmod' ? /conda\/analysis3-26\.11 => conda\/other-1/ : /conflict/);
    expect(after).toEqual(before);
  });

  it('unloads what it has loaded after the alias means another version', async () => {
    await writeAlias('analysis3-26.11');
    const next = path.join(dir, 'conda/.next');
    await writeFile(next, renderModulerc('conda', new Map([['analysis3', 'analysis3-26.12']])));
    await writeFile(`${next}.lua`, renderLuaModulerc('conda', new Map([['analysis3', 'analysis3-26.12']])));
    try {
      const { environments, stderr } = await runModuleSession(
        system,
        shell,
        dir,
        [
          'module load conda/analysis3',
          `cp ${next} ${dir}/conda/.modulerc`,
          `cp ${next}.lua ${dir}/conda/.modulerc.lua`,
          'module unload conda',
          'module load conda/analysis3',
          'module unload conda',
        ],
        MINE,
      );
      const [before = {}, first, , , unloaded, second, after] = environments;

      expect(withoutSaved(first), stderr).toEqual(loaded('analysis3-26.11', before));
      expect(unloaded).toEqual(before);
      expect(withoutSaved(second), stderr).toEqual(loaded('analysis3-26.12', before));
      expect(after).toEqual(before);
    } finally {
      await writeAlias('analysis3-26.11');
      await rm(next);
      await rm(`${next}.lua`);
    }
  });
});

describe.each(MODULE_SYSTEMS)('%s', (system) => {
  const ask = async (...steps: string[]): Promise<string> => {
    const { stdout, stderr } = await runModuleSession(system, 'bash', dir, steps);
    return `${stdout}\n${stderr}`;
  };

  it('lists each version once, with its alias', async () => {
    const said = await ask('module -t avail');
    expect(said.match(/conda\/analysis3-26\.11\b/g)?.length).toBeLessThanOrEqual(2);
    expect(said).not.toContain('.lua');
    expect(said).toMatch(/analysis3\b(?!-)/);
  });

  it('says that the time is over on standard error and loads all the same, and nothing where it does not load', async () => {
    const over = 'conda/analysis3-26.11 has not been supported since $(id) [exit] yesterday.';

    expect(await ask('module load conda/analysis3', 'echo $CONDA_PROMPT_MODIFIER')).toMatch(/\(analysis3-26\.11\)/);
    expect((await ask('module load conda/analysis3')).split(over).length).toBe(2);
    expect(await ask('module load conda/analysis3')).not.toContain('not yet');
    expect(await ask('module show conda/analysis3', 'module whatis conda/analysis3', 'module avail')).not.toContain(
      over,
    );
  });

  it('loads what it needs before, and takes it away with itself', async () => {
    const needy = { ...facts('needy-1'), prerequisites: ['helper/1'], notices: [] };
    await mkdir(path.join(dir, 'helper'), { recursive: true });
    await writeFile(path.join(dir, 'helper/1'), '#%Module1.0\nsetenv HELPER yes\n');
    await writeFile(path.join(dir, 'conda/needy-1'), renderTclModule(await template('environment.tcl.hbs'), needy));
    await writeFile(path.join(dir, 'conda/needy-1.lua'), renderLuaModule(await template('environment.lua.hbs'), needy));

    const { environments, stderr } = await runModuleSession(system, 'bash', dir, [
      'module load conda/needy-1',
      'module unload conda',
    ]);

    expect(environments[1], stderr).toMatchObject({ HELPER: 'yes', CONDA_PROMPT_MODIFIER: '(needy-1) ' });
    expect(environments[2], stderr).toEqual(environments[0]);
    await rm(path.join(dir, 'conda/needy-1'));
    await rm(path.join(dir, 'conda/needy-1.lua'));
  });

  it('starts no more processes than for an empty modulefile', async () => {
    await mkdir(path.join(dir, 'empty'), { recursive: true });
    await writeFile(path.join(dir, 'empty/1'), '#%Module1.0\n');
    await writeFile(path.join(dir, 'empty/1.lua'), '');
    const trace = path.join(dir, 'trace');
    const strace = ['strace', '-f', '-qq', '-e', 'trace=execve', '-e', 'status=successful', '-o', trace];
    const count = async (module: string): Promise<number> => {
      await runModuleSession(system, 'bash', dir, [`module load ${module}`], {}, (command) => [...strace, ...command]);
      return (await readFile(trace, 'utf8')).split('\n').filter((line) => line.includes('execve(')).length;
    };

    const empty = await count('empty/1');

    expect(empty).toBeGreaterThan(1);
    expect(await count('conda/analysis3-26.11')).toBe(empty);
  });

  it('runs nothing of a variable that had several lines, and loads', async () => {
    const lines = `mine\ntouch ${dir}/ran; echo`;
    const { environments } = await runModuleSession(
      system,
      'bash',
      dir,
      ['module load conda/analysis3', 'module unload conda'],
      { GREETING: lines, PYTHONHOME: lines },
    );

    expect(environments[1]?.['CONDENSE_RELEASE']).toMatch(/^analysis3-26\.11\//);
    expect(environments[2]?.['CONDENSE_RELEASE']).toBeUndefined();
    expect(await readdir(dir)).not.toContain('ran');
  });

  it.each(['bash', 'zsh'] as const)(
    'gives %s a function as it was written, whatever files are there on loading',
    async (shell) => {
      const body = `local name\nfor name in *.x; do\n  printf '%s|%s\\n' "$name" 'a  *? [b] \\ it'"'"'s'\ndone`;
      const odd = { ...facts('odd-1'), notices: [], functions: [{ kind: 'function', name: 'zoo_odd', body } as const] };
      await writeFile(path.join(dir, 'conda/odd-1'), renderTclModule(await template('environment.tcl.hbs'), odd));
      await writeFile(path.join(dir, 'conda/odd-1.lua'), renderLuaModule(await template('environment.lua.hbs'), odd));

      const steps = [
        'touch before.x',
        'module load conda/odd-1',
        'mv before.x after.x',
        'zoo_odd',
        'module unload conda',
      ];
      const { stdout, stderr, environments } = await runModuleSession(system, shell, dir, steps);

      expect(stdout, stderr).toBe(`after.x|a  *? [b] \\ it's`);
      expect(environments.at(-1)).toEqual(environments[0]);
      await rm(path.join(dir, 'conda/odd-1'));
      await rm(path.join(dir, 'conda/odd-1.lua'));
    },
  );

  it('shows the package list in module help and a line in module whatis', async () => {
    const said = await ask('module help conda/analysis3', 'module whatis conda/analysis3');
    expect(said).toContain('  numpy 2.1\n  xarray 2026.1');
    expect(said).toContain('Conda environment analysis3-26.11 of test site');
  });
});

describe('a module for environments of the users’ own', () => {
  const user = { PROJECT: 'w4.2', WHO: 'anna-x' };
  const expected = {
    CONDA_ENVS_PATH: '/scratch/w4.2/anna-x/conda/envs:/site/apps/conda/envs',
    CONDA_PKGS_DIRS: '/scratch/w4.2/anna-x/conda/pkgs,/site/pkgs',
  };

  const some = SYSTEMS_AND_SHELLS.filter(([, shell]) => ['bash', 'tcsh', 'fish'].includes(shell));
  it.each(some)('%s in %s: puts theirs first, and gives back what they had', async (system, shell) => {
    const steps = ['module load conda/tools-1', 'module unload conda/tools-1'];
    const mine = { ...user, CONDA_PKGS_DIRS: '/mine' };
    const { environments, stderr } = await runModuleSession(system, shell, dir, steps, mine);

    expect(environments[1], stderr).toMatchObject(expected);
    expect(environments[2]).toEqual(environments[0]);
  });

  it.each(MODULE_SYSTEMS)('%s does not load it where a variable is missing or no path can hold it', async (system) => {
    for (const PROJECT of ['', 'a:b']) {
      const steps = ['module load conda/tools-1'];
      const { environments, stderr } = await runModuleSession(system, 'bash', dir, steps, { ...user, PROJECT });

      expect(stderr.replaceAll(/\s+/g, ' ')).toContain('PROJECT must be set to a directory or name: conda/tools-1');
      expect(environments[1]).toEqual(environments[0]);
    }
  });

  it.each(SOURCED)('is the same where %s sources a file, which says what is missing', async (shell, ending) => {
    const source = `${shell === 'sh' ? '.' : 'source'} ${path.join(dir, `activate${ending}`)}; env`;
    const run = (env: Record<string, string>) =>
      execa(shell === 'csh' ? 'tcsh' : shell, [...(shell === 'csh' ? ['-f'] : []), '-c', source], {
        ...{ env: { PATH: '/usr/bin:/bin', HOME: dir, ...env }, extendEnv: false, timeout: 20_000, all: true },
      });

    const { stdout } = await run(user);
    for (const [name, value] of Object.entries(expected)) expect(stdout.split('\n')).toContain(`${name}=${value}`);
    const without = await run({ WHO: 'anna-x' });
    expect(without.all).toContain('PROJECT WHO must be set');
    expect(without.stdout).not.toContain('CONDA_ENVS_PATH');
  });
});
