// `npm run bench:image`: a published image packed in other ways, each beside the default in the same round. Needs root.
//   node ci/measure-image.ts [--rounds <number>] [<install_config.yaml>]
import { mkdtemp, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { planContainerCommand } from '../src/build/container.ts';
import { traceOrder } from '../src/build/order.ts';
import { writeImage } from '../src/build/pack.ts';
import type { SquashfsProfile } from '../src/config/site-config.ts';
import { readManifest } from '../src/release/find-release.ts';
import { runCommand } from '../src/system/run-command.ts';
import { measureColdStart, type ColdStart, type Mount } from './cold-start.ts';
import { renderTable } from './measure-build.ts';
import { compareRounds } from './measure-startup.ts';
import { readPublishedImports } from './published-imports.ts';

const MOUNTS: readonly Mount[] = ['kernel', 'squashfuse_ll'];

const K = 1024;
const zstd = (level: number, kib = 128): SquashfsProfile => ({
  ...{ compression: 'zstd', level, blockSizeBytes: kib * K, order: 'traced' },
});
const plain = (compression: 'lz4' | 'xz' | 'none'): SquashfsProfile => ({
  ...{ compression, blockSizeBytes: 128 * K, order: 'traced' },
});
/** The first is the default, to which the others are compared. */
const PROFILES: readonly (readonly [title: string, profile: SquashfsProfile])[] = [
  ['**zstd 3**', zstd(3)],
  ['zstd 3, order: none', { ...zstd(3), order: 'none' }],
  ['zstd 1', zstd(1)],
  ['zstd 9', zstd(9)],
  ['zstd 15', zstd(15)],
  ['zstd 3, 32K', zstd(3, 32)],
  ['zstd 3, 256K', zstd(3, 256)],
  ['zstd 3, 1M', zstd(3, 1024)],
  ['lz4', plain('lz4')],
  ['gzip 9', { ...{ compression: 'gzip', level: 9, blockSizeBytes: 128 * K, order: 'traced' } }],
  ['xz', plain('xz')],
  ['none', plain('none')],
];

/** Packed in the first round only: minutes, where the others take seconds. */
const PACKED_ONCE = ['zstd 15', 'gzip 9', 'xz'];

interface Round {
  /** Undefined where the image of an earlier round was taken. */
  readonly packSeconds: number | undefined;
  readonly sizeBytes: number;
  readonly starts: Readonly<Record<Mount, ColdStart>>;
}

interface Work {
  /** The tree that is packed. */
  readonly tree: string;
  /** Where the images go. */
  readonly dir: string;
  readonly first: readonly string[];
  readonly command: readonly string[];
}

/** One round: every profile packed, then started from, the profiles taking turns. */
async function measureRound(work: Work, round: number): Promise<Round[]> {
  const rounds: Round[] = [];
  for (const [index, [title, profile]] of PROFILES.entries()) {
    process.stderr.write(`round ${round + 1}: ${title}\n`);
    const image = path.join(work.dir, `${index}.sqsh`);
    let packSeconds: number | undefined;
    if (round === 0 || !PACKED_ONCE.includes(title)) {
      const started = performance.now();
      await writeImage(work.tree, image, profile, undefined, profile.order === 'traced' ? work.first : []);
      packSeconds = (performance.now() - started) / 1000;
    }
    const start = async (mount: Mount): Promise<ColdStart> => await measureColdStart(image, mount, work.command);
    const starts = { kernel: await start('kernel'), squashfuse_ll: await start('squashfuse_ll') };
    rounds.push({ packSeconds, sizeBytes: (await stat(image)).size, starts });
  }
  return rounds;
}

/** Ratios of each round to the default of that round, as `median (quartiles)`. */
function compareTo(
  rounds: readonly (readonly Round[])[],
  profile: number,
  valueOf: (round: Round) => number | undefined,
): string {
  if (profile === 0) return '1';
  const pairs = rounds.flatMap((round) => {
    const [own, other] = [round[profile], round[0]].map((one) => one && valueOf(one));
    return own === undefined || other === undefined ? [] : [{ own, other }];
  });
  const { median, lowerQuartile, upperQuartile } = compareRounds(
    pairs.map(({ own }) => own),
    pairs.map(({ other }) => other),
  );
  const spread = pairs.length === 1 ? '' : ` (${lowerQuartile.toFixed(2)} to ${upperQuartile.toFixed(2)})`;
  return `${median.toFixed(2)}${spread}`;
}

function renderRounds(rounds: readonly (readonly Round[])[]): string {
  const rows = PROFILES.map(([title], index) => {
    const last = rounds.at(-1)?.[index];
    return [
      title,
      ((last?.sizeBytes ?? Number.NaN) / 1e6).toFixed(1),
      compareTo(rounds, index, (round) => round.packSeconds),
      ...MOUNTS.flatMap((mount) => [
        compareTo(rounds, index, (round) => round.starts[mount].coldSeconds),
        compareTo(rounds, index, (round) => round.starts[mount].warmSeconds),
      ]),
      ...MOUNTS.map((mount) => {
        const { requests, readMB } = last?.starts[mount] ?? { requests: Number.NaN, readMB: Number.NaN };
        return `${requests} / ${readMB.toFixed(0)}`;
      }),
    ];
  });
  const head = ['profile', 'MB', 'packing', ...MOUNTS.flatMap((mount) => [`cold, ${mount}`, `warm, ${mount}`])];
  return renderTable([...head, ...MOUNTS.map((mount) => `reads / MB, ${mount}`)], rows);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { rounds: { type: 'string', default: '3' } },
    allowPositionals: true,
  });
  if (process.getuid?.() !== 0) throw new Error('mounting needs root: sudo npm run bench:image');
  const { config, layout, environment, name, id } = await readPublishedImports(positionals[0]);
  const manifest = await readManifest(layout, name, id);
  const prefixInside = layout.condaPrefix(name);
  const dir = await mkdtemp(path.join(os.tmpdir(), 'condense-bench-'));
  try {
    const tree = path.join(dir, 'root');
    await execa('unsquashfs', ['-quiet', '-no-progress', '-dest', tree, layout.release(name, id).image]);
    const prefixOnDisk = path.join(tree, prefixInside);
    const container = {
      runtime: config.runtimeProgram ?? 'apptainer',
      base: layout.base(manifest.base.digest),
      binds: config.binds.run,
      prefix: { onDisk: prefixOnDisk },
      prefixInside,
      readOnly: true,
    };
    const opened = await traceOrder({
      ...{ prefixOnDisk, prefixInside, imports: environment.gate.imports },
      runInside: (command) => runCommand(planContainerCommand(container, command)),
      report: (event) => process.stderr.write(`${JSON.stringify(event)}\n`),
    });
    const work: Work = {
      tree,
      dir,
      first: opened.map((file) => path.posix.join(prefixInside, file).slice(1)),
      command: [`${prefixInside}/bin/python3`, '-c', `import ${environment.gate.imports.join(', ')}`],
    };
    const rounds: Round[][] = [];
    console.log(`## ${name}, release ${id}: ${work.command.at(-1) ?? ''}`);
    // After each round: on a busy machine one may not want to wait for all of them.
    for (let round = 0; round < Number(values.rounds); round++) {
      rounds.push(await measureRound(work, round));
      console.log(`\n${round + 1} of ${values.rounds} rounds\n\n${renderRounds(rounds)}`);
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

if (import.meta.main) await main();
