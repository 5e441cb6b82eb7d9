import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseGateRecord, type GateReport } from '../../../src/release/gate-report.ts';
import { renderManifest } from '../../../src/release/manifest.ts';
import { digestText } from '../../../src/system/files.ts';
import { readGatedRelease, type GatedRelease } from '../../../src/release/gated-release.ts';
import { parseGenerationRecord } from '../../../src/release/generation-record.ts';
import { findRelease, readManifest, readNextTime, removeAbandoned } from '../../../src/release/find-release.ts';
import { planPublish } from '../../../src/release/face-plan.ts';
import { NOTHING_PUBLISHED, type PublicFace } from '../../../src/release/generation.ts';
import { publishFace, readWrongLinks } from '../../../src/release/publish.ts';
import { readCurrentGeneration, readGenerations } from '../../../src/release/site-state.ts';
import type { Layout } from '../../../src/site/layout.ts';
import { makeLayout } from '../../unit/make-layout.ts';
import { writeGatedFiles } from './gated-files.ts';

const entry = { action: 'publish', subject: 'a', user: 'u', host: 'h' } as const;
const policy = { environments: new Map([['a', { name: 'a', stable: '1' }]]) };
let prefix: string;
let layout: Layout;
beforeEach(async () => {
  prefix = await mkdtemp(path.join(os.tmpdir(), 'condense-publish-'));
  layout = makeLayout(prefix);
});
afterEach(async () => {
  await rm(prefix, { recursive: true, force: true });
});

/** A release directory with the files that publishing looks for. */
async function makeRelease(fullName: string, id: string): Promise<void> {
  await writeGatedFiles(layout.release(fullName, id), fullName, id);
}
const withRelease = (face: PublicFace, fullName: string, id: string): PublicFace =>
  planPublish(face, { releases: [{ fullName, id, environment: 'a' } as GatedRelease] }, policy).face;

const OLD = '20261121T000000Z-00000000';
const NEW = '20261122T000000Z-11111111';

it('shows a release under the names that users know, and reads the same back', async () => {
  await makeRelease('a-1', OLD);
  const face = withRelease(NOTHING_PUBLISHED, 'a-1', OLD);

  const { number } = await publishFace(layout, face, entry);

  expect(number).toBe(1);
  expect(await readFile(path.join(prefix, 'apps/conda_envs/a-1.sqsh'), 'utf8')).toBe(OLD);
  expect(await readlink(path.join(prefix, 'apps/conda_envs/a-1'))).toBe('/opt/conda/a-1');
  expect(await readFile(path.join(prefix, 'apps/conda_scripts/a.d/launcher'), 'utf8')).toBe(OLD);
  expect(await readFile(path.join(prefix, 'modules/conda/a-1'), 'utf8')).toBe(OLD);
  expect(await readFile(path.join(prefix, 'modules/conda/.modulerc'), 'utf8')).toContain('"conda/a-1" "a"');
  expect(await readCurrentGeneration(layout)).toEqual({ ...face, number: 1 });
});

it('passes over a damaged release when it looks for one to use again, so that building goes on', async () => {
  await makeRelease('a-1', OLD);
  await makeRelease('a-1', NEW);
  await rm(layout.release('a-1', NEW).manifest);

  expect(await findRelease(layout, 'a-1', () => true)).toBeUndefined();
  await expect(readManifest(layout, 'a-1', NEW)).rejects.toMatchObject({ problems: [{ code: 'RELEASE_MISSING' }] });
});

it('gives a new release a later time than every other has, whatever the clock of this machine says', async () => {
  expect(await readNextTime(layout, 'a-1', Date.UTC(2026, 0, 1))).toBe('2026-01-01T00:00:00.000Z');
  await makeRelease('a-1', NEW);
  await makeRelease('a-1', OLD);

  expect(await readNextTime(layout, 'a-1', Date.UTC(2026, 0, 1))).toBe('2026-11-22T00:00:01.000Z');
  expect(await readNextTime(layout, 'a-1', Date.UTC(2026, 10, 22, 0, 0, 0, 500))).toBe('2026-11-22T00:00:01.000Z');
  expect(await readNextTime(layout, 'a-1', Date.UTC(2027, 0, 1))).toBe('2027-01-01T00:00:00.000Z');
});

