// What the gate takes, as a ratio to the same imports alone, and whether it finds all that fail: npm run bench:gate.
// Both in one container and with the same number of processes; rounds alternate, so that a busy machine slows both.
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { runGate } from '../src/gate/run-gate.ts';
import { readManifest } from '../src/release/find-release.ts';
import type { GateReport } from '../src/release/gate-report.ts';
import { readRuntime } from '../src/site/runtime.ts';
import { compareRounds } from './measure-startup.ts';
import { readPublishedImports } from './published-imports.ts';

const ROUNDS = Number(process.argv[3] ?? 3);
const { config, layout, environment, name, id } = await readPublishedImports(process.argv[2]);
const manifest = await readManifest(layout, name, id);
const processes = environment.gate.processes ?? availableParallelism();
const { nsenter } = await readRuntime(config);
const scratch = await mkdtemp(path.join(os.tmpdir(), 'condense-bench-gate-'));

const gate = (): Promise<GateReport> =>
  runGate({
    // Nothing is skipped, so that both sides import the same.
    ...{ layout, manifest, policy: { ...environment.gate, skip: {}, preload: {} }, tests: path.join(scratch, 'none') },
    ...{ scratch: path.join(scratch, 'gate'), nsenter, waivers: [], report: () => undefined },
    signal: new AbortController().signal,
  });

/** `python -c 'import x'` for each, as a person would. @returns seconds and what failed */
async function importAlone(modules: readonly string[]): Promise<{ seconds: number; failed: readonly string[] }> {
  const began = performance.now();
  const one = 'python3 -c "import $1" >/dev/null 2>&1 </dev/null || printf "%s\\n" "$1"';
  const { stdout } = await execa(
    layout.release(name, id).launcher,
    // A session for each, as the gate's have one: on a busy machine the kernel shares its processors out by session (autogroup).
    ['xargs', '-P', String(processes), '-n', '1', 'setsid', '-w', 'sh', '-c', one, 'sh'],
    { input: modules.join('\n'), env: { CONDENSE_SESSION: 'off' }, cwd: scratch, timeout: 3_600_000 },
  );
  return { seconds: (performance.now() - began) / 1000, failed: stdout.split('\n').filter(Boolean).sort() };
}

try {
  const modules = (report: GateReport, isFailed = false): string[] =>
    report.results
      .filter((one) => one.name.startsWith('import ') && (!isFailed || one.failure !== undefined))
      .map((one) => one.name.slice('import '.length));
  const first = await gate(); // reads the image once, and says which modules there are
  const times: { gate: number[]; alone: number[] } = { gate: [], alone: [] };
  let plain = await importAlone(modules(first));
  for (let round = 0; round < ROUNDS; round++) {
    times.gate.push((await gate()).seconds);
    plain = await importAlone(modules(first));
    times.alone.push(plain.seconds);
  }
  const ratio = compareRounds(times.gate, times.alone);
  const seconds = (values: readonly number[]): string => values.map((value) => value.toFixed(1)).join(', ');
  const found = modules(first, true);
  console.log(
    `${name}/${id}: ${first.results.length} checks, ${modules(first).length} imports, ${processes} processes`,
  );
  console.log(`gate: ${seconds(times.gate)} s; the imports alone: ${seconds(times.alone)} s`);
  console.log(
    `ratio: ${ratio.median.toFixed(2)} (quartiles ${ratio.lowerQuartile.toFixed(2)} to ${ratio.upperQuartile.toFixed(2)}), wanted: at most 1.5`,
  );
  console.log(`failed imports, plain: ${plain.failed.join(' ') || 'none'}`);
  console.log(`failed imports, gate:  ${found.join(' ') || 'none'}`);
  const missed = plain.failed.filter((module) => !found.includes(module));
  console.log(`missed by the gate: ${missed.join(' ') || 'none'}`);
} finally {
  await rm(scratch, { recursive: true, force: true });
}
