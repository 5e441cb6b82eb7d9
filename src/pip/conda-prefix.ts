// What conda has put into a prefix, as far as pip must not harm it: read from conda-meta, so whichever installer it was.
import path from 'node:path';
import { z } from 'zod';
import { environmentEpoch } from '../conda/epoch.ts';
import { planPython, type PythonLayout } from '../conda/python-linking.ts';
import { normalizeDistributionName } from '../conda/wheel-file.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { readdir, readText } from '../system/files.ts';

export interface CondaPrefix {
  readonly python: PythonLayout;
  readonly epochSeconds: number;
  /** The conda package of each path. */
  readonly owners: ReadonlyMap<string, string>;
  /** Python distributions that conda packages bring, by normalised name. */
  readonly distributions: ReadonlyMap<string, CondaDistribution>;
}

interface CondaDistribution {
  /** The conda package. */
  readonly package: string;
  readonly version: string;
}

const CondaRecord = z.object({
  name: z.string(),
  version: z.string(),
  url: z.string().optional(),
  timestamp: z.number().nullish(),
  python_site_packages_path: z.string().nullish(),
  files: z.array(z.string()),
});
type CondaRecord = z.infer<typeof CondaRecord>;

/** @throws AppError PIP_UNSUPPORTED when there is no python, or a pip that cannot tell what it would install */
export async function readCondaPrefix(prefixOnDisk: string): Promise<CondaPrefix> {
  const dir = path.join(prefixOnDisk, 'conda-meta');
  const records: CondaRecord[] = [];
  for (const name of (await readdir(dir)).filter((each) => each.endsWith('.json')).sort())
    records.push(CondaRecord.parse(JSON.parse(await readText(path.join(dir, name)))));
  const python = records.find(({ name }) => name === 'python');
  const pip = records.find(({ name }) => name === 'pip');
  const [major = 0, minor = 0] = (pip?.version ?? '0').split('.').map(Number);
  // The installation report came with pip 22.2.
  if (!python || !pip || major < 22 || (major === 22 && minor < 2)) {
    throw new AppError(EXIT.buildFailed, {
      code: 'PIP_UNSUPPORTED',
      message: pip
        ? `the environment has pip ${pip.version}; 22.2 is the oldest that can be used`
        : 'the environment has no pip',
      hint: 'write - pip>=22.2 under dependencies in environment.yml',
    });
  }
  const layout = planPython({
    url: python.url ?? 'python',
    version: python.version,
    sitePackagesPath: python.python_site_packages_path,
  });
  return {
    python: layout,
    epochSeconds: environmentEpoch(records.map(({ timestamp }) => timestamp)),
    owners: new Map(records.flatMap(({ name, files }) => files.map((file) => [file, name] as const))),
    distributions: listDistributions(records, layout.sitePackages),
  };
}

/** By their metadata: `numpy-2.1.0.dist-info/METADATA`, `attrs-22.2.0.egg-info/PKG-INFO`, or `foo-1.0.egg-info` as a file. */
function listDistributions(
  records: readonly CondaRecord[],
  sitePackages: string,
): ReadonlyMap<string, CondaDistribution> {
  const found = new Map<string, CondaDistribution>();
  for (const record of records) {
    for (const file of record.files) {
      if (!file.startsWith(`${sitePackages}/`)) continue;
      const [, name, version] =
        /^([^/]+?)-([^/-]+)(?:-[^/]*)?\.(?:dist-info\/METADATA|egg-info(?:\/PKG-INFO)?)$/.exec(
          file.slice(sitePackages.length + 1),
        ) ?? [];
      if (name !== undefined && version !== undefined)
        found.set(normalizeDistributionName(name), { package: record.name, version });
    }
  }
  return found;
}
