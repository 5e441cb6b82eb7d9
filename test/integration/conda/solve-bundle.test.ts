// The solver's worker is a file of its own: it must be found beside the bundle as it is found in the source tree.
import { execFile } from 'node:child_process';
import { rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { writeRepodata } from '../../channel/write-repodata.ts';
import { record, tempDir } from './solve-channel.ts';

const root = path.resolve(import.meta.dirname, '../../..');

test('solves when bundled as ci/build.ts bundles it', async () => {
  const dir = await tempDir();
  const channel = path.join(dir, 'channel');
  await writeRepodata(channel, [record('a', '1')]);
  await symlink(path.join(root, 'node_modules'), path.join(dir, 'node_modules'));
  await build({
    absWorkingDir: root,
    entryPoints: { solve: 'src/conda/solve.ts', 'solve-worker': 'src/conda/solve-worker.ts' },
    outdir: dir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    splitting: true,
  });
  const request = {
    specs: [{ text: 'a', at: 'environment.yml:1:1' }],
    channels: [pathToFileURL(channel).href],
    channelAlias: 'http://127.0.0.1',
    platform: 'linux-64',
    virtualPackages: {},
    repodataCacheDir: path.join(dir, 'cache'),
  };
  const script = `import { solveEnvironment } from './solve.mjs';
    const lock = await solveEnvironment({ ...${JSON.stringify(request)}, report: () => undefined });
    process.stdout.write(lock.packages.map(({ url }) => url).join());`;
  await writeFile(path.join(dir, 'run.mjs'), script);

  const { stdout } = await promisify(execFile)(process.execPath, [path.join(dir, 'run.mjs')], { env: {} });

  expect(stdout).toBe(`${pathToFileURL(channel).href}/linux-64/a-1-0.conda`);
  await rm(dir, { recursive: true });
});
