// Whether a lock is one of today's spec and configuration, and what is not as it was. Pure: asks neither channels nor the machine.
import { redactUrls } from '../system/redact-urls.ts';
import type { EnvironmentLock } from './lock.ts';
import { describeSolveInputs, type SolveInputs } from './solve.ts';
import { compareVersions } from './version-order.ts';

export interface LockNeeds extends Omit<SolveInputs, 'virtualPackages'> {
  /** Those that the configuration gives; what is probed is the business of the machine that locks. */
  readonly virtualPackages: Readonly<Record<string, string>>;
  /** Milliseconds: the lock may have nothing of that time or later. */
  readonly excludeNewerMs?: number | undefined;
}

/** What keeps a lock from being one of these needs, each in a line for people; empty where it fits. */
export function findMisfits(lock: EnvironmentLock, needs: LockNeeds): readonly string[] {
  const wanted = describeSolveInputs({ ...needs, virtualPackages: lock.virtualPackages });
  const misfits = [
    ...compareVirtualPackages(lock, needs.virtualPackages),
    ...compareCutoff(lock, needs.excludeNewerMs),
  ];
  if (wanted.digest === lock.inputsDigest && lock.platform === needs.platform) return misfits;
  const changes = [
    ...(lock.platform === needs.platform ? [] : [`it is for ${lock.platform}, not for ${needs.platform}`]),
    ...compareTexts('spec', lock.specs, wanted.specs),
    ...compareTexts('pin', lock.specs && (lock.pinned ?? []), wanted.pinned),
    ...compareChannels(lock.channels, wanted.channels),
  ];
  const unknown = 'it was made from other specs, pins or channels, or edited since';
  return [...(changes.length > 0 ? changes : [unknown]), ...misfits];
}

function compareTexts(what: string, locked: readonly string[] | undefined, wanted: readonly string[]): string[] {
  if (locked === undefined) return [];
  return [
    ...wanted.filter((text) => !locked.includes(text)).map((text) => `${what} ${text} is new`),
    ...locked.filter((text) => !wanted.includes(text)).map((text) => `${what} ${redactUrls(text)} is gone`),
  ];
}

/** A lock also has the channels that single specs name, after the others. */
function compareChannels(locked: readonly string[], wanted: readonly string[]): string[] {
  if (wanted.every((url, position) => locked[position] === url)) return [];
  return [`the channels are ${wanted.join(', ')}; it has ${locked.join(', ') || 'none'}`];
}

function compareVirtualPackages(
  { virtualPackages }: EnvironmentLock,
  configured: Readonly<Record<string, string>>,
): string[] {
  return Object.entries(configured)
    .filter(([name, value]) => (virtualPackages[name] ?? '') !== value)
    .map(([name, value]) => {
      const locked = virtualPackages[name];
      return `virtual_packages says ${name}: '${value}'; it was made ${locked === undefined ? 'without' : `for '${locked}'`}`;
    });
}

function compareCutoff({ excludeNewer }: EnvironmentLock, cutoffMs: number | undefined): string[] {
  if (cutoffMs === undefined) return [];
  if (excludeNewer === undefined) return ['exclude_newer is set; it was made without'];
  if (Date.parse(excludeNewer) <= cutoffMs) return [];
  return [`exclude_newer is ${new Date(cutoffMs).toISOString()} today; it may have packages up to ${excludeNewer}`];
}

/** What locked packages ask of a machine that this one does not have, for people; lines that are not understood pass. */
export function findUnmetDependencies(
  lock: EnvironmentLock,
  machine: Readonly<Record<string, string>>,
): readonly string[] {
  return lock.packages.flatMap(({ name, depends = [] }) =>
    depends.flatMap((dependency) => {
      const [, needed, spec = ''] = /^(__[a-z0-9_]+)\s*(\S*)/.exec(dependency) ?? [];
      if (needed === undefined || needed === '__archspec') return [];
      const there = machine[needed];
      if (there === undefined) return [`${name} needs ${dependency}; this machine has no ${needed}`];
      const clauses = spec.includes('|') ? [] : spec.split(',');
      return clauses.every((clause) => meets(there, clause))
        ? []
        : [`${name} needs ${dependency}; this machine has ${there}`];
    }),
  );
}

const HOLDS: Readonly<Record<string, (order: number) => boolean>> = {
  '>=': (order) => order >= 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '<': (order) => order < 0,
};

function meets(version: string, clause: string): boolean {
  const [, operator = '', bound = ''] = /^([<>]=?)([\w.!+]+)$/.exec(clause) ?? [];
  return HOLDS[operator]?.(compareVersions(version, bound)) ?? true;
}
