// Unpacking in threads: the same trees and the same errors as in one.
import { mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LockedPackage } from '../../../src/conda/lock.ts';
import { unpackPackages, type UnpackRequest } from '../../../src/conda/unpack-packages.ts';
import { AppError } from '../../../src/system/app-error.ts';
import { LinkFixture, readTree } from './link-fixture.ts';

const placeholder = { text: '/build/placeholder_placeholder_placeholder', mode: 'text' } as const;

let fixture: LinkFixture;
let packages: LockedPackage[];

beforeEach(async () => {
  fixture = await LinkFixture.make();
  packages = [];
  for (const name of ['one', 'two', 'three', 'four', 'five']) {
    const data = `#!${placeholder.text}/bin/sh\n`;
    packages.push(
      await fixture.add({
        name,
        format: name === 'five' ? 'tar.bz2' : 'conda',
        files: [
          { type: 'file', path: `bin/${name}`, data, mode: 0o755, placeholder },
          { type: 'symlink', path: `bin/${name}-link`, target: name },
          { type: 'file', path: `share/${name}/large`, data: Buffer.alloc(5 << 20, name) },
        ],
      }),
    );
  }
});
afterEach(async () => {
  await fixture.remove();
});

async function unpack(scratch: string, changes: Partial<UnpackRequest>): Promise<Record<string, string>> {
  await mkdir(path.join(fixture.dir, scratch));
  const unpacked = await unpackPackages({
    packages,
    archives: new Map(packages.map((one) => [one.sha256, archiveOf(one)])),
    scratch: path.join(fixture.dir, scratch),
    prefixInside: '/opt/conda/a-1',
    report: () => undefined,
    ...changes,
  });
  expect(unpacked.map(({ locked }) => locked.name)).toEqual(packages.map(({ name }) => name));
  const tree = await readTree(path.join(fixture.dir, scratch));
  // Directories get their times at the end of an installation.
  return Object.fromEntries(Object.entries(tree).map(([name, what]) => [name, what.replace(/ \S+ directory$/, '')]));
}

const archiveOf = ({ url, subdir }: LockedPackage): string =>
  path.join(fixture.dir, 'channel', subdir, path.basename(url));

describe('packages', () => {
  it('are unpacked alike in threads and in none, with the prefix in the files', async () => {
    const alone = await unpack('alone', { threads: 0 });

    expect(await unpack('threads', { threads: 3 })).toEqual(alone);
    expect(await readFile(path.join(fixture.dir, 'threads/0/bin/one'), 'utf8')).toBe('#!/opt/conda/a-1/bin/sh\n');
  });

  it('that are broken fail with the error that tells which, and the others are stopped', async () => {
    packages.push(
      await fixture.add({
        name: 'broken',
        files: [{ type: 'file', path: 'a', data: 'b' }],
        infoFiles: { 'paths.json': '{' },
      }),
    );

    await expect(unpack('threads', { threads: 2 })).rejects.toSatisfy(
      (error) =>
        error instanceof AppError &&
        error.problems[0]?.code === 'PACKAGE_INVALID' &&
        error.message.includes('broken-1.0'),
    );
  });

  it('fail with the system’s own error where the disk does not take them', async () => {
    const [first] = packages;
    if (!first) throw new Error('there are packages');

    await expect(unpack('threads', { threads: 1, scratch: archiveOf(first) })).rejects.toMatchObject({
      code: 'ENOTDIR',
    });
  });

  it('are left unfinished when interrupted, and nothing writes afterwards', async () => {
    const interruption = new AbortController();
    const report: UnpackRequest['report'] = () => {
      interruption.abort();
    };

    await expect(unpack('threads', { threads: 1, signal: interruption.signal, report })).rejects.toMatchObject({
      problems: [{ code: 'INTERRUPTED' }],
    });
    const after = await readTree(path.join(fixture.dir, 'threads'));
    await stat(fixture.dir);
    expect(await readTree(path.join(fixture.dir, 'threads'))).toEqual(after);
  });
});

describe('a second name of a file that holds the placeholder', () => {
  it('has the prefix only where the package says that it does', async () => {
    const shared = await LinkFixture.make();
    try {
      const data = `prefix=${placeholder.text}\n`;
      await shared.add({
        name: 'tool',
        files: [
          { type: 'file', path: 'etc/a', data, placeholder },
          { type: 'hardlink', path: 'etc/b', target: 'etc/a' },
        ],
      });
      await shared.install();

      expect(await shared.text('etc/a')).toBe(`prefix=${shared.prefixInside}\n`);
      expect(await shared.text('etc/b')).toBe(data);
    } finally {
      await shared.remove();
    }
  });
});
