// Mirrors of real archives: what is solved and installed from them, alone, is what was from the channels.
import { chmod, cp, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OPEN_ACCESS } from '../../../src/conda/channel-access.ts';
import { renderLock, type EnvironmentLock } from '../../../src/conda/lock.ts';
import { nativeInstaller } from '../../../src/conda/native-installer.ts';
import type { MirroredLock } from '../../../src/mirror/mirror-plan.ts';
import { planMirrorChange, writeMirror, type MirrorOutcome } from '../../../src/mirror/write-mirror.ts';
import type { WorkEvent } from '../../../src/system/events.ts';
import { writeCondaPackage, type CondaPackage, type PackageRecord } from '../../channel/conda-package.ts';
import { serveChannel, type ServedChannel } from '../../channel/serve-channel.ts';
import { writeRepodata } from '../../channel/write-repodata.ts';
import { readTree } from '../conda/link-fixture.ts';
import { writeShards } from '../conda/shard-repodata.ts';
import { solve } from '../conda/solve-channel.ts';

let dir: string;
let source: ServedChannel;
let events: WorkEvent[];
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-mirror-'));
  events = [];
  await writeChannel('main', [
    tool('tool', '1.0', { depends: ['lib'] }),
    tool('tool', '2.0', { depends: ['lib >=9'] }),
    tool('lib', '1.0', { format: 'tar.bz2', license: 'MIT' }),
  ]);
  await writeChannel('own', [tool('lib', '1.0', { text: 'of our own' }), tool('extra', '1.0', { subdir: 'linux-64' })]);
  source = await serveChannel(path.join(dir, 'channels'));
});
afterEach(async () => {
  await source.close();
  await rm(dir, { recursive: true, force: true });
});

type Made = Partial<CondaPackage['index']> & { format?: CondaPackage['format']; text?: string };

function tool(name: string, version: string, made: Made = {}): Omit<CondaPackage, 'dir'> {
  const { format = 'conda', text = `${name} ${version}`, ...index } = made;
  const fixed = { name, version, build: '0', build_number: 0, subdir: 'noarch', depends: [] };
  return { format, index: { ...fixed, ...index }, files: [{ type: 'file', path: `share/${name}`, data: text }] };
}

/** @param correct what the channel's maintainers have changed since */
async function writeChannel(
  name: string,
  packages: readonly Omit<CondaPackage, 'dir'>[],
  correct: (record: PackageRecord) => PackageRecord = (record) => record,
): Promise<void> {
  const at = path.join(dir, 'channels', name);
  await rm(at, { recursive: true, force: true });
  const records = [];
  for (const one of packages) records.push(correct(await writeCondaPackage({ ...one, dir: at })));
  await writeRepodata(at, records);
}

const ask = (channelAlias: string, specs: readonly string[], channels: readonly string[] = ['own', 'main']) =>
  solve({ specs, channels, channelAlias });

const asMirrored = (name: string, lock: EnvironmentLock): MirroredLock => ({
  name,
  title: name,
  text: renderLock(lock),
  lock,
});

const mirrorDir = (): string => path.join(dir, 'mirror');

async function mirror(
  locks: readonly MirroredLock[],
  more: { prune?: boolean; dir?: string } = {},
): Promise<MirrorOutcome> {
  return await writeMirror({
    dir: mirrorDir(),
    locks,
    prune: false,
    alias: source.url,
    access: OPEN_ACCESS,
    packageCacheDir: path.join(dir, 'cache'),
    repodataCacheDir: path.join(dir, 'repodata'),
    report: (event) => events.push(event),
    signal: new AbortController().signal,
    ...more,
  });
}

/** The directory that stands for the server of the channels. */
const aliasPath = (): string => `conda/_http/127.0.0.1_${new URL(source.url).port}`;
const named = (lock: EnvironmentLock) =>
  lock.packages.map(({ name, version, build, sha256, channel }) => ({
    ...{ name, version, build, sha256 },
    channel: path.posix.basename(channel),
  }));

