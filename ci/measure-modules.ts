// What `module load` of an environment costs, as a ratio to an empty modulefile: npm run bench:modules [-- <runs>].
// All module systems, as their `module` function runs them; runs alternate, so that a busy machine slows both. Where a conda is
// on PATH, a shell that loads the module is compared with one that has conda activate its base environment.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { findProgram } from '../src/system/find-program.ts';
import { renderLuaModule } from '../src/modules/lua-module.ts';
import type { ModuleFacts } from '../src/modules/module-facts.ts';
import { renderTclModule } from '../src/modules/tcl-module.ts';

const RUNS = Number(process.argv[2] ?? 40);
const SYSTEMS: Readonly<Record<string, readonly string[]>> = {
  'Environment Modules 4': ['/opt/environment-modules-4/bin/modulecmd', 'bash', 'load'],
  'Environment Modules 5': ['modulecmd', 'bash', 'load'],
  Lmod: ['/opt/lmod/share/lmod/lmod/libexec/lmod', 'bash', 'load'],
};

/** As large as a real one: the variables of a compiler, GDAL and MPI, and the packages of a whole distribution in its help. */
const facts: ModuleFacts = {
  ...{ site: 'bench', family: 'conda', fullName: 'analysis3-26.11', releaseId: '20261121T000000Z-00000000' },
  farm: '/apps/conda_scripts/analysis3-26.11.d/bin',
  activation: {
    changes: Array.from({ length: 40 }, (_, index) => ({
      ...{ kind: 'set' as const, name: `VARIABLE_${index}`, value: `/opt/conda/analysis3-26.11/share/${index}` },
    })),
    warnings: [],
  },
  ...{ variables: {}, functions: [], prerequisites: [], notices: [], hasPython: true },
  packages: Array.from({ length: 600 }, (_, index) => `package-${index} 1.${index}`),
};

const template = (name: string): Promise<string> =>
  readFile(new URL(`../modules-templates/${name}`, import.meta.url), 'utf8');

async function timeMs(command: readonly string[], dir: string): Promise<number> {
  const [program = '', ...args] = command;
  const started = performance.now();
  await execa(program, args, {
    extendEnv: false,
    env: { PATH: '/usr/bin:/bin', HOME: dir, MODULEPATH: dir, CONDA: conda ?? '' },
    timeout: 120_000,
  });
  return performance.now() - started;
}

/** Medians, in milliseconds: the commands take turns. */
async function timeInTurn(commands: readonly (readonly string[])[], dir: string): Promise<number[]> {
  const times = commands.map((): number[] => []);
  for (let run = 0; run < RUNS; run++)
    for (const [index, command] of commands.entries()) times[index]?.push(await timeMs(command, dir));
  return times.map(median);
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const conda = await findProgram('conda');
const dir = await mkdtemp(path.join(os.tmpdir(), 'condense-bench-modules-'));
try {
  for (const family of ['conda', 'empty']) await mkdir(path.join(dir, family));
  await writeFile(path.join(dir, 'conda/1'), renderTclModule(await template('environment.tcl.hbs'), facts));
  await writeFile(path.join(dir, 'conda/1.lua'), renderLuaModule(await template('environment.lua.hbs'), facts));
  await writeFile(path.join(dir, 'empty/1'), '#%Module1.0\n');
  await writeFile(path.join(dir, 'empty/1.lua'), '');
  for (const [system, command] of Object.entries(SYSTEMS)) {
    const modules = ['conda/1', 'empty/1'].map((module) => [...command, module]);
    const [ours = Number.NaN, empty = Number.NaN] = await timeInTurn(modules, dir);
    console.log(
      `${system}: ${ours.toFixed(1)} ms, empty modulefile ${empty.toFixed(1)} ms, ratio ${(ours / empty).toFixed(2)}`,
    );
  }
  if (conda === undefined) console.log('conda activate: not measured, since no conda is on PATH');
  else {
    const shell = (script: string): string[] => ['bash', '--norc', '-c', script];
    const activate = shell('eval "$("$CONDA" shell.bash hook)" && conda activate base');
    for (const [system, [program = '']] of Object.entries(SYSTEMS)) {
      const load = shell(`eval "$(${program} bash load conda/1)"`);
      const [ours = Number.NaN, theirs = Number.NaN] = await timeInTurn([load, activate], dir);
      console.log(
        `${system}: a shell that loads the module ${ours.toFixed(1)} ms, one that has ${conda} activate base ${theirs.toFixed(1)} ms, ratio ${(theirs / ours).toFixed(1)}`,
      );
    }
  }
} finally {
  await rm(dir, { recursive: true });
}
