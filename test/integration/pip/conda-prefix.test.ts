import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, test } from 'vitest';
import { readCondaPrefix } from '../../../src/pip/conda-prefix.ts';

let prefix: string;
beforeEach(async () => {
  prefix = await mkdtemp(path.join(os.tmpdir(), 'condense-pip-'));
  await mkdir(path.join(prefix, 'conda-meta'));
});
afterEach(async () => {
  await rm(prefix, { recursive: true });
});

async function record(name: string, version: string, more: object = {}): Promise<void> {
  const text = JSON.stringify({ name, version, build: '0', files: [], ...more });
  await writeFile(path.join(prefix, 'conda-meta', `${name}-${version}-0.json`), text);
}

it('knows the distributions of conda packages by their metadata, and each path by its package', async () => {
  const site = 'lib/python3.13/site-packages';
  await record('python', '3.13.1', { timestamp: 1_700_000_000_000 });
  await record('pip', '24.0', { timestamp: 1_700_000_001_000 });
  await record('matplotlib-base', '3.9', { files: [`${site}/matplotlib-3.9.dist-info/METADATA`, `${site}/pylab.py`] });
  await record('attrs', '22.2', {
    files: [`${site}/attrs-22.2.0.egg-info/PKG-INFO`, `${site}/Old_Name-1.0-py3.13.egg-info`],
  });

  const found = await readCondaPrefix(prefix);

  expect([...found.distributions]).toEqual([
    ['attrs', { package: 'attrs', version: '22.2.0' }],
    ['old-name', { package: 'attrs', version: '1.0' }],
    ['matplotlib', { package: 'matplotlib-base', version: '3.9' }],
  ]);
  expect(found.owners.get(`${site}/pylab.py`)).toBe('matplotlib-base');
  expect(found.python).toEqual({ sitePackages: site, interpreter: 'bin/python3.13' });
  expect(found.epochSeconds).toBe(1_700_000_001);
});

test.each([
  [undefined, /has no pip/],
  ['21.3.1', /has pip 21\.3\.1; 22\.2 is the oldest/],
  ['22.1.2', /22\.2 is the oldest/],
])('a pip that cannot tell what it would install is refused: %s', async (version, words) => {
  await record('python', '3.13.1');
  if (version !== undefined) await record('pip', version);

  await expect(readCondaPrefix(prefix)).rejects.toThrow(words);
});
