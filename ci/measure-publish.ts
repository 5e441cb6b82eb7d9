// `npm run bench:publish`: what showing a release takes, going back, and looking through many (docs/performance.md).
//   node ci/measure-publish.ts [--gigabytes <size of the image>] [--dir <directory on the disk to measure>]
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { randomBytes } from 'node:crypto';
import { execa } from 'execa';
import { digestFile } from '../src/system/files.ts';
import { MadeSite } from '../test/integration/release/made-site.ts';
import { renderTable } from './measure-build.ts';

const { values } = parseArgs({
  options: { gigabytes: { type: 'string', default: '4' }, dir: { type: 'string', default: os.tmpdir() } },
});
const condense = path.resolve(import.meta.dirname, '../dist/condense.mjs');
const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
};

/** The shortest of five: what else the machine does only makes it longer. */
async function best(work: () => Promise<unknown>): Promise<number> {
  const all = [];
  for (let round = 0; round < 5; round++) all.push(await seconds(work));
  return Math.min(...all);
}

const dir = await mkdtemp(path.join(values.dir, 'condense-bench-'));
try {
  const site = await MadeSite.make('gc: { scheduler: none, longest_job_days: 0 }\n', dir);
  const run = (...words: string[]) => execa(process.execPath, [condense, '--config', site.config.file, ...words]);
  const first = await site.addRelease({ builtDaysAgo: 400 });
  await run('publish', first.name);
  const image = path.join(dir, 'large.sqsh');
  await writeImage(image, Number(values.gigabytes) * 1e9);
  const usedBefore = await readUsedBytes(dir);
  const started = performance.now();
  const large = await site.addRelease({ image, builtDaysAgo: 300 });
  const assembling = (performance.now() - started) / 1000;
  const { image: stored } = site.layout.release('a-1', large.id);
  const hashing = await seconds(() => digestFile(stored));
  const publishing = await seconds(() => run('publish', large.name));
  const usedAfter = await readUsedBytes(dir);
  // Back and forth between the two: a publish of what needs no hashing, and a rollback, are the same work.
  const goingBack = await best(() => run('rollback', '--to', '1').then(() => run('rollback', '--to', '2')));
  const trace = path.join(dir, 'trace');
  await execa('strace', [
    ...['-f', '-T', '-qq', '-o', trace, '-e', 'trace=rename', process.execPath, condense],
    ...['--config', site.config.file, 'rollback', '--to', '1'],
  ]);
  const switches = (await readFile(trace, 'utf8')).split('\n').filter((line) => line.includes('/current"'));
  for (let index = 0; index < 48; index++) await site.addRelease({ builtDaysAgo: 100 + index, packages: 500 });
  const looking = await best(() => run('gc', '--dry-run'));
  const start = await best(() => run('--version'));
  process.stdout.write(
    `${renderTable(
      ['what', 'measured'],
      [
        ['renames of `current` in one rollback', switches.length],
        ['that rename, µs', (1e6 * Number(/<([\d.]+)>$/.exec(switches[0] ?? '')?.[1] ?? Number.NaN)).toFixed(0)],
        [`sha256 of the image of ${values.gigabytes} GB, s`, hashing.toFixed(2)],
        ['assembling its release, with two digests of it, s', assembling.toFixed(2)],
        ['`condense publish` of it, whole command, s', publishing.toFixed(2)],
        ['disk space that both took, MB', ((usedAfter - usedBefore) / 1e6).toFixed(1)],
        ['`condense rollback`, whole command, s', (goingBack / 2).toFixed(2)],
        ['`condense gc --dry-run` of 50 releases, whole command, s', looking.toFixed(2)],
        ['`condense --version`, for comparison, s', start.toFixed(2)],
      ],
    )}\n`,
  );
} finally {
  await rm(dir, { recursive: true, force: true });
}

/** Bytes that no file system can leave out. */
async function writeImage(file: string, bytes: number): Promise<void> {
  const block = randomBytes(16 << 20);
  const handle = await open(file, 'wx');
  try {
    for (let written = 0; written < bytes; written += block.length) {
      block.writeBigUInt64LE(BigInt(written));
      await handle.write(block, 0, Math.min(block.length, bytes - written));
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function readUsedBytes(at: string): Promise<number> {
  const { stdout } = await execa('du', ['-s', '--block-size=1', at]);
  return Number(stdout.split('\t')[0]);
}
