// Prefixes from packages that were extracted before. The temp directory knows hard links everywhere, clones on some file
// systems only: test/nightly/reflinks.test.ts has one that does.
import { chmod, lstat, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LockedPackage } from '../../../src/conda/lock.ts';
import { readProcessTag } from '../../../src/system/process-identity.ts';
import { asRoot } from '../../as-root.ts';
import { LinkFixture, readTree } from './link-fixture.ts';

const placeholder = { text: `/build/${'placehold_'.repeat(20)}`, mode: 'text' } as const;

let fixture: LinkFixture;
let cache: string;
let one: LockedPackage;
beforeEach(async () => {
  fixture = await LinkFixture.make();
  cache = path.join(fixture.dir, 'extracted');
  one = await addOne(fixture);
  await fixture.add({
    name: 'two',
    format: 'tar.bz2',
    infoFiles: { 'paths.json': undefined },
    files: [
      { type: 'file', path: 'bin/two', data: `#!${placeholder.text}/bin/sh\n`, mode: 0o755, placeholder },
      { type: 'file', path: 'lib/one/of two', data: 'two' },
      { type: 'file', path: 'share/same', data: 'of two' },
    ],
  });
});
afterEach(async () => {
  await fixture.remove();
});

const addOne = (to: LinkFixture): Promise<LockedPackage> =>
  to.add({
    name: 'one',
    files: [
      { type: 'file', path: 'bin/one', data: `#!${placeholder.text}/bin/sh\n`, mode: 0o755, placeholder },
      { type: 'file', path: 'bin/names', data: `#!${placeholder.text}/bin/sh\n`, mode: 0o755, placeholder },
      { type: 'hardlink', path: 'bin/other-name', target: 'bin/names' },
      { type: 'file', path: 'lib/one/setuid', data: 'x'.repeat(70_000), mode: 0o4750 },
      { type: 'file', path: 'lib/one/plain', data: 'plain', mode: 0o600 },
      { type: 'hardlink', path: 'lib/second', target: 'lib/one/plain' },
      { type: 'symlink', path: 'lib/link', target: 'one/plain' },
      { type: 'file', path: 'share/large', data: Buffer.alloc(5 << 20, 'l') },
      { type: 'file', path: 'share/same', data: 'of one' },
      { type: 'directory', path: 'var/empty' },
    ],
  });

type Tree = Record<string, string>;

async function installed(changes: Parameters<LinkFixture['install']>[0] = {}): Promise<Tree> {
  await rm(fixture.prefixOnDisk, { recursive: true, force: true });
  await fixture.install(changes);
  return await readTree(fixture.prefixOnDisk);
}

const shared = (): Promise<Tree> => installed({ extracted: { dir: cache, mayHardLink: true } });
const entryOf = ({ sha256 }: LockedPackage): string => path.join(cache, sha256.slice(0, 2), sha256);
const keptOf = async (locked: LockedPackage): Promise<string[]> =>
  (await readdir(path.dirname(entryOf(locked)))).filter((name) => name.includes(locked.sha256)).sort();
const namesOf = async (relative: string): Promise<number> =>
  (await stat(path.join(fixture.prefixOnDisk, relative))).nlink;
const warnings = (): string[] => fixture.events.flatMap((event) => (event.type === 'warning' ? [event.text] : []));

