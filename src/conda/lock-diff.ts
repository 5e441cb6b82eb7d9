// What is different between two locks of one platform, for people and for machines. Pure.
import type { EnvironmentLock, LockedDistribution, LockedPackage } from './lock.ts';
import { normalizeDistributionName } from './wheel-file.ts';
import { compareVersions } from './version-order.ts';
import { describeSize } from '../system/describe-size.ts';

export interface LockDiff {
  readonly added: readonly LockedItem[];
  readonly removed: readonly LockedItem[];
  readonly changed: readonly LockChange[];
  /** How many are the same. */
  readonly unchanged: number;
  /** Of all packages of which the locks know the size; what is downloaded, not what is installed. */
  readonly sizeBytes: { readonly before: number; readonly after: number };
}

interface LockedItem {
  readonly source: 'conda' | 'pip';
  readonly name: string;
  readonly version: string;
  /** Of conda only, as are `channel` and the size. */
  readonly build?: string;
  readonly channel?: string;
  readonly sizeBytes?: number;
}

interface LockChange {
  readonly source: 'conda' | 'pip';
  readonly name: string;
  readonly before: LockedItem;
  readonly after: LockedItem;
  /** `upgrade` and `downgrade` are of the version; `build` says that the version is the same; `content` only the digest. */
  readonly kind: 'upgrade' | 'downgrade' | 'build' | 'content' | 'origin';
  /** Whether another channel has it now; may come with any kind. */
  readonly channelMoved: boolean;
}

type Locked = Pick<EnvironmentLock, 'packages' | 'pip'>;

/** Sorted by name, conda before pip. A name that goes from conda to pip is removed from one and added to the other. */
export function compareLocks(before: Locked, after: Locked): LockDiff {
  const [old, now] = [indexLock(before), indexLock(after)];
  const names = [...new Set([...old.keys(), ...now.keys()])].sort();
  const added: LockedItem[] = [];
  const removed: LockedItem[] = [];
  const changed: LockChange[] = [];
  for (const key of names) {
    const [was, is] = [old.get(key), now.get(key)];
    if (was && is) {
      const change = compareItems(was, is);
      if (change) changed.push(change);
    } else if (is) added.push(is.item);
    else if (was) removed.push(was.item);
  }
  return {
    ...{ added, removed, changed },
    unchanged: now.size - added.length - changed.length,
    sizeBytes: { before: totalBytes(before), after: totalBytes(after) },
  };
}

export function isEmptyDiff({ added, removed, changed }: LockDiff): boolean {
  return added.length + removed.length + changed.length === 0;
}

interface Indexed {
  readonly item: LockedItem;
  /** Equal for what installs the same. */
  readonly identity: string;
}

function indexLock({ packages, pip }: Locked): Map<string, Indexed> {
  return new Map([
    ...packages.map((locked) => [`conda ${locked.name.toLowerCase()}`, describePackage(locked)] as const),
    ...(pip?.packages ?? []).map(
      (locked) => [`pip ${normalizeDistributionName(locked.name)}`, describeDistribution(locked)] as const,
    ),
  ]);
}

function describePackage({ name, version, build, channel, sizeBytes, sha256 }: LockedPackage): Indexed {
  const size = sizeBytes === undefined ? {} : { sizeBytes };
  return { item: { source: 'conda', name, version, build, channel, ...size }, identity: sha256 };
}

function describeDistribution({ name, version, kind, url, sha256, commit }: LockedDistribution): Indexed {
  return { item: { source: 'pip', name, version }, identity: sha256 ?? `${kind} ${url} ${commit ?? ''}` };
}

function compareItems(before: Indexed, after: Indexed): LockChange | undefined {
  const [was, is] = [before.item, after.item];
  const channelMoved = was.channel !== is.channel;
  const order = compareVersions(was.version, is.version);
  const isSame = was.version === is.version && was.build === is.build && before.identity === after.identity;
  if (isSame && !channelMoved) return undefined;
  const kind =
    was.version !== is.version
      ? order > 0
        ? 'downgrade'
        : 'upgrade'
      : was.build !== is.build
        ? 'build'
        : isSame
          ? 'origin'
          : 'content';
  return { source: is.source, name: is.name, before: was, after: is, kind, channelMoved };
}

const totalBytes = ({ packages }: Locked): number => packages.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0);

/** Lines for people: removals first, since users miss what is gone; then what is new, and what changed. */
export function renderLockDiff(diff: LockDiff): string[] {
  if (isEmptyDiff(diff)) return [`nothing differs: ${count(diff.unchanged, 'package')}`];
  const of = (kinds: readonly LockChange['kind'][]): LockChange[] =>
    diff.changed.filter(({ kind }) => kinds.includes(kind));
  return [
    ...diff.removed.map((item) => `- ${describeItem(item)}`),
    ...diff.added.map((item) => `+ ${describeItem(item)}`),
    ...of(['downgrade']).map((change) => `↓ ${describeChange(change)}  downgrade`),
    ...of(['upgrade']).map((change) => `↑ ${describeChange(change)}`),
    ...of(['build']).map((change) => `~ ${describeChange(change)}  build only`),
    ...of(['content']).map((change) => `~ ${describeChange(change)}  same name, other content`),
    ...of(['origin']).map((change) => `~ ${describeChange(change)}`),
    describeTotals(diff),
  ];
}

function describeItem({ source, name, version, build }: LockedItem): string {
  return [name, version, source === 'pip' ? '(pip)' : (build ?? '')].filter((word) => word !== '').join(' ');
}

function describeChange({ name, source, before, after, kind, channelMoved }: LockChange): string {
  const texts =
    kind === 'build'
      ? [`${before.version} ${before.build ?? ''}`, after.build ?? '']
      : kind === 'content' || kind === 'origin'
        ? [before.version]
        : [before.version, after.version];
  const moved = channelMoved ? `  channel ${before.channel ?? 'none'} -> ${after.channel ?? 'none'}` : '';
  return `${name} ${texts.join(' -> ')}${source === 'pip' ? ' (pip)' : ''}${moved}`;
}

function describeTotals({ added, removed, changed, unchanged, sizeBytes }: LockDiff): string {
  const downgrades = changed.filter(({ kind }) => kind === 'downgrade').length;
  const builds = changed.filter(({ kind }) => kind === 'build').length;
  const moves = changed.filter(({ channelMoved }) => channelMoved).length;
  const notes = [
    downgrades > 0 ? count(downgrades, 'downgrade') : '',
    builds > 0 ? `${builds} in the build only` : '',
    moves > 0 ? `${moves} from another channel` : '',
  ].filter((note) => note !== '');
  const difference = sizeBytes.after - sizeBytes.before;
  return (
    `${removed.length} removed, ${added.length} added, ${changed.length} changed` +
    `${notes.length > 0 ? ` (${notes.join(', ')})` : ''}, ${unchanged} the same; ` +
    `${describeSize(sizeBytes.after)} to download, ${difference < 0 ? '-' : '+'}${describeSize(Math.abs(difference))}`
  );
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
