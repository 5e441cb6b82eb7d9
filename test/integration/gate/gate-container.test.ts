// The container that checks enter. A script stands for the launcher and starts what it is given on the host.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openGateContainer, type GateContainer } from '../../../src/gate/gate-container.ts';
import { ReleaseLayout } from '../../../src/site/layout.ts';
import { minimalEnvironment } from '../../../src/system/run-command.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-container-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function open(launcher: string): Promise<GateContainer> {
  await writeFile(path.join(dir, 'launcher'), `#!/bin/bash\n${launcher}\n`, { mode: 0o755 });
  let count = 0;
  return await openGateContainer({
    ...{ release: new ReleaseLayout(dir, 'a-1'), condaPrefix: '/opt/conda/a-1', marker: '/bin/bash' },
    ...{ env: minimalEnvironment(), cwd: dir, nsenter: '/usr/bin/nsenter', signal: new AbortController().signal },
    mark: () => {
      const value = `${path.basename(dir)}/${count++}/`;
      return { env: { CONDENSE_TEST: value }, group: `CONDENSE_TEST=${value}` };
    },
  });
}

it('goes on when a check is ended with what it started, and so do the other checks', async () => {
  const container = await open('shift; exec "$@"');
  const run = (script: string, timeoutMs: number) =>
    container.run({ program: '/bin/bash', args: ['-c', script], timeoutMs });

  const [hangs, other] = await Promise.all([
    run('setsid sleep 1000 & sleep 1000', 2000),
    run('until [[ -e over ]]; do sleep 0.1; done; echo done', 120_000),
    (async () => {
      await run('sleep 1000', 3000);
      await writeFile(path.join(dir, 'over'), '');
    })(),
  ]);

  expect(hangs.timedOut).toBe(true);
  expect(other).toMatchObject({ exitCode: 0, timedOut: false });
  expect(other.stdout.toString()).toBe('done\n');
  expect((await run('pwd', 60_000)).stdout.toString()).toBe(`${dir}\n`);
  await container.close();
});

it('is refused with what the launcher says where that starts none', async () => {
  await expect(open('echo "condense: no image" >&2; exit 125')).rejects.toThrow(
    /failed with exit code 125\ncondense: no image/,
  );
});