async function install(lock: EnvironmentLock, name: string): Promise<Record<string, string>> {
  const prefixOnDisk = path.join(dir, name);
  await nativeInstaller.install({
    lock: { ...lock },
    requestedSpecs: [],
    prefixOnDisk,
    prefixInside: '/opt/conda/a-1',
    cacheDir: path.join(dir, `cache of ${name}`),
    runInside: ({ program }) => Promise.reject(new Error(`${program} must not run`)),
    report: (event) => events.push(event),
  });
  const tree = await readTree(prefixOnDisk);
  // The records name where packages came from.
  return Object.fromEntries(Object.entries(tree).filter(([file]) => !file.startsWith('conda-meta/')));
}

describe('a mirror', () => {
  it('clears away what a killed run has left, but no claim of somebody who waits for its lock', async () => {
    await mkdir(mirrorDir());
    const [left, claim] = ['.index.html.0123456789ab.tmp', '.condense.lock.0123456789ab.tmp'];
    for (const name of [left, claim]) await writeFile(path.join(mirrorDir(), name), '');

    await mirror([asMirrored('a-1', await ask(source.url, ['tool']))]);

    const names = await readdir(mirrorDir());
    expect(names).toContain(claim);
    expect(names).not.toContain(left);
  });

  it('alone gives the same packages and files, over http and as a directory', async () => {
    const lock = await ask(source.url, ['tool', 'main::lib', 'extra']);
    const tree = await install(lock, 'first');
    await mirror([asMirrored('a-1', lock)]);
    await rm(path.join(dir, 'channels'), { recursive: true });

    const served = await serveChannel(mirrorDir());
    for (const base of [served.url, pathToFileURL(mirrorDir()).href]) {
      const again = await ask(`${base}/${aliasPath()}`, ['tool', 'main::lib', 'extra']);
      expect(named(again), base).toEqual(named(lock));
      expect(await install(again, `again ${base.slice(0, 4)}`)).toEqual(tree);
    }
    await served.close();
  });

  it('has strict priority as the channels have it, with files of one name in both', async () => {
    const first = await ask(source.url, ['lib']);
    const pinned = await ask(source.url, ['main::lib']);
    await mirror([asMirrored('first', first), asMirrored('pinned', pinned)]);

    const alias = `${pathToFileURL(mirrorDir()).href}/${aliasPath()}`;

    expect(named(await ask(alias, ['lib']))).toEqual(named(first));
    expect(named(await ask(alias, ['main::lib']))).toEqual(named(pinned));
    expect(named(first)).not.toEqual(named(pinned));
  });

  it.each(['repodata.json', 'shards'])(
    'keeps what the channel corrected in %s, without which it would not solve',
    async (form) => {
      const broken = [tool('tool', '1.0', { depends: ['lib >=9'] }), tool('lib', '1.0')];
      await writeChannel('main', broken, (record) =>
        record.index.name === 'tool' ? { ...record, index: { ...record.index, depends: ['lib'] } } : record,
      );
      if (form === 'shards') {
        await writeShards(path.join(dir, 'channels/main/noarch'));
        await rm(path.join(dir, 'channels/main/noarch/repodata.json'));
        await rm(path.join(dir, 'channels/main/noarch/repodata.json.zst'));
      }
      const lock = await ask(source.url, ['tool'], ['main']);
      await mirror([asMirrored('a-1', lock)]);
      expect(events).not.toContainEqual(expect.objectContaining({ type: 'warning' }));
      await rm(path.join(dir, 'channels'), { recursive: true });

      const alias = `${pathToFileURL(mirrorDir()).href}/${aliasPath()}`;
      expect(named(await ask(alias, ['tool'], ['main']))).toEqual(named(lock));

      // And keeps it when the channel is gone.
      expect((await mirror([asMirrored('a-1', lock)])).changed).toBe(false);
    },
  );

  it('takes what packages say of themselves where the channel is gone, from .conda and .tar.bz2, and says so', async () => {
    const lock = await ask(source.url, ['tool', 'main::lib']);
    await install(lock, 'filled'); // has them in its cache
    await cp(path.join(dir, 'cache of filled'), path.join(dir, 'cache'), { recursive: true });
    await rm(path.join(dir, 'channels'), { recursive: true });

    await mirror([asMirrored('a-1', lock)]);

    const alias = `${pathToFileURL(mirrorDir()).href}/${aliasPath()}`;
    expect(named(await ask(alias, ['tool', 'main::lib']))).toEqual(named(lock));
    expect(events).toContainEqual({
      type: 'warning',
      text: expect.stringContaining('what its packages say of themselves is taken') as string,
    });
    expect(await readFile(path.join(mirrorDir(), 'index.html'), 'utf8')).toContain('<td>MIT</td>');
  });

  it('is the same bytes wherever and in whichever order it was made', async () => {
    const a = asMirrored('a', await ask(source.url, ['tool']));
    const b = asMirrored('b', await ask(source.url, ['extra']));
    await mirror([a, b]);
    await mirror([b], { dir: path.join(dir, 'other') });
    await mirror([a], { dir: path.join(dir, 'other') });

    const bytes = async (of: string): Promise<unknown> =>
      Object.entries(await readTree(of)).map(([file, what]) => [file, what.split(' ').toSpliced(1, 1)]);
    expect(await bytes(path.join(dir, 'other'))).toEqual(await bytes(mirrorDir()));
  });

  it('has repodata.json and .zst of one content, and hard links to the cache', async () => {
    const lock = await ask(source.url, ['tool']);
    await mirror([asMirrored('a-1', lock)]);

    const noarch = path.join(mirrorDir(), aliasPath(), 'main/noarch');
    const text = await readFile(path.join(noarch, 'repodata.json'));
    expect(zstdDecompressSync(await readFile(path.join(noarch, 'repodata.json.zst')))).toEqual(text);
    expect((await lstat(path.join(noarch, 'tool-1.0-0.conda'))).nlink).toBe(2);
  });
});

