// How long history takes of 1,000 generations, list of 50 releases, and what a rollback looks at: `npm run bench:history`.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { renderManifest } from '../src/release/manifest.ts';
import { planGeneration } from '../src/release/generation.ts';
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
  for (let number = 1; number <= GENERATIONS; number++) await writeGeneration(layout, number, ids);
  await symlink(`generations/${GENERATIONS}`, layout.current);
  for (const link of layout.publicLinks) {
    await mkdir(path.dirname(link.path), { recursive: true });
    await symlink(link.target, link.path);
  }
  for (const command of [
    ['history', '--all'],
    ['history'],
    ['list'],
    ['list', '--releases'],
    ['rollback', '--dry-run'],
    ['--version'],
  ]) {
    const runs: { wall: number; computing: number }[] = [];
    for (let run = 0; run < 3; run++) {
      const condense = [process.execPath, path.join(root, 'dist/condense.mjs'), '--config', file, ...command];
      const timed = 'TIMEFORMAT="%R %U %S"; time "$@" >/dev/null';
      const { stderr } = await execa('bash', ['-c', timed, 'bash', ...condense], { cwd: dir });
      const [wall = 0, user = 0, system = 0] = stderr.trim().split(' ').map(Number);
      runs.push({ wall, computing: user + system });
    }
    const [, median] = runs.sort((a, b) => a.computing - b.computing);
    process.stdout.write(
      `${command.join(' ').padEnd(20)} ${median?.computing.toFixed(2) ?? ''} s computing, ${median?.wall.toFixed(2) ?? ''} s in all\n`,
    );
  }
} finally {
  await rm(dir, { recursive: true, force: true });
}

/** As publishing would write it, but not flushed: that is what takes the time, and nothing of it is measured here. */
async function writeGeneration(layout: Layout, number: number, ids: readonly string[]): Promise<void> {
  const idOf = (version: number, of: number): string => ids[version + 10 * (of % 5)] ?? '';
  const versions = new Map(Array.from({ length: 10 }, (_, version) => [`a-${version}`, idOf(version, number)]));
  const face = { versions, aliases: new Map([['a', `a-${number % 10}`]]) };
  const packages = { added: 1, removed: 2, changed: 3 };
  const changes = [...versions].map(([name, to], version) => ({
    ...{ kind: 'version' as const, name, from: idOf(version, number + 4), to, inputs: ['lock'], packages },
  }));
  const plan = planGeneration(
    layout,
    { ...face, number },
    {
      ...{ recordVersion: 1, generation: number, time: new Date().toISOString(), changes },
      ...{ action: 'publish', subject: 'bench', user: 'alice', host: 'login1' },
    },
  );
  for (const directory of plan.directories) await mkdir(directory, { recursive: true });
  for (const link of plan.links) await symlink(link.target, link.path);
  for (const written of plan.files) await writeFile(written.path, written.text);
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
