// Removing what `condense gc` has decided on: taken out of its place by one rename each, then deleted.
import path from 'node:path';
import type { SiteConfig } from '../config/site-config.ts';
import type { Layout } from '../site/layout.ts';
import { AppError, errorMessage, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, readdir, removeEmptyDir, removeTree } from '../system/files.ts';
import { asideOf, isAside, moveAside, NotOurs } from '../system/move-aside.ts';
import { planCollection, type CollectItem } from './collect-plan.ts';
import { readCollectFacts, type CollectLook } from './collect-store.ts';
import { describeEntry, writeJournal } from './journal.ts';
import { readClaims } from './lock-claim.ts';
import { PUBLISH_WAIT_MS, STORE_WAIT_MS, withLock } from './site-lock.ts';

export interface Collection {
  readonly items: readonly CollectItem[];
  readonly look: Pick<CollectLook, 'hidden' | 'unreadable'>;
  /** What could not be removed, or written to the journal: REMOVE_FAILED, JOURNAL_NOT_WRITTEN. */
  readonly problems: readonly Problem[];
}

/** Looks and decides; changes nothing. */
export async function planGc(config: SiteConfig, layout: Layout, mine?: ReadonlySet<string>): Promise<Collection> {
  const { facts, ...look } = await readCollectFacts(config, layout, mine);
  return { items: planCollection(facts), look, problems: [] };
}

/**
 * Removes what nothing needs. Decided once more with all locks held that could change it; what is taken out of its place
 * stays out of it, wherever this is killed, and the next run deletes it.
 * @returns what was removed, what stays, and what failed
 * @throws AppError LOCK_HELD (exit 11), CURRENT_MISSING (exit 7)
 */
export async function removeUnneeded(config: SiteConfig, layout: Layout, signal: AbortSignal): Promise<Collection> {
  return await withLock(layout.lockFile('gc'), 'gc', async () => {
    for (const { file, state } of await readClaims(layout.locks)) if (state === 'dead') await removeTree(file);
    const first = await planGc(config, layout);
    const half = first.items.filter(({ keep, path: at }) => !keep && isAside(path.basename(at)));
    const problems: Problem[] = [];
    // Of an earlier run, whose names this one may need.
    await removeAsides(layout, half, signal, problems);
    return await withBuildLocks(layout, namesOf(first.items), async (mine) => {
      const collection = await withLock(
        layout.lockFile('publish'),
        'gc',
        () =>
          withLock(layout.lockFile('store'), 'gc', () => takeAside(config, layout, { mine, signal, problems }), {
            waitMs: STORE_WAIT_MS,
            signal,
          }),
        { waitMs: PUBLISH_WAIT_MS, signal },
      );
      await removeAsides(layout, collection.items, signal, problems);
      return { ...collection, items: [...half, ...collection.items], problems };
    });
  });
}

/** Full names whose build lock is needed: of the releases and the scratch that go. */
function namesOf(items: readonly CollectItem[]): Set<string> {
  const going = items.filter(({ keep, kind }) => !keep && (kind === 'release' || kind === 'scratch'));
  return new Set(going.map(({ kind, path: at, name }) => (kind === 'release' ? (at.split('/')[1] ?? '') : name)));
}

/** Runs the work with the build locks of those names that nobody else holds. */
async function withBuildLocks<T>(
  layout: Layout,
  names: ReadonlySet<string>,
  work: (held: ReadonlySet<string>) => Promise<T>,
  held: ReadonlySet<string> = new Set(),
): Promise<T> {
  const [name, ...rest] = names;
  if (name === undefined) return await work(held);
  const progress = { entered: false };
  try {
    return await withLock(layout.lockFile(name), 'gc', async () => {
      progress.entered = true;
      return await withBuildLocks(layout, new Set(rest), work, new Set([...held, name]));
    });
  } catch (error) {
    if (progress.entered || !(error instanceof AppError) || error.exit !== EXIT.locked) throw error;
    return await withBuildLocks(layout, new Set(rest), work, held);
  }
}

interface Taking {
  readonly mine: ReadonlySet<string>;
  readonly signal: AbortSignal;
  readonly problems: Problem[];
}

/** What goes of the store is out of its place afterwards, in the order of the plan; what goes of the cache is deleted. */
async function takeAside(config: SiteConfig, layout: Layout, { mine, signal, problems }: Taking): Promise<Collection> {
  const collection = await planGc(config, layout, mine);
  const items: CollectItem[] = [];
  const removed: string[] = [];
  for (const item of collection.items) {
    if (item.keep) {
      items.push(item);
      continue;
    }
    signal.throwIfAborted();
    const [fullName] = namesOf([item]);
    if (fullName !== undefined && !mine.has(fullName)) {
      items.push({ ...item, keep: true, reasons: ['became unneeded while gc looked: the next one removes it'] });
      continue;
    }
    try {
      if (item.kind === 'cache') for (const file of item.files ?? []) await removeTree(file);
      else if (!isPrivate(item) && !isAside(path.basename(item.path)))
        await moveAside(layout.store, item.path.split('/'));
      items.push(item);
      removed.push(item.name);
    } catch (error) {
      problems.push(describeFailure(layout, item, error));
      items.push({ ...item, keep: true, reasons: [`could not be removed: ${errorMessage(error)}`] });
    }
  }
  if (removed.length > 0) {
    const unwritten = await writeJournal(layout, describeEntry('collect', removed.join(' ')), 'it is removed');
    if (unwritten) problems.push(unwritten);
  }
  return { ...collection, items };
}

/** Outside the store, where nobody but builds looks: it needs not be taken out of its place first. */
const isPrivate = ({ kind }: CollectItem): boolean => kind === 'scratch' || kind === 'job';

/** Deletes what was taken out of its place, now or by a run that was killed, and what is outside the store. */
async function removeAsides(
  layout: Layout,
  items: readonly CollectItem[],
  signal: AbortSignal,
  problems: Problem[],
): Promise<void> {
  for (const item of items.filter(({ keep, kind }) => !keep && kind !== 'cache')) {
    signal.throwIfAborted();
    const file = path.join(layout.store, item.path);
    const name = path.basename(file);
    try {
      if (isPrivate(item)) await removeTree(item.path);
      else await removeTree(isAside(name) ? file : path.join(path.dirname(file), asideOf(name)));
      if (item.kind === 'release') await removeIfEmpty(path.dirname(file));
    } catch (error) {
      problems.push(describeFailure(layout, item, error));
    }
  }
}

/** The directory of a version that has no release any more. Its build lock is held. */
async function removeIfEmpty(dir: string): Promise<void> {
  if ((await lstatIfThere(dir))?.isDirectory() && (await readdir(dir)).length === 0) await removeEmptyDir(dir);
}

function describeFailure(layout: Layout, item: CollectItem, error: unknown): Problem {
  const at = path.resolve(layout.store, item.path);
  if (error instanceof NotOurs || ['ELOOP', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) {
    return {
      code: 'REMOVE_FAILED',
      message: 'has a link on its way, which gc does not follow: nothing was removed there',
      at,
      hint: `ls -ld ${at} ${path.dirname(at)}; find out who made the link`,
    };
  }
  return {
    code: 'REMOVE_FAILED',
    message: `could not be removed: ${errorMessage(error)}`,
    at,
    hint: 'mend that, then: condense gc',
  };
}
