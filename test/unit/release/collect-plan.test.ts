import { describe, expect, it } from 'vitest';
import {
  planCollection,
  type CollectFacts,
  type CollectItem,
  type StoredRelease,
  type StoredThing,
} from '../../../src/release/collect-plan.ts';
import { makeConfig } from '../make-layout.ts';

const NOW = Date.UTC(2026, 10, 30);
const DAY = 24 * 60 * 60 * 1000;
const day = (number: number): number => Date.UTC(2026, 10, number);
/** Built on that day of November. */
const idOf = (number: number): string => `202611${String(number).padStart(2, '0')}T000000Z-00000000`;

const release = (number: number, changes: Partial<StoredRelease> = {}): StoredRelease => ({
  fullName: 'a-1',
  id: idOf(number),
  path: `releases/a-1/${idOf(number)}`,
  sizeBytes: 10,
  kind: 'release',
  gated: true,
  needs: { base: 'old', node: '24.0.0', sha256: [] },
  ...changes,
});
const thing = (name: string): StoredThing => ({ name, path: name, sizeBytes: 1 });

/** Generation n shows what was built on day n; made on that day. */
const generation = (number: number, shows = number): CollectFacts['generations'][number] => ({
  number,
  versions: new Map([['a-1', idOf(shows)]]),
  aliases: new Map([['a', 'a-1']]),
  madeMs: day(number),
});

function facts(changes: Partial<CollectFacts>, rules: Partial<CollectFacts['rules']> = {}): CollectFacts {
  return {
    nowMs: NOW,
    rules: { ...makeConfig('/site').gc, releases: 1, generations: 1, longestJobDays: 5, ...rules },
    generations: [1, 2, 3, 4].map((number) => generation(number)),
    leftovers: [],
    releases: [1, 2, 3, 4].map((number) => release(number)),
    bases: [],
    runtimes: [],
    scratch: [],
    jobs: [],
    cache: [],
    uses: new Map(),
    venvs: new Map(),
    builds: new Map(),
    oldestJob: { state: 'none' },
    ...changes,
  };
}

