// `npm run bench:install`: how fast archives become a prefix and an image, as ratios to the system's own programs.
//   node ci/measure-install.ts [--rounds <number>] [--small] [--dir <on the disk to measure>] [--json]
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { z } from 'zod';
import { planPack } from '../src/build/pack.ts';
import { openExtractedCache } from '../src/conda/extracted-cache.ts';
import { linkItems } from '../src/conda/link.ts';
import { linkOrder } from '../src/conda/link-order.ts';
import { planLinks, type UnpackedPackage } from '../src/conda/link-plan.ts';
import type { LockedPackage } from '../src/conda/lock.ts';
import { planPython } from '../src/conda/python-linking.ts';
import { unpackPackages } from '../src/conda/unpack-packages.ts';
import { settleTimes } from '../src/system/tree-writer.ts';
import { ensureTestChannel } from '../test/channel/make-channel.ts';
import { renderTable } from './measure-build.ts';
import { compareRounds } from './measure-startup.ts';

const prefixInside = '/opt/conda/bench-1.0';
const epochSeconds = 1_700_000_000;
/** As the documentation gives it for one archive; `$2` is an empty directory. */
const EXTRACT = `
mkdir "$2"
case $1 in
  *.conda) for part in info pkg; do unzip -p "$1" "$part-*" | zstd -dcq | tar -x -C "$2"; done ;;
  *) tar -xjf "$1" -C "$2" ;;
esac`;

const repodataSchema = z.record(
  z.string(),
  z.looseObject({
    name: z.string(),
    version: z.string(),
    build: z.string(),
    build_number: z.int(),
    sha256: z.string(),
    size: z.int(),
  }),
);

interface Inputs {
  readonly packages: readonly LockedPackage[];
  readonly archives: ReadonlyMap<string, string>;
  readonly bytes: number;
}

/** Every package of the channel: there is one version of each. */
export async function readInputs(channel: string): Promise<Inputs> {
  const packages: LockedPackage[] = [];
  const archives = new Map<string, string>();
  for (const subdir of ['linux-64', 'noarch']) {
    const repodata = JSON.parse(await readFile(path.join(channel, subdir, 'repodata.json'), 'utf8')) as object;
    for (const key of ['packages', 'packages.conda'] as const) {
      for (const [file, record] of Object.entries(repodataSchema.parse(Reflect.get(repodata, key)))) {
        const { name, version, build, sha256, size } = record;
        const place = { channel: 'https://channel.example', url: `https://channel.example/${subdir}/${file}`, subdir };
        packages.push({
          ...{ name, version, build, buildNumber: record.build_number, sha256, sizeBytes: size },
          ...place,
        });
        archives.set(sha256, path.join(channel, subdir, file));
      }
    }
  }
  return { packages, archives, bytes: packages.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0) };
}