describe('a prefix of extracted packages', () => {
  it('is that of unpacked ones, when they are put into the cache and when they come from it', async () => {
    const unpacked = await installed();

    const first = await shared();
    const second = await shared();

    expect(first).toEqual(unpacked);
    expect(second).toEqual(unpacked);
    expect(warnings()).toEqual([]);
    expect(await keptOf(one)).toEqual([one.sha256]);
  });

  it('shares nothing that holds the prefix, and keeps hard links of the package', async () => {
    await shared();
    await shared();

    expect(await namesOf('bin/one')).toBe(1);
    expect(await namesOf('bin/names')).toBe(1);
    expect(await readFile(path.join(entryOf(one), 'files/bin/one'), 'utf8')).toContain(placeholder.text);
    const [plain, second] = await Promise.all(
      ['lib/one/plain', 'lib/second'].map((name) => stat(path.join(fixture.prefixOnDisk, name))),
    );
    expect(second?.ino).toBe(plain?.ino);
  });

  it('is made without a look into the archives', async () => {
    const unpacked = await shared();
    for (const file of fixture.archives.values()) await writeFile(file, 'no archive any more');

    expect(await shared()).toEqual(unpacked);
  });

  it('is the same in threads', async () => {
    const unpacked = await installed();
    await fixture.unpackInThreads(cache);

    expect(await shared()).toEqual(unpacked);
  });
});

describe('a package of the cache', () => {
  it.each<[string, () => Promise<void>]>([
    [
      'that was written to through a name in a prefix, its time set back',
      async () => {
        const file = path.join(fixture.prefixOnDisk, 'share/large');
        const { atime, mtime } = await stat(file);
        await writeFile(path.join(entryOf(one), 'files/share/large'), Buffer.alloc(5 << 20, 'm'));
        await utimes(path.join(entryOf(one), 'files/share/large'), atime, mtime);
      },
    ],
    ['that has another mode', () => chmod(path.join(entryOf(one), 'files/lib/one/plain'), 0o600)],
    ['with a file less', () => rm(path.join(entryOf(one), 'files/lib/one/plain'))],
    [
      'with a directory in a file’s place',
      async () => {
        await rm(path.join(entryOf(one), 'files/lib/one/plain'));
        await mkdir(path.join(entryOf(one), 'files/lib/one/plain'));
      },
    ],
    ['without its record', () => rm(path.join(entryOf(one), 'record'))],
    [
      'whose record, digest and all, names a file outside',
      async () => {
        const file = path.join(entryOf(one), 'record');
        const text = (await readFile(file, 'utf8')).replace(/^.*\n/, '').replaceAll('lib/link', '../../escaped');
        await writeFile(file, `${createHash('sha256').update(text).digest('hex')}\n${text}`);
      },
    ],
    ['whose record the disk has cut', () => writeFile(path.join(entryOf(one), 'record'), 'x')],
  ])('%s is extracted again, and that is said', async (_, change) => {
    const unpacked = await shared();
    await change();

    expect(await shared()).toEqual(unpacked);

    expect(warnings()).toEqual([expect.stringContaining(`${entryOf(one)} is not what was extracted`)]);
    expect(await shared()).toEqual(unpacked);
    expect(warnings()).toHaveLength(1);
  });

  it('that was copied with its times from another disk is still good', async () => {
    const unpacked = await shared();
    await execa('cp', ['-a', cache, `${cache}.copy`], { timeout: 60_000 });
    await rm(cache, { recursive: true });
    await execa('mv', [`${cache}.copy`, cache], { timeout: 60_000 });

    expect(await shared()).toEqual(unpacked);
    expect(warnings()).toEqual([]);
  });

  it('is kept once when two builds extract it at the same time', async () => {
    const unpacked = await installed();
    const prefixes = [1, 2, 3].map((number) => path.join(fixture.dir, `prefix-${number}`));

    await Promise.all(
      prefixes.map((prefixOnDisk) => fixture.install({ prefixOnDisk, extracted: { dir: cache, mayHardLink: true } })),
    );

    for (const prefix of prefixes) expect(await readTree(prefix)).toEqual(unpacked);
    expect(await keptOf(one)).toEqual([one.sha256]);
  });

  it('takes no harm from a build that was killed while it was extracted, whose half goes', async () => {
    const dir = path.dirname(entryOf(one));
    const [host, pid] = (await readProcessTag()).split('-');
    const dead = `.${one.sha256}.${host ?? ''}-${pid ?? ''}-00000000.000000000000.tmp`;
    const alive = `.${one.sha256}.${await readProcessTag()}.000000000000.tmp`;
    for (const name of [dead, alive]) await mkdir(path.join(dir, name, 'files'), { recursive: true });

    expect(await shared()).toEqual(await installed());

    expect(await keptOf(one)).toEqual([alive, one.sha256]);
  });
});