describe('adding to a mirror', () => {
  it('fetches what is new only, and says when nothing is', async () => {
    const a = asMirrored('a', await ask(source.url, ['tool']));
    const b = asMirrored('b', await ask(source.url, ['tool', 'extra']));
    await mirror([a]);

    expect((await planMirrorChange({ dir: mirrorDir(), locks: [b], prune: false })).missing).toHaveLength(1);
    const outcome = await mirror([b]);
    expect(outcome.missing.map(({ file }) => file)).toEqual(['extra-1.0-0.conda']);
    expect(outcome.plan.locks.map(({ name }) => name)).toEqual(['a', 'b']);

    const before = await readTree(mirrorDir());
    expect((await mirror([b])).changed).toBe(false);
    expect(await readTree(mirrorDir())).toEqual(before);
  });

  it('leaves the old index where a package cannot be had', async () => {
    await mirror([asMirrored('a', await ask(source.url, ['tool']))]);
    const before = await readTree(mirrorDir());
    const b = await ask(source.url, ['extra']);
    await rm(path.join(dir, 'channels/own/linux-64/extra-1.0-0.conda'));

    await expect(mirror([asMirrored('b', b)])).rejects.toMatchObject({ problems: [{ code: 'PACKAGE_UNREACHABLE' }] });

    const after = await readTree(mirrorDir());
    for (const [file, what] of Object.entries(before))
      if (/index\.html$|repodata|\.conda$|locks\//.test(file) && !what.endsWith('directory'))
        expect(after[file]).toBe(what);
    // A later run, without the lock that failed, goes on as if nothing had been.
    expect((await mirror([])).plan.locks.map(({ name }) => name)).toEqual(['a']);
  });

  it('goes on where a first run ended early', async () => {
    const b = await ask(source.url, ['extra']);
    const file = path.join(dir, 'channels/own/linux-64/extra-1.0-0.conda');
    const whole = await readFile(file);
    await rm(file);
    await expect(mirror([asMirrored('b', b)])).rejects.toThrow(/cannot be downloaded/);
    await writeFile(file, whole);

    expect((await mirror([asMirrored('b', b)])).changed).toBe(true);
  });

  it('puts back a package that is cut short, and clears what a killed run left', async () => {
    const lock = asMirrored('a', await ask(source.url, ['tool']));
    await mirror([lock]);
    const file = path.join(mirrorDir(), aliasPath(), 'main/noarch/tool-1.0-0.conda');
    const whole = await readFile(file);
    await rm(file);
    await writeFile(file, 'cut');
    await writeFile(path.join(path.dirname(file), '.repodata.json.0011.tmp'), 'half');

    await mirror([lock]);

    expect(await readFile(file)).toEqual(whole);
    expect(Object.keys(await readTree(mirrorDir())).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('fetches again what the disk has damaged in the cache, instead of serving it', async () => {
    const lock = await ask(source.url, ['extra']);
    await install(lock, 'filled');
    await cp(path.join(dir, 'cache of filled'), path.join(dir, 'cache'), { recursive: true });
    const { sha256 = '' } = lock.packages[0] ?? {};
    const cached = path.join(dir, 'cache', sha256.slice(0, 2), `${sha256}.conda`);
    const whole = await readFile(cached);
    await chmod(cached, 0o644);
    await writeFile(cached, Buffer.alloc(whole.length));

    await mirror([asMirrored('a', lock)]);

    expect(await readFile(path.join(mirrorDir(), aliasPath(), 'own/linux-64/extra-1.0-0.conda'))).toEqual(whole);
  });
});

describe('--prune', () => {
  it('removes what no given lock needs, and nothing that somebody else put there', async () => {
    const a = asMirrored('a', await ask(source.url, ['tool']));
    const b = asMirrored('b', await ask(source.url, ['extra'], ['own']));
    await mirror([a, b]);
    const stranger = path.join(mirrorDir(), aliasPath(), 'main/noarch/README');
    await writeFile(stranger, 'mine');

    const outcome = await mirror([b], { prune: true });

    const left = Object.keys(await readTree(mirrorDir())).filter((file) =>
      /\.(?:conda|bz2|yml|zst)$|README/.test(file),
    );
    expect(left).toEqual([
      `${aliasPath()}/main/noarch/README`,
      `${aliasPath()}/own/linux-64/extra-1.0-0.conda`,
      `${aliasPath()}/own/linux-64/repodata.json.zst`,
      `${aliasPath()}/own/noarch/repodata.json.zst`,
      'locks/b.lock.yml',
    ]);
    expect(outcome.unneeded).toContain('locks/a.lock.yml');
    expect((await mirror([b], { prune: true })).changed).toBe(false);
  });

  it('reaches nothing through a link', async () => {
    const a = asMirrored('a', await ask(source.url, ['tool']));
    const b = asMirrored('b', await ask(source.url, ['extra'], ['own']));
    await mirror([a, b]);
    const main = path.join(mirrorDir(), aliasPath(), 'main');
    await cp(main, path.join(dir, 'elsewhere'), { recursive: true });
    await rm(main, { recursive: true });
    await symlink(path.join(dir, 'elsewhere'), main);

    await expect(mirror([b], { prune: true })).rejects.toMatchObject({ problems: [{ code: 'MIRROR_INVALID' }] });
    expect(Object.keys(await readTree(path.join(dir, 'elsewhere')))).toContain('noarch/tool-1.0-0.conda');
  });
});

describe('a directory that is no mirror', () => {
  it('is refused and left alone', async () => {
    const lock = asMirrored('a', await ask(source.url, ['extra']));
    await writeChannel('../home', []);
    const home = path.join(dir, 'home');
    const before = await readTree(home);

    await expect(mirror([lock], { dir: home })).rejects.toMatchObject({ problems: [{ code: 'MIRROR_NOT_OURS' }] });
    expect(await readTree(home)).toEqual(before);
  });

  it('is refused where its mirror.json names files outside', async () => {
    const lock = asMirrored('a', await ask(source.url, ['extra']));
    await mirror([lock]);
    const state = path.join(mirrorDir(), 'mirror.json');
    const evil = JSON.parse(await readFile(state, 'utf8')) as { files: string[] };
    evil.files.push('conda/../../cache');
    await writeFile(state, JSON.stringify(evil));

    await expect(mirror([lock], { prune: true })).rejects.toMatchObject({ problems: [{ code: 'MIRROR_INVALID' }] });
  });
});
