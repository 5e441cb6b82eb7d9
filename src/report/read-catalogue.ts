// Reads what the catalogue tells: the manifests of every release, the live generation, the history. Changes nothing.
import pLimit from 'p-limit';
import type { SiteConfig } from '../config/site-config.ts';
import { readReleaseIds } from '../release/find-release.ts';
import { readHistory } from '../release/history.ts';
import { parseIfReleaseName, type ReleaseName } from '../release/release-name.ts';
import { readReleaseState } from '../release/release-state.ts';
import { readCurrentGeneration } from '../release/site-state.ts';
import type { Layout } from '../site/layout.ts';
import { lstatIfThere, readdirIfThere } from '../system/files.ts';
import { planCatalogue, type Catalogue } from './catalogue.ts';

/** Open files at a time. */
const AT_ONCE = 16;

/** @throws AppError CURRENT_DANGLING (exit 7). A damaged release is told in the catalogue. */
export async function readCatalogue(config: SiteConfig, layout: Layout, signal: AbortSignal): Promise<Catalogue> {
  const current = await readCurrentGeneration(layout);
  const names = await readReleaseNames(layout);
  const limit = pLimit(AT_ONCE);
  const states = await Promise.all(
    names.map(({ fullName, id }) =>
      limit(() => {
        signal.throwIfAborted();
        return readReleaseState(layout, fullName, id);
      }),
    ),
  );
  return planCatalogue({
    site: config.site,
    use: {
      moduleRoot: layout.publicModuleRoot,
      moduleFamily: layout.moduleFamily,
      farmOf: (name) => layout.publicFarm(name),
    },
    ...{ current, states, history: await readHistory(layout) },
  });
}

/** What builds have made, and nothing else that lies there. */
async function readReleaseNames(layout: Layout): Promise<ReleaseName[]> {
  const names: ReleaseName[] = [];
  for (const fullName of (await readdirIfThere(layout.releases)) ?? []) {
    if (!(await lstatIfThere(layout.releasesOf(fullName)))?.isDirectory()) continue;
    for (const id of await readReleaseIds(layout, fullName)) {
      // Names become files of the report: what no command would take for a release is none here either.
      const release = parseIfReleaseName(`${fullName}/${id}`);
      if (release) names.push(release);
    }
  }
  return names;
}
