// How long the report on a catalogue of 50 releases takes, of five environments with 600 packages each: `npm run bench:report`.
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { writeCatalogue } from '../test/report/large-catalogue.ts';

const ENVIRONMENTS = ['analysis3', 'climate', 'hydro', 'ocean', 'teaching'];
const shape = { releases: 10, packages: 600, commands: 2000 };
const condense = path.resolve(import.meta.dirname, '../dist/condense.mjs');

const dir = await mkdtemp(path.join(os.tmpdir(), 'condense-bench-report-'));
try {
  const { file, releases } = await writeCatalogue(dir, ENVIRONMENTS, shape);
  const runs: { wall: number; computing: number; again: number }[] = [];
  for (let run = 0; run < 3; run++) {
    const out = path.join(dir, `report-${run}`);
    const first = await time([process.execPath, condense, '--config', file, 'report', '--out', out]);
    const again = await time([process.execPath, condense, '--config', file, 'report', '--out', out]);
    runs.push({ ...first, again: again.wall });
  }
  const [, median] = runs.sort((a, b) => a.wall - b.wall);
  const { stdout } = await execa('du', ['--summarize', '--bytes', path.join(dir, 'report-0')]);
  process.stdout.write(
    `${releases.length} releases: ${median?.wall.toFixed(2) ?? ''} s in all, ${median?.computing.toFixed(2) ?? ''} s computing, ` +
      `${(Number(stdout.split('\t')[0]) / 1e6).toFixed(1)} MB; with nothing new ${median?.again.toFixed(2) ?? ''} s\n`,
  );
} finally {
  await rm(dir, { recursive: true, force: true });
}

async function time(command: readonly string[]): Promise<{ wall: number; computing: number }> {
  const timed = 'TIMEFORMAT="%R %U %S"; time "$@" >/dev/null';
  const { stderr } = await execa('bash', ['-c', timed, 'bash', ...command], { timeout: 120_000 });
  const [wall = 0, user = 0, system = 0] = stderr.trim().split(' ').map(Number);
  return { wall, computing: user + system };
}