it('keeps a live release that has lost its gate report, and removes one that never had it', async () => {
  await makeRelease('a-1', OLD);
  await makeRelease('a-1', NEW);
  await publishFace(layout, withRelease(NOTHING_PUBLISHED, 'a-1', OLD), entry);
  for (const id of [OLD, NEW]) await rm(layout.release('a-1', id).gateReport);

  await removeAbandoned(layout, 'a-1');

  expect(await readdir(layout.releasesOf('a-1'))).toEqual([OLD]);
});

it('keeps a release that failed its gate for another try, which nobody can publish, until another one is made', async () => {
  const ids = [OLD, NEW, '20261120T000000Z-0a0b0c0d'];
  for (const id of ids) {
    await makeRelease('a-1', id);
    await rm(layout.release('a-1', id).gateReport);
  }
  const [failed = '', cut = ''] = ids;
  for (const [id, end] of [
    [failed, undefined],
    [cut, 200],
  ] as const) {
    const { gateRecord } = layout.release('a-1', id);
    const text = (await readFile(gateRecord, 'utf8')).replaceAll('passed"', 'failed"');
    await writeFile(gateRecord, text.slice(0, end));
  }

  await removeAbandoned(layout, 'a-1');

  expect(await readdir(layout.releasesOf('a-1'))).toEqual([failed]);
  await expect(readGatedRelease(layout, 'a-1', failed)).rejects.toThrow();
  expect(await findRelease(layout, 'a-1', () => true)).toBeUndefined();
  await removeAbandoned(layout, 'a-1', { failed: true });
  expect(await readdir(layout.releasesOf('a-1'))).toEqual([]);
});

it('keeps older generations whole and numbers the next one higher', async () => {
  await makeRelease('a-1', OLD);
  await makeRelease('a-1', NEW);
  const first = withRelease(NOTHING_PUBLISHED, 'a-1', OLD);
  await publishFace(layout, first, entry);
  await publishFace(layout, withRelease(first, 'a-1', NEW), entry);

  expect(await readFile(path.join(prefix, 'apps/conda_scripts/a.d/launcher'), 'utf8')).toBe(NEW);
  expect((await readGenerations(layout)).map((generation) => generation.versions.get('a-1'))).toEqual([OLD, NEW]);
});

it('refuses a release without a gate report, and leaves what users see as it was', async () => {
  await makeRelease('a-1', OLD);
  await makeRelease('a-1', NEW);
  const first = withRelease(NOTHING_PUBLISHED, 'a-1', OLD);
  await publishFace(layout, first, entry);
  await rm(layout.release('a-1', NEW).gateReport);

  await expect(publishFace(layout, withRelease(first, 'a-1', NEW), entry)).rejects.toMatchObject({ exit: 7 });
  expect((await readCurrentGeneration(layout))?.number).toBe(1);
});

it('puts one release back although another that is live was damaged', async () => {
  await makeRelease('a-1', OLD);
  await makeRelease('a-1', NEW);
  await makeRelease('b-1', OLD);
  const before = withRelease(withRelease(NOTHING_PUBLISHED, 'a-1', NEW), 'b-1', OLD);
  await publishFace(layout, before, entry);
  await rm(layout.release('b-1', OLD).manifest);

  expect((await publishFace(layout, withRelease(before, 'a-1', OLD), entry)).number).toBe(2);
});

it('refuses a face with an alias that leads nowhere, and leaves what users see as it was', async () => {
  await makeRelease('a-1', OLD);
  const face = { versions: new Map([['a-1', OLD]]), aliases: new Map([['a', 'a-2']]) };

  await expect(publishFace(layout, face, entry)).rejects.toMatchObject({ problems: [{ code: 'ALIAS_DANGLING' }] });
  expect(await readGenerations(layout)).toEqual([]);
});

