// `condense list`: what is live, since when, and what else is on disk.
import { readManifest, readReleaseIds } from '../release/find-release.ts';
import { readCurrentGeneration } from '../release/site-state.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { pathExists, readdir } from '../system/files.ts';
import type { Session } from './session.ts';

export interface ListOptions {
  /** Every release on disk, not only the live ones. */
  readonly releases?: boolean | undefined;
}

/**
 * A damaged release hides no other: they are listed first.
 * @throws AppError RELEASE_MISSING, MANIFEST_INVALID (exit 7), each damaged release a problem of its own
 */
export async function runList(session: Session, options: ListOptions): Promise<void> {
  const { layout, output } = session;
  const current = await readCurrentGeneration(layout);
  const live = current?.versions ?? new Map<string, string>();
  const names =
    options.releases && (await pathExists(layout.releases))
      ? (await readdir(layout.releases)).sort()
      : [...live.keys()];
  const rows = [];
  const problems: Problem[] = [];
  for (const name of names) {
    const shown = live.get(name);
    const ids = options.releases ? await readReleaseIds(layout, name) : shown === undefined ? [] : [shown];
    for (const id of ids) {
      const described = await describeRelease(session, name, id).catch((error: unknown) => {
        if (!(error instanceof AppError)) throw error;
        problems.push(...error.problems);
        return undefined;
      });
      if (!described) continue;
      const { release, createdAt, image, packages } = described;
      const aliases = [...(current?.aliases ?? [])].filter(([, target]) => target === name).map(([alias]) => alias);
      rows.push({
        environment: name,
        release,
        live: id === shown,
        aliases: id === shown ? aliases : [],
        createdAt,
        image,
        packages,
      });
    }
  }
  output.result(
    { generation: current?.number ?? null, releases: rows },
    rows.length === 0
      ? problems.length > 0
        ? []
        : ['nothing is published']
      : [
          `generation ${current?.number ?? 'none'}`,
          ...rows.map((row) =>
            [
              row.live ? '*' : ' ',
              row.environment,
              row.release,
              `${row.packages} packages`,
              `${(row.image.sizeBytes / 1e6).toFixed(0)} MB`,
              `${row.image.inodes} inodes inside`,
              row.aliases.length > 0 ? `aliases ${row.aliases.join(', ')}` : '',
            ]
              .join('  ')
              .trimEnd(),
          ),
        ],
  );
  if (problems.length > 0) throw new AppError(EXIT.publishFailed, problems);
}

async function describeRelease(
  session: Session,
  name: string,
  id: string,
): Promise<{ release: string; createdAt: string; image: { sizeBytes: number; inodes: number }; packages: number }> {
  const manifest = await readManifest(session.layout, name, id);
  const { sizeBytes, inodes } = manifest.image;
  return {
    release: id,
    createdAt: manifest.createdAt,
    image: { sizeBytes, inodes },
    packages: manifest.packages.length,
  };
}
