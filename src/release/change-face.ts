// One change of what users see, from the lock to the journal: publishing, promoting, removing and rolling back are this.
import path from 'node:path';
import type { SiteConfig } from '../config/site-config.ts';
import type { Layout } from '../site/layout.ts';
import { checkOwner } from '../site/permissions.ts';
import type { Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { describeFullDisk } from '../system/system-error.ts';
import { planFaceChanges } from './face-changes.ts';
import type { FacePlan } from './face-plan.ts';
import type { FaceChange } from './generation-record.ts';
import { compareFaces, NOTHING_PUBLISHED, type Generation } from './generation.ts';
import { describeEntry, type JournalEntry } from './journal.ts';
import { runNotify } from './notify.ts';
import { publishFace, readPublishPlan, readWrongLinks, type PublishPlan } from './publish.ts';
import { PUBLISH_WAIT_MS, withLock } from './site-lock.ts';
import { readCurrentGeneration } from './site-state.ts';
import { checkCurrent, verifyFace } from './verify-face.ts';
import { checkRelease } from './verify-release.ts';

export interface Site {
  readonly config: SiteConfig;
  readonly layout: Layout;
  readonly signal: AbortSignal;
}

export interface WantedChange {
  readonly action: JournalEntry['action'];
  /** What was asked for, as a person types it. */
  readonly subject: string;
  /** Long looks at what is to be shown, before the lock is taken: others can publish meanwhile. @throws AppError */
  readonly check?: ((current: Generation | undefined) => Promise<void>) | undefined;
  /** Called with the publish lock held; looks, and changes nothing. */
  readonly plan: (current: Generation | undefined) => Promise<WantedFace>;
}

export interface WantedFace extends FacePlan {
  /** The generation that a rollback takes it from. */
  readonly restores?: number | undefined;
}

export interface FaceOutcome {
  /** The live one, or that which would be; undefined where nothing was ever published. */
  readonly generation: number | undefined;
  readonly changed: boolean;
  readonly changes: readonly FaceChange[];
  /** The generation whose content it shows again. */
  readonly restores?: number | undefined;
  readonly warnings: readonly string[];
  /** What went wrong after users saw it (exit 8). */
  readonly followUp: readonly Problem[];
  /** Every path that a change would touch, in order; only where nothing was done. */
  readonly paths?: readonly PlannedPath[] | undefined;
}

/** What would happen to one path. */
interface PlannedPath {
  readonly verb: 'lock' | 'remove' | 'make' | 'link' | 'write' | 'append';
  readonly path: string;
  /** Of a link: what it leads to. */
  readonly target?: string | undefined;
}

/**
 * Changes what users see, then tells whom the configuration names.
 * @param warn told before anything is changed
 * @throws AppError LOCK_HELD (exit 11), GROUP_NOT_MEMBER (4), those of the plan, and those of publishFace
 */
export async function publishChange(
  { config, layout, signal }: Site,
  wanted: WantedChange,
  warn: (text: string) => void,
): Promise<FaceOutcome> {
  await checkOwner(config, layout);
  await wanted.check?.(await readCurrentGeneration(layout));
  const work = async (): Promise<FaceOutcome> => {
    const { current, planned, isSame } = await readWanted(layout, wanted);
    const { warnings } = planned;
    for (const text of warnings) warn(text);
    if (isSame) return { generation: current?.number, changed: false, changes: [], warnings, followUp: [] };
    // Whatever brings a release back, a rollback too: quickly, since its bytes were compared when it was first shown.
    for (const [fullName, id] of planned.face.versions)
      if (current?.versions.get(fullName) !== id)
        await checkRelease(layout, fullName, id, { quick: true, signing: config.signing });
    const { restores } = planned;
    const { number, changes, problems } = await publishFace(layout, planned.face, entry, restores);
    return { generation: number, changed: true, changes, restores, warnings, followUp: problems };
  };
  const entry = describeEntry(wanted.action, wanted.subject);
  const purpose = `${wanted.action} ${wanted.subject}`;
  let outcome: FaceOutcome;
  try {
    outcome = await withLock(layout.lockFile('publish'), purpose, work, { waitMs: PUBLISH_WAIT_MS, signal });
  } catch (error) {
    throw describeFullDisk(error, EXIT.publishFailed);
  }
  const { generation, changed, changes, restores, followUp } = outcome;
  if (!changed || generation === undefined) return outcome;
  // Without the lock: the program may take its time, and others may publish meanwhile.
  const untold = await runNotify(config, { ...entry, generation, changes, restores });
  return untold ? { ...outcome, followUp: [...followUp, untold] } : outcome;
}

/** The same without doing it, and without the lock. @throws AppError as publishChange, but for locks and rights */
export async function planChange({ layout }: Site, wanted: WantedChange): Promise<FaceOutcome> {
  const { current, planned, isSame } = await readWanted(layout, wanted);
  const { warnings } = planned;
  if (isSame) return { generation: current?.number, changed: false, changes: [], warnings, followUp: [], paths: [] };
  const plan = await readPublishPlan(
    layout,
    planned.face,
    describeEntry(wanted.action, wanted.subject),
    planned.restores,
  );
  return {
    generation: plan.generation.number,
    changed: true,
    changes: plan.record.changes,
    restores: planned.restores,
    warnings,
    followUp: [],
    paths: describePaths(layout, plan, await readWrongLinks(layout)),
  };
}

interface ReadChange {
  readonly current: Generation | undefined;
  readonly planned: WantedFace;
  /** Whether users see all of it already. */
  readonly isSame: boolean;
}

async function readWanted(layout: Layout, wanted: WantedChange): Promise<ReadChange> {
  await checkCurrent(layout);
  const current = await readCurrentGeneration(layout);
  const planned = await wanted.plan(current);
  const isShown = current
    ? compareFaces(planned.face, current) && (await verifyFace(layout)).length === 0
    : planFaceChanges(NOTHING_PUBLISHED, planned.face).length === 0;
  return { current, planned, isSame: isShown };
}

function describePaths(
  layout: Layout,
  { generation, leftovers }: PublishPlan,
  wrong: readonly { readonly path: string; readonly target: string }[],
): PlannedPath[] {
  return [
    { verb: 'lock', path: layout.lockFile('publish') },
    ...leftovers.map((leftover) => ({ verb: 'remove' as const, path: leftover })),
    ...generation.directories.map((directory) => ({ verb: 'make' as const, path: directory })),
    ...generation.links.map((link) => ({ verb: 'link' as const, ...link })),
    ...generation.files.map((file) => ({ verb: 'write' as const, path: file.path })),
    ...wrong.map(({ path: link, target }) => ({ verb: 'link' as const, path: link, target })),
    { verb: 'link', path: layout.current, target: path.relative(path.dirname(layout.current), generation.dir) },
    { verb: 'append', path: layout.journal },
  ];
}
