// kill -9 at every change that a command makes to the file system, one after the other, as tracing finds them: after each
// a reader finds the whole old site or the whole new one, and the next run clears up.
import { cp, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import pLimit from 'p-limit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeUnneeded } from '../../src/release/collect.ts';
import { describeEntry } from '../../src/release/journal.ts';
import { readClaims } from '../../src/release/lock-claim.ts';
import { publishFace } from '../../src/release/publish.ts';
import { withLock } from '../../src/release/site-lock.ts';
import { readCurrentGeneration, readGenerations } from '../../src/release/site-state.ts';
import { killAtCall, traceFileCalls, type FileCall, type TracedCommand } from '../integration/release/file-calls.ts';
import { MadeSite, type MadeRelease } from '../integration/release/made-site.ts';
import { condense } from './test-site.ts';

const RULES = 'gc: { releases: 1, generations: 1, longest_job_days: 0, scheduler: none }\n';

let dir: string;
/** Its directory is copied for each kill. */
let template: MadeSite;
let first: MadeRelease;
let next: MadeRelease;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-crash-'));
  template = await MadeSite.make(RULES);
  const other = await template.addRelease({ fullName: 'b-1', builtDaysAgo: 50 });
  first = await template.addRelease({ builtDaysAgo: 40, base: 'b' });
  const second = await template.addRelease({ builtDaysAgo: 30 });
  for (const release of [first, second]) {
    const versions = new Map([[other.fullName, other.id]]).set('a-1', release.id);
    const aliases = new Map([['a', 'a-1']]).set('b', 'b-1');
    await publishFace(template.layout, { versions, aliases }, describeEntry('publish', release.name));
  }
  next = await template.addRelease({ builtDaysAgo: 20 });
});
afterAll(async () => {
  await template.remove();
  await rm(dir, { recursive: true, force: true });
});

async function copySite(name: string): Promise<MadeSite> {
  const copy = path.join(dir, name);
  await cp(template.dir, copy, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  return await MadeSite.make(RULES, copy);
}

const tracedCommand = (site: MadeSite, words: readonly string[]): TracedCommand => ({
  program: process.execPath,
  args: [condense, '--config', site.config.file, ...words],
  dir: site.dir,
  trace: `${site.dir}.trace`,
});

/** What users find by each of the public ways: launcher, image, module and aliases must be of one generation. */
async function readView({ layout }: MadeSite): Promise<string> {
  const versions = [];
  for (const name of (await readdir(layout.publicScripts)).sort()) {
    const launcher = await readFile(path.join(layout.publicScripts, name, 'launcher'), 'utf8');
    const id = /"releaseId":"([^"]+)"/.exec(launcher)?.[1] ?? 'no release';
    const shown = name.replace(/\.d$/, '');
    if (/-\d$/.test(shown)) {
      const image = await readlink(path.join(layout.publicEnvs, `${shown}.sqsh`));
      const module = await readFile(path.join(layout.publicModules, shown), 'utf8');
      await readFile(path.join(layout.publicEnvs, `${shown}.sqsh`));
      expect(path.basename(path.dirname(image))).toBe(id);
      expect(module).toContain(id);
    }
    versions.push(`${shown} ${id}`);
  }
  return [...versions, await readFile(path.join(layout.publicModules, '.modulerc'), 'utf8')].join('\n');
}

/** Names that no run may leave for good, and whatever a generation shows that is not there. */
async function readLeftovers({ layout, dir: at }: MadeSite): Promise<string[]> {
  const names = (await readdir(at, { recursive: true })).filter((name) => /\.removed-|\.incoming-|\.tmp$/.test(name));
  const dead = (await readClaims(layout.locks)).map(({ file }) => file);
  // The one that a process killed in the middle of it made for a claim stays for a day: it may be at work elsewhere.
  return [...names.filter((name) => !/\.lock\.[0-9a-f]{12}\.tmp$/.test(name)), ...dead];
}