export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** The most that this process and all below it had at once, in MiB, looked at every 100 ms. */
async function peakMemory(work: () => Promise<unknown>): Promise<number> {
  const ended = new AbortController();
  let peak = 0;
  const looking = (async (): Promise<void> => {
    while (!ended.signal.aborted) {
      peak = Math.max(peak, await residentBytes(process.pid));
      await setTimeout(100, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  })();
  try {
    await work();
  } finally {
    ended.abort();
    await looking;
  }
  return peak / 2 ** 20;
}

async function residentBytes(pid: number): Promise<number> {
  try {
    const pages = Number((await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ')[1]);
    let bytes = pages * 4096;
    for (const task of await readdir(`/proc/${pid}/task`)) {
      const children = (await readFile(`/proc/${pid}/task/${task}/children`, 'utf8')).split(' ').filter(Boolean);
      for (const child of children) bytes += await residentBytes(Number(child));
    }
    return bytes;
  } catch {
    return 0; // it ended while we looked
  }
}

async function link(prefixOnDisk: string, unpacked: readonly UnpackedPackage[]): Promise<number> {
  const ordered = linkOrder(
    unpacked.map((one) => ({
      one,
      name: one.locked.name,
      distribution: one.locked.url,
      depends: one.metadata.index.depends,
      constrains: one.metadata.index.constrains,
      noarchPython: one.metadata.noarchPython,
    })),
  );
  const python = unpacked.find(({ locked }) => locked.name === 'python')?.locked;
  const plan = planLinks({
    packages: ordered.map(({ one }) => one),
    ...{ prefixInside, epochSeconds, python: python && planPython(python) },
  });
  await linkItems({ plan, prefixOnDisk, prefixInside });
  const times = new Map(plan.items.map((item) => [item.path, item.mtimeSeconds]));
  settleTimes(prefixOnDisk, (at) => times.get(at), epochSeconds);
  return plan.items.length;
}

const remove = (dir: string): Promise<void> => rm(dir, { recursive: true, force: true });

interface Round {
  readonly system: number;
  readonly unpack: number;
  readonly link: number;
  readonly tar: number;
  /** Unpacking and linking, with packages that were extracted before. */
  readonly kept: number;
  /** Processor time of this, and of the same without them. */
  readonly keptCpu: number;
  readonly cpu: number;
}

class Bench {
  readonly #dir: string;
  readonly #inputs: Inputs;
  paths = 0;
  sharing = '';

  constructor(dir: string, inputs: Inputs) {
    this.#dir = dir;
    this.#inputs = inputs;
  }

  /** @param ourTurn whether ours is the first to run */
  async round(ourTurn: boolean): Promise<Round> {
    let ours = { unpack: 0, link: 0, tar: 0, kept: 0, keptCpu: 0, cpu: 0 };
    let system = 0;
    const turns = [
      async (): Promise<void> => {
        ours = await this.#ours();
      },
      async (): Promise<void> => {
        system = await this.#system();
      },
    ];
    for (const turn of ourTurn ? turns : turns.reverse()) await turn();
    return { system, ...ours };
  }

  /** The peaks of unpacking and linking, and of packing; the last leaves its prefix and image. */
  async memory(): Promise<{ install: number; pack: number; packSeconds: number }> {
    const prefix = path.join(this.#dir, 'prefix');
    const install = await peakMemory(() => this.#install(prefix));
    const profile = { compression: 'zstd', level: 3, blockSizeBytes: 131_072, order: 'none' } as const;
    const { program, args } = planPack(
      prefix,
      path.join(this.#dir, 'image'),
      profile,
      epochSeconds,
      os.availableParallelism(),
    );
    let packSeconds = 0;
    const pack = await peakMemory(async () => {
      packSeconds = await seconds(() => execa(program, args));
    });
    return { install, pack, packSeconds };
  }

  /** @param isKept whether from extracted packages: those of the site's cache, as the file system can share them */
  async #install(prefix: string, isKept = false): Promise<{ unpack: number; link: number; cpu: number }> {
    const scratch = path.join(prefix, '.condense-unpack');
    await mkdir(scratch, { recursive: true });
    const before = process.cpuUsage();
    const cache = isKept
      ? await openExtractedCache({ dir: path.join(this.#dir, 'extracted'), mayHardLink: true }, scratch)
      : undefined;
    if (typeof cache === 'string') throw new Error(cache);
    if (cache) this.sharing = cache.sharing;
    let unpacked: readonly UnpackedPackage[] = [];
    const unpack = await seconds(async () => {
      unpacked = await unpackPackages({
        ...{ ...this.#inputs, scratch, prefixInside, extracted: cache, report: () => undefined },
      });
    });
    const linked = await seconds(async () => {
      this.paths = await link(prefix, unpacked);
      await remove(scratch);
    });
    const { user, system } = process.cpuUsage(before);
    return { unpack, link: linked, cpu: (user + system) / 1e6 };
  }

  async #ours(): Promise<Omit<Round, 'system'>> {
    const prefix = path.join(this.#dir, 'prefix');
    const again = path.join(this.#dir, 'again');
    const archive = path.join(this.#dir, 'prefix.tar');
    const install = await this.#install(prefix);
    await execa('tar', ['-cf', archive, '-C', prefix, '.']);
    await remove(prefix);
    await mkdir(again);
    const tar = await seconds(() => execa('tar', ['-xf', archive, '-C', again]));
    await remove(again);
    await rm(archive);
    if (this.sharing === '') {
      await this.#install(prefix, true); // into the cache
      await remove(prefix);
    }
    const kept = await this.#install(prefix, true);
    await remove(prefix);
    return { ...install, tar, kept: kept.unpack + kept.link, keptCpu: kept.cpu };
  }

  async #system(): Promise<number> {
    const dir = path.join(this.#dir, 'system');
    await mkdir(dir);
    const files = [...this.#inputs.packages]
      .sort((a, b) => (b.sizeBytes ?? 0) - (a.sizeBytes ?? 0))
      .map(({ sha256 }, index) => `${this.#inputs.archives.get(sha256) ?? ''}\n${dir}/${index}\n`);
    const taken = await seconds(() =>
      execa('xargs', ['-P', String(os.availableParallelism()), '-n', '2', 'bash', '-ec', EXTRACT, 'extract'], {
        input: files.join(''),
      }),
    );
    await remove(dir);
    return taken;
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      small: { type: 'boolean', default: false },
      dir: { type: 'string', default: os.tmpdir() },
      json: { type: 'boolean', default: false },
    },
  });
  const { dir: channel } = await ensureTestChannel({ large: !values.small });
  const inputs = await readInputs(channel);
  const dir = await mkdtemp(path.join(values.dir, 'condense-bench-'));
  try {
    // Equally warm for all.
    for (const file of inputs.archives.values()) await readFile(file);
    const bench = new Bench(dir, inputs);
    const rounds: Round[] = [];
    for (let round = 0; round < Number(values.rounds); round++) rounds.push(await bench.round(round % 2 === 0));
    const memory = await bench.memory();
    report(inputs, bench, rounds, memory, values.json);
  } finally {
    await remove(dir);
  }
}

function report(
  inputs: Inputs,
  { paths, sharing }: Bench,
  rounds: readonly Round[],
  memory: Awaited<ReturnType<Bench['memory']>>,
  json: boolean,
): void {
  const of = (pick: (round: Round) => number): number[] => rounds.map(pick);
  const figures = {
    'extraction, speed against unzip, zstd and tar (at least 0.8)': compareRounds(
      of((round) => round.system),
      of((round) => round.unpack),
    ),
    'link, time against tar -x of the same bytes (at most 1.5)': compareRounds(
      of((round) => round.link),
      of((round) => round.tar),
    ),
    'extraction and link, time against tar -x of the same bytes': compareRounds(
      of((round) => round.unpack + round.link),
      of((round) => round.tar),
    ),
    [`the same from extracted packages, each a ${sharing}, time against unpacking them`]: compareRounds(
      of((round) => round.kept),
      of((round) => round.unpack + round.link),
    ),
    [`the same, processor time`]: compareRounds(
      of((round) => round.keptCpu),
      of((round) => round.cpu),
    ),
  };
  if (json) {
    console.log(JSON.stringify({ packages: inputs.packages.length, paths, rounds, figures, memory }, null, 2));
    return;
  }
  const what = `${inputs.packages.length} packages, ${paths} files and links, ${(inputs.bytes / 1e6).toFixed(0)} MB of archives, ${os.availableParallelism()} processors`;
  console.log(`${what}\n`);
  console.log(
    renderTable(
      [`ratio, ${rounds.length} rounds`, 'median', 'quartiles'],
      Object.entries(figures).map(([title, { median, lowerQuartile, upperQuartile }]) => [
        title,
        median.toFixed(2),
        `${lowerQuartile.toFixed(2)} to ${upperQuartile.toFixed(2)}`,
      ]),
    ),
  );
  console.log(
    `\n${renderTable(
      ['peak memory of all processes, MiB (below 1536)', ''],
      [
        ['unpacking and linking', memory.install.toFixed(0)],
        [`packing (${memory.packSeconds.toFixed(0)} s)`, memory.pack.toFixed(0)],
      ],
    )}`,
  );
}

if (import.meta.main) await main();
