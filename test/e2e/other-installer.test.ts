// A site that has another program install (a stand-in for micromamba): what is recorded of it, and when it builds anew.
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeCondaPackage } from '../channel/conda-package.ts';
import { writeRepodata } from '../channel/write-repodata.ts';
import { TestSite } from './test-site.ts';

let site: TestSite;
beforeAll(async () => {
  site = await TestSite.make();
});
afterAll(async () => {
  await site.remove();
});

it('builds a release with it, says so, and builds anew with another version or without it', async () => {
  const dir = path.join(site.dir, 'channel');
  const files = [{ type: 'file', path: 'bin/tool', mode: 0o755, data: '#!/bin/bash\necho tool\n' }] as const;
  const index = { name: 'tool', version: '1.0', build: '0', build_number: 0, subdir: 'noarch', depends: [] };
  await writeRepodata(dir, [await writeCondaPackage({ dir, format: 'tar.bz2', index, files })]);
  await mkdir(path.join(site.dir, 'bin'));
  const program = path.join(site.dir, 'bin/micromamba');
  const standIn = path.join(import.meta.dirname, '../integration/conda/installer-stand-in.sh');
  await cp(standIn, program);
  await site.writeConfig(`  a: { version: '1', stable: '1' }\n`, 'installer: { program: bin/micromamba }\n');
  await site.writeSpec('a', [pathToFileURL(dir).href], ['tool']);

  expect(await site.condenseOk('doctor')).toContain(`installer: micromamba 2.0.5 (${program})`);
  await site.condenseOk('install', 'a');
  const first = (await site.liveRelease('a-1')) ?? '';
  const manifestFile = path.join(site.prefix, 'apps/condense/releases/a-1', first, 'manifest.json');
  const manifest = JSON.parse(await readFile(manifestFile, 'utf8')) as {
    tools: object;
    notes: string[];
    commands: string[];
  };
  expect(manifest).toMatchObject({
    tools: { installer: 'micromamba 2.0.5' },
    notes: ['installed by micromamba 2.0.5'],
    commands: ['tool'],
  });
  expect(await site.condenseOk('build', 'a')).toContain('nothing to build');

  await writeFile(program, (await readFile(standIn, 'utf8')).replace('echo 2.0.5', 'echo 2.1.0'));
  expect(await site.condenseOk('build', 'a')).toContain('was built');
  await site.writeConfig(`  a: { version: '1', stable: '1' }\n`);
  expect(await site.condenseOk('build', 'a')).toContain('was built');

  await site.writeConfig(`  a: { version: '1', stable: '1' }\n`, 'installer: { program: bin/none }\n');
  expect((await site.condense('build', 'a')).stderr).toContain('INSTALLER_MISSING');
  expect((await site.condense('doctor')).exitCode).toBe(4);
});