it('keeps in the generation and in the journal who did what, when, and what it changed', async () => {
  await makeRelease('a-1', OLD);
  await makeRelease('a-1', NEW);
  const first = withRelease(NOTHING_PUBLISHED, 'a-1', OLD);
  await publishFace(layout, first, entry);

  const { changes } = await publishFace(layout, withRelease(first, 'a-1', NEW), entry, 1);

  const record = parseGenerationRecord(await readFile(layout.generation(2).record, 'utf8'));
  expect(changes).toMatchObject([{ kind: 'version', name: 'a-1', from: OLD, to: NEW }]);
  expect(record).toMatchObject({ ...entry, generation: 2, restores: 1, changes });
  const lines = (await readFile(layout.journal, 'utf8')).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    expect.objectContaining({ generation: 1 }),
    record,
  ]);
});

it('does not replace a directory that is not its own', async () => {
  await makeRelease('a-1', OLD);
  const theirs = path.join(prefix, 'apps/conda_envs/precious');
  await mkdir(theirs, { recursive: true });

  await expect(publishFace(layout, withRelease(NOTHING_PUBLISHED, 'a-1', OLD), entry)).rejects.toThrow(/is in the way/);
  expect((await stat(theirs)).isDirectory()).toBe(true);
  expect(await readGenerations(layout)).toEqual([]);
});

it('takes no half-written generation of a killed publish for a complete one', async () => {
  await makeRelease('a-1', OLD);
  await mkdir(`${layout.generation(1).dir}.tmp/scripts`, { recursive: true });
  await symlink('nowhere', `${layout.generation(1).dir}.tmp/scripts/a-1.d`);

  expect((await publishFace(layout, withRelease(NOTHING_PUBLISHED, 'a-1', OLD), entry)).number).toBe(1);
  expect((await readGenerations(layout)).map((generation) => generation.number)).toEqual([1]);
});

it('never shows, nor rolls back to, a generation that was killed before anybody saw it', async () => {
  await makeRelease('a-1', OLD);
  await makeRelease('a-1', NEW);
  const first = withRelease(NOTHING_PUBLISHED, 'a-1', OLD);
  await publishFace(layout, first, entry);
  await mkdir(layout.generation(2).scripts, { recursive: true });
  await symlink(layout.release('a-1', 'never').dir, path.join(layout.generation(2).scripts, 'a-1.d'));
  expect((await readGenerations(layout)).map((generation) => generation.number)).toEqual([1]);

  expect((await publishFace(layout, withRelease(first, 'a-1', NEW), entry)).number).toBe(2);
  expect((await readGenerations(layout)).map((generation) => generation.versions.get('a-1'))).toEqual([OLD, NEW]);
});

it('reuses no number where nobody can tell what was live', async () => {
  await makeRelease('a-1', OLD);
  const face = withRelease(NOTHING_PUBLISHED, 'a-1', OLD);
  await publishFace(layout, face, entry);
  await rm(layout.current);

  expect((await publishFace(layout, face, entry)).number).toBe(2);
});

it('says that users see the new face when only the journal could not be written', async () => {
  await makeRelease('a-1', OLD);
  await mkdir(layout.journal, { recursive: true });

  const { problems } = await publishFace(layout, withRelease(NOTHING_PUBLISHED, 'a-1', OLD), entry);

  expect(problems).toMatchObject([{ code: 'JOURNAL_NOT_WRITTEN', at: layout.journal }]);
  expect(await readFile(path.join(prefix, 'apps/conda_scripts/a.d/launcher'), 'utf8')).toBe(OLD);
});

it('knows when a public directory does not lead to what is live', async () => {
  await makeRelease('a-1', OLD);
  await publishFace(layout, withRelease(NOTHING_PUBLISHED, 'a-1', OLD), entry);
  expect(await readWrongLinks(layout)).toEqual([]);

  await rm(layout.publicEnvs);
  await rm(layout.publicScripts);
  await symlink('elsewhere', layout.publicScripts);

  expect(await readWrongLinks(layout)).toEqual([
    { path: layout.publicEnvs, target: 'condense/current/envs', found: undefined },
    { path: layout.publicScripts, target: 'condense/current/scripts', found: 'elsewhere' },
  ]);
});

it('can be entered and read by everybody whatever the umask', async () => {
  const before = process.umask(0o077);
  try {
    await makeRelease('a-1', OLD);
    await publishFace(layout, withRelease(NOTHING_PUBLISHED, 'a-1', OLD), entry);
  } finally {
    process.umask(before);
  }

  for (const dir of [layout.generation(1).dir, layout.generation(1).scripts, layout.generation(1).modules('conda')]) {
    expect((await stat(dir)).mode & 0o777).toBe(0o755);
  }
  expect((await stat(path.join(prefix, 'modules/conda/.modulerc'))).mode & 0o777).toBe(0o644);
});

