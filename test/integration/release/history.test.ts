// What can be told of a site: history, status and list, of real generations and releases in a temp directory.
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runDiff } from '../../../src/cli/diff.ts';
import { runHistory } from '../../../src/cli/history.ts';
import { runList } from '../../../src/cli/list.ts';
import { Output } from '../../../src/cli/output.ts';
import type { Session } from '../../../src/cli/session.ts';
import { runStatus } from '../../../src/cli/status.ts';
import { planChange, publishChange, type WantedChange } from '../../../src/release/change-face.ts';
import type { GatedRelease } from '../../../src/release/gated-release.ts';
import { planPublish } from '../../../src/release/face-plan.ts';
import type { PublicFace } from '../../../src/release/generation.ts';
import { findSince, readHistory } from '../../../src/release/history.ts';
import { renderManifest, type ReleaseFacts } from '../../../src/release/manifest.ts';
import { publishFace } from '../../../src/release/publish.ts';
import { withLock } from '../../../src/release/site-lock.ts';
import { makeConfig, makeLayout } from '../../unit/make-layout.ts';
import { makeManifest, makePackage } from '../../unit/release/make-manifest.ts';

const entry = { action: 'publish', subject: 'a', user: 'alice', host: 'login1' } as const;
let prefix: string;
let layout: ReturnType<typeof makeLayout>;
let printed: string;
let session: Session;
beforeEach(async () => {
  prefix = await mkdtemp(path.join(os.tmpdir(), 'condense-history-'));
  layout = makeLayout(prefix);
  session = openSession({ json: false });
});
afterEach(async () => {
  await rm(prefix, { recursive: true, force: true });
});

function openSession({ json }: { json: boolean }): Session {
  printed = '';
  const stdout = { isTTY: false, write: (text: string) => ((printed += text), true) };
  const stderr = { isTTY: false, columns: 80, write: () => true };
  const output = new Output({ stdout, stderr, env: {} }, { json, debug: false });
  return { config: makeConfig(prefix), layout, output, signal: new AbortController().signal };
}

/** A release as publishing and reading look at it; @returns its id */
async function makeRelease(fullName: string, changes: Partial<ReleaseFacts> = {}): Promise<string> {
  const [environment = '', version = ''] = fullName.split('-');
  const manifest = makeManifest({ fullName, environment, version, ...changes });
  const release = layout.release(fullName, manifest.id);
  await mkdir(release.modules, { recursive: true });
  for (const file of [release.image, release.launcher, release.tclModule, release.gateReport])
    await writeFile(file, 'abc');
  await writeFile(release.manifest, renderManifest(manifest));
  return manifest.id;
}
const at = (second: number): Partial<ReleaseFacts> => ({
  createdAt: `2026-11-21T00:00:${String(second).padStart(2, '0')}.000Z`,
});
const faceOf = (versions: Record<string, string>, aliases: Record<string, string> = {}): PublicFace => ({
  versions: new Map(Object.entries(versions)),
  aliases: new Map(Object.entries(aliases)),
});

describe('history', () => {
  it('tells newest first who did what and what changed, packages that are the same included', async () => {
    const first = await makeRelease('a-1', at(1));
    const second = await makeRelease('a-1', {
      ...at(2),
      inputs: { ...makeManifest().inputs, launcher: '9'.repeat(64) },
    });
    await publishFace(layout, faceOf({ 'a-1': first }), entry);
    await publishFace(layout, faceOf({ 'a-1': second }, { a: 'a-1' }), { ...entry, user: 'bob' });
    await publishFace(layout, faceOf({ 'a-1': first }), { ...entry, action: 'rollback' }, 1);

    const history = await readHistory(layout);

    expect(history.map(({ generation, user, action, restores }) => [generation, user, action, restores])).toEqual([
      [3, 'alice', 'rollback', 1],
      [2, 'bob', 'publish', undefined],
      [1, 'alice', 'publish', undefined],
    ]);
    expect(history[1]?.changes).toEqual([
      {
        ...{ kind: 'version', name: 'a-1', from: first, to: second, inputs: ['launcher'] },
        packages: { added: 0, removed: 0, changed: 0 },
      },
      { kind: 'alias', name: 'a', to: 'a-1' },
    ]);
    expect(findSince(history, 'version', 'a-1', first)?.generation).toBe(3);
    expect(findSince(history, 'version', 'a-1', second)).toBeUndefined();
  });

  it('tells what changed of generations without a record from their links', async () => {
    const first = await makeRelease('a-1', at(1));
    const second = await makeRelease('a-1', at(2));
    await publishFace(layout, faceOf({ 'a-1': first }), entry);
    await publishFace(layout, faceOf({ 'a-1': second }), entry);
    for (const number of [1, 2]) await rm(layout.generation(number).record);

    expect(await readHistory(layout)).toEqual([
      { generation: 2, changes: [{ kind: 'version', name: 'a-1', from: first, to: second }] },
      { generation: 1, changes: [{ kind: 'version', name: 'a-1', to: first }] },
    ]);
    await runHistory(session, { last: 1 });
    expect(printed).toContain('* 2  (no record of who and when)');
    expect(printed).toContain('condense history --all');
  });

  it('has nothing to tell before the first publish', async () => {
    await runHistory(session, {});

    expect(printed).toBe('nothing is published\n');
  });
});

