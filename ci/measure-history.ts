// How long history takes of 1,000 generations, list of 50 releases, status and a rollback: `npm run bench:history`.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { renderManifest } from '../src/release/manifest.ts';
import { publishFace } from '../src/release/publish.ts';
import { Layout } from '../src/site/layout.ts';
import { readSiteConfig } from '../src/config/read-config.ts';
import { makeManifest, makePackage } from '../test/unit/release/make-manifest.ts';

const GENERATIONS = 1000;
const RELEASES = 50;
const PACKAGES = 600;
const COMMANDS = 2000;
const root = path.resolve(import.meta.dirname, '..');

const dir = await mkdtemp(path.join(os.tmpdir(), 'condense-bench-history-'));
try {
  const file = path.join(dir, 'install_config.yaml');
  await writeFile(file, `site: bench\nprefix: ./site\nadmin_dir: ./admin\nenvironments: {}\n`);
  const layout = new Layout(await readSiteConfig(file), root);
  const ids: string[] = [];
  for (let index = 0; index < RELEASES; index++) ids.push(await makeRelease(layout, index));
  for (let number = 1; number <= GENERATIONS; number++) {
    const versions = new Map(
      Array.from({ length: 10 }, (_, version) => [`a-${version}`, ids[(version + 10 * (number % 5)) % RELEASES] ?? '']),
    );
    await publishFace(
      layout,
      { versions, aliases: new Map([['a', `a-${number % 10}`]]) },
      {
        ...{ action: 'publish', subject: 'bench', user: 'alice', host: 'login1' },
      },
    );
    if (number % 100 === 0) process.stderr.write(`  ${number} of ${GENERATIONS} generations\n`);
  }
  for (const command of [
    ['history', '--all'],
    ['history'],
    ['list'],
    ['list', '--releases'],
    ['rollback', '--dry-run'],
    ['rollback'],
  ]) {
    const seconds = [];
    for (let run = 0; run < 5; run++) {
      const started = performance.now();
      await execa(process.execPath, [path.join(root, 'dist/condense.mjs'), '--config', file, ...command], { cwd: dir });
      seconds.push((performance.now() - started) / 1000);
    }
    const median = seconds.sort((a, b) => a - b)[2] ?? Number.NaN;
    process.stdout.write(`${command.join(' ').padEnd(20)} ${median.toFixed(2)} s\n`);
  }
} finally {
  await rm(dir, { recursive: true, force: true });
}

/** Five releases of each of ten versions, with manifests as large as those of a real environment. */
async function makeRelease(layout: Layout, index: number): Promise<string> {
  const fullName = `a-${index % 10}`;
  const manifest = makeManifest({
    ...{ fullName, environment: 'a', version: String(index % 10) },
    createdAt: new Date(Date.UTC(2026, 10, 1) + index * 1000).toISOString(),
    packages: Array.from({ length: PACKAGES }, (_, one) => makePackage(`package-${one}`, `1.${index}`)),
    commands: Array.from({ length: COMMANDS }, (_, one) => `command-${one}`),
  });
  const release = layout.release(fullName, manifest.id);
  await mkdir(release.modules, { recursive: true });
  for (const name of [release.image, release.launcher, release.tclModule, release.gateReport])
    await writeFile(name, 'abc');
  await writeFile(release.manifest, renderManifest(manifest));
  return manifest.id;
}
