// A cache that several builds use, at the same time, after kill -9, and where it cannot be written to: what was downloaded
// whole is never asked for again, and the image is the same as that of an undisturbed build.
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, utimes } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { serveChannel, type ServedChannel } from '../channel/serve-channel.ts';
import { writeCondaPackage } from '../channel/conda-package.ts';
import { writeRepodata } from '../channel/write-repodata.ts';
import { TestSite, type Ran } from './test-site.ts';

const NAMES = ['one', 'two', 'three'];
let site: TestSite;
let server: ServedChannel;
let undisturbed: string;

beforeAll(async () => {
  site = await TestSite.make();
  const dir = path.join(site.dir, 'channel');
  const records = [];
  for (const name of NAMES) {
    const index = { name, version: '1', build: '0', build_number: 0, subdir: 'linux-64', depends: [] };
    const post = `#!/bin/bash\necho made > "$PREFIX/share/${name}/post"\n`;
    const files = [
      { type: 'file', path: `share/${name}/data`, data: randomBytes(200_000) },
      { type: 'file', path: `bin/${name}`, mode: 0o755, data: `#!/bin/bash\necho ${name}\n` },
      { type: 'file', path: `bin/.${name}-post-link.sh`, mode: 0o755, data: post },
    ] as const;
    records.push(await writeCondaPackage({ dir, format: 'conda', index, files: [...files] }));
  }
  await writeRepodata(dir, records);
  server = await serveChannel(dir);
  const environments = ['a', 'b'].map((name) => `  ${name}: { version: '1', stable: '1' }\n`).join('');
  await site.writeConfig(environments);
  for (const name of ['a', 'b']) await site.writeSpec(name, [server.url], NAMES);
  await site.condenseOk('install', 'a');
  undisturbed = await readImageDigest(site, 'a');
  // From here on packages are kept as they were extracted, too.
  await site.writeConfig(environments, 'cache: { extracted: true }\n');
  await forget(site);
});
afterAll(async () => {
  await server.close();
  await site.remove();
});

/** As if nothing had ever been built or downloaded. */
async function forget({ prefix, admin }: TestSite): Promise<void> {
  await rm(path.join(prefix, 'apps/condense/releases'), { recursive: true, force: true });
  await rm(path.join(prefix, 'apps/condense/current'), { force: true });
  await rm(path.join(prefix, 'apps/condense/generations'), { recursive: true, force: true });
  await rm(path.join(admin, 'cache'), { recursive: true, force: true });
  server.requests.length = 0;
}

async function readImageDigest({ prefix }: TestSite, name: string): Promise<string> {
  const file = path.join(prefix, 'apps/conda_scripts', `${name}.d/manifest.json`);
  return (JSON.parse(await readFile(file, 'utf8')) as { image: { sha256: string } }).image.sha256;
}

const downloads = (): string[] => server.requests.filter((request) => request.endsWith('.conda'));

/** Kills it, and with `group` all that it has started as well, as soon as it tells of `moment`. */
async function killAt(moment: string, group: boolean): Promise<void> {
  const child = site.start(['--json', 'install', 'a'], {}, { detached: true });
  let sent = false;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = JSON.parse(line) as { type: string; stage?: string };
    if (sent || `${event.type} ${event.stage ?? ''}` !== moment) return;
    sent = true;
    if (group) process.kill(-(child.pid ?? 0), 'SIGKILL');
    else child.kill('SIGKILL');
  });
  const { stdout, stderr } = await child;
  expect(sent, `${stdout}\n${stderr}`).toBe(true);
}

it('finishes with the same image, and asks for nothing twice, after it was killed in one stage after the other', async () => {
  const moments = [
    'stage-started solve',
    'progress unpack',
    'stage-started activate',
    'stage-started pack',
    'stage-started release',
    'stage-started gate',
    'stage-finished gate',
  ];
  for (const [index, moment] of moments.entries()) {
    await killAt(moment, index % 2 === 0);
    // Whatever clocks say of what is there: ahead, and behind.
    const cached = await readdir(path.join(site.admin, 'cache'), { recursive: true, withFileTypes: true }).catch(
      () => [],
    );
    for (const at of cached)
      if (at.isFile()) {
        const time = new Date(index % 2 === 0 ? '2040-01-01' : '1980-01-01');
        await utimes(path.join(at.parentPath, at.name), time, time);
      }
  }

  await site.condenseOk('install', 'a');

  expect(await readImageDigest(site, 'a')).toBe(undisturbed);
  expect(downloads().sort()).toEqual(NAMES.map((name) => `GET /linux-64/${name}-1-0.conda`).sort());
  expect(await readdir(path.join(site.admin, 'locks'))).toEqual([]);
  expect(await readdir(path.join(site.dir, 'staging'))).toEqual([]);
  const extracted = await readdir(path.join(site.admin, 'cache/extracted'), { recursive: true });
  expect(extracted.filter((name) => name.endsWith('/record'))).toHaveLength(NAMES.length);
  expect(extracted.filter((name) => name.includes('.tmp'))).toEqual([]);
});

it('lets two builds and another site use it at once, one of them killed', async () => {
  await forget(site);
  const other = await TestSite.make();
  try {
    await mkdir(other.admin);
    await mkdir(path.join(site.admin, 'cache'));
    await execa('ln', ['-s', path.join(site.admin, 'cache'), path.join(other.admin, 'cache')]);
    await other.writeConfig(`  a: { version: '1', stable: '1' }\n`);
    await other.writeSpec('a', [server.url], NAMES);

    const [mine, theirs] = await Promise.all([
      site.condense('install', 'b'),
      other.condense('install', 'a'),
      killAt('stage-started stage', false),
    ]);

    expect(mine.exitCode, mine.stderr).toBe(0);
    expect(theirs.exitCode, theirs.stderr).toBe(0);
    expect(await readImageDigest(other, 'a')).toBe(undisturbed);
    server.requests.length = 0;
    await site.condenseOk('install', 'a');
    expect(await readImageDigest(site, 'a')).toBe(undisturbed);
    expect(downloads()).toEqual([]);
  } finally {
    await other.remove();
  }
});

it('builds from a cache that it may not write to, and names what it cannot store there', async () => {
  const cache = path.join(site.admin, 'cache');
  const run = async (): Promise<Ran> => {
    // Only that process sees it read-only.
    const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
    const mount = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"';
    const command = [process.execPath, path.resolve(import.meta.dirname, '../../dist/condense.mjs'), 'install', 'a'];
    const args = [...asRoot, '--mount', 'sh', '-c', mount, 'sh', cache, ...command];
    const { exitCode, stdout, stderr } = await execa('unshare', args, { cwd: site.dir, reject: false });
    return { exitCode, stdout, stderr };
  };
  await site.writeSpec('a', [server.url], NAMES, `variables: { X: 'y' }\n`);

  const built = await run();

  expect(built.exitCode, built.stderr).toBe(0);
  const [dir = ''] = await readdir(path.join(cache, 'packages'));
  await rm(path.join(cache, 'packages', dir), { recursive: true });
  await site.writeSpec('a', [server.url], NAMES, `variables: { X: 'z' }\n`);
  const failed = await run();
  expect(failed.exitCode).toBe(5);
  expect(failed.stderr).toMatch(
    new RegExp(`error {2}${cache}/packages/${dir}/.* cannot be stored: the file system is mounted read-only`),
  );
  expect(failed.stderr).toContain('CACHE_NOT_WRITABLE');
});
