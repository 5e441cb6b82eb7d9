// What activating an environment changes, as typed data. Modules are rendered from it; nothing is dumped as text.
import { findModuleLimit, findShellLimits, MODULE_SYSTEMS } from './shell-limits.ts';

export type ActivationChange =
  | { readonly kind: 'set'; readonly name: string; readonly value: string }
  /** Directories that go in front of a list variable, in their final order. */
  | { readonly kind: 'prepend'; readonly name: string; readonly entries: readonly string[] }
  | { readonly kind: 'append'; readonly name: string; readonly entries: readonly string[] }
  /** What stands there already is kept between two texts, which may be empty; where nothing does: `value`, if there is one. */
  | {
      readonly kind: 'around';
      readonly name: string;
      readonly before: string;
      readonly after: string;
      readonly value?: string | undefined;
    }
  | { readonly kind: 'unset'; readonly name: string }
  /** Keeps what `of` was for a deactivate.d script. No module needs it: unloading restores `of` by itself. */
  | { readonly kind: 'backup'; readonly name: string; readonly of: string }
  /** In bash and zsh, whose scripts define them. */
  | { readonly kind: 'alias'; readonly name: string; readonly value: string }
  | { readonly kind: 'function'; readonly name: string; readonly body: string };

export interface ActivationDiff {
  /** Variables sorted by name, then aliases, then functions. PATH is not among them: the farm stands for the environment's `bin`. */
  readonly changes: readonly ActivationChange[];
  /** What a module cannot express, said at build time. */
  readonly warnings: readonly string[];
}

export type Environment = ReadonlyMap<string, string>;

/** What a shell is like after activation. */
export interface ActivatedShell {
  readonly environment: Environment;
  readonly aliases: ReadonlyMap<string, string>;
  /** Name to what stands between the braces. */
  readonly functions: ReadonlyMap<string, string>;
}

/** What the variable holds before a capture that looks for what becomes of it; no script produces it by itself. */
export const probeOf = (name: string): string => `/condense-activation-probe/${name}/`;
const PROBE = /\/condense-activation-probe\/(\w+)\//;

/** The shell's own business. */
const SHELL_VARIABLES = new Set(['_', 'SHLVL', 'PWD', 'OLDPWD', 'PS1']);
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const COMMAND = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/;

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
 * Compares the environment before activation with two captures after it: one that started clean, and one that started with
 * a probe in every variable that the scripts set or speak of. Where a probe is still there after activation, the scripts
 * extend the variable; where it is gone, they replace it. No list of known variable names is needed.
 * @param probed the variables that held their probe
 */
export function compareActivation(
  before: Environment,
  activated: ActivatedShell,
  afterProbe: Environment,
  probed: ReadonlySet<string>,
): ActivationDiff {
  const { environment: after, aliases, functions } = activated;
  const found: Found[] = [];
  for (const name of [...new Set([...before.keys(), ...after.keys(), ...afterProbe.keys(), ...probed])].sort()) {
    // An exported function is a function.
    if (SHELL_VARIABLES.has(name) || name === 'PATH' || /^BASH_FUNC_.*%%$/.test(name)) continue;
    const value = after.get(name);
    const probe = probed.has(name) ? afterProbe.get(name) : undefined;
    if (!VARIABLE.test(name)) {
      if (value !== before.get(name)) found.push({ warning: `exports ${JSON.stringify(name)}` });
    } else if (value === undefined) found.push(...describeUnset(name, before, afterProbe, probed));
    else if (value !== before.get(name)) found.push(...describeSet(name, value, probe));
  }
  for (const [name, value] of [...aliases].sort()) found.push(describeCommand({ kind: 'alias', name, value }, value));
  for (const [name, body] of [...functions].sort()) {
    found.push(describeCommand({ kind: 'function', name, body }, body.replaceAll('\n', ' ')));
  }
  const changes = found.flatMap(({ change }) => change ?? []);
  return {
    changes,
    warnings: [
      ...found.flatMap(({ warning }) =>
        warning === undefined ? [] : `activation ${warning}, which a module cannot express`,
      ),
      ...changes.flatMap(describeLimits),
    ],
  };
}

