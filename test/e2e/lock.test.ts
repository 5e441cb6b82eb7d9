// `condense lock` and the builds that install what it says: from a spec to a pull request to a release.
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseLocks } from '../../src/conda/lock.ts';
import { writeRepodata } from '../channel/write-repodata.ts';
import { record } from '../integration/conda/solve-channel.ts';
import { writeHelloChannel } from './hello-channel.ts';
import { TestSite } from './test-site.ts';

let site: TestSite;
let channel: string;
let file: string;
beforeAll(async () => {
  site = await TestSite.make();
  channel = await writeHelloChannel(site.dir, ['1.0']);
  file = path.join(site.dir, 'environments/a/environment.lock.yml');
  await writeConfig();
  await site.writeSpec('a', [channel], ['hello']);
});
afterAll(() => site.remove());

const writeConfig = (more = '', of = ''): Promise<void> =>
  site.writeConfig(`  a: { version: '1', stable: '1'${of} }\n`, more);
const locked = async (): Promise<string[]> =>
  parseLocks(await readFile(file, 'utf8'), file).map(
    ({ platform, packages }) => `${platform} ${packages.map(({ name, version }) => `${name} ${version}`).join(', ')}`,
  );

async function installed(): Promise<string[]> {
  const dir = path.join(site.prefix, 'apps/condense/releases/a-1', (await site.liveRelease('a-1')) ?? '');
  const manifest = JSON.parse(await readFile(path.join(dir, 'manifest.json'), 'utf8')) as {
    packages: { name: string; version: string }[];
  };
  return manifest.packages.map(({ name, version }) => `${name} ${version}`);
}

/** Runs `condense lock a ...`, which must end so and say so. */
async function lock(args: readonly string[], exit: number, ...says: readonly (string | RegExp)[]): Promise<string> {
  const { exitCode, stdout, stderr } = await site.condense('lock', 'a', ...args);
  const said = `${stdout}\n${stderr}`;
  for (const words of says) expect(said).toMatch(words);
  expect(exitCode, said).toBe(exit);
  return stdout;
}