describe('list', () => {
  it('has a line for every release, damaged and removed ones among them, then names what is wrong', async () => {
    const whole = await makeRelease('a-1', at(1));
    const short = await makeRelease('a-1', at(2));
    const gone = await makeRelease('b-1', at(3));
    const ungated = await makeRelease('a-2', at(4));
    await publishFace(layout, faceOf({ 'a-1': whole, 'b-1': gone }), entry);
    await writeFile(layout.release('a-1', short).image, 'ab');
    await rm(layout.releasesOf('b-1'), { recursive: true });
    await rm(layout.release('a-2', ungated).gateReport);

    await expect(runList(session, { releases: true })).rejects.toMatchObject({
      exit: 7,
      problems: [{ code: 'SIZE_DIFFERS' }, { code: 'RELEASE_MISSING' }],
    });

    expect(printed.split('\n')).toEqual([
      'generation 1',
      `   a-1  ${short}  0 packages  1 kB  10 inodes inside  DAMAGED (SIZE_DIFFERS)`,
      `*  a-1  ${whole}  0 packages  1 kB  10 inodes inside`,
      `   a-2  ${ungated}  0 packages  1 kB  10 inodes inside  not gated`,
      `*  b-1  ${gone}  not gated  DAMAGED (RELEASE_MISSING)`,
      '',
    ]);
  });
});

describe('status', () => {
  it('says what is live since when, what goes on, what waits and what was taken back', async () => {
    const first = await makeRelease('a-1', { ...at(1), gitCommit: `${'c'.repeat(40)}-dirty` });
    const second = await makeRelease('a-1', at(2));
    const third = await makeRelease('a-1', at(3));
    await publishFace(layout, faceOf({ 'a-1': first }, { a: 'a-1' }), entry);
    await publishFace(layout, faceOf({ 'a-1': second }, { a: 'a-1' }), entry);
    await publishFace(layout, faceOf({ 'a-1': first }, { a: 'a-1' }), { ...entry, action: 'rollback', user: 'bob' }, 1);
    await rename(layout.generation(2).dir, layout.generation(9).dir);

    await withLock(layout.lockFile('a-1'), 'build of a-1', async () => {
      // The releases have no launcher and no base that a verification knows: it has complaints.
      await expect(runStatus(session)).rejects.toMatchObject({ exit: 7 });
    });

    expect(printed).toContain('generation 3 is live: ');
    expect(printed).toContain(`  a-1  ${first}  since `);
    expect(printed).toContain('(generation 3, rollback by bob on login1)  commit cccccccccccc and changes besides');
    expect(printed).toContain('  alias a -> a-1  since ');
    expect(printed).toMatch(/being done now:\n {2}\S+ on .*, for: build of a-1\n/);
    expect(printed).toContain(
      `a-1/${third}  built 2026-11-21T00:00:03.000Z by alice on build1; condense publish a-1/${third}`,
    );
    expect(printed).toContain(`a-1/${second}  built 2026-11-21T00:00:02.000Z by alice on build1; condense publish`);
    expect(printed).toContain('generation 9 is on disk and not live');
  });

  it('tells the rest where current leads nowhere, and how to mend that', async () => {
    const first = await makeRelease('a-1', at(1));
    await publishFace(layout, faceOf({ 'a-1': first }), entry);
    await rm(layout.current);
    await symlink('generations/7', layout.current);

    await expect(runStatus(session)).rejects.toMatchObject({
      problems: [{ code: 'CURRENT_DANGLING', hint: expect.stringContaining('ln -sfnT generations/1') as string }],
    });
    expect(printed).toContain('no generation is live: users see nothing');
    expect(printed).toContain(`a-1/${first}`);
  });

  it('is of use before the first publish', async () => {
    await runStatus(session);

    expect(printed).toContain('no generation is live');
    expect(printed).toContain('nothing is being done');
  });
});

