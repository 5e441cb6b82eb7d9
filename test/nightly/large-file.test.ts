// A package with a file of more than 4 GiB, by both ways into an image: the right size and digest, and the same image.
import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress, zstdCompressSync } from 'node:zlib';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { planContent } from '../../src/build/image-from-archives.ts';
import { writeImage, writeImageOf } from '../../src/build/pack.ts';
import { finishStagedPrefix } from '../../src/build/stage.ts';
import { StagingLayout } from '../../src/site/layout.ts';
import { writeTar } from '../channel/tar-archive.ts';
import { LinkFixture } from '../integration/conda/link-fixture.ts';

const SIZE = 4.5 * 2 ** 30 + 4321;
const PATH = 'share/large/data';
const index = { name: 'large', version: '1', build: '0', subdir: 'linux-64' };
const profile = { compression: 'zstd', level: 1, blockSizeBytes: 1 << 20, order: 'none' } as const;
const marker = { name: '.condense', text: 'analysis3-26.11\n' };

let fixture: LinkFixture;
beforeEach(async () => {
  fixture = await LinkFixture.make();
});
afterEach(async () => {
  await fixture.remove();
});

/** Mostly zeros, so that it is made quickly; each MiB has enough that is not for the package to be no bomb. */
function* content(): Generator<Buffer> {
  for (let left = SIZE; left > 0; left -= 1 << 20) {
    const piece = Buffer.alloc(Math.min(left, 1 << 20));
    randomBytes(Math.min(piece.length, 16 << 10)).copy(piece);
    yield piece;
  }
}

/** @returns the digest of the file */
async function addLarge(): Promise<string> {
  const dir = path.join(fixture.dir, 'channel');
  await mkdir(dir);
  const hash = createHash('sha256');
  const head = (await writeTar([{ type: 'file', path: PATH, data: '' }])).subarray(0, 512);
  head.write(SIZE.toString(8).padStart(11, '0'), 124, 'latin1');
  head.fill(' ', 148, 156);
  head.write(
    `${head
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
    'latin1',
  );
  const payload = path.join(dir, 'pkg.tar.zst');
  await pipeline(
    function* () {
      yield head;
      for (const piece of content()) {
        hash.update(piece);
        yield piece;
      }
      yield Buffer.alloc(512 - (SIZE % 512) + 1024);
    },
    createZstdCompress(),
    createWriteStream(payload),
  );
  const sha256 = hash.digest('hex');
  const paths = [{ _path: PATH, path_type: 'hardlink', sha256, size_in_bytes: SIZE }];
  const info = await writeTar([
    { type: 'file', path: 'info/index.json', data: JSON.stringify({ ...index, build_number: 0, depends: [] }) },
    { type: 'file', path: 'info/paths.json', data: JSON.stringify({ paths_version: 1, paths }) },
  ]);
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from('{"conda_pkg_format_version": 2}'), 'metadata.json', { compress: false });
  zip.addFile(payload, 'pkg-large-1-0.tar.zst', { compress: false });
  zip.addBuffer(zstdCompressSync(info), 'info-large-1-0.tar.zst', { compress: false });
  zip.end();
  const file = path.join(dir, 'large-1-0.conda');
  await pipeline(zip.outputStream, createWriteStream(file));
  await rm(payload);
  await fixture.addFile(file, index);
  return sha256;
}

it('has its size and its digest in the image, the same one by a tree and straight from the archives', async () => {
  const sha256 = await addLarge();
  const staging = new StagingLayout(path.join(fixture.dir, 'staging'), 'analysis3-26.11');

  await fixture.install({ prefixOnDisk: staging.prefix });
  await finishStagedPrefix(staging, marker, {});
  const tree = await writeImage(staging.root, path.join(fixture.dir, 'tree.sqsh'), profile);
  await rm(staging.root, { recursive: true });
  const spooled = await fixture.spool();
  if (typeof spooled === 'string') throw new Error(spooled);
  const top = path.relative(staging.root, staging.prefix);
  const straight = await writeImageOf(
    planContent(spooled.entries, top, marker, {}),
    path.join(fixture.dir, 'straight.sqsh'),
    profile,
  );

  expect(straight.sha256).toBe(tree.sha256);
  const limits = { timeout: 1_800_000 };
  const listed = await execa('unsquashfs', ['-lln', straight.file, `${top}/${PATH}`], limits);
  expect(listed.stdout).toContain(` ${SIZE} `);
  const read = execa('unsquashfs', ['-cat', straight.file, `${top}/${PATH}`], { ...limits, buffer: false });
  const hash = createHash('sha256');
  await Promise.all([pipeline(read.stdout, hash), read]);
  expect(hash.digest('hex')).toBe(sha256);
});
