// The capture with a real shell, on the host: what a container adds is tested end to end.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { captureActivation } from '../../../src/build/activate.ts';
import { runCommand } from '../../../src/system/run-command.ts';

async function capture(
  script: string,
  files: Readonly<Record<string, string>> = {},
): ReturnType<typeof captureActivation> {
  const prefix = await mkdtemp(path.join(os.tmpdir(), 'condense-activate-'));
  onTestFinished(() => rm(prefix, { recursive: true }));
  await mkdir(path.join(prefix, 'etc/conda/activate.d'), { recursive: true });
  await writeFile(path.join(prefix, 'etc/conda/activate.d/a.sh'), script);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(prefix, name)), { recursive: true });
    await writeFile(path.join(prefix, name), text);
  }
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

it('sets what env_vars.d and conda-meta/state say, later files over earlier ones, and the state over all (CEP 32)', async () => {
  const { changes } = await capture('export SEEN="$ONE$TWO$THREE"\n', {
    'etc/conda/env_vars.d/b.json': '{"ONE": "b1", "TWO": "b2", "THREE": "b3"}',
    'etc/conda/env_vars.d/a.json': '{"ONE": "a1", "FOUR": "$(id) `x` \\" [exit]"}',
    'etc/conda/env_vars.d/README': 'not read',
    'conda-meta/state': '{"env_vars": {"TWO": "s2"}}',
  });

  const set = changes.flatMap((change) => (change.kind === 'set' ? [[change.name, change.value]] : []));
  expect(Object.fromEntries(set)).toMatchObject({
    ...{ ONE: 'b1', TWO: 's2', THREE: 'b3', FOUR: '$(id) `x` " [exit]', SEEN: 'b1s2b3' },
  });
});

it.each(['[', '{"A": 1}', '{"a b": "x"}', '{"A=B": "x"}', '{"": "x"}'])('refuses env_vars.d with %s', async (text) => {
  await expect(capture('', { 'etc/conda/env_vars.d/a.json': text })).rejects.toMatchObject({
    problems: [{ code: 'ACTIVATION_INVALID', at: expect.stringContaining('a.json') as string }],
  });
});

it('refuses an env_vars.d file that is a link out of the environment', async () => {
  const prefix = await mkdtemp(path.join(os.tmpdir(), 'condense-activate-'));
  onTestFinished(() => rm(prefix, { recursive: true }));
  await mkdir(path.join(prefix, 'etc/conda/env_vars.d'), { recursive: true });
  await symlink('/etc/hostname', path.join(prefix, 'etc/conda/env_vars.d/a.json'));

  await expect(captureActivation(prefix, prefix, 'a-1', runCommand)).rejects.toMatchObject({
    problems: [{ code: 'ACTIVATION_INVALID', message: 'is a link out of the environment' }],
  });
});
