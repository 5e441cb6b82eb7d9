// What is installed, by its own metadata, against what the manifest says. And what pip has to say about it. Pure.
import { normalizeDistributionName } from '../conda/wheel-file.ts';
import type { ReleaseManifest } from '../release/manifest.ts';
import { listCondaMetadata, type Inventory } from './inventory.ts';
import type { RawResult } from './raw-result.ts';

/** One result for all that agrees, and one for each package that does not. */
export function checkMetadata(
  { packages, unreadable, distributions }: Inventory,
  manifest: Pick<ReleaseManifest, 'packages' | 'removed'>,
  seconds: number,
): RawResult[] {
  const wrong: RawResult[] = unreadable.map((what) => ({
    ...{ name: `metadata ${what.replace(/:.*$/s, '')}`, seconds: 0 },
    failure: `conda-meta/${what}`,
  }));
  const complain = (name: string, failure: string): void => {
    wrong.push({ name: `metadata ${name}`, seconds: 0, failure });
  };
  const describe = ({ version, build }: { version: string; build: string }): string => `${version} ${build}`;
  const installed = new Map(packages.map((one) => [one.name, one]));
  const fromConda = manifest.packages.filter(({ source }) => source === undefined);
  for (const wanted of fromConda) {
    const found = installed.get(wanted.name);
    // What was taken out as a whole may have lost its record with it.
    if (!found && manifest.removed?.some((one) => one.package === wanted.name)) continue;
    if (!found)
      complain(wanted.name, `${wanted.name} ${describe(wanted)} is locked, and conda-meta has no record of it`);
    else if (describe(found) !== describe(wanted))
      complain(wanted.name, `${wanted.name} ${describe(wanted)} is locked, and conda-meta says ${describe(found)}`);
  }
  for (const { name, version } of packages)
    if (!fromConda.some((one) => one.name === name))
      complain(name, `conda-meta has ${name} ${version}, which is not locked`);

  const ofConda = listCondaMetadata(packages);
  const fromPip = new Map(
    manifest.packages.filter(({ source }) => source === 'pip').map((one) => [normalizeDistributionName(one.name), one]),
  );
  const added = distributions.filter(({ directory }) => !ofConda.has(directory));
  for (const { name, version, directory } of added) {
    const wanted = fromPip.get(normalizeDistributionName(name));
    if (!wanted) complain(name, `${directory} is of no package that is locked`);
    else if (wanted.version !== version)
      complain(name, `${name} ${wanted.version} is locked, and ${directory} says ${version}`);
  }
  for (const [name, { version }] of fromPip)
    if (!added.some((one) => normalizeDistributionName(one.name) === name))
      complain(name, `${name} ${version} is locked (pip), and no metadata of it is installed`);

  const seen = new Map<string, string>();
  for (const { name, directory } of distributions) {
    const other = seen.get(normalizeDistributionName(name));
    if (other !== undefined) complain(name, `is there twice: ${other} and ${directory}`);
    seen.set(normalizeDistributionName(name), directory);
  }
  return [{ name: 'metadata', seconds }, ...wrong];
}

/** `pip check`: one result for each distribution that it complains of, so that an exception for one hides no other. */
export function readPipCheck(exitCode: number | undefined, output: string, seconds: number): RawResult[] {
  const complaints = new Map<string, string[]>();
  const others: string[] = [];
  for (const line of output.split('\n').filter((text) => text.trim() !== '')) {
    // pip/_internal/commands/check.py, the only two kinds of line; and what other versions may say.
    const [, name] = /^(\S+) \S+ (?:requires |has requirement |is not supported )/.exec(line) ?? [];
    if (name !== undefined) complaints.set(name, [...(complaints.get(name) ?? []), line]);
    else if (!/^(No broken requirements found\.|WARNING: )/.test(line)) others.push(line);
  }
  const results = [...complaints].map(([name, lines]) => ({
    name: `pip check ${name}`,
    seconds: 0,
    failure: lines.join('\n'),
  }));
  const isExplained = exitCode === 0 || (exitCode === 1 && results.length > 0);
  const failure = isExplained
    ? undefined
    : `pip check ended with status ${exitCode ?? '?'}\n${others.join('\n')}`.trimEnd();
  return [{ name: 'pip check', seconds, ...(failure === undefined ? {} : { failure }) }, ...results];
}
