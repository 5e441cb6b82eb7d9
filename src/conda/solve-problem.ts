// Says why an environment cannot be solved, in the words of who wrote the specs. Pure.
import type { Problem } from '../system/app-error.ts';
import type { Channel } from './channel.ts';
import type { RequestedSpec } from './match-spec.ts';

export interface UnknownName {
  readonly spec: RequestedSpec;
  /** Names of the channels that are written alike, nearest first. */
  readonly similar: readonly string[];
}

export function describeUnknownNames(unknown: readonly UnknownName[], channels: readonly Channel[]): Problem[] {
  const searched = channels.map(({ publicUrl }) => publicUrl).join(', ');
  return unknown.map(({ spec, similar }) => {
    const { name, line } = spec;
    const at = line.at;
    if (name.startsWith('__')) {
      return { code: 'PACKAGE_NOT_FOUND', message: `this machine has no ${name}`, at, hint: virtualPackageHint(name) };
    }
    return {
      code: 'PACKAGE_NOT_FOUND',
      message: `no package is called ${name}; searched ${spec.channel ?? searched}`,
      at,
      hint:
        similar.length > 0
          ? `did you mean ${similar.join(' or ')}?`
          : `add the channel that has ${name}; a package that is only on PyPI goes below pip:`,
    };
  });
}

/**
 * @param explanation the solver's own
 * @param pins in the order of their packages (`pinPackage`)
 * @param known what the channels have: names that strict priority hid in later channels, and versions, newest first
 */
export function describeConflict(
  explanation: string,
  specs: readonly RequestedSpec[],
  pins: readonly RequestedSpec[],
  known: { readonly hidden: readonly string[]; readonly available: Readonly<Record<string, readonly string[]>> },
): Problem {
  const named = specsInExplanation(explanation, [
    ...specs,
    ...pins.map((pin, position) => ({ ...pin, name: pinPackage(position) })),
  ]);
  const others = named.slice(1).map(({ line }) => `${line.at}: ${line.text}`);
  const places = others.length > 0 ? `\nwith ${others.join('\nand ')}` : '';
  return {
    code: 'SOLVE_UNSATISFIABLE',
    message: `no set of packages satisfies the specs\n${namePins(explanation, pins)}${places}`,
    at: named[0]?.line.at,
    hint: conflictHint(explanation, named, known),
  };
}

/** The virtual package that stands for a pin in the solve. */
export const pinPackage = (position: number): string => `__condense_pin_${position}`;

/** The solver says `__condense_pin_0 *` of the request and `__condense_pin_0 1` of the package. */
function namePins(explanation: string, pins: readonly RequestedSpec[]): string {
  return explanation.replaceAll(/__condense_pin_(\d+) ([*1])/g, (whole, position: string, which) => {
    const pin = pins[Number(position)];
    if (!pin) return whole;
    return which === '*' ? `the pin ${pin.line.text} (${pin.line.at})` : 'it';
  });
}

/** The specs at the root of the explanation's tree: `├─ numpy >=2 can be installed ...`. */
function specsInExplanation(explanation: string, specs: readonly RequestedSpec[]): RequestedSpec[] {
  const roots = new Set<string>();
  for (const [, name] of explanation.matchAll(/^(?:[├└]─ )?([\w.-]+) .*(?:installed|requested)/gm)) {
    if (name !== undefined) roots.add(name.toLowerCase());
  }
  for (const [, name] of explanation.matchAll(/^No candidates were found for ([\w.-]+) /gm)) {
    if (name !== undefined) roots.add(name.toLowerCase());
  }
  return specs.filter(({ name }) => roots.has(name));
}

function conflictHint(
  explanation: string,
  named: readonly RequestedSpec[],
  { hidden, available }: Parameters<typeof describeConflict>[3],
): string {
  const missing = /(?:^|\s)(__[a-z0-9_]+)[^,\n]*, for which no candidates were found/.exec(explanation)?.[1];
  if (missing !== undefined) return virtualPackageHint(missing);
  const shadowed = named.find(({ name }) => hidden.includes(name))?.name;
  if (shadowed !== undefined) {
    return `a later channel has ${shadowed} too, which strict priority does not look at: put that channel first, or write <channel>::${shadowed}`;
  }
  const name = /^No candidates were found for ([\w.-]+) /.exec(explanation)?.[1] ?? '';
  const versions = available[name] ?? [];
  if (versions.length > 0)
    return `there is ${name} ${versions.slice(0, 5).join(', ')}${versions.length > 5 ? ', ...' : ''}`;
  return 'loosen or leave out one of the versions named above';
}

function virtualPackageHint(name: string): string {
  return `to build for machines that have it, give its version in install_config.yaml: virtualPackages: {${name}: '...'}, or set CONDA_OVERRIDE_${name.replace(/^_+/, '').toUpperCase()}`;
}
