// What differs between two releases, told by their manifests: packages, commands, size, activation, inputs.
import type { ReleaseManifest } from './manifest.ts';

type Package = ReleaseManifest['packages'][number];
type ActivationChange = ReleaseManifest['activation']['changes'][number];

export interface ReleaseComparison {
  readonly packages: {
    readonly added: readonly Package[];
    readonly removed: readonly Package[];
    readonly changed: readonly { readonly from: Package; readonly to: Package }[];
  };
  readonly commands: { readonly added: readonly string[]; readonly removed: readonly string[] };
  readonly image: {
    readonly from: { readonly sizeBytes: number; readonly inodes: number };
    readonly to: { readonly sizeBytes: number; readonly inodes: number };
  };
  /** What the module does, by variable. */
  readonly activation: {
    readonly added: readonly ActivationChange[];
    readonly removed: readonly ActivationChange[];
    readonly changed: readonly { readonly from: ActivationChange; readonly to: ActivationChange }[];
  };
  /** Names of the inputs that differ: all that a build depends on, e.g. `launcher`, `base`, `lock`. */
  readonly inputs: readonly string[];
  readonly tools: readonly {
    readonly name: string;
    readonly from?: string | undefined;
    readonly to?: string | undefined;
  }[];
}

export function compareReleases(from: ReleaseManifest, to: ReleaseManifest): ReleaseComparison {
  return {
    packages: compareLists(from.packages, to.packages, ({ name, source }) => `${source ?? 'conda'} ${name}`),
    commands: {
      added: without(to.commands, from.commands),
      removed: without(from.commands, to.commands),
    },
    image: { from: pickImage(from), to: pickImage(to) },
    activation: compareLists(from.activation.changes, to.activation.changes, ({ kind, name }) => `${kind} ${name}`),
    inputs: compareInputs(from.inputs, to.inputs),
    tools: [...new Set([...Object.keys(from.tools), ...Object.keys(to.tools)])]
      .sort()
      .filter((name) => from.tools[name] !== to.tools[name])
      .map((name) => ({ name, from: from.tools[name], to: to.tools[name] })),
  };
}

/** Names of the inputs whose digests differ, or that only one of the two has. */
export function compareInputs(from: Readonly<Record<string, string>>, to: Readonly<Record<string, string>>): string[] {
  return [...new Set([...Object.keys(from), ...Object.keys(to)])].filter((name) => from[name] !== to[name]).sort();
}

const pickImage = ({ image: { sizeBytes, inodes } }: ReleaseManifest): { sizeBytes: number; inodes: number } => ({
  sizeBytes,
  inodes,
});

function without(names: readonly string[], others: readonly string[]): string[] {
  const known = new Set(others);
  return names.filter((name) => !known.has(name));
}

/** By key; two are the same where every field is. */
function compareLists<T>(
  from: readonly T[],
  to: readonly T[],
  key: (item: T) => string,
): { added: T[]; removed: T[]; changed: { from: T; to: T }[] } {
  const before = new Map(from.map((item) => [key(item), item]));
  const after = new Map(to.map((item) => [key(item), item]));
  const changed: { from: T; to: T }[] = [];
  for (const [name, item] of after) {
    const then = before.get(name);
    if (then !== undefined && JSON.stringify(then) !== JSON.stringify(item)) changed.push({ from: then, to: item });
  }
  return {
    added: [...after].filter(([name]) => !before.has(name)).map(([, item]) => item),
    removed: [...before].filter(([name]) => !after.has(name)).map(([, item]) => item),
    changed,
  };
}
