// What each package of a release says of its licence, for people who have to know. Pure.
import type { Bill, BillItem } from './bill.ts';

export interface LicenceReport {
  readonly packages: readonly LicenceRow[];
  /** How many have each; without those that say nothing. Most first. */
  readonly licences: readonly { readonly licence: string; readonly packages: number }[];
  /** Names of the packages that state none, or none that is an SPDX expression: for a person to look at. */
  readonly unknown: readonly string[];
}

interface LicenceRow {
  readonly source: BillItem['source'];
  readonly name: string;
  readonly version: string;
  /** As stated; absent where nothing is. */
  readonly licence?: string | undefined;
  /** Whether it is an SPDX expression. */
  readonly isSpdx: boolean;
}

export function planLicenceReport({ items }: Bill): LicenceReport {
  const packages = items.map(({ source, name, version, licence: { stated, expression } }) => ({
    ...{ source, name, version, isSpdx: expression !== undefined },
    ...(stated === undefined ? {} : { licence: stated }),
  }));
  const counts = new Map<string, number>();
  for (const { licence } of packages) if (licence !== undefined) counts.set(licence, (counts.get(licence) ?? 0) + 1);
  return {
    packages,
    licences: [...counts]
      .sort(([a, many], [b, others]) => others - many || (a < b ? -1 : 1))
      .map(([licence, count]) => ({ licence, packages: count })),
    unknown: packages.filter(({ isSpdx }) => !isSpdx).map(({ name }) => name),
  };
}

/** One line for each package, then the sums; `?` marks what a person has to look at. */
export function renderLicenceReport(title: string, { packages, licences, unknown }: LicenceReport): string[] {
  const width = (texts: readonly string[]): number => Math.max(0, ...texts.map((text) => text.length));
  const names = width(packages.map(({ name }) => name));
  const versions = width(packages.map(({ version }) => version));
  return [
    title,
    ...packages.map(({ name, version, source, licence, isSpdx }) =>
      `${isSpdx ? ' ' : '?'} ${name.padEnd(names)}  ${version.padEnd(versions)}  ${licence ?? '(states none)'}${source === 'pip' ? '  (pip)' : ''}`.trimEnd(),
    ),
    '',
    ...licences.map(({ licence, packages: count }) => `${String(count).padStart(5)}  ${licence}`),
    unknown.length === 0
      ? `all ${packages.length} packages state an SPDX expression`
      : `${unknown.length} of ${packages.length} packages state none, or none that is an SPDX expression (?): ${unknown.join(', ')}`,
  ];
}
