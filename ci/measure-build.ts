// `npm run bench:build`: figures of what a site has published, as Markdown tables (docs/performance.md says what they mean).
//   node ci/measure-build.ts [--rounds <number>] [<install_config.yaml>]
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { readSiteConfig } from '../src/config/read-config.ts';
import { readManifest } from '../src/release/find-release.ts';
import type { ReleaseManifest } from '../src/release/manifest.ts';
import { readCurrentGeneration } from '../src/release/site-state.ts';
import { Layout, type ReleaseLayout } from '../src/site/layout.ts';
import { pathExists, readText, walkTree } from '../src/system/files.ts';
import { measureStartup, type Comparison } from './measure-startup.ts';
import { asOrdinaryUser, makeHome } from './ordinary-user.ts';

type Row = readonly (string | number)[];

const root = path.resolve(import.meta.dirname, '..');
/** In the image besides the environment's prefix: the root, /opt and /opt/conda. */
const INODES_ABOVE_PREFIX = 3;

export function renderTable(head: readonly string[], rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/** Seconds of the stages in their order. The gate runs after the manifest is written: its seconds are in its report. */
export function describeStages(manifest: Pick<ReleaseManifest, 'stageSeconds'>, gateReport: string): Row[] {
  const [, whole] = /<testsuite [^>]*\btime="([\d.]+)"/.exec(gateReport) ?? [];
  const checks = [...gateReport.matchAll(/<testcase [^>]*\btime="([\d.]+)"/g)].map((match) => Number(match[1]));
  const stages = Object.entries({
    ...manifest.stageSeconds,
    // They run at the same time; older reports have no time of the whole.
    [`gate (${checks.length} checks)`]:
      whole === undefined ? checks.reduce((sum, seconds) => sum + seconds, 0) : Number(whole),
  });
  const total = stages.reduce((sum, [, seconds]) => sum + seconds, 0);
  return [...stages, ['sum', total] as const].map(([stage, seconds]) => [stage, seconds.toFixed(1)]);
}

/** Every file, directory and link, the directory itself included. There are no hard links in a store. */
async function countInodes(dir: string): Promise<number> {
  if (!(await pathExists(dir))) return 0;
  const below: string[] = [];
  for await (const entry of walkTree(dir)) below.push(entry.path);
  return 1 + below.length;
}

async function measureRelease(release: ReleaseLayout, manifest: ReleaseManifest): Promise<string> {
  const unpacked = manifest.image.inodes - INODES_ABOVE_PREFIX;
  const onTarget = await countInodes(release.dir);
  return [
    renderTable(['stage', 'seconds'], describeStages(manifest, await readText(release.gateReport))),
    renderTable(
      ['release', 'number'],
      [
        ['packages', manifest.packages.length],
        ['commands in the farm', manifest.commands.length],
        ['image size, MB', (manifest.image.sizeBytes / 1e6).toFixed(1)],
        ['inodes inside the image', manifest.image.inodes],
        ['inodes that the unpacked prefix would take on the target', unpacked],
        ['inodes that the release takes on the target', onTarget],
        ['unpacked prefix over release', (unpacked / onTarget).toFixed(1)],
      ],
    ),
  ].join('\n\n');
}

async function measureSite(layout: Layout, adminDir: string): Promise<string> {
  const parts = await Promise.all(
    ['releases', 'generations', 'bases', 'runtime'].map(async (name): Promise<[string, number]> => [
      name,
      await countInodes(path.join(layout.store, name)),
    ]),
  );
  const store = await countInodes(layout.store);
  return renderTable(
    ['site', 'inodes'],
    [
      ...parts,
      ['the store itself and `current`', store - parts.reduce((sum, [, inodes]) => sum + inodes, 0)],
      ['public links', layout.publicLinks.length],
      ['**whole site on the target**', store + layout.publicLinks.length],
      ['admin directory (package cache, locks, journal)', await countInodes(adminDir)],
    ],
  );
}

/** The launcher itself tells which runtime, base, image and binds it would use: the plain call uses just these. */
async function planComparisons(release: ReleaseLayout, manifest: ReleaseManifest): Promise<Comparison[]> {
  const [program = '', ...args] = asOrdinaryUser([release.launcher, '--explain', '/usr/bin/true']);
  const { stdout } = await execa(program, args, { cwd: '/' });
  const said = (label: string): string[] =>
    [...stdout.matchAll(new RegExp(`^${label} +(.*)$`, 'gm'))].map((match) => match[1] ?? '');
  const plain = [
    ...[...said('runtime'), '-s', 'exec', '--bind', said('bind').join(',')],
    ...['--overlay', `${release.image}:ro`, ...said('base')],
  ];
  const nothing: Comparison = {
    title: '`launcher /usr/bin/true` : plain exec of the runtime',
    command: { words: [release.launcher, '/usr/bin/true'] },
    against: { words: [...plain, '/usr/bin/true'] },
  };
  if (!manifest.commands.includes('python3')) return [nothing];
  const pass = ['-c', 'pass'];
  const farm = { words: [release.command('python3'), ...pass] };
  const real = [`${said('environment')[0]?.split(' at ')[1] ?? ''}/bin/python3`, ...pass];
  return [
    {
      title: '`python3 -c pass` of the farm : the same program, already inside',
      command: farm,
      against: { words: real, inside: [release.launcher] },
    },
    {
      title: '`python3 -c pass` of the farm : plain exec of the runtime',
      command: farm,
      against: { words: [...plain, ...real] },
    },
    nothing,
  ];
}

async function measureRatios(release: ReleaseLayout, manifest: ReleaseManifest, rounds: number): Promise<string> {
  const comparisons = await planComparisons(release, manifest);
  const home = await makeHome();
  try {
    const spreads = await measureStartup(home, comparisons, rounds);
    return renderTable(
      [`start-up ratio, ${rounds} rounds`, 'median', 'quartiles'],
      spreads.map(({ median, lowerQuartile, upperQuartile }, index) => [
        comparisons[index]?.title ?? '',
        median.toFixed(2),
        `${lowerQuartile.toFixed(2)} to ${upperQuartile.toFixed(2)}`,
      ]),
    );
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { rounds: { type: 'string', default: '20' } },
    allowPositionals: true,
  });
  const config = await readSiteConfig(path.resolve(positionals[0] ?? path.join(root, 'install_config.yaml')));
  const layout = new Layout(config, root);
  const current = await readCurrentGeneration(layout);
  if (!current) throw new Error(`nothing is published at ${layout.current}: npm run quickstart publishes something`);
  for (const [fullName, id] of current.versions) {
    const release = layout.release(fullName, id);
    const manifest = await readManifest(layout, fullName, id);
    console.log(`## ${fullName}, release ${id}\n\n${await measureRelease(release, manifest)}\n`);
    console.log(`${await measureRatios(release, manifest, Number(values.rounds))}\n`);
  }
  console.log(`## The site\n\n${await measureSite(layout, config.adminDir)}`);
}

if (import.meta.main) await main();
