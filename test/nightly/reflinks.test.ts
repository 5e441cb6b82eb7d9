// Prefixes from extracted packages on a file system that has reflinks (XFS in a file, mounted by a loop device): clones, which
// whoever runs in the prefix may write to.
import { mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { asRoot } from '../as-root.ts';
import { LinkFixture, readTree } from '../integration/conda/link-fixture.ts';

const limits = { timeout: 120_000 };
let fixture: LinkFixture;
let disk: string;
let device: string;
beforeEach(async () => {
  fixture = await LinkFixture.make();
  device = await mkdtemp(path.join(os.tmpdir(), 'condense-xfs-'));
  disk = path.join(device, 'disk');
  const image = path.join(device, 'image');
  await writeFile(image, '');
  await truncate(image, 512 << 20);
  await execa('/usr/sbin/mkfs.xfs', ['-q', '-m', 'reflink=1', image], limits);
  await mkdir(disk);
  await execa(...asRoot('mount', '-o', 'loop', image, disk), limits);
  await execa(...asRoot('chown', String(process.getuid?.() ?? 0), disk), limits);
});
afterEach(async () => {
  await execa(...asRoot('umount', disk), limits);
  await rm(device, { recursive: true });
  await fixture.remove();
});

it('are the same as unpacked ones, and what a post-link script writes is not in the cache', async () => {
  const placeholder = { text: `/build/${'placehold_'.repeat(20)}`, mode: 'text' } as const;
  const { sha256 } = await fixture.add({
    name: 'one',
    files: [
      { type: 'file', path: 'bin/one', data: `#!${placeholder.text}/bin/sh\n`, mode: 0o755, placeholder },
      { type: 'file', path: 'share/plain', data: 'plain', mode: 0o4640 },
      { type: 'file', path: 'share/large', data: Buffer.alloc(6 << 20, 'l') },
      { type: 'hardlink', path: 'share/second', target: 'share/plain' },
      { type: 'symlink', path: 'share/link', target: 'plain' },
    ],
  });
  const dir = path.join(disk, 'extracted');
  const extracted = { dir, mayHardLink: false };
  const prefixOnDisk = path.join(disk, 'prefix');
  await fixture.install();
  const unpacked = await readTree(fixture.prefixOnDisk);
  const install = async (changes: Parameters<LinkFixture['install']>[0] = {}): Promise<void> => {
    await rm(prefixOnDisk, { recursive: true, force: true });
    await fixture.install({ prefixOnDisk, extracted, ...changes });
  };

  for (const when of ['put into the cache', 'taken from it']) {
    await install();
    expect(await readTree(prefixOnDisk), when).toEqual(unpacked);
    expect((await stat(path.join(prefixOnDisk, 'share/large'))).nlink, when).toBe(1);
  }

  await fixture.add({
    name: 'scripted',
    files: [{ type: 'file', path: 'bin/.scripted-post-link.sh', data: '', mode: 0o755 }],
  });
  const written = path.join(prefixOnDisk, 'share/large');
  await install({
    // The script: what matters is that it writes.
    runInside: async () => {
      await writeFile(written, 'written');
      return { exitCode: 0, stdout: Buffer.from(''), stderr: '' };
    },
  });
  expect(await readFile(written, 'utf8')).toBe('written');
  const kept = await readFile(path.join(dir, sha256.slice(0, 2), sha256, 'files/share/large'));
  expect(kept.equals(Buffer.alloc(6 << 20, 'l'))).toBe(true);
  expect(fixture.events.filter(({ type }) => type === 'warning')).toEqual([]);
});
