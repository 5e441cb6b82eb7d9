// A catalogue made in memory, of releases whose facts a test chooses.
import { planCatalogue, type Catalogue } from '../../../src/report/catalogue.ts';
import type { ReleaseFacts, ReleaseManifest } from '../../../src/release/manifest.ts';
import type { HistoryEntry } from '../../../src/release/history.ts';
import type { ReleaseState } from '../../../src/release/release-state.ts';
import { makeManifest } from '../release/make-manifest.ts';

const use: Catalogue['use'] = {
  moduleRoot: '/site/modules',
  moduleFamily: 'conda',
  farmOf: (name) => `/site/apps/conda_scripts/${name}.d/bin`,
};

/** Built on a day of November 2026. */
export function makeRelease(day: number, changes: Partial<ReleaseFacts> = {}): ReleaseManifest {
  return makeManifest({ createdAt: `2026-11-${String(day).padStart(2, '0')}T10:00:00.000Z`, ...changes });
}

export const gated = (manifest: ReleaseManifest, problems: ReleaseState['problems'] = []): ReleaseState => ({
  ...{ fullName: manifest.fullName, id: manifest.id, manifest, gated: true, problems },
});

/** @param live those that users see, each with its aliases */
export function makeCatalogue(
  states: readonly ReleaseState[],
  live: readonly (readonly [ReleaseManifest, ...string[]])[] = [],
  history: readonly HistoryEntry[] = [],
): Catalogue {
  const versions = new Map(live.map(([manifest]) => [manifest.fullName, manifest.id]));
  const aliases = new Map(live.flatMap(([{ fullName }, ...names]) => names.map((name) => [name, fullName] as const)));
  const current = live.length > 0 ? { number: 7, versions, aliases } : undefined;
  return planCatalogue({ site: 'test', use, current, states, history });
}
