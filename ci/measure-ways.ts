// `npm run bench:ways`: from archives to an image by a tree on disk, and straight, for packages that need no tree.
//   node ci/measure-ways.ts [--rounds <number>] [--large] [--dir <on the disk to measure>]
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { planContent } from '../src/build/image-from-archives.ts';
import { writeImage, writeImageOf } from '../src/build/pack.ts';
import { finishStagedPrefix } from '../src/build/stage.ts';
import { installArchives } from '../src/conda/install-archives.ts';
import type { LockedPackage } from '../src/conda/lock.ts';
import { spoolArchives, type SpoolRequest } from '../src/conda/spool-archives.ts';
import { unpackPackages } from '../src/conda/unpack-packages.ts';
import { StagingLayout } from '../src/site/layout.ts';
import { ensureTestChannel } from '../test/channel/make-channel.ts';
import { renderTable } from './measure-build.ts';
import { readInputs, seconds } from './measure-install.ts';
import { compareRounds } from './measure-startup.ts';

const fullName = 'bench-1.0';
const prefixInside = `/opt/conda/${fullName}`;
const profile = { compression: 'zstd', level: 3, blockSizeBytes: 131_072, order: 'none' } as const;
const marker = { name: '.condense', text: '' };

const requestFor = (packages: readonly LockedPackage[]): SpoolRequest => ({
  lock: { lockVersion: 1, platform: 'linux-64', inputsDigest: '', channels: [], virtualPackages: {}, packages },
  requestedSpecs: [],
  prefixInside,
  report: () => undefined,
});

interface Way {
  readonly seconds: number;
  /** Of all processes. */
  readonly processorSeconds: number;
  readonly sha256: string;
}

class Bench {
  readonly #staging: StagingLayout;
  readonly #archives: ReadonlyMap<string, string>;

  constructor(dir: string, archives: ReadonlyMap<string, string>) {
    this.#staging = new StagingLayout(path.join(dir, 'staging'), fullName);
    this.#archives = archives;
  }

  async byTree(packages: readonly LockedPackage[]): Promise<string> {
    const { prefix, root, image } = this.#staging;
    const runInside = (): never => {
      throw new Error('nothing has to run');
    };
    await installArchives({ ...requestFor(packages), prefixOnDisk: prefix, runInside }, this.#archives);
    await finishStagedPrefix(this.#staging, marker, {});
    return (await writeImage(root, image, profile)).sha256;
  }

  async fromArchives(packages: readonly LockedPackage[]): Promise<string> {
    const { spool, root, prefix, image } = this.#staging;
    const spooled = await spoolArchives(requestFor(packages), this.#archives, spool);
    if (typeof spooled === 'string') throw new Error(spooled);
    return (await writeImageOf(planContent(spooled.entries, path.relative(root, prefix), marker, {}), image, profile))
      .sha256;
  }

  /** Until nothing but the digest is left. */
  async measure(way: () => Promise<string>): Promise<Way> {
    const before = processorSeconds();
    let sha256 = '';
    const taken = await seconds(async () => {
      sha256 = await way();
      await this.remove();
    });
    return { seconds: taken, processorSeconds: processorSeconds() - before, sha256 };
  }

  async remove(): Promise<void> {
    await rm(this.#staging.dir, { recursive: true, force: true });
  }
}

/** Of this process and of what it has started and awaited (proc_pid_stat(5): utime, stime, cutime, cstime). */
function processorSeconds(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

/** Those of a channel that need no tree, taken together as one environment. */
async function selectPackages(
  packages: readonly LockedPackage[],
  archives: ReadonlyMap<string, string>,
  scratch: string,
): Promise<LockedPackage[]> {
  await mkdir(scratch);
  const unpacked = await unpackPackages({
    ...{ packages, archives, scratch, prefixInside, isSpooled: true, report: () => undefined },
  });
  await rm(scratch, { recursive: true });
  return unpacked
    .filter(({ locked, metadata }) => {
      const scripts = metadata.entries.some(
        (entry) => /^bin\/(?:\..*-post-link\.sh|python[\d.]*)$/.test(entry.path) || entry.path.includes('env_vars.d'),
      );
      return locked.name !== 'python' && !metadata.noarchPython && !scripts;
    })
    .map(({ locked }) => locked);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      large: { type: 'boolean', default: false },
      dir: { type: 'string', default: os.tmpdir() },
    },
  });
  const { dir: channel } = await ensureTestChannel({ large: values.large });
  const inputs = await readInputs(channel);
  const dir = await mkdtemp(path.join(values.dir, 'condense-bench-'));
  try {
    const packages = await selectPackages(inputs.packages, inputs.archives, path.join(dir, 'all'));
    const bench = new Bench(dir, inputs.archives);
    const trees: Way[] = [];
    const straight: Way[] = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      const turns = [
        async () => trees.push(await bench.measure(() => bench.byTree(packages))),
        async () => straight.push(await bench.measure(() => bench.fromArchives(packages))),
      ];
      for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
    }
    const digests = new Set([...trees, ...straight].map(({ sha256 }) => sha256));
    const row = (title: string, pick: (way: Way) => number): string[] => {
      const { median, lowerQuartile, upperQuartile } = compareRounds(straight.map(pick), trees.map(pick));
      return [title, median.toFixed(2), `${lowerQuartile.toFixed(2)} to ${upperQuartile.toFixed(2)}`];
    };
    console.log(`${packages.length} packages; ${digests.size === 1 ? 'equal images' : 'IMAGES THAT DIFFER'}\n`);
    console.log(
      renderTable(
        [`straight : by a tree, ${values.rounds} rounds`, 'median', 'quartiles'],
        [row('seconds', (way) => way.seconds), row('processor time', (way) => way.processorSeconds)],
      ),
    );
    for (const [index, tree] of trees.entries())
      process.stderr.write(`${JSON.stringify({ tree, straight: straight[index] })}\n`);
    if (digests.size > 1) process.exitCode = 1;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

if (import.meta.main) await main();
