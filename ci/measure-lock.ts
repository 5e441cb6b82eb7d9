// `npm run bench:lock -- <install_config.yaml> <environment> [--rounds <n>]`, when it is built: what locks, plans and a build of nothing new take, in seconds
// and in seconds of processor time, which other work on the machine disturbs less. Writes the locks of the configuration.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { renderTable } from './measure-build.ts';

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '5' } },
  allowPositionals: true,
});
const [config, environment] = positionals;
if (config === undefined || environment === undefined)
  throw new Error('usage: node ci/measure-lock.ts <install_config.yaml> <environment> [--rounds <n>]');
const program = path.resolve(import.meta.dirname, '../dist/condense.mjs');

/** Seconds of one run, and of processor time in it and all that it started. */
async function measure(args: readonly string[]): Promise<readonly [seconds: number, processor: number]> {
  const started = performance.now();
  // Through a shell's `times`, since Node does not say what its children used.
  const { stderr } = await execa(
    'bash',
    [
      '-c',
      'TIMEFORMAT="used %U %S"; time "$@" > /dev/null',
      'bash',
      process.execPath,
      program,
      '--config',
      config ?? '',
      ...args,
    ],
    { maxBuffer: 1 << 26 },
  );
  const [, user = '0', system = '0'] = /used ([\d.]+) ([\d.]+)\s*$/.exec(stderr) ?? [];
  return [(performance.now() - started) / 1000, Number(user) + Number(system)];
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;

const commands: readonly (readonly [string, ...string[]])[] = [
  ['lock', environment, '--update', '--dry-run'],
  ['lock', environment],
  ['lock', '--check'],
  ['plan', environment],
  ['build', environment],
];
await measure(['lock', environment]);
const rows: string[][] = [];
for (const command of commands) {
  const runs: (readonly [number, number])[] = [];
  for (let round = 0; round < Number(values.rounds); round++) runs.push(await measure(command));
  const [seconds, processor] = [runs.map(([one]) => one), runs.map(([, one]) => one)];
  rows.push([`condense ${command.join(' ')}`, median(seconds).toFixed(1), median(processor).toFixed(1)]);
}
process.stdout.write(`${renderTable(['command', 'seconds', 'processor'], rows)}\n`);