const going = (items: readonly CollectItem[], kind: CollectItem['kind'] = 'release'): string[] =>
  items.filter((item) => !item.keep && item.kind === kind).map(({ name }) => name.replace(/^a-1\//, ''));
const reasonsOf = (items: readonly CollectItem[], name: string): string =>
  items.find((item) => item.name.endsWith(name))?.reasons.join('; ') ?? 'not there';

describe('planCollection', () => {
  it('keeps what is live with its aliases, and removes the rest when nothing else speaks for it', () => {
    const items = planCollection(facts({}));

    expect(going(items)).toEqual([idOf(1), idOf(2), idOf(3)]);
    expect(going(items, 'generation')).toEqual(['1', '2', '3']);
    expect(reasonsOf(items, idOf(4))).toContain('live as a; one of the 1 newest of a-1');
    expect(reasonsOf(items, idOf(3))).toContain('live until 2026-11-04T00:00Z');
  });

  it('keeps the generation of a rollback while users have what it put back', () => {
    const generations = [1, 2, 3].map((number) => generation(number));
    const back = { ...generation(4, 2), restores: 2 };
    const other = [5, 6].map((number) => ({
      ...generation(number, 2),
      versions: new Map([['a-1', idOf(2)]]).set('b-1', idOf(number)),
    }));
    const items = planCollection(facts({ generations: [...generations, back, ...other] }));

    expect(reasonsOf(items, '4')).toBe('took back what was a-1');
    expect(going(items, 'generation')).toEqual(['1', '3', '5']);
  });

  it('keeps as many of the newest releases, and of the generations with all that they show, as it is told', () => {
    expect(going(planCollection(facts({}, { releases: 2 })))).toEqual([idOf(1), idOf(2)]);
    const items = planCollection(facts({}, { generations: 3 }));
    expect(going(items)).toEqual([idOf(1)]);
    expect(reasonsOf(items, idOf(2))).toContain('a rollback can show it: generation 2');
  });

  it('counts no release among the newest that never passed its gate', () => {
    const releases = [release(1), release(2), release(9, { gated: false })];
    const items = planCollection(facts({ releases, generations: [] }));

    expect(going(items)).toEqual([idOf(1), idOf(9)]);
    expect(reasonsOf(items, idOf(9))).toBe('never passed its gate');
  });

  it('keeps a live release whatever it lacks', () => {
    const items = planCollection(facts({ releases: [release(4, { gated: false, needs: undefined })] }));

    expect(going(items)).toEqual([]);
  });

  it('keeps the generation that a rollback restored, however old: the next rollback starts from there', () => {
    const generations = [generation(1), generation(2), generation(3), { ...generation(4, 1), restores: 1 }];
    const items = planCollection(facts({ generations }));

    expect(going(items, 'generation')).toEqual(['2', '3']);
    expect(reasonsOf(items, '1')).toContain('generation 4 restored it');
  });

  it('keeps for the time of the longest job what was live a moment ago, however long ago it was built', () => {
    const generations = [generation(1), { ...generation(2, 4), madeMs: NOW - 4 * DAY }];
    const items = planCollection(facts({ generations, releases: [release(1), release(4)] }));

    expect(going(items)).toEqual([]);
    expect(reasonsOf(items, idOf(1))).toContain(
      'was live until 2026-11-26T00:00Z: younger than the longest job (5 days)',
    );
  });

  it('is not misled by a clock that was set back while a generation was made', () => {
    const generations = [
      { ...generation(1), madeMs: NOW - DAY },
      { ...generation(2, 4), madeMs: 0 },
    ];

    expect(going(planCollection(facts({ generations, releases: [release(1), release(4)] })))).toEqual([]);
  });

  it('takes a release whose generations are gone for live until the oldest that is left', () => {
    const generations = [{ ...generation(3), madeMs: NOW - DAY }, generation(4)];
    const items = planCollection(facts({ generations, releases: [release(1), release(4)] }));

    expect(reasonsOf(items, idOf(1))).toContain('younger than the longest job');
  });

  it('keeps a release that was built a moment ago, although it was never live', () => {
    const releases = [release(4), release(26, { fullName: 'a-1' }), release(28)];

    expect(going(planCollection(facts({ releases })))).toEqual([]);
  });

  it('keeps what was live when the oldest running job was submitted', () => {
    const oldestJob = { state: 'known', submittedMs: day(3), job: '4711' } as const;
    const items = planCollection(facts({ oldestJob }));

    expect(going(items)).toEqual([idOf(1)]);
    expect(reasonsOf(items, idOf(2))).toContain('job 4711 runs that was submitted 2026-11-03T00:00Z');
  });

  it('keeps all that was ever live while the scheduler does not answer', () => {
    const oldestJob = { state: 'unknown', why: 'squeue failed' } as const;
    const items = planCollection(facts({ oldestJob, releases: [release(1), release(4), release(5), release(6)] }));

    expect(going(items)).toEqual([idOf(5)]);
    expect(reasonsOf(items, idOf(1))).toContain('nobody knows which jobs run: squeue failed');
  });

  it('keeps what is in use, pinned, or being built', () => {
    const uses = new Map([[`a-1/${idOf(1)}`, ['in use on this node by process 4711']]]);
    const items = planCollection(facts({ uses }, { pinned: [`a-1/${idOf(2)}`] }));
    expect(going(items)).toEqual([idOf(3)]);
    expect(reasonsOf(items, idOf(1))).toContain('process 4711');
    expect(reasonsOf(items, idOf(2))).toContain('pinned');
    expect(going(planCollection(facts({}, { pinned: ['a-1'] })))).toEqual([]);
    const building = planCollection(facts({ builds: new Map([['a-1', 'anna on node7']]) }));
    expect(going(building)).toEqual([]);
    expect(reasonsOf(building, idOf(1))).toContain('a-1 is being built: anna on node7');
  });

  it('keeps the newest release of a version that is not live any more while a venv stands on it', () => {
    const old = [1, 2].map((number) => release(number, { fullName: 'b-1', path: `releases/b-1/${idOf(number)}` }));
    const newer = release(3, { fullName: 'b-1', gated: false, path: 'releases/b-1/x' });
    const venvs = new Map([['b-1', ['/home/u/venv']]]);
    const items = planCollection(facts({ releases: [...old, newer, release(4)], venvs }));

    expect(reasonsOf(items, `b-1/${idOf(2)}`)).toContain('venvs stand on b-1: /home/u/venv');
    expect(items.filter(({ keep, kind }) => !keep && kind === 'release')).toHaveLength(2);
  });

  it('leaves alone what is none of its own, and what only another account can remove', () => {
    const foreign = release(1, { id: 'notes', path: 'releases/a-1/notes', kind: 'foreign' });
    const items = planCollection(facts({ releases: [foreign, release(2, { owner: 'uid 1234' }), release(4)] }));

    expect(going(items)).toEqual([]);
    expect(reasonsOf(items, idOf(2))).toContain('belongs to uid 1234');
  });

  it('removes bases and runtimes that no release needs which stays, unless one is in use', () => {
    const releases = [release(1), release(4, { needs: { base: 'new', node: '26.0.0', sha256: [] } })];
    const shared = { releases, bases: ['old', 'new', 'held'].map(thing), runtimes: ['24.0.0', '26.0.0'].map(thing) };
    const items = planCollection(facts({ ...shared, uses: new Map([['held', ['in use']]]) }));

    expect(going(items, 'base')).toEqual(['old']);
    expect(going(items, 'runtime')).toEqual(['24.0.0']);
    const silent = planCollection(facts({ ...shared, releases: [release(4, { needs: undefined })] }));
    expect(going(silent, 'base')).toEqual([]);
    expect(reasonsOf(silent, 'old')).toContain('does not say what it needs');
    const building = planCollection(facts({ ...shared, builds: new Map([['b-1', 'anna']]) }));
    expect(going(building, 'base')).toEqual([]);
    expect(going(building, 'runtime')).toEqual([]);
  });

  it('removes from the cache what is old and what no release was made from that stays', () => {
    const file = (name: string, modifiedMs: number, sha256?: string): CollectFacts['cache'][number] => ({
      ...{ ...thing(name), kind: 'packages', modifiedMs },
      ...(sha256 === undefined ? {} : { sha256 }),
    });
    const cache = [file('young', NOW), file('old', 0, 'one'), file('needed', 0, 'two'), file('half', 0)];
    const releases = [release(4, { needs: { base: 'b', node: 'n', sha256: ['two'] } })];
    const items = planCollection(facts({ cache, releases }));

    expect(items.filter(({ kind, keep }) => kind === 'cache' && !keep).flatMap(({ files }) => files)).toEqual([
      'old',
      'half',
    ]);
    const extracted = cache.map((one) => ({ ...one, kind: 'extracted' as const }));
    const [, goes] = planCollection(facts({ cache: extracted, releases })).filter(({ kind }) => kind === 'cache');
    expect(goes).toMatchObject({ name: 'cache/extracted: 2 packages', keep: false, files: ['old', 'half'] });
    const building = planCollection(facts({ cache, releases, builds: new Map([['b-1', 'anna']]) }));
    expect(going(building, 'cache')).toEqual([]);
  });

  it('removes generations before the releases that they show, and these before their bases', () => {
    const leftovers = [{ ...thing('9.tmp'), kind: 'generation', why: 'killed' }] as const;
    const items = planCollection(facts({ leftovers, bases: [thing('unused')], scratch: [thing('a-1')] }));
    const kinds = items.filter(({ keep }) => !keep).map(({ kind }) => kind);

    expect(kinds).toEqual([
      ...Array<string>(4).fill('generation'),
      ...Array<string>(3).fill('release'),
      'base',
      'scratch',
    ]);
  });
});
