// What a site offers and offered, as data: environments, their versions and releases, and what changed between them. Pure.
import { findSince, type HistoryEntry } from '../release/history.ts';
import type { PublicFace } from '../release/generation.ts';
import type { ReleaseManifest } from '../release/manifest.ts';
import { compareReleases, type ReleaseComparison } from '../release/release-diff.ts';
import { environmentOf } from '../release/release-name.ts';
import type { ReleaseState } from '../release/release-state.ts';

export interface Catalogue {
  readonly site: string;
  /** What users type, and where from. */
  readonly use: {
    /** `<prefix>/modules` */
    readonly moduleRoot: string;
    readonly moduleFamily: string;
    /** The `bin` of a version or alias. */
    readonly farmOf: (name: string) => string;
  };
  /** The number of the live generation and when it was published; absent before the first publish. */
  readonly live?: { readonly generation: number; readonly time?: string | undefined } | undefined;
  /** By name. */
  readonly environments: readonly CatalogueEnvironment[];
  /** The newest changes of what users see, newest first. */
  readonly history: readonly HistoryEntry[];
}

export interface CatalogueEnvironment {
  readonly name: string;
  /** Those that are live, the newest release first. */
  readonly versions: readonly CatalogueVersion[];
  /** All that are on disk and passed their gate, of every version, newest first. */
  readonly releases: readonly CatalogueRelease[];
}

export interface CatalogueVersion {
  readonly fullName: string;
  /** Sorted. */
  readonly aliases: readonly string[];
  readonly release: CatalogueRelease;
  /** When this release became what users get; absent where the history does not go back so far. */
  readonly since?: string | undefined;
}

export interface CatalogueRelease {
  readonly fullName: string;
  readonly id: string;
  readonly isLive: boolean;
  /** Absent where it cannot be read. */
  readonly manifest?: ReleaseManifest | undefined;
  /** Codes of what is seen to be wrong. */
  readonly damages: readonly string[];
  /** What differs from the one before it of the same environment, if there is one that can be read. */
  readonly changes?: {
    readonly since: Pick<CatalogueRelease, 'fullName' | 'id'>;
    readonly comparison: ReleaseComparison;
  };
}

export interface CatalogueRequest {
  readonly site: string;
  readonly use: Catalogue['use'];
  readonly current: (PublicFace & { readonly number: number }) | undefined;
  readonly states: readonly ReleaseState[];
  /** All of it: since when something is live may be long ago. */
  readonly history: readonly HistoryEntry[];
}

/** As many changes as one looks through. */
const RECENT = 20;

export function planCatalogue({ site, use, current, states, history }: CatalogueRequest): Catalogue {
  const live = current?.versions ?? new Map<string, string>();
  const isShown = ({ fullName, id, gated }: ReleaseState): boolean => gated || live.get(fullName) === id;
  const byEnvironment = Map.groupBy(states.filter(isShown), nameEnvironment);
  const aliasesOf = (fullName: string): string[] =>
    [...(current?.aliases ?? [])]
      .filter(([, target]) => target === fullName)
      .map(([alias]) => alias)
      .sort();
  const environments = [...byEnvironment]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, ofIt]): CatalogueEnvironment => {
      const releases = planReleases(ofIt, live);
      const versions = releases
        .filter(({ isLive }) => isLive)
        .map((release): CatalogueVersion => {
          const { fullName, id } = release;
          const since = findSince(history, 'version', fullName, id)?.time;
          return { fullName, release, aliases: aliasesOf(fullName), since };
        });
      return { name, versions, releases };
    });
  return {
    ...{ site, use, environments },
    ...(current ? { live: { generation: current.number, time: history[0]?.time } } : {}),
    history: history.slice(0, RECENT),
  };
}

/** As the manifest says, where that and the name of the directory agree. */
function nameEnvironment({ fullName, manifest }: ReleaseState): string {
  const agrees = manifest && `${manifest.environment}-${manifest.version}` === fullName;
  return agrees ? manifest.environment : environmentOf(fullName);
}

function planReleases(states: readonly ReleaseState[], live: ReadonlyMap<string, string>): CatalogueRelease[] {
  let before: { readonly fullName: string; readonly id: string; readonly manifest: ReleaseManifest } | undefined;
  return states
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ fullName, id, manifest, problems }): CatalogueRelease => {
      const since = before;
      if (manifest) before = { fullName, id, manifest };
      return {
        ...{ fullName, id, manifest, isLive: live.get(fullName) === id },
        damages: problems.map(({ code }) => code),
        ...(manifest && since
          ? {
              changes: {
                since: { fullName: since.fullName, id: since.id },
                comparison: compareReleases(since.manifest, manifest),
              },
            }
          : {}),
      };
    })
    .toReversed();
}
