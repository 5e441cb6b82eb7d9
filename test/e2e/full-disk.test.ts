// Disks that are full, or have no inode left, one after the other: each is named, nothing stays half made, and once
// there is room the same command goes on from there, without downloading again what was whole.
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { asRoot } from '../as-root.ts';
import { serveChannel, type ServedChannel } from '../channel/serve-channel.ts';
import { writeCondaPackage } from '../channel/conda-package.ts';
import { writeRepodata } from '../channel/write-repodata.ts';
import { LiveSite } from './live-site.ts';
import { condense, TestSite } from './test-site.ts';

let live: LiveSite;
let server: ServedChannel;
const mounted: string[] = [];

beforeAll(async () => {
  live = await LiveSite.make();
  const dir = path.join(live.site.dir, 'large');
  const package_ = async (name: string, files: number, bytes: number, depends: string[] = []) =>
    await writeCondaPackage({
      dir,
      format: 'conda',
      index: { name, version: '1', build: '0', build_number: 0, subdir: 'linux-64', depends },
      files: [
        ...Array.from({ length: files }, (_, index) => ({
          type: 'file' as const,
          path: `share/${name}/${index}`,
          data: randomBytes(bytes),
        })),
        // What runs in the prefix asks for a tree on disk.
        ...(name === 'run' ? [{ type: 'file' as const, path: 'bin/.run-post-link.sh', data: '' }] : []),
      ],
    });
  await writeRepodata(dir, [
    await package_('small', 1, 10),
    await package_('large', 60, 10_000, ['small']),
    await package_('run', 60, 1),
  ]);
  server = await serveChannel(dir);
});
afterAll(async () => {
  await server.close();
  await unmountAll();
  await live.remove();
});

async function mountSmall(dir: string, options: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  await execa(
    ...asRoot('mount', '-t', 'tmpfs', '-o', `mode=0755,uid=${process.getuid?.() ?? 0},${options}`, 'none', dir),
  );
  mounted.push(dir);
}
async function remount(dir: string, options: string): Promise<void> {
  await execa(...asRoot('mount', '-o', `remount,size=64m,nr_inodes=10000,${options}`, dir));
}
async function unmountAll(): Promise<void> {
  for (const dir of mounted.splice(0)) await execa(...asRoot('umount', dir));
}

it('names each place that is full, leaves nothing there, and goes on with the same command once there is room', async () => {
  const { site } = live;
  await site.writeSpec('b', [server.url], ['large'], `variables: { X: 'y' }\n`);
  const repodata = path.join(site.admin, 'cache/repodata');
  const packages = path.join(site.admin, 'cache/packages');
  const staging = path.join(site.dir, 'staging');
  const releases = path.join(site.prefix, 'apps/condense/releases/b-1');
  const places: readonly (readonly [dir: string, options: string, look: string, code?: string])[] = [
    // One inode is the directory itself.
    [path.join(site.admin, 'locks'), 'nr_inodes=1', 'df -i'],
    [repodata, 'nr_inodes=1', 'df -i'],
    [repodata, 'size=4k', 'df -h'],
    [packages, 'nr_inodes=3', 'df -i', 'CACHE_NOT_WRITABLE'],
    [staging, 'nr_inodes=4', 'df -i'],
    [staging, 'size=560k', 'df -h'], // unpacking
    [staging, 'size=1000k', 'df -h'], // packing: mksquashfs says so
    [releases, 'size=300k', 'df -h'], // the image
    [releases, 'nr_inodes=6', 'df -i'], // and what is beside it
  ];
  for (const [dir, options, look, code = 'DISK_FULL'] of places) {
    if (mounted.includes(dir)) await remount(dir, options);
    else await mountSmall(dir, options);
    const says = [`code   ${code}`, `  ${dir}`, `hint   ${look} ${dir};`, look === 'df -i' ? 'no inode' : 'no space'];
    await live.expectFailure(['install', 'b'], { exit: 5, says });
    await remount(dir, 'size=64m,nr_inodes=10000');
  }

  await site.condenseOk('install', 'b');
  await site.writeSpec('b', [server.url], ['run']);
  await remount(staging, 'nr_inodes=40');
  const says = [`code   DISK_FULL`, `  ${staging}`, `hint   df -i ${staging};`, 'no inode'];
  await live.expectFailure(['install', 'b'], { exit: 5, says });

  expect(await live.readLeftovers()).toEqual([]);
  const asked = server.requests.filter((request) => request.endsWith('.conda'));
  // Once too little inodes, and once whole: not again for what failed later.
  expect(asked.filter((request) => request.includes('large'))).toHaveLength(2);
});

it('begins nothing where what it is going to download or unpack is more than there is room for', async () => {
  const { site } = live;
  await site.writeSpec('b', [server.url], ['large'], `variables: { X: 'z' }\n`);
  const packages = path.join(site.admin, 'cache/packages');
  const staging = path.join(site.dir, 'staging');
  const asked = server.requests.filter((request) => request.endsWith('.conda')).length;
  await unmountAll();
  await mountSmall(packages, 'size=32k');
  await mountSmall(staging, 'size=400k');

  const says = [
    'code   DISK_TOO_SMALL',
    `  ${packages}`,
    `  ${staging}`,
    `hint   df -h ${packages};`,
    'nothing was begun',
  ];
  await live.expectFailure(['install', 'b'], { exit: 5, says });
  // The kernels of test machines have no quotas: what their users are told is injected.
  await remount(packages, 'size=64m');
  await remount(staging, 'size=64m');
  const overQuota = await execa('strace', [
    ...['-f', '-qq', '-o', '/dev/null', '-e', 'trace=fallocate', '-e', 'inject=fallocate:error=EDQUOT'],
    ...['--', process.execPath, condense, '--config', site.configFile, 'install', 'b'],
  ]).catch((error: unknown) => error as { exitCode: number; stderr: string });

  expect(overQuota.exitCode).toBe(5);
  expect(overQuota.stderr).toMatch(
    new RegExp(
      `${packages}  this build takes .* quota of this account[^]*hint   quota -s; df -h ${packages};[^]*code   QUOTA_EXCEEDED`,
    ),
  );
  expect(await readdir(packages)).toEqual([]);
  expect(server.requests.filter((request) => request.endsWith('.conda'))).toHaveLength(asked);
  await site.condenseOk('install', 'b');
});

it('keeps the release when there is no room to publish it, and tells when only the journal could not be written', async () => {
  const site = await TestSite.make();
  try {
    await site.writeConfig(`  a: { version: '1', stable: '1' }\n`);
    await site.writeSpec('a', [live.channel], ['hello=1.0']);
    const generations = path.join(site.prefix, 'apps/condense/generations');
    await mountSmall(generations, 'nr_inodes=5');

    const failed = await site.condense('install', 'a');

    expect(failed.exitCode).toBe(7);
    expect(failed.stderr).toMatch(/no inode is left[^]*hint {3}df -i .*generations;/);
    expect(failed.stderr).toContain('✓ gate');
    await remount(generations, 'nr_inodes=100');
    await rm(path.join(site.admin, 'journal.ndjson'), { force: true });
    await symlink('/dev/full', path.join(site.admin, 'journal.ndjson'));

    const published = await site.condense('install', 'a');

    expect(published.exitCode).toBe(8);
    expect(published.stderr).not.toContain('> build');
    expect(published.stderr).toMatch(
      /users see the new generation, but the journal could not be written[^]*"generation":1/,
    );
    expect(await site.liveRelease('a-1')).toBeDefined();
  } finally {
    await unmountAll();
    await site.remove();
  }
});
