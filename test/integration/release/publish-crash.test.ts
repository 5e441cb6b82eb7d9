// The very first publish, killed at every change it makes to the file system in turn, and disks that fail in a publish.
// Later publishes, rollbacks, promotions and gc are killed in test/e2e/crash.test.ts.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { publishFace } from '../../../src/release/publish.ts';
import type { PublicFace } from '../../../src/release/generation.ts';
import { readCurrentGeneration, readGenerations } from '../../../src/release/site-state.ts';
import { makeLayout } from '../../unit/make-layout.ts';
import { writeGatedFiles } from './gated-files.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const entry = { action: 'publish', subject: 'a', user: 'u', host: 'h' } as const;
const OLD = '20261121T000000Z-00000000';
const NEW = '20261122T000000Z-11111111';
const faceOf = (id: string): PublicFace => ({ versions: new Map([['a-1', id]]), aliases: new Map([['a', 'a-1']]) });

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-crash-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function makeSite(name: string): Promise<string> {
  const prefix = path.join(dir, name);
  for (const id of [OLD, NEW]) {
    await writeGatedFiles(makeLayout(prefix).release('a-1', id), 'a-1', id);
  }
  return prefix;
}

/** The command line that publishes NEW, under strace with that fault in its n-th call of that name. */
async function publishUnder(prefix: string, syscall: string, fault: string, n: number) {
  const file = (name: string): string => JSON.stringify(path.join(root, name));
  const code = `import { publishFace } from ${file('src/release/publish.ts')};
    import { makeLayout } from ${file('test/unit/make-layout.ts')};
    const face = { versions: new Map([['a-1', '${NEW}']]), aliases: new Map([['a', 'a-1']]) };
    await publishFace(makeLayout(${JSON.stringify(prefix)}), face, ${JSON.stringify(entry)}).then(
      ({ problems: [problem] }) => problem && console.log(JSON.stringify({ ...problem, exit: 8 })),
      (error) => console.log(JSON.stringify({ ...error.problems?.[0], exit: error.exit })),
    );`;
  const trace = ['-f', '-qq', '-o', path.join(dir, 'trace'), '-e', `trace=${syscall}`];
  return await execa(
    'strace',
    [...trace, '-e', `inject=${syscall}:${fault}:when=${n}`, process.execPath, '--input-type=module', '-e', code],
    // strace counts the calls of each thread: there must be one.
    { env: { UV_THREADPOOL_SIZE: '1' }, reject: false },
  );
}

/**
 * Publishes in another process, which gets SIGKILL as it enters its n-th call of that name: the call is not made.
 * @returns whether it came so far
 */
async function publishAndKill(prefix: string, syscall: string, n: number): Promise<boolean> {
  const ran = await publishUnder(prefix, syscall, 'signal=KILL', n);
  if (ran.signal === 'SIGKILL') return true;
  expect(ran.exitCode, ran.stderr).toBe(0);
  return false;
}

/** What a user's command is, through the public path; undefined where there is none. */
async function readLauncher(prefix: string): Promise<string | undefined> {
  return await readFile(path.join(prefix, 'apps/conda_scripts/a.d/launcher'), 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
}

async function readTemporaryNames(prefix: string): Promise<string[]> {
  return (await readdir(prefix, { recursive: true })).filter((name) => name.endsWith('.tmp'));
}

/** Kills one publish after the other, each one call later, until one gets through. */
async function killAtEach(
  syscalls: readonly string[],
  prepare: (name: string) => Promise<string>,
  look: (prefix: string) => Promise<void>,
): Promise<number> {
  let kills = 0;
  for (const syscall of syscalls) {
    for (let n = 1; ; n++) {
      const prefix = await prepare(`${syscall}-${n}`);
      const killed = await publishAndKill(prefix, syscall, n);
      if (killed) kills++;
      else expect(await readLauncher(prefix)).toBe(NEW);
      await look(prefix);
      if (!killed) break;
    }
  }
  return kills;
}

/** Whatever was left, a further publish works, clears it away, and history holds only what users have seen. */
async function expectNextPublish(prefix: string): Promise<void> {
  const layout = makeLayout(prefix);
  const seen = (await readCurrentGeneration(layout))?.number ?? 0;

  await publishFace(layout, faceOf(OLD), entry);

  expect(await readLauncher(prefix)).toBe(OLD);
  expect(await readTemporaryNames(prefix)).toEqual([]);
  const numbers = (await readGenerations(layout)).map((generation) => generation.number);
  expect((await readdir(layout.generations)).map(Number).sort((a, b) => a - b)).toEqual(numbers);
  if (seen > 0) expect(numbers.at(-1)).toBe(seen + 1);
}

it('shows nothing or the new face when the very first publish is killed', async () => {
  const kills = await killAtEach(['mkdir', 'symlink', 'rename'], makeSite, async (prefix) => {
    expect([undefined, NEW]).toContain(await readLauncher(prefix));
    await expectNextPublish(prefix);
  });

  expect(kills).toBeGreaterThan(15);
});

it.each(['fsync', 'rename'])('says whether users see the new face when the disk fails in %s', async (syscall) => {
  const prefix = await makeSite('site');
  const codes: unknown[] = [];
  for (let n = 1; ; n++) {
    await publishFace(makeLayout(prefix), faceOf(OLD), entry);
    const { stdout } = await publishUnder(prefix, syscall, 'error=EIO', n);
    const shown = await readLauncher(prefix);
    if (stdout === '') {
      expect(shown).toBe(NEW);
      break;
    }
    const { code, exit } = JSON.parse(stdout) as { code?: string; exit?: number };
    expect(exit === 8).toBe(shown === NEW);
    if (code !== undefined) codes.push(code);
  }
  expect(codes).toEqual(syscall === 'fsync' ? ['GENERATION_NOT_FLUSHED', 'JOURNAL_NOT_WRITTEN'] : []);
});