describe('diff', () => {
  it('compares releases, versions, generations and what is live', async () => {
    const first = await makeRelease('a-1', at(1));
    const second = await makeRelease('a-1', { ...at(2), packages: [makePackage('numpy', '1')] });
    const other = await makeRelease('b-1', at(1));
    await publishFace(layout, faceOf({ 'a-1': first }), entry);
    await publishFace(layout, faceOf({ 'a-1': second, 'b-1': other }, { b: 'b-1' }), entry);
    const diff = async (a: string, b: string): Promise<string> => {
      session = openSession({ json: false });
      await runDiff(session, a, b);
      return printed;
    };

    expect(await diff(`a-1/${first}`, 'a-1')).toContain(`a-1/${first} -> a-1/${second}\npackages:\n  + numpy 1 h0_0\n`);
    expect(await diff('live', `a-1/${first}`)).toContain(
      `a-1/${second} -> a-1/${first}\npackages:\n  - numpy 1 h0_0\n`,
    );
    expect(await diff('1', 'live')).toContain(`a-1  ${first} -> ${second}\n  packages:\n    + numpy 1 h0_0`);
    expect(await diff('1', '2')).toContain('alias b  is new: b-1');
    expect(await diff('b', 'b-1')).toContain('packages are the same');
    expect(await diff('2', 'live')).toBe('users see the same\n');
    for (const wrong of ['3', 'nope', '../x', 'a-1/x'])
      await expect(diff(wrong, 'live')).rejects.toMatchObject({ exit: 2, problems: [{ code: 'SUBJECT_UNKNOWN' }] });
    await expect(diff('1', 'b-1')).rejects.toThrow(/generation 1 has no b-1/);
  });

  it('tells the rest of two generations where a release is gone', async () => {
    const first = await makeRelease('a-1', at(1));
    const second = await makeRelease('a-1', at(2));
    await publishFace(layout, faceOf({ 'a-1': first }), entry);
    await publishFace(layout, faceOf({ 'a-1': second }), entry);
    await rm(layout.release('a-1', first).dir, { recursive: true });

    await runDiff(session, '1', '2');

    expect(printed).toBe(`a-1  ${first} -> ${second}\n`);
  });
});

describe('a change of what users see', () => {
  const wanted = (id: string): WantedChange => ({
    ...{ action: 'publish', subject: `a-1/${id}` },
    plan: (current) =>
      Promise.resolve(
        planPublish(
          current ?? faceOf({}),
          { releases: [{ fullName: 'a-1', id, environment: 'a' } as GatedRelease] },
          { environments: new Map() },
        ),
      ),
  });
  const ignore = (): void => undefined;

  it.each([
    ['is gone', 'CURRENT_MISSING', () => rm(layout.current)],
    [
      'leads nowhere',
      'CURRENT_DANGLING',
      async () => {
        await rm(layout.current);
        await symlink('generations/7', layout.current);
      },
    ],
  ])('is refused where current %s: everything else would be published away', async (_, code, damage) => {
    const id = await makeRelease('a-1', at(1));
    const newer = await makeRelease('a-1', at(2));
    await publishFace(layout, faceOf({ 'a-1': id }), entry);
    await publishFace(layout, faceOf({ 'a-1': newer }), entry);
    await damage();

    await expect(publishChange(session, wanted(id), ignore)).rejects.toMatchObject({ exit: 7, problems: [{ code }] });
  });

  it('goes on after a first publish that was killed before anybody saw it', async () => {
    const id = await makeRelease('a-1', at(1));
    await publishFace(layout, faceOf({ 'a-1': id }), entry);
    await rm(layout.current);

    expect((await planChange(session, wanted(id))).generation).toBe(2);
  });
});
