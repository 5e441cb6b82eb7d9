// Publishing, going back and collecting on a disk that is full, read-only or taken away from under them, and by a clock
// that is wrong: users see what they saw, the message says what to do, and once it is mended the same command works.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runWithFault } from '../integration/release/file-calls.ts';
import { MadeSite, type MadeRelease } from '../integration/release/made-site.ts';
import { condense, type Ran } from './test-site.ts';
import { asRoot } from '../as-root.ts';

let dir: string;
let site: MadeSite;
let first: MadeRelease;
let second: MadeRelease;
const remount = (options: string) => execa(...asRoot('mount', '-o', `remount,${options}`, dir));
const ROOM = 'rw,size=64m,nr_inodes=10000';

beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-broken-'));
  const owner = `mode=0755,uid=${process.getuid?.() ?? 0}`;
  await execa(...asRoot('mount', '-t', 'tmpfs', '-o', `size=64m,nr_inodes=10000,${owner}`, 'none', dir));
  site = await MadeSite.make('gc: { releases: 1, generations: 1, longest_job_days: 0, scheduler: none }\n', dir);
  first = await site.addRelease({ builtDaysAgo: 40 });
  second = await site.addRelease({ builtDaysAgo: 30 });
  for (const release of [first, second]) expect((await run('publish', release.name)).exitCode).toBe(0);
});
afterAll(async () => {
  await execa(...asRoot('umount', dir));
  await rm(dir, { recursive: true });
});

const run = (...words: string[]): Promise<Ran> => runWith({}, ...words);
async function runWith(env: Readonly<Record<string, string>>, ...words: string[]): Promise<Ran> {
  const args = [condense, '--config', site.config.file, ...words];
  const { exitCode, stdout, stderr } = await execa(process.execPath, args, { reject: false, env });
  return { exitCode, stdout, stderr };
}

/** The release that the public path leads to. */
async function readLive(): Promise<string> {
  const launcher = await readFile(path.join(site.layout.publicScripts, 'a.d/launcher'), 'utf8');
  return /"releaseId":"([^"]+)"/.exec(launcher)?.[1] ?? '';
}

/** Each fails as told and changes nothing that users see. */
async function expectRefused(commands: readonly (readonly string[])[], says: RegExp): Promise<void> {
  for (const words of commands) {
    const { exitCode, stderr } = await run(...words);
    expect(stderr, words.join(' ')).toMatch(says);
    expect([4, 7], stderr).toContain(exitCode);
    expect(stderr).not.toMatch(/internal error|\n {4}at /);
    expect(await readLive()).toBe(second.id);
  }
}

it('leaves the old site where no inode is left, and says which file system to look at', async () => {
  const { stdout } = await execa('df', ['--output=iused', dir]);
  await remount(`nr_inodes=${Number(stdout.split('\n')[1])}`);

  await expectRefused(
    [['rollback'], ['publish', first.name], ['gc']],
    new RegExp(`no inode is left[^]*hint   (df -i ${dir}|gc needs room)`),
  );

  await remount(ROOM);
});

it('leaves the old site where no space is left', async () => {
  const ballast = path.join(dir, 'ballast');
  await writeFile(ballast, Buffer.alloc(64 << 20)).catch(() => undefined); // as much as there is room for

  await expectRefused([['rollback'], ['publish', first.name]], /no space is left[^]*hint {3}df -h /);
  await expectRefused([['gc']], /no space is left[^]*hint {3}gc needs room for its lock: rm -r /);

  await rm(ballast);
});

it('leaves the old site where the file system has become read-only', async () => {
  await remount('ro');

  await expectRefused([['rollback'], ['publish', first.name], ['gc']], /FILE_SYSTEM_READ_ONLY/);

  await remount(ROOM);
});

it.each([
  ['symlink', 'EACCES', /PERMISSION_DENIED/],
  ['rename', 'EROFS', /FILE_SYSTEM_READ_ONLY/],
  ['mkdir', 'EDQUOT', /hint {3}quota -s[^]*QUOTA_EXCEEDED/],
  ['fsync', 'EIO', /DISK_FAILED/],
] as const)('leaves the old site where a %s in the midst of it fails with %s', async (name, errno, says) => {
  const command = {
    program: process.execPath,
    args: [condense, '--config', site.config.file, 'rollback'],
    ...{ dir, trace: path.join(dir, 'trace') },
  };
  const { stderr, exitCode } = await runWithFault(command, { name, n: 2 }, `error=${errno}`);

  expect(stderr).toMatch(says);
  expect([4, 7], stderr).toContain(exitCode);
  expect(await readLive()).toBe(second.id);
});

it('goes on as if nothing had been once it is mended', async () => {
  expect((await run('rollback')).stderr).toBe('');
  expect(await readLive()).toBe(first.id);
  expect((await run('publish', second.name)).exitCode).toBe(0);
  const { stdout, exitCode } = await run('gc');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/removed .*generation/);
  expect(await readLive()).toBe(second.id);
});

it('is not misled by a clock that is set back by more than a year', async () => {
  const third = await site.addRelease({ builtDaysAgo: 10 });
  const library = `/usr/lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu/faketime/libfaketime.so.1`;
  const back = { LD_PRELOAD: library, FAKETIME: '-400d', FAKETIME_DONT_FAKE_MONOTONIC: '1' };

  expect(await runWith(back, 'publish', third.name)).toMatchObject({ exitCode: 0 });
  expect(await readLive()).toBe(third.id);
  expect(await runWith(back, 'rollback')).toMatchObject({ exitCode: 0 });
  expect(await readLive()).toBe(second.id);
  expect(await runWith(back, 'publish', third.name)).toMatchObject({ exitCode: 0 });
  expect((await runWith(back, 'gc')).exitCode).toBe(0);
  expect((await run('gc')).exitCode).toBe(0);

  expect(await readLive()).toBe(third.id);
  const { stdout } = await run('--json', 'history');
  const { generations } = JSON.parse(stdout) as { generations: { time: string }[] };
  expect(Date.parse(generations[0]?.time ?? '')).toBeLessThan(Date.now() - 399 * 86_400_000); // it was set back indeed
  expect(await run('verify')).toMatchObject({ exitCode: 0 });
});
