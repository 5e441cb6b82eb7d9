// The capture with a real shell, on the host: what a container adds is tested end to end.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { captureActivation } from '../../../src/build/activate.ts';
import { runCommand } from '../../../src/system/run-command.ts';

async function capture(script: string): ReturnType<typeof captureActivation> {
  const prefix = await mkdtemp(path.join(os.tmpdir(), 'condense-activate-'));
  onTestFinished(() => rm(prefix, { recursive: true }));
  await mkdir(path.join(prefix, 'etc/conda/activate.d'), { recursive: true });
  await writeFile(path.join(prefix, 'etc/conda/activate.d/a.sh'), script);
  return await captureActivation(prefix, prefix, 'a-1', runCommand);
}

it('tells what is set from what is put in front', async () => {
  const { changes } = await capture('export DATA=/d\nexport MANPATH=/m${MANPATH:+:$MANPATH}\n');

  expect(changes).toContainEqual({ kind: 'set', name: 'DATA', value: '/d' });
  expect(changes).toContainEqual({ kind: 'prepend', name: 'MANPATH', entries: ['/m'] });
});

it('refuses a script that ends the shell, instead of taking every variable away', async () => {
  await expect(capture('exit 0\n')).rejects.toMatchObject({ problems: [{ code: 'ACTIVATION_INVALID' }] });
});
