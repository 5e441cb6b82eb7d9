// A site with many releases, as large as real ones: for the tests and the measurement of the report. Written as builds and
// publishing write them, but not flushed, and with nothing in the images.
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readSiteConfig } from '../../src/config/read-config.ts';
import type { SiteConfig } from '../../src/config/site-config.ts';
import { planGeneration } from '../../src/release/generation.ts';
import { renderManifest, type ReleaseManifest } from '../../src/release/manifest.ts';
import { Layout } from '../../src/site/layout.ts';
import { makeManifest, makePackage } from '../unit/release/make-manifest.ts';

export interface MadeCatalogue {
  readonly file: string;
  readonly config: SiteConfig;
  readonly layout: Layout;
  readonly releases: readonly ReleaseManifest[];
}

const DAY_MS = 24 * 60 * 60 * 1000;
const root = path.resolve(import.meta.dirname, '../..');

/** @param shape releases of each environment, two months apart in versions, and what each holds */
export async function writeCatalogue(
  dir: string,
  environments: readonly string[],
  shape: { readonly releases: number; readonly packages: number; readonly commands: number },
): Promise<MadeCatalogue> {
  const file = path.join(dir, 'install_config.yaml');
  await writeFile(file, `site: Institute of Weather\nprefix: ./site\nadmin_dir: ./admin\nenvironments: {}\n`);
  const config = await readSiteConfig(file);
  const layout = new Layout(config, root);
  const releases: ReleaseManifest[] = [];
  const versions = new Map<string, string>();
  const aliases = new Map<string, string>();
  for (const [which, environment] of environments.entries()) {
    for (let index = 0; index < shape.releases; index++) {
      const manifest = makeRelease(environment, which, index, shape);
      await writeRelease(layout, manifest);
      releases.push(manifest);
      versions.set(manifest.fullName, manifest.id);
      if (index < shape.releases - 1) aliases.set(environment, manifest.fullName);
      aliases.set(`${environment}-unstable`, manifest.fullName);
    }
  }
  await publish(layout, versions, aliases);
  return { file, config, layout, releases };
}

const NAMES = [
  'python',
  'numpy',
  'scipy',
  'xarray',
  'netcdf4',
  'matplotlib-base',
  'dask-core',
  'cartopy',
  'proj',
  'hdf5',
];

function makeRelease(
  environment: string,
  which: number,
  index: number,
  { packages, commands }: { readonly packages: number; readonly commands: number },
): ReleaseManifest {
  const version = `26.${String(2 + 2 * Math.floor(index / 2)).padStart(2, '0')}`;
  const createdMs = Date.UTC(2026, 0, 12 + which, 7, 30) + index * 28 * DAY_MS;
  const count = packages + 4 * index;
  const manifest = makeManifest({
    ...{ environment, version, fullName: `${environment}-${version}` },
    createdAt: new Date(createdMs).toISOString(),
    gitCommit: 'a1b2c3d4e5f60718293a4b5c6d7e8f9012345678',
    image: {
      ...{ sha256: String(which).repeat(64).slice(0, 64) },
      sizeBytes: Math.round(1.1e9 + which * 3e8 + index * 4.5e7 + (index % 3) * 3e7),
      inodes: 180_000 + which * 20_000 + index * 4100 - (index % 4) * 2500,
    },
    packages: Array.from({ length: count }, (_, one) => {
      const name = NAMES[one] ?? `library-${one}`;
      return makePackage(
        name,
        `${1 + (one % 3)}.${(one * 7 + index * Number(one % 9 === index % 9)) % 40}.${index % 2}`,
      );
    }),
    commands: Array.from({ length: commands + index }, (_, one) => `command-${one}`),
    stageSeconds: { base: 0.1, stage: 61.2, bytecode: 20.4, activate: 0.6, pack: 48.9, release: 3.1, gate: 12 },
  });
  const checks = ['the image mounts', 'python is the one of the image', 'import xarray', 'import netCDF4'];
  return {
    ...manifest,
    links: manifest.commands.map((name) => ({ path: `bin/${name}`, target: '../launcher' })),
    gate: { sha256: 'e'.repeat(64), checks: checks.map((name, one) => ({ name, seconds: 0.2 + one })) },
  };
}

async function writeRelease(layout: Layout, manifest: ReleaseManifest): Promise<void> {
  const release = layout.release(manifest.fullName, manifest.id);
  await mkdir(release.dir, { recursive: true });
  await writeFile(release.gateReport, '<testsuite/>');
  await writeFile(release.manifest, renderManifest(manifest));
  await writeFile(release.image, '');
  await truncate(release.image, manifest.image.sizeBytes); // as large as it says, and nothing in it
}

async function publish(
  layout: Layout,
  versions: ReadonlyMap<string, string>,
  aliases: ReadonlyMap<string, string>,
): Promise<void> {
  const changes = [...versions].map(([name, to]) => ({ kind: 'version' as const, name, to }));
  const plan = planGeneration(
    layout,
    { number: 1, versions, aliases },
    {
      ...{ recordVersion: 1, generation: 1, time: '2026-11-21T03:33:06.000Z', changes },
      ...{ action: 'publish', subject: 'all', user: 'alice', host: 'login1' },
    },
  );
  for (const directory of plan.directories) await mkdir(directory, { recursive: true });
  for (const link of plan.links) await symlink(link.target, link.path);
  for (const written of plan.files) await writeFile(written.path, written.text);
  await symlink('generations/1', layout.current);
}