describe('a release whose gate report does not hold', () => {
  /** Changes the record of a gated release, and the digest of it that the manifest has, as if a gate had written it so. */
  async function writeRecord(change: (record: GateReport) => unknown, isNamed = true): Promise<void> {
    await makeRelease('a-1', NEW);
    const release = layout.release('a-1', NEW);
    const changed = change(parseGateRecord(await readFile(release.gateRecord, 'utf8'), ''));
    const text = typeof changed === 'string' ? changed : JSON.stringify(changed);
    await writeFile(release.gateRecord, text);
    if (!isNamed) return;
    const manifest = await readManifest(layout, 'a-1', NEW);
    const gate = { ...manifest.gate, sha256: manifest.gate?.sha256 ?? '', record: digestText(text), checks: [] };
    await writeFile(release.manifest, renderManifest({ ...manifest, gate }));
  }
  const results = (status: GateReport['results'][number]['status']): GateReport['results'] => [
    { name: 'import iris', status, seconds: 1, failure: 'no' },
  ];

  it.each<[string, string, (record: GateReport) => unknown]>([
    ['is empty', 'is empty', () => ' \n'],
    ['is cut short', 'is cut short, or no JSON', (record) => JSON.stringify(record).slice(0, -30)],
    ['lacks its end', 'verdict Invalid option', (record) => ({ ...record, verdict: undefined })],
    ['has no check in it', 'results Too small', (record) => ({ ...record, results: [] })],
    [
      'is about another image',
      `has ${'5'.repeat(64)}: what users would get was never checked`,
      (record) => ({ ...record, imageSha256: '6'.repeat(64) }),
    ],
    ['is of another release', 'is the report of b-1/x', (record) => ({ ...record, release: 'b-1/x' })],
    [
      'claims success with a failure inside',
      'says that the gate was passed, and that import iris failed',
      (record) => ({ ...record, results: results('failed') }),
    ],
    [
      'has a check that passed with a failure',
      'does not say why import iris counts as passed',
      (record) => ({ ...record, results: results('passed') }),
    ],
    [
      'waives without a reason',
      'does not say why import iris counts as passed',
      (record) => ({ ...record, results: results('waived') }),
    ],
    ['says that it failed', 'says that the gate was not passed', (record) => ({ ...record, verdict: 'failed' })],
  ])('is refused where it %s, and what users see stays', async (_, why, change) => {
    await makeRelease('a-1', OLD);
    const face = withRelease(NOTHING_PUBLISHED, 'a-1', OLD);
    await publishFace(layout, face, entry);
    await writeRecord(change);

    await expect(publishFace(layout, withRelease(face, 'a-1', NEW), entry)).rejects.toThrow(why);
    expect((await readCurrentGeneration(layout))?.versions.get('a-1')).toBe(OLD);
  });

  it('is refused where it is not the one that the manifest names', async () => {
    await writeRecord((record) => ({ ...record, seconds: 2 }), false);

    await expect(publishFace(layout, withRelease(NOTHING_PUBLISHED, 'a-1', NEW), entry)).rejects.toThrow(
      'is not the report that its manifest names',
    );
  });

  it('is refused where it is missing, or the manifest names none', async () => {
    await makeRelease('a-1', NEW);
    const release = layout.release('a-1', NEW);
    const face = withRelease(NOTHING_PUBLISHED, 'a-1', NEW);
    await rm(release.gateRecord);
    await expect(publishFace(layout, face, entry)).rejects.toThrow(`${release.gateRecord}: is missing`);

    const { gate, ...manifest } = await readManifest(layout, 'a-1', NEW);
    expect(gate).toBeDefined();
    const none = { file: '/x', sha256: digestText(''), text: '' };
    const node = { version: '26.0.0', sha256: digestText('') };
    await writeFile(
      release.manifest,
      renderManifest({ ...manifest, manifestVersion: 2, spec: none, config: none, node, links: [] }),
    );
    await expect(publishFace(layout, face, entry)).rejects.toThrow('names no gate report');
  });
});
