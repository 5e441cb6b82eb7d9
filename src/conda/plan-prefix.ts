// From verified archives to the plan of a prefix: unpack, put the packages in order, decide what goes where.
import type { Report } from '../system/events.ts';
import { environmentEpoch } from './epoch.ts';
import type { ExtractedCache } from './extracted-cache.ts';
import type { InstallRequest } from './installer.ts';
import { linkOrder, type OrderedPackage } from './link-order.ts';
import { planLinks, type LinkPlan, type UnpackedPackage } from './link-plan.ts';
import { scriptPath } from './post-link.ts';
import { planPython, type PythonLayout } from './python-linking.ts';
import { unpackPackages } from './unpack-packages.ts';

export interface PlannedPrefix {
  /** In link order. */
  readonly packages: readonly UnpackedPackage[];
  readonly python: PythonLayout | undefined;
  readonly epochSeconds: number;
  readonly plan: LinkPlan;
}

/**
 * @param archives verified archives, by sha256
 * @param scratch an existing directory on the prefix's file system; the caller removes it
 * @param isSpooled each package becomes one file with all its bytes, not a directory
 */
export async function unpackAndPlan(
  request: Pick<InstallRequest, 'lock' | 'prefixInside' | 'report' | 'signal'>,
  archives: ReadonlyMap<string, string>,
  scratch: string,
  isSpooled: boolean,
  extracted?: ExtractedCache,
): Promise<PlannedPrefix> {
  const { lock, prefixInside, report, signal } = request;
  const unpacked = await unpackPackages({
    ...{ packages: lock.packages, archives, scratch, prefixInside, isSpooled, extracted, report, signal },
  });
  const packages = linkOrder(unpacked.map((one) => ({ one, ...orderFacts(one) }))).map(({ one }) => one);
  const python = environmentPython(packages);
  const epochSeconds = environmentEpoch(packages.map(({ metadata }) => metadata.index.timestamp));
  const plan = planLinks({ packages, prefixInside, python, epochSeconds });
  return { packages, python, epochSeconds, plan };
}

function orderFacts({ locked, metadata }: UnpackedPackage): OrderedPackage {
  const { channel, subdir, name, version, build } = locked;
  const { depends, constrains } = metadata.index;
  const distribution = `${channel}/${subdir}::${name}-${version}-${build}`;
  return { name, distribution, depends, constrains, noarchPython: metadata.noarchPython };
}

function environmentPython(packages: readonly UnpackedPackage[]): PythonLayout | undefined {
  const python = packages.find(({ locked }) => locked.name === 'python');
  if (!python) return undefined;
  const { url, version } = python.locked;
  return planPython({ url, version, sitePackagesPath: python.metadata.index.python_site_packages_path });
}

/** Those whose post-link script is in the prefix, in link order. */
export function listPostLink({ plan, packages }: PlannedPrefix): UnpackedPackage[] {
  const present = new Set(plan.items.map((item) => item.path));
  return packages.filter(({ locked }) => present.has(scriptPath(locked.name, 'post-link')));
}

/**
 * Warns of what is not done with packages, whichever way they are installed.
 * @returns what else a person should know of them
 */
export function reportPrefix({ plan, packages }: PlannedPrefix, report: Report): string[] {
  for (const { locked, metadata } of packages) {
    if (!metadata.entries.some((entry) => entry.path === scriptPath(locked.name, 'pre-link'))) continue;
    const text = `${locked.name} has a pre-link script, which is not run: conda deprecates them`;
    report({ type: 'warning', text });
  }
  return [...plan.notes, ...describeIgnored(packages)];
}

function describeIgnored(packages: readonly UnpackedPackage[]): string[] {
  const withMenus = packages.filter(({ metadata }) =>
    metadata.entries.some(({ path: at }) => at.startsWith('Menu/') && at.endsWith('.json')),
  );
  if (withMenus.length === 0) return [];
  const names = withMenus.map(({ locked }) => locked.name).join(', ');
  return [`desktop menus are not made: ${names}`];
}
