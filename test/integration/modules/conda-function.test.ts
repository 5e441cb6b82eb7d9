// The function `conda` of a module, in real shells; the launcher is a stand-in that says what it was asked, and for what.
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { planCondaFunctions, planCondaVariables, type CondaPlace } from '../../../src/modules/conda-function.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), "condense-'conda' "));
  await mkdir(path.join(dir, 'farm'));
  const scripts = {
    launcher: `#!/bin/sh\necho "$@" "level $CONDA_SHLVL of \${CONDA_PREFIX-none}" >&2\necho 'export CONDA_PREFIX=/mine CONDA_SHLVL=1'\n`,
    ...Object.fromEntries(['conda', 'mamba'].map((name) => [`farm/${name}`, '#!/bin/sh\necho "itself $@" >&2\n'])),
  };
  for (const [name, text] of Object.entries(scripts)) {
    await writeFile(path.join(dir, name), text);
    await chmod(path.join(dir, name), 0o755);
  }
});
afterAll(() => rm(dir, { recursive: true }));

const run = async (shell: 'bash' | 'zsh', commands: readonly string[], script: string): Promise<string[]> => {
  const inside = '/opt/conda/tools-1';
  const place = { fullName: 'tools-1', commands, farm: path.join(dir, 'farm'), launcher: path.join(dir, 'launcher') };
  const functions = planCondaFunctions({ ...place, inside }).map((change) =>
    change.kind === 'function' ? `${change.name} () {\n${change.body}\n}\n` : '',
  );
  const env = { PATH: '/usr/bin:/bin', CONDA_PREFIX: inside, CONDA_SHLVL: '1' };
  const args = [shell === 'bash' ? '--norc' : '-f', '-c', `exec 2>&1\n${functions.join('')}${script}`];
  // One pipe for both streams: of two nobody could tell which was written to first.
  return (await execa(shell, args, { extendEnv: false, env, timeout: 20_000, cwd: dir })).stdout.split('\n');
};
const asked = (words: string, state = 'level 0 of none'): string =>
  `/usr/bin/env PATH=/usr/bin:/bin /opt/conda/tools-1/bin/${words} ${state}`;

it.each(['bash', 'zsh'] as const)(
  'asks conda as the module found it, with the PATH of the host, in %s',
  async (shell) => {
    expect(
      await run(shell, ['conda'], 'conda activate "a b"; conda deactivate; conda list -n x; echo $CONDA_PREFIX'),
    ).toEqual([
      asked('conda shell.posix activate a b'),
      asked('conda shell.posix deactivate', 'level 1 of /mine'),
      'itself list -n x',
      '/mine',
    ]);
  },
);

it('asks mamba in its own words where there is no conda, and conda for both where there is', async () => {
  const script = 'mamba activate x; mamba install y';

  expect(await run('bash', ['mamba', 'ls'], script)).toEqual([
    asked('mamba shell activate x --shell bash'),
    'itself install y',
    asked('mamba shell reactivate --shell bash', 'level 1 of /mine'),
  ]);
  expect((await run('bash', ['mamba', 'conda'], script))[0]).toBe(asked('conda shell.posix activate x'));
});

const placeWith = (command: string): CondaPlace => ({
  ...{ fullName: 'a-1', commands: [command], farm: '/farm', launcher: '/launcher', inside: '/opt/conda/a-1' },
});

it('is not there without a conda, nor are its variables', () => {
  const place = placeWith('python');

  expect(planCondaFunctions(place)).toEqual([]);
  expect(planCondaVariables(place)).toEqual({});
});

it('has nothing that a shell which splits it at blanks would take for names of files', () => {
  const place = placeWith('conda');

  for (const change of planCondaFunctions(place))
    expect(change.kind === 'function' && change.body).not.toMatch(/[*?]|\[\S|\S\]|  /);
});