describe('a lock', () => {
  it('is written beside the spec once, and is installed though there is something newer', async () => {
    await lock(['--check'], 3, 'there is no such file', 'hint   condense lock a');
    await lock(['--dry-run'], 0, `${file} would be written`, '1 packages, all new');
    await lock(['--check'], 3, 'there is no such file');
    await lock([], 0, `${file} was written`);
    await lock(['--check'], 0, `${file} fits: linux-64`);
    expect(await locked()).toEqual(['linux-64 hello 1.0']);

    await writeHelloChannel(site.dir, ['1.0', '2.0']);
    await lock([], 0, 'nothing to do');
    await site.condenseOk('install', 'a');

    expect(await installed()).toEqual(['hello 1.0']);
    const again = await site.condense('install', 'a');
    expect(again.stdout).toContain('was live already: nothing to do');
    expect(again.stderr).not.toContain('solve');
  });

  it('of another spec is refused before anything is built, and says what changed', async () => {
    await site.writeSpec('a', [channel], ['hello >=1']);

    for (const words of [
      ['install', 'a'],
      ['build', 'a'],
      ['lock', '--check'],
    ]) {
      const { exitCode, stderr } = await site.condense(...words);
      expect(exitCode, stderr).toBe(3);
      expect(stderr).toMatch(/environment\.lock\.yml {2}the lock does not fit/);
      expect(stderr).toMatch(/- spec hello >=1 is new\n.*- spec hello is gone/);
      expect(stderr).toContain('hint   condense lock a');
      expect(stderr).not.toContain('base');
    }
    expect(await installed()).toEqual(['hello 1.0']);
  });

  it('moves what it must, and more only when asked', async () => {
    await lock([], 0, `${file} was written`, 'nothing differs: 1 package');
    expect(await locked()).toEqual(['linux-64 hello 1.0']);
    await lock(['--update', 'nothing-like-it'], 2, 'there is nothing called nothing-like-it in the lock');
    await lock(['--update', 'hello', '--dry-run'], 0, '↑ hello 1.0 -> 2.0');
    expect(await locked()).toEqual(['linux-64 hello 1.0']);

    const before = await readFile(file, 'utf8');
    await writeFile(path.join(site.dir, 'old.lock.yml'), before);
    await lock(['--update'], 0, '↑ hello 1.0 -> 2.0', /0 removed, 0 added, 1 changed/);

    expect(await locked()).toEqual(['linux-64 hello 2.0']);
    await lock(['--update'], 0, 'nothing to do');
    await lock(['--diff', 'old.lock.yml'], 0, '↑ hello 1.0 -> 2.0');
  });

  it('is compared with what git has', async () => {
    const git = (...args: string[]) =>
      execa('git', ['-c', 'user.name=me', '-c', 'user.email=me@example.org', '-C', site.dir, ...args]);
    await git('init', '-q');
    await git('add', 'environments');
    await git('commit', '-qm', 'Lock');
    await lock(['--diff'], 0, 'nothing differs');
    await lock(['--diff', 'no-such-branch'], 2, 'neither a lock file nor a revision');
    await lock(['--diff', '--upload-pack=touch'], 2);
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll('2.0', '1.0'));

    const answer = JSON.parse(await site.condenseOk('--json', 'lock', 'a', '--diff', 'HEAD')) as {
      platforms: { diff: { changed: object[] } }[];
    };
    expect(answer.platforms[0]?.diff.changed).toMatchObject([{ name: 'hello', kind: 'downgrade' }]);
    await git('checkout', '-q', '.');
  });

  it('with the marks of a merge is refused at the line, and made anew when all of it is asked for', async () => {
    await writeFile(file, `<<<<<<< HEAD\n${await readFile(file, 'utf8')}`);
    await lock(['--check'], 3, /environment\.lock\.yml:1:1/, 'the marks of a merge', 'git checkout --theirs');
    await lock([], 3, 'LOCK_INVALID');
    await lock(['--update'], 0, 'it is made anew', `${file} was written`);
    await lock(['--check'], 0);
  });

  it('has the platforms that the configuration names, and is refused where one is missing', async () => {
    await writeConfig('', `, platforms: [linux-64, linux-aarch64]`);
    await lock(['--check'], 3, 'linux-aarch64 is not locked');
    // hello is for linux-64 alone.
    await lock([], 5, 'no package is called hello');
    const both = path.join(site.dir, 'both');
    await writeRepodata(both, [
      record('tool', '1', ['__glibc >=2.17']),
      record('tool', '2', [], { subdir: 'linux-aarch64' }),
    ]);
    await site.writeSpec('a', [pathToFileURL(both).href], ['tool']);
    await lock([], 0, 'linux-aarch64:', 'linux-64:');
    expect(await locked()).toEqual(['linux-64 tool 1', 'linux-aarch64 tool 2']);
    await lock(['--platform', 'linux-s390x'], 2, 'it is for linux-64, linux-aarch64');
    await writeConfig('', `, platforms: [linux-aarch64]`);
    await lock([], 0);
    const { exitCode, stderr } = await site.condense('build', 'a');
    expect([exitCode, stderr]).toEqual([3, expect.stringContaining('it has linux-aarch64, not linux-64')]);
    await writeConfig();
    await rm(file);
  });

  it('keeps new packages out for as long as the configuration says, and the command line can only be stricter', async () => {
    await site.writeSpec('a', [channel], ['hello']);
    await writeConfig(`channels: { exclude_newer: '2026-11-01' }\n`);
    // The packages of this channel do not say when they were made.
    await lock([], 5, /2 records of 2026-11-01T00:00:00.000Z and later, or without a time, were not considered/);
    await lock(['--exclude-newer', '1 day'], 5, '2026-11-01T00:00:00.000Z');
    await lock(['--exclude-newer', '2026-10-01'], 5, '2026-10-01T00:00:00.000Z');
    await lock(['--exclude-newer', 'soon'], 2, '--exclude-newer must be a date');
    await writeConfig();
    await lock([], 0);
    await writeConfig(`channels: { exclude_newer: '7 days' }\n`);
    await lock(['--check'], 3, 'exclude_newer is set; it was made without');
    await writeConfig();
  });

  it.each(['conda-lock', 'explicit'] as const)('goes to %s and comes back the same', async (format) => {
    await lock([], 0);
    const before = await readFile(file, 'utf8');
    const foreign = path.join(site.dir, 'foreign');
    await writeFile(foreign, await lock(['--export', format], 0));
    await rm(file);
    await lock(['--from', foreign, '--dry-run'], 0, 'would be written');

    await lock(['--from', foreign], 0, `${file} was written`);

    expect(await readFile(file, 'utf8')).toBe(before);
    await lock(['--from', foreign], 0, 'nothing to do');
    await writeFile(
      foreign,
      (await readFile(foreign, 'utf8')).replaceAll('hello-2.0', 'hello-3.0').replaceAll("'2.0'", "'3.0'"),
    );
    await lock(['--from', foreign], 3, 'IMPORT_MISFIT', 'hello');
    await lock(['--from', foreign, '--check'], 2, '--from and --export are for one environment');
    expect(await readFile(file, 'utf8')).toBe(before);
  });
});
