// `condense list`: what is live, and what else is on disk.
import { readReleaseIds } from '../release/find-release.ts';
import { readReleaseState, type ReleaseState } from '../release/release-state.ts';
import { readCurrentGeneration } from '../release/site-state.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { readdirIfThere } from '../system/files.ts';
import type { Session } from './session.ts';
import { describeSize } from '../system/describe-size.ts';

export interface ListOptions {
  /** Every release on disk, not only the live ones. */
  readonly releases?: boolean | undefined;
}

interface Row {
  readonly environment: string;
  readonly release: string;
  readonly live: boolean;
  readonly aliases: readonly string[];
  readonly gated: boolean;
  readonly createdAt?: string | undefined;
  readonly image?: { readonly sizeBytes: number; readonly inodes: number } | undefined;
  readonly packages?: number | undefined;
  /** What is seen to be wrong with it. */
  readonly damages: readonly string[];
}

/**
 * A damaged release hides no other: each has its line.
 * @throws AppError with what is wrong with the damaged ones (exit 7), after everything is listed
 */
export async function runList(session: Session, options: ListOptions): Promise<void> {
  const { layout, output } = session;
  const current = await readCurrentGeneration(layout);
  const live = current?.versions ?? new Map<string, string>();
  const names = options.releases
    ? [...new Set([...live.keys(), ...((await readdirIfThere(layout.releases)) ?? [])])].sort()
    : [...live.keys()];
  const rows: Row[] = [];
  const states: ReleaseState[] = [];
  for (const name of names) {
    const shown = live.get(name);
    const ids = new Set(options.releases ? await readReleaseIds(layout, name) : []);
    if (shown !== undefined) ids.add(shown); // also where somebody removed it
    const aliases = [...(current?.aliases ?? [])].filter(([, target]) => target === name).map(([alias]) => alias);
    for (const id of ids) {
      const state = await readReleaseState(layout, name, id);
      states.push(state);
      rows.push(describeState(state, id === shown, aliases));
    }
  }
  output.result(
    { generation: current?.number ?? null, releases: rows },
    rows.length === 0 ? ['nothing is published'] : [`generation ${current?.number ?? 'none'}`, ...rows.map(renderRow)],
  );
  const problems = states.flatMap((state) => state.problems);
  if (problems.length > 0) throw new AppError(EXIT.publishFailed, problems);
}

function describeState(
  { fullName, id, manifest, gated, problems }: ReleaseState,
  isLive: boolean,
  aliases: string[],
): Row {
  return {
    ...{ environment: fullName, release: id, live: isLive, aliases: isLive ? aliases : [], gated },
    ...(manifest && {
      createdAt: manifest.createdAt,
      image: { sizeBytes: manifest.image.sizeBytes, inodes: manifest.image.inodes },
      packages: manifest.packages.length,
    }),
    damages: problems.map(({ code }) => code),
  };
}

function renderRow({ live, environment, release, gated, packages, image, aliases, damages }: Row): string {
  return [
    live ? '*' : ' ',
    environment,
    release,
    ...(packages === undefined ? [] : [`${packages} packages`]),
    ...(image ? [describeSize(image.sizeBytes), `${image.inodes} inodes inside`] : []),
    ...(aliases.length > 0 ? [`aliases ${aliases.join(', ')}`] : []),
    ...(gated ? [] : ['not gated']),
    ...(damages.length > 0 ? [`DAMAGED (${damages.join(', ')})`] : []),
  ].join('  ');
}
