// What differs between two faces, as data and as lines for people.
import type { FaceChange } from './generation-record.ts';
import type { PublicFace } from './generation.ts';
import type { ReleaseComparison } from './release-diff.ts';

/**
 * What differs between two faces, versions first, by name.
 * @param compare the releases of a version that is another one now; undefined where one of them cannot be read
 */
export function planFaceChanges(
  before: PublicFace,
  after: PublicFace,
  compare: (fullName: string, from: string, to: string) => ReleaseComparison | undefined = () => undefined,
): FaceChange[] {
  const changes: FaceChange[] = [];
  for (const [kind, then, now] of [
    ['version', before.versions, after.versions],
    ['alias', before.aliases, after.aliases],
  ] as const) {
    for (const name of [...new Set([...then.keys(), ...now.keys()])].sort()) {
      const [from, to] = [then.get(name), now.get(name)];
      if (from === to) continue;
      const compared =
        kind === 'version' && from !== undefined && to !== undefined ? compare(name, from, to) : undefined;
      changes.push({
        kind,
        name,
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
        ...(compared && { inputs: compared.inputs, packages: countPackages(compared) }),
      });
    }
  }
  return changes;
}

function countPackages({ packages }: ReleaseComparison): NonNullable<FaceChange['packages']> {
  return { added: packages.added.length, removed: packages.removed.length, changed: packages.changed.length };
}

/** `a-1  <id> -> <id>  packages are the same; launcher and base changed`, one line for each change. */
export function describeFaceChanges(changes: readonly FaceChange[]): string[] {
  return changes.map((change) => {
    const { kind, name, from, to } = change;
    const what = kind === 'alias' ? `alias ${name}` : name;
    if (from === undefined) return `${what}  is new: ${to ?? ''}`;
    if (to === undefined) return `${what}  is taken away: ${from}`;
    const why = describeInputs(change);
    return `${what}  ${from} -> ${to}${why === undefined ? '' : `  (${why})`}`;
  });
}

function describeInputs({ inputs, packages }: FaceChange): string | undefined {
  if (!inputs || !packages) return undefined;
  return [describePackageCounts(packages), ...(inputs.length > 0 ? [`changed inputs: ${inputs.join(', ')}`] : [])].join(
    '; ',
  );
}

/** `packages: 1 added, 2 changed`, or that they are the same. */
function describePackageCounts(packages: NonNullable<FaceChange['packages']>): string {
  const counts = (['added', 'removed', 'changed'] as const).filter((kind) => packages[kind] > 0);
  return counts.length === 0
    ? 'packages are the same'
    : `packages: ${counts.map((kind) => `${packages[kind]} ${kind}`).join(', ')}`;
}