interface Found {
  readonly change?: ActivationChange;
  /** What activation does. */
  readonly warning?: string;
}

/** A variable that is not there after a clean start. */
function describeUnset(
  name: string,
  before: Environment,
  afterProbe: Environment,
  probed: ReadonlySet<string>,
): Found[] {
  if (before.has(name)) return [{ change: { kind: 'unset', name } }];
  const probe = afterProbe.get(name);
  if (probe === undefined) return probed.has(name) ? [{ change: { kind: 'unset', name } }] : [];
  if (probe === probeOf(name)) return [];
  const whole = new RegExp(`^${PROBE.source}$`).exec(probe);
  if (whole?.[1] !== undefined) return [{ change: { kind: 'backup', name, of: whole[1] } }];
  const around = probed.has(name) ? splitAround(name, probe) : undefined;
  if (around && findModuleLimit(around.before + around.after) === undefined)
    return [{ change: { kind: 'around', name, ...around } }];
  return [{ warning: `sets ${name} only where other variables are set` }];
}

function describeSet(name: string, value: string, probe: string | undefined): Found[] {
  const limit = findModuleLimit(value) ?? findModuleLimit(probe ?? '');
  if (limit !== undefined) return [{ warning: `sets ${name} to ${limit}` }];
  if (probe === undefined || !PROBE.test(probe)) return [{ change: { kind: 'set', name, value } }];
  const whole = new RegExp(`^${PROBE.source}$`).exec(probe);
  if (value === '' && whole?.[1] !== undefined && whole[1] !== name) {
    return [{ change: { kind: 'backup', name, of: whole[1] } }];
  }
  const around = splitAround(name, probe);
  if (!around) {
    const set: Found = { change: { kind: 'set', name, value } };
    return [set, { warning: `makes ${name} from variables that users may have set` }];
  }
  const listed = (text: string): string[] => text.split(':').filter((entry) => entry !== '');
  if (around.after === '' && around.before === `${value}:` && !value.endsWith(':')) {
    return [{ change: { kind: 'prepend', name, entries: listed(value) } }];
  }
  if (around.before === '' && around.after === `:${value}` && !value.startsWith(':')) {
    return [{ change: { kind: 'append', name, entries: listed(value) } }];
  }
  return [{ change: { kind: 'around', name, ...around, value } }];
}

/** What stands before and after the probe; undefined where it is not there just once, or another variable's is. */
function splitAround(name: string, text: string): { before: string; after: string } | undefined {
  const [before = '', after, ...more] = text.split(probeOf(name));
  if (after === undefined || more.length > 0 || PROBE.test(before + after)) return undefined;
  return { before, after };
}

function describeCommand(change: ActivationChange & { readonly kind: 'alias' | 'function' }, text: string): Found {
  const what = `defines the ${change.kind} ${JSON.stringify(change.name)}`;
  if (!COMMAND.test(change.name)) return { warning: what };
  const limit = findModuleLimit(text);
  return limit === undefined ? { change } : { warning: `${what} with ${limit}` };
}

/** What of a change, which modules can express, does not reach every shell. */
function describeLimits(change: ActivationChange): string[] {
  if (change.kind === 'alias' || change.kind === 'function') {
    return [`activation defines the ${change.kind} ${change.name}: modules give it to bash and zsh only`];
  }
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
  switch (change.kind) {
    case 'set':
      return [change.value];
    case 'prepend':
    case 'append':
      return change.entries;
    case 'around':
      return [change.before, change.after, change.value ?? ''];
    case 'unset':
    case 'backup':
    case 'alias':
    case 'function':
      return [];
  }
}