async function expectWholeGenerations({ layout }: MadeSite): Promise<void> {
  for (const { versions } of await readGenerations(layout))
    for (const [fullName, id] of versions) await readFile(layout.release(fullName, id).image);
}

/** A further publish, as any that comes next. */
async function publishNext({ layout }: MadeSite): Promise<void> {
  const seen = await readCurrentGeneration(layout);
  const versions = new Map(seen?.versions).set('a-1', next.id);
  const aliases = new Map(seen?.aliases).set('a', 'a-1');
  const entry = describeEntry('publish', next.name);
  await withLock(layout.lockFile('publish'), 'test', () => publishFace(layout, { versions, aliases }, entry));
  const numbers = (await readGenerations(layout)).map(({ number }) => number);
  expect(numbers.at(-1)).toBe((seen?.number ?? 0) + 1);
  expect((await readdir(layout.generations)).map(Number).sort((a, b) => a - b)).toEqual(numbers);
}

async function collect(site: MadeSite): Promise<void> {
  expect((await removeUnneeded(site.config, site.layout, new AbortController().signal)).problems).toEqual([]);
}

describe('killed at each of its changes to the file system', () => {
  const commands: readonly (readonly [string, () => string[], (site: MadeSite) => Promise<void>])[] = [
    ['publish', () => ['publish', next.name], publishNext],
    ['rollback', () => ['rollback'], publishNext],
    ['promote', () => ['promote', 'a-unstable=1'], publishNext],
    ['gc', () => ['gc'], collect],
  ];

  it.each(commands)(
    '%s leaves the whole old site or the whole new one, and the next run clears up',
    async (...given) => {
      const [name, words, heal] = given;
      const before = await readView(template);
      const traced = await copySite(`${name}-whole`);
      const calls = await traceFileCalls(tracedCommand(traced, words()));
      const after = await readView(traced);
      const views = new Set<string>();

      const killAt = async (call: FileCall, index: number): Promise<void> => {
        let copies = 0;
        const begin = async () => {
          const place = await copySite(`${name}-${index}-${copies++}`);
          return { place, command: tracedCommand(place, words()) };
        };
        const ran = await killAtCall(begin, call);
        if (!ran) throw new Error(`${name} came not again to ${call.text}`);
        const where = `killed at ${call.text}\n${ran.stderr}`;
        const site = ran.place;
        const view = await readView(site);
        expect([before, after], where).toContain(view);
        views.add(view);
        await expectWholeGenerations(site);
        await heal(site);
        expect(await readLeftovers(site), where).toEqual([]);
        if (name === 'gc') expect(await readStore(site), where).toEqual(await readStore(traced));
        else expect(await readView(site), where).toContain(`a ${next.id}`);
        await rm(site.dir, { recursive: true });
      };
      // Each has a site of its own.
      const limit = pLimit(os.availableParallelism());
      await Promise.all(calls.map((call, index) => limit(killAt, call, index)));

      expect(calls.length).toBeGreaterThan(20);
      expect(views).toEqual(new Set([before, after]));
      expect(calls.filter((call) => call.name.startsWith('rename') && call.text.includes('/current"'))).toHaveLength(
        name === 'gc' ? 0 : 1,
      );
    },
    900_000,
  );
});

/** What gc decides about. */
async function readStore({ layout }: MadeSite): Promise<string[]> {
  const names = await Promise.all(
    [layout.generations, layout.releasesOf('a-1'), layout.releasesOf('b-1'), layout.bases].map((one) => readdir(one)),
  );
  return names.flat().sort();
}

it('finds the old release gone after a whole gc, so that what was killed had something to do', async () => {
  const site = await copySite('gc-proof');
  expect(await readStore(site)).toContain(first.id);

  await execa(process.execPath, [condense, '--config', site.config.file, 'gc']);

  expect(await readStore(site)).not.toContain(first.id);
  expect((await readGenerations(site.layout)).map(({ number }) => number)).toEqual([2]);
});