describe('where others write to the prefix', () => {
  it('files are not hard-linked, since what is written would be in the cache', async () => {
    const unpacked = await installed();

    expect(await installed({ extracted: { dir: cache, mayHardLink: false } })).toEqual(unpacked);
    expect(await namesOf('share/large')).toBe(1);
  });

  it('as post-link scripts do, the cache stays what it was', async () => {
    await shared();
    await fixture.add({
      name: 'scripted',
      files: [{ type: 'file', path: 'bin/.scripted-post-link.sh', data: '', mode: 0o755 }],
    });
    const file = path.join(fixture.prefixOnDisk, 'share/large');
    await installed({
      extracted: { dir: cache, mayHardLink: true },
      // The script: what matters is that it writes.
      runInside: async () => {
        await writeFile(file, 'written by a script');
        return { exitCode: 0, stdout: Buffer.from(''), stderr: '' };
      },
    });

    expect(await readFile(file, 'utf8')).toBe('written by a script');
    expect((await readFile(path.join(entryOf(one), 'files/share/large'))).equals(Buffer.alloc(5 << 20, 'l'))).toBe(
      true,
    );
  });
});

describe('on a disk that is full', () => {
  let disk: string;
  const remount = (inodes: number): Promise<unknown> =>
    execa(...asRoot('mount', '-o', `remount,nr_inodes=${inodes}`, disk), { timeout: 60_000 });
  beforeEach(async () => {
    disk = path.join(fixture.dir, 'disk');
    await mkdir(disk);
    const owner = `uid=${process.getuid?.() ?? 0}`;
    await execa(...asRoot('mount', '-t', 'tmpfs', '-o', `nr_inodes=10,${owner}`, 'none', disk), { timeout: 60_000 });
  });
  afterEach(async () => {
    await execa(...asRoot('umount', disk), { timeout: 60_000 });
  });

  it('packages are unpacked without being kept, where that is what there is room for; else the disk is named', async () => {
    // Directories cannot be shared: kept, they take as many inodes again.
    const files = Array.from(
      { length: 30 },
      (_, at) => ({ type: 'file', path: `deep/${at}/file`, data: 'x' }) as const,
    );
    await fixture.add({ name: 'deep', index: { depends: ['one', 'two'] }, files });
    const unpacked = await installed();
    const prefixOnDisk = path.join(disk, 'prefix');
    const dir = path.join(disk, 'extracted');
    const failures: unknown[] = [];
    let isDone = false;
    for (let inodes = 60; !isDone && inodes < 200; inodes += 10) {
      await remount(inodes);
      await rm(prefixOnDisk, { recursive: true, force: true });
      await rm(dir, { recursive: true, force: true });
      fixture.events.length = 0;
      const installing = fixture.install({ prefixOnDisk, extracted: { dir, mayHardLink: true } });
      isDone = await installing.then(
        () => true,
        (error: unknown) => {
          failures.push(error);
          return false;
        },
      );
    }

    expect(failures.length).toBeGreaterThan(0);
    for (const failure of failures) expect(failure).toMatchObject({ exit: 5, problems: [{ code: 'DISK_FULL' }] });
    expect(await readTree(prefixOnDisk)).toEqual(unpacked);
    expect(warnings()).toContain(`no more is kept in ${dir} (ENOSPC): packages are unpacked as without it`);
    const left = await readdir(dir, { recursive: true });
    expect(left.filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect((await lstat(dir)).isDirectory()).toBe(true);
  });
});
