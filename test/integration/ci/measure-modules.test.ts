// npm run bench:modules where a conda is on PATH, which is a stand-in: it says what it was asked.
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { expect, it, onTestFinished } from 'vitest';

const script = path.resolve(import.meta.dirname, '../../../ci/measure-modules.ts');

it('compares loading with the hook and the activation of a conda that is on PATH, and says so where none is', async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'condense-bench-test-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const conda = path.join(dir, 'conda');
  const measure = async (searchPath: string): Promise<string> =>
    (await execa(process.execPath, [script, '1'], { env: { PATH: searchPath }, timeout: 100_000 })).stdout;
  const without = await measure('/usr/bin:/bin');
  await writeFile(conda, `#!/bin/sh\necho "$@" >> ${dir}/asked\necho 'conda() { "$CONDA" shell.posix "$@"; }'\n`);
  await chmod(conda, 0o755);

  const said = await measure(`${dir}:/usr/bin:/bin`);

  expect(without).toContain('conda activate: not measured');
  for (const system of ['Environment Modules 4', 'Environment Modules 5', 'Lmod']) {
    expect(said).toMatch(new RegExp(`^${system}: [\\d.]+ ms, empty modulefile [\\d.]+ ms, ratio [\\d.]+$`, 'm'));
    expect(said).toMatch(new RegExp(`^${system}: a shell .* ${conda} activate base [\\d.]+ ms, ratio [\\d.]+$`, 'm'));
  }
  expect(new Set((await readFile(path.join(dir, 'asked'), 'utf8')).trim().split('\n'))).toEqual(
    new Set(['shell.bash hook', 'shell.posix activate base']),
  );
});
