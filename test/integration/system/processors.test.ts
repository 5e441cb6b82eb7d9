// A build takes no more processors than it has: those that the kernel gives it, and those of its job.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countProcessors } from '../../../src/system/processors.ts';

const source = (name: string): string => JSON.stringify(path.resolve(import.meta.dirname, '../../../src', name));
const all = os.availableParallelism();

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-processors-'));
  await writeFile(path.join(dir, 'file'), 'x'.repeat(100_000));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** What a process says that the kernel lets run on one processor only. */
async function runOnOne(code: string): Promise<string> {
  const node = [process.execPath, '--input-type=module', '-e', code];
  return (await execa('taskset', ['-c', '0', ...node], { timeout: 60_000 })).stdout;
}

describe('a process on one processor', () => {
  it('counts one', async () => {
    const code = `import { countProcessors } from ${source('system/processors.ts')}; console.log(countProcessors({}));`;
    expect(await runOnOne(code)).toBe('1');
  });

  it('packs with one, which mksquashfs by itself would not, and gets the image of many', async () => {
    const code = `
      import { createHash } from 'node:crypto';
      import { readFileSync } from 'node:fs';
      import { planPack } from ${source('build/pack.ts')};
      import { countProcessors } from ${source('system/processors.ts')};
      import { execa } from 'execa';
      const profile = { compression: 'zstd', level: 3, blockSizeBytes: 131072, order: 'none' };
      for (const processors of [countProcessors({}), 2]) {
        const image = ${JSON.stringify(dir)} + '.' + processors;
        const { program, args } = planPack(${JSON.stringify(dir)}, image, profile, 7, processors);
        const { stdout } = await execa(program, args, { timeout: 30000 });
        console.log(stdout.split('\\n')[0], createHash('sha256').update(readFileSync(image)).digest('hex'));
      }`;
    const [one = '', two = ''] = (await runOnOne(code)).split('\n');
    for (const count of [1, 2]) await rm(`${dir}.${count}`);
    expect(one).toContain('Using 1 processor ');
    expect(two).toContain('Using 2 processors ');
    expect(one.split(' ').at(-1)).toBe(two.split(' ').at(-1));
  });
});

describe('a job whose batch system binds nobody', () => {
  it('counts what it has on this node, and never more than there are', () => {
    expect(countProcessors({ SLURM_JOB_ID: '7', SLURM_CPUS_ON_NODE: '1' })).toBe(1);
    expect(countProcessors({ PBS_JOBID: '7.server', NCPUS: '1' })).toBe(1);
    expect(countProcessors({ SLURM_JOB_ID: '7', SLURM_CPUS_ON_NODE: '99999' })).toBe(all);
  });

  it('takes no word for it that is none, nor that of a variable of no job', () => {
    for (const said of ['', '0', '-1', 'two', '4(x2)'])
      expect(countProcessors({ SLURM_JOB_ID: '7', SLURM_CPUS_ON_NODE: said })).toBe(all);
    expect(countProcessors({ NCPUS: '1', SLURM_CPUS_ON_NODE: '1' })).toBe(all);
  });
});
