// Writes the configuration of a site whose one environment holds every package of the large channel: over 100,000 paths.
//   node ci/make-large-site.ts <directory>      then: npx condense --config <directory>/install_config.yaml install large
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { stringify } from 'yaml';
import { z } from 'zod';
import { ensureTestChannel } from '../test/channel/make-channel.ts';
import { showProgress } from '../test/channel/show-progress.ts';

const Records = z.record(z.string(), z.looseObject({ name: z.string() }));
const Repodata = z.looseObject({ packages: Records, 'packages.conda': Records });

/** Debian's packages leave tests, headers' links and what they merely recommend to others: these fail for plain Python, too. */
const INCOMPLETE = [
  'entry point automat-visualize',
  'entry point tkconch',
  ...['astropy', 'cartopy', 'geopandas', 'h5py', 'itemloaders', 'nbconvert', 'parsel'].map((name) => `import ${name}`),
  ...['pydev_app_engine_debug_startup', 'scrapy'].map((name) => `import ${name}`),
  'metadata cryptography',
  ...['azure-ai-ml', 'azure-monitor-opentelemetry-exporter', 'nipype', 'pynacl'].map((name) => `pip check ${name}`),
];
const expected = { reason: 'incomplete in Debian', until: '2099-12-31' };

const [dir] = process.argv.slice(2);
if (dir === undefined) throw new Error('usage: node ci/make-large-site.ts <directory>');
const { dir: channel } = await ensureTestChannel({ large: true, report: showProgress(process.stderr) });
const names = new Set<string>();
for (const subdir of ['linux-64', 'noarch']) {
  const repodata = Repodata.parse(JSON.parse(await readFile(path.join(channel, subdir, 'repodata.json'), 'utf8')));
  for (const records of [repodata.packages, repodata['packages.conda']])
    for (const { name } of Object.values(records)) names.add(name);
}
const files = {
  'environment.yml': { name: 'large', channels: [pathToFileURL(channel).href], dependencies: [...names].sort() },
  'install_config.yaml': {
    ...{ site: 'large', prefix: './site', admin_dir: './admin', staging_dir: './staging' },
    environments: {
      large: {
        ...{ version: '1', stable: '1', spec: 'environment.yml' },
        gate: {
          imports: ['xarray', 'netCDF4', 'matplotlib'],
          expected_failures: Object.fromEntries(INCOMPLETE.map((name) => [name, expected])),
        },
      },
    },
  },
};
await mkdir(dir, { recursive: true });
for (const [name, content] of Object.entries(files)) await writeFile(path.join(dir, name), stringify(content));
process.stdout.write(`${path.join(dir, 'install_config.yaml')}\n`);
