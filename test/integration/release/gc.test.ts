// `condense gc` on a disk: what it removes is gone, what it keeps is untouched, and it follows nobody's links.
import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, chown, mkdir, open, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { planGc, removeUnneeded, type Collection } from '../../../src/release/collect.ts';
import { describeEntry } from '../../../src/release/journal.ts';
import { publishFace } from '../../../src/release/publish.ts';
import { withLock } from '../../../src/release/site-lock.ts';
import { readGenerations } from '../../../src/release/site-state.ts';
import { checkRelease } from '../../../src/release/verify-release.ts';
import { MadeSite, type MadeRelease } from './made-site.ts';

const NOBODY = 65534;
const RULES = 'gc: { releases: 1, generations: 2, longest_job_days: 7, scheduler: none, venvs: [VENVS] }\n';

let site: MadeSite;
const children: ChildProcess[] = [];
beforeEach(async () => {
  site = await MadeSite.make(RULES.replace('[VENVS]', '[]'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await site.remove();
});

async function publish(release: MadeRelease): Promise<void> {
  const face = { versions: new Map([[release.fullName, release.id]]), aliases: new Map([['a', 'a-1']]) };
  await publishFace(site.layout, face, describeEntry('publish', release.name));
}

/** Releases built 50, 40, 30 and 20 days ago, published in turn a day later. */
async function publishFour(): Promise<MadeRelease[]> {
  const releases = [];
  for (const [index, builtDaysAgo] of [50, 40, 30, 20].entries()) {
    const release = await site.addRelease({ builtDaysAgo, base: 'abcd'[index] ?? 'a' });
    await publish(release);
    await site.ageGeneration(index + 1, builtDaysAgo - 1);
    releases.push(release);
  }
  return releases;
}

const collect = async (): Promise<Collection> =>
  await removeUnneeded(site.config, site.layout, new AbortController().signal);
const readReleases = async (): Promise<string[]> => (await readdir(site.layout.releasesOf('a-1'))).sort();
const reasonsOf = ({ items }: Collection, name: string): string =>
  items.find((item) => item.name === name)?.reasons.join('; ') ?? 'not there';

it('removes the releases, generations and bases that nothing needs, and leaves the rest as it is', async () => {
  const [, , third, fourth] = await publishFour();
  const before = await planGc(site.config, site.layout);

  const done = await collect();

  expect(done.problems).toEqual([]);
  expect(done.items).toEqual(before.items);
  expect(await readReleases()).toEqual([third?.id, fourth?.id]);
  expect((await readGenerations(site.layout)).map(({ number }) => number)).toEqual([3, 4]);
  expect(await readdir(site.layout.bases)).toEqual([`${'c'.repeat(16)}.sif`, `${'d'.repeat(16)}.sif`]);
  for (const id of await readReleases()) await checkRelease(site.layout, 'a-1', id);
  expect((await planGc(site.config, site.layout)).items.filter(({ keep }) => !keep)).toEqual([]);
  const journal = (await readFile(site.layout.journal, 'utf8')).trimEnd().split('\n');
  expect(journal.at(-1)).toContain('"action":"collect"');
  expect(await readdir(site.layout.locks)).toEqual([]);
});

it('changes nothing when it only plans', async () => {
  await publishFour();
  const before = await readdir(site.dir, { recursive: true });

  expect((await planGc(site.config, site.layout)).items.filter(({ keep }) => !keep).length).toBeGreaterThan(4);

  expect(await readdir(site.dir, { recursive: true })).toEqual(before);
});

it('keeps a release whose image a process of this node has open, even under another name', async () => {
  const [first, second] = await publishFour();
  const release = site.layout.release('a-1', first?.id ?? '');
  const other = path.join(site.dir, 'elsewhere.sqsh');
  await rename(release.image, other);
  await symlink(other, `${other}.link`);
  await rename(other, release.image);
  const handle = await open(release.image);
  const child = spawn('sleep', ['100'], { stdio: ['ignore', 'ignore', 'ignore', handle.fd] });
  await handle.close();
  const pinned = spawn('sleep', ['100'], { env: { CONDENSE_RELEASE: second?.name ?? '' }, stdio: 'ignore' });
  children.push(child, pinned);

  const done = await collect();

  expect(reasonsOf(done, first?.name ?? '')).toContain(`in use on this node by process ${child.pid ?? ''}`);
  expect(reasonsOf(done, second?.name ?? '')).toContain(`in use on this node by process ${pinned.pid ?? ''}`);
  expect(await readReleases()).toHaveLength(4);
  expect((await readdir(site.layout.bases)).length).toBe(4);
});

it('keeps all that a build may be using while there is one, wherever it runs', async () => {
  await publishFour();
  const claim = { user: 'anna', host: 'node7', pid: 1, started: '', purpose: 'build', since: 's' };
  await mkdir(site.layout.locks, { recursive: true });
  await writeFile(`${site.layout.lockFile('a-1')}.0123456789ab`, JSON.stringify(claim));

  const done = await collect();

  expect(await readReleases()).toHaveLength(4);
  expect(await readdir(site.layout.bases)).toHaveLength(4);
  expect(reasonsOf(done, (await readReleases())[0] ? `a-1/${(await readReleases())[0] ?? ''}` : '')).toContain(
    'a-1 is being built: anna on node7',
  );
  expect((await readGenerations(site.layout)).map(({ number }) => number)).toEqual([3, 4]);
});

it('clears away what killed builds, publishes and runs of its own have left', async () => {
  const [, , third, fourth] = await publishFour();
  const { layout } = site;
  const leftovers = [
    path.join(layout.releasesOf('a-1'), '.incoming-20260101T000000Z-00000000'),
    path.join(layout.releasesOf('a-1'), '.removed-20260101T000000Z-00000000'),
    path.join(layout.releasesOf('b-1'), '20260101T000000Z-00000000'),
    path.join(layout.generations, '9.tmp'),
    path.join(layout.generations, '9'),
    path.join(layout.generations, '.removed-1'),
    path.join(layout.runtime, '.removed-node-24.0.0'),
    layout.staging('a-1').root,
  ];
  for (const dir of leftovers) {
    await mkdir(dir, { recursive: true });
    await writeFile(path.join(dir, 'file'), '');
  }
  const stranger = path.join(site.config.stagingDir, 'somebody');
  await mkdir(stranger);

  await collect();

  expect(await readReleases()).toEqual([third?.id, fourth?.id]);
  expect(await readdir(layout.releases)).toEqual(['a-1']);
  expect(await readdir(layout.generations)).toEqual(['3', '4']);
  expect(await readdir(layout.runtime)).toEqual(['node-26.0.0']);
  expect(await readdir(site.config.stagingDir)).toEqual(['somebody']);
});

it('follows no link that somebody put into the store, and removes nothing through it', async () => {
  const [first, second] = await publishFour();
  const { layout } = site;
  const precious = path.join(site.dir, 'precious');
  await mkdir(path.join(precious, '20260101T000000Z-00000000'), { recursive: true });
  await writeFile(path.join(precious, 'file'), 'mine');
  // In place of a release, of a version, of what a killed gc left, of a generation, of a base, and within a release.
  await rm(layout.release('a-1', first?.id ?? '').dir, { recursive: true });
  await symlink(precious, layout.release('a-1', first?.id ?? '').dir);
  await symlink(precious, layout.releasesOf('c-1'));
  await symlink(precious, path.join(layout.releasesOf('a-1'), '.removed-x'));
  await symlink(precious, path.join(layout.generations, '9.tmp'));
  await symlink(path.join(precious, 'file'), path.join(layout.bases, 'e.sif'));
  const within = layout.release('a-1', second?.id ?? '');
  await chmod(within.overrides, 0o777);
  await symlink(precious, path.join(within.overrides, 'python3'));
  await mkdir(site.config.stagingDir, { recursive: true });
  await symlink(precious, layout.staging('a-1').dir);

  const done = await collect();

  expect(done.problems).toEqual([]);
  expect(reasonsOf(done, first?.name ?? '')).toContain('none of condense');
  expect(await readdir(precious)).toEqual(['20260101T000000Z-00000000', 'file']);
  expect(await readFile(path.join(precious, 'file'), 'utf8')).toBe('mine');
  expect(await readReleases()).not.toContain(second?.id);
});

it('refuses a link that is put into the way after it has looked', async () => {
  await publishFour();
  const { layout } = site;
  const away = path.join(site.dir, 'away');
  let done: Promise<Collection> | undefined;
  // The locks are taken last: what happens while gc waits for one happens after its first look.
  await withLock(layout.lockFile('publish'), 'a test', async () => {
    done = collect();
    while (!(await readdir(layout.locks)).some((name) => name.startsWith('gc.lock'))) await Promise.resolve();
    await rename(layout.generations, away);
    await symlink(away, layout.generations);
  });

  const { items } = (await done) ?? { items: [] };

  expect(items.filter(({ kind, keep }) => kind === 'generation' && !keep)).toEqual([]);
  expect((await readdir(away)).sort()).toEqual(['1', '2', '3', '4']);
});

it('removes nothing where nobody can tell which generation is live', async () => {
  await publishFour();
  await rm(site.layout.current);

  await expect(collect()).rejects.toMatchObject({ exit: 7, problems: [{ code: 'CURRENT_MISSING' }] });
  expect(await readReleases()).toHaveLength(4);
});

it('says of what belongs to another account that only it can remove that, and removes the rest', async () => {
  const [first, second] = await publishFour();
  const me = process.geteuid?.() ?? 0;
  const theirs = site.layout.release('a-1', first?.id ?? '').dir;
  if (me === 0) await chown(site.layout.release('a-1', second?.id ?? '').dir, NOBODY, NOBODY);
  else await execa('sudo', ['-n', 'chown', '-R', 'root', theirs]);
  if (me === 0) process.seteuid?.(NOBODY);
  try {
    const plan = await planGc(site.config, site.layout);
    expect(reasonsOf(plan, first?.name ?? '')).toContain('belongs to uid 0: only that account or root can remove it');
    expect(plan.items.filter(({ kind, keep }) => kind === 'release' && !keep).map(({ name }) => name)).toEqual([
      second?.name,
    ]);
  } finally {
    if (me === 0) process.seteuid?.(0);
  }
});

it('sees on which versions and releases venvs stand, and waits for nothing that it finds among users’ files', async () => {
  const venvs = path.join(site.dir, 'home/u/venvs');
  await site.remove();
  site = await MadeSite.make(RULES.replace('[VENVS]', `['${path.join(site.dir, 'home/*/venvs/*')}']`), await remade());
  const [first] = await publishFour();
  const gone = await site.addRelease({ fullName: 'b-1', builtDaysAgo: 60 });
  await site.addRelease({ fullName: 'b-1', builtDaysAgo: 61 });
  const make = async (name: string, link: string, home: string): Promise<void> => {
    await mkdir(path.join(venvs, name, 'bin'), { recursive: true });
    await symlink(link, path.join(venvs, name, 'bin/python'));
    await writeFile(path.join(venvs, name, 'pyvenv.cfg'), `home = ${home}\ninclude-system-site-packages = true\n`);
  };
  await make('one', path.join(site.layout.publicFarm('b-1'), 'python3'), site.layout.publicFarm('b-1'));
  await make('two', path.join(site.layout.release('a-1', first?.id ?? '').launcher), '/usr/bin');
  await make('other', '/usr/bin/python3', '/usr/bin');
  await mkdir(path.join(venvs, 'pipe'), { recursive: true });
  await new Promise((resolve) => spawn('mkfifo', [path.join(venvs, 'pipe/pyvenv.cfg')]).on('exit', resolve));

  const plan = await planGc(site.config, site.layout);

  expect(reasonsOf(plan, gone.name)).toContain(`venvs stand on b-1: ${venvs}/one`);
  expect(reasonsOf(plan, first?.name ?? '')).toContain(`the venv ${venvs}/two leads into it`);
  expect(plan.items.filter(({ kind, keep }) => kind === 'release' && keep)).toHaveLength(4);
});

/** The directory of the site, anew. */
async function remade(): Promise<string> {
  await mkdir(site.dir, { recursive: true });
  return site.dir;
}

it('removes what jobs that failed left, once they are over for certain, and no directory that is none of a job', async () => {
  const add = async (name: string, daysAgo: number, lastLineDaysAgo = daysAgo): Promise<string> => {
    const { dir } = site.layout.job(name);
    await mkdir(dir, { recursive: true });
    await writeFile(path.join(dir, '1.err'), 'error\n');
    const seconds = (days: number): number => Date.now() / 1000 - days * 24 * 60 * 60;
    await utimes(path.join(dir, '1.err'), seconds(lastLineDaysAgo), seconds(lastLineDaysAgo));
    await utimes(dir, seconds(daysAgo), seconds(daysAgo));
    return name;
  };
  const old = await add('20261101T000000Z-00000001', 8);
  const young = await add('20261101T000000Z-00000002', 6);
  const running = await add('20261101T000000Z-00000003', 8, 1);
  const foreign = await add('notes', 100);

  const planned = await planGc(site.config, site.layout);
  expect(reasonsOf(planned, old)).toBe('its last line is older than 7 days (gc.longest_job_days)');
  expect(reasonsOf(planned, young)).toBe('younger than 7 days: it runs, or failed');
  expect((await collect()).problems).toEqual([]);
  expect((await readdir(site.layout.jobs)).sort()).toEqual([young, running, foreign]);
});
