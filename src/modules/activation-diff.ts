// What activating an environment changes, as typed data. Modules are rendered from it; nothing is dumped as text.
import { findModuleLimit, findShellLimits, MODULE_SYSTEMS } from './shell-limits.ts';

export type ActivationChange =
  | { readonly kind: 'set'; readonly name: string; readonly value: string }
  /** Directories that go in front of a list variable, in their final order. */
  | { readonly kind: 'prepend'; readonly name: string; readonly entries: readonly string[] }
  | { readonly kind: 'append'; readonly name: string; readonly entries: readonly string[] }
  | { readonly kind: 'unset'; readonly name: string };

export interface ActivationDiff {
  /** Sorted by variable name. PATH is not among them: the farm stands for the environment's `bin`. */
  readonly changes: readonly ActivationChange[];
  /** What a module cannot express, said at build time. */
  readonly warnings: readonly string[];
}

export type Environment = ReadonlyMap<string, string>;

/** The value that every list variable holds before the second capture; no script produces it by itself. */
export const PROBE = '/condense-activation-probe';

/** The shell's own business. */
const SHELL_VARIABLES = new Set(['_', 'SHLVL', 'PWD', 'OLDPWD', 'PS1']);

/**
 * Reads the output of `env -0`.
 * @param bytes `NAME=value` pairs, each ended by a NUL
 */
export function parseEnvironment(bytes: Uint8Array): Environment {
  const environment = new Map<string, string>();
  for (const pair of Buffer.from(bytes).toString('utf8').split('\0')) {
    const equals = pair.indexOf('=');
    if (equals > 0) environment.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  return environment;
}

/**
 * Compares the environment before activation with two captures after it: one that started clean, and one that started
 * with every variable that activation touches set to `PROBE`. Where the probe is still there after activation, the
 * scripts extend the variable; where it is gone, they replace it. No list of known variable names is needed.
 */
export function compareActivation(before: Environment, after: Environment, afterProbe: Environment): ActivationDiff {
  const changes: ActivationChange[] = [];
  const warnings: string[] = [];
  for (const name of [...new Set([...before.keys(), ...after.keys()])].sort()) {
    if (SHELL_VARIABLES.has(name) || name === 'PATH') continue;
    const value = after.get(name);
    if (value === before.get(name)) continue;
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      warnings.push(`activation exports ${JSON.stringify(name)}, which a module cannot express`);
    } else if (value === undefined) {
      changes.push({ kind: 'unset', name });
    } else {
      const limit = findModuleLimit(value);
      if (limit !== undefined) warnings.push(`activation sets ${name} to ${limit}, which a module cannot express`);
      else changes.push(describeChange(name, value, afterProbe.get(name)));
    }
  }
  return { changes, warnings: [...warnings, ...changes.flatMap(describeLimits)] };
}

/** What of a change, which modules can express, does not reach every shell. */
function describeLimits(change: ActivationChange): string[] {
  return MODULE_SYSTEMS.flatMap((system) => {
    const shells = findShellLimits(system, valuesOf(change));
    const who = shells.filter((shell) => shell !== 'tcsh').join(' and ');
    return shells.length === 0
      ? []
      : [`activation sets ${change.name} to what ${system} cannot give ${who}: it is not set there`];
  });
}

/** Every text that a change puts into its variable. */
export function valuesOf(change: ActivationChange): readonly string[] {
  if (change.kind === 'unset') return [];
  return change.kind === 'set' ? [change.value] : change.entries;
}

function describeChange(name: string, value: string, probed: string | undefined): ActivationChange {
  const entries = probed?.split(':') ?? [];
  const at = entries.indexOf(PROBE);
  if (at > 0 && at === entries.length - 1) return { kind: 'prepend', name, entries: entries.slice(0, at) };
  if (at === 0 && entries.length > 1) return { kind: 'append', name, entries: entries.slice(1) };
  return { kind: 'set', name, value };
}
