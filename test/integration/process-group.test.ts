// What becomes of the processes that a program starts, when it ends or is ended.
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { minimalEnvironment, runToEnd, type CommandEnd } from '../../src/system/run-command.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-group-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** A program of several processes; each that is to be looked at afterwards writes its number to a file. */
const run = (script: string, more: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<CommandEnd> =>
  runToEnd({
    program: 'bash',
    args: ['-c', script],
    cwd: dir,
    env: { ...minimalEnvironment(), CONDENSE_TEST: path.basename(dir) },
    group: `CONDENSE_TEST=${path.basename(dir)}`,
    ...more,
  });

async function expectGone(file: string): Promise<void> {
  const pid = (await readFile(path.join(dir, file), 'utf8')).trim();
  await vi.waitFor(() => expect(access(`/proc/${pid}`)).rejects.toMatchObject({ code: 'ENOENT' }), 30_000);
}

it('ends all of the group when its time is over, a program that does not want to end included', async () => {
  const end = await run(
    `trap 'echo asked' TERM; bash -c 'trap "" TERM; echo $$ >child; while :; do sleep 1; done' & echo before; while :; do sleep 0.1; done`,
    { timeoutMs: 3000 },
  );

  expect(end).toMatchObject({ timedOut: true, signal: 'SIGKILL' });
  expect(end.stdout.toString()).toContain('before\nasked');
  await expectGone('child');
});

it('counts a program as one that took too long although it ends in order when it is asked', async () => {
  expect(await run(`trap 'exit 0' TERM; while :; do sleep 0.1; done`, { timeoutMs: 1000 })).toMatchObject({
    timedOut: true,
    exitCode: 0,
  });
});

it('ends what a program leaves behind, in its group or in a session of its own, and waits for no output of it', async () => {
  const end = await run(
    `bash -c 'echo $$ >in; exec sleep 1000' & setsid bash -c 'echo $$ >out; exec sleep 1000' & while [[ ! -s in || ! -s out ]]; do sleep 0.1; done; echo done`,
  );

  expect(end).toMatchObject({ exitCode: 0, timedOut: false, isCanceled: false });
  expect(end.stdout.toString()).toBe('done\n');
  await expectGone('in');
  await expectGone('out');
});

it('is not held up by one that cannot be found and keeps the output open', async () => {
  const end = await run(`setsid env -i sleep 20 & sleep 0.3; echo done`);

  expect(end.exitCode).toBe(0);
  expect(end.stdout.toString()).toBe('done\n');
});

it('is interrupted as a whole', async () => {
  const interrupt = new AbortController();
  const ended = run(`bash -c 'echo $$ >child; exec sleep 1000' & wait`, { signal: interrupt.signal });
  await vi.waitFor(async () => {
    expect(await readFile(path.join(dir, 'child'), 'utf8')).toMatch(/\d\n/);
  }, 30_000);

  interrupt.abort();

  expect(await ended).toMatchObject({ isCanceled: true });
  await expectGone('child');
});
