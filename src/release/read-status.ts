// The whole state of a site, for whoever is called at 3 a.m.: what is live since when, what goes on, what is wrong.
import type { Layout } from '../site/layout.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { readdirIfThere } from '../system/files.ts';
import { describeDisagreements, type AliasPolicy } from './face-plan.ts';
import { readReleaseIds } from './find-release.ts';
import { NOTHING_PUBLISHED, type Generation } from './generation.ts';
import { findSince, readHistory, type HistoryEntry } from './history.ts';
import { readClaims, type Claim } from './lock-claim.ts';
import type { ReleaseManifest } from './manifest.ts';
import { readReleaseState } from './release-state.ts';
import { readAllNumbers } from './site-state.ts';
import { readVerifiedFace } from './verify-face.ts';
import { verifyRelease } from './verify-release.ts';

/** Who made something what it is; undefined as far as no generation on disk tells. */
export type Since = Pick<HistoryEntry, 'generation' | 'time' | 'user' | 'host' | 'action'> | undefined;

export interface LiveVersion {
  readonly fullName: string;
  readonly release: string;
  readonly aliases: readonly string[];
  readonly since: Since;
  /** Commit of the configuration that it was built from. */
  readonly gitCommit?: string | undefined;
  readonly createdAt?: string | undefined;
}

/** A gated release that is newer than what users see of its version. */
export interface WaitingRelease {
  readonly fullName: string;
  readonly release: string;
  readonly createdAt?: string | undefined;
  readonly createdBy?: ReleaseManifest['createdBy'] | undefined;
  readonly gated: boolean;
  /** Whether users have seen it: then somebody took it back. */
  readonly wasLive: boolean;
}

export interface SiteStatus {
  readonly generation: HistoryEntry | undefined;
  readonly versions: readonly LiveVersion[];
  readonly aliases: readonly { readonly alias: string; readonly fullName: string; readonly since: Since }[];
  /** Where aliases are not what the configuration says. */
  readonly disagreements: readonly string[];
  readonly waiting: readonly WaitingRelease[];
  readonly locks: readonly Claim[];
  /** Generations above the live one: a publish was killed there, or somebody put `current` back by hand. */
  readonly unseen: readonly number[];
  /** What is wrong with what users reach, and with the releases that they use. */
  readonly problems: readonly Problem[];
}

/** Changes nothing, takes no lock, reads no image. */
export async function readStatus(layout: Layout, policy: AliasPolicy): Promise<SiteStatus> {
  const { current, problems } = await readFace(layout);
  const face = current ?? NOTHING_PUBLISHED;
  const history = current ? await readHistory(layout) : [];
  const [entry] = history;
  const numbers = await readAllNumbers(layout);
  for (const [fullName, id] of face.versions)
    problems.push(...(await verifyRelease(layout, fullName, id, { quick: true })).problems);
  return {
    generation: entry,
    versions: await Promise.all([...face.versions].map(([name, id]) => readVersion(layout, face, history, name, id))),
    aliases: [...face.aliases].map(([alias, fullName]) => ({
      ...{ alias, fullName, since: pickSince(findSince(history, 'alias', alias, fullName)) },
    })),
    disagreements: describeDisagreements(face, policy),
    waiting: await readWaiting(layout, face.versions, history),
    locks: await readClaims(layout.locks),
    unseen: current ? numbers.filter((number) => number > current.number) : [],
    problems,
  };
}

/** What is wrong with `current` keeps nobody from being told the rest. */
async function readFace(layout: Layout): Promise<{ current: Generation | undefined; problems: Problem[] }> {
  try {
    return await readVerifiedFace(layout);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { current: undefined, problems: [...error.problems] };
  }
}

async function readVersion(
  layout: Layout,
  face: Pick<Generation, 'aliases'>,
  history: readonly HistoryEntry[],
  fullName: string,
  release: string,
): Promise<LiveVersion> {
  const { manifest } = await readReleaseState(layout, fullName, release);
  return {
    ...{ fullName, release },
    aliases: [...face.aliases].filter(([, target]) => target === fullName).map(([alias]) => alias),
    since: pickSince(findSince(history, 'version', fullName, release)),
    ...(manifest && { gitCommit: manifest.gitCommit, createdAt: manifest.createdAt }),
  };
}

function pickSince(entry: HistoryEntry | undefined): Since {
  if (!entry) return undefined;
  const { generation, time, user, host, action } = entry;
  return { generation, time, user, host, action };
}

/** Of each version what is newer than what is live; ids sort by time. */
async function readWaiting(
  layout: Layout,
  live: ReadonlyMap<string, string>,
  history: readonly HistoryEntry[],
): Promise<WaitingRelease[]> {
  const seen = new Set(
    history.flatMap(({ changes }) =>
      changes.flatMap(({ kind, name, to }) => (kind === 'version' && to !== undefined ? [`${name}/${to}`] : [])),
    ),
  );
  const waiting: WaitingRelease[] = [];
  for (const fullName of ((await readdirIfThere(layout.releases)) ?? []).sort()) {
    for (const id of await readReleaseIds(layout, fullName)) {
      if (id <= (live.get(fullName) ?? '')) continue;
      const wasLive = seen.has(`${fullName}/${id}`);
      if (wasLive && !live.has(fullName)) continue; // the version was removed: that is known
      const { manifest, gated } = await readReleaseState(layout, fullName, id);
      waiting.push({
        ...{ fullName, release: id, gated, wasLive },
        ...(manifest && { createdAt: manifest.createdAt, createdBy: manifest.createdBy }),
      });
    }
  }
  return waiting;
}
