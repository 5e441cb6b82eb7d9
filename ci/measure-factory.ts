// `npm run bench:factory`: five environments as a job array on two slots of a real Slurm, against the same array on one slot; and
// how many are built where one of them changed (docs/performance.md). A slot is one processor, to which Slurm binds its job.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureTestChannel } from '../test/channel/make-channel.ts';
import { startSlurm } from '../test/e2e/daemons.ts';
import { TestSite } from '../test/e2e/test-site.ts';
import { renderTable } from './measure-build.ts';

/** As sites have them: of different size, and the largest is not named first. */
const ENVIRONMENTS: Readonly<Record<string, readonly string[]>> = {
  scripts: ['python'],
  arrays: ['numpy'],
  analysis3: ['xarray', 'netcdf4', 'matplotlib', 'scipy'],
  plots: ['matplotlib'],
  tables: ['pandas'],
};
const NAMES = Object.keys(ENVIRONMENTS);
const ROUNDS = 3;
const site = await TestSite.make();
const slurm = await startSlurm(path.join(site.dir, 'slurm'), { bound: true });
try {
  const channel = pathToFileURL((await ensureTestChannel()).dir).href;
  await site.writeConfig(
    NAMES.map((name) => `  ${name}: { version: '1' }\n`).join(''),
    `scheduler: { options: ['--cpus-per-task=1'] }\n`,
  );
  const write = async (name: string, build: number): Promise<void> => {
    const packages = ['python', ...(ENVIRONMENTS[name] ?? [])];
    await site.writeSpec(name, [channel], [...new Set(packages)], `variables:\n  BUILD: '${name}${build}'\n`);
  };
  for (const name of NAMES) await write(name, 0);
  await run('lock');
  await run('build', '--all'); // packages are in the cache, and the base is there

  const rebuild = ['build', '--rebuild', '--all', '--on', 'slurm'];
  const oneByOne: number[] = [];
  const twoAtOnce: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    oneByOne.push((await run(...rebuild, '--jobs', '1')).ms);
    twoAtOnce.push((await run(...rebuild, '--jobs', '2')).ms);
  }
  const here = await run('build', '--rebuild', '--all');
  await write('plots', 1);
  await run('lock', 'plots');
  const changed = await run('--json', 'build', '--all', '--jobs', '2');
  const built = changed.stdout.split('\n').filter((line) => line.includes('"built":true')).length;
  const nothing = await run('build', '--all', '--jobs', '2');

  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const [one, two] = [median(oneByOne), median(twoAtOnce)];
  process.stdout.write(
    `${renderTable(
      ['what', 'measured'],
      [
        [`five environments on one slot, median of ${ROUNDS}`, seconds(one)],
        ['the same on two slots', `${seconds(two)}, ${(two / one).toFixed(2)} of it (at most 0.60)`],
        ['without a job, one after the other, on all processors', seconds(here.ms)],
        ['one of five has changed', `${built} built, ${seconds(changed.ms)}`],
        ['none has changed', seconds(nothing.ms)],
      ],
    )}\n`,
  );
} finally {
  await slurm.stop();
  await site.remove();
}

async function run(...words: readonly string[]): Promise<{ readonly stdout: string; readonly ms: number }> {
  const started = performance.now();
  const { exitCode, stdout, stderr } = await site.start(words, { SLURM_CONF: slurm.conf });
  if (exitCode !== 0) throw new Error(`condense ${words.join(' ')} exited ${exitCode ?? '?'}:\n${stderr}\n${stdout}`);
  return { stdout, ms: performance.now() - started };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
