// What `module load` of an environment costs, as a ratio to an empty modulefile: npm run bench:modules.
// Both module systems, as their `module` function runs them; runs alternate, so that a busy machine slows both.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { renderLuaModule } from '../src/modules/lua-module.ts';
import type { ModuleFacts } from '../src/modules/module-facts.ts';
import { renderTclModule } from '../src/modules/tcl-module.ts';

const RUNS = 40;
const SYSTEMS: Readonly<Record<string, readonly string[]>> = {
  'Environment Modules': ['modulecmd', 'bash', 'load'],
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
  ...{ variables: {}, prerequisites: [], notices: [], hasPython: true },
  packages: Array.from({ length: 600 }, (_, index) => `package-${index} 1.${index}`),
};

const template = (name: string): Promise<string> =>
  readFile(new URL(`../modules-templates/${name}`, import.meta.url), 'utf8');

async function timeMs(command: readonly string[], module: string, dir: string): Promise<number> {
  const [program = '', ...args] = command;
  const started = performance.now();
  await execa(program, [...args, module], {
    extendEnv: false,
    env: { PATH: '/usr/bin:/bin', HOME: dir, MODULEPATH: dir },
  });
  return performance.now() - started;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const dir = await mkdtemp(path.join(os.tmpdir(), 'condense-bench-modules-'));
try {
  for (const family of ['conda', 'empty']) await mkdir(path.join(dir, family));
  await writeFile(path.join(dir, 'conda/1'), renderTclModule(await template('environment.tcl.hbs'), facts));
  await writeFile(path.join(dir, 'conda/1.lua'), renderLuaModule(await template('environment.lua.hbs'), facts));
  await writeFile(path.join(dir, 'empty/1'), '#%Module1.0\n');
  await writeFile(path.join(dir, 'empty/1.lua'), '');
  for (const [system, command] of Object.entries(SYSTEMS)) {
    const times: Record<'conda' | 'empty', number[]> = { conda: [], empty: [] };
    for (let run = 0; run < RUNS; run++) {
      for (const family of ['conda', 'empty'] as const) times[family].push(await timeMs(command, `${family}/1`, dir));
    }
    const [ours, empty] = [median(times.conda), median(times.empty)];
    console.log(
      `${system}: ${ours.toFixed(1)} ms, empty modulefile ${empty.toFixed(1)} ms, ratio ${(ours / empty).toFixed(2)}`,
    );
  }
} finally {
  await rm(dir, { recursive: true });
}
