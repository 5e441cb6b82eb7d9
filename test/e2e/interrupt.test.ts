// A build that is interrupted or killed in any stage: users notice nothing, nothing stays, and the same command works again.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { GREETING, LiveSite } from './live-site.ts';
import type { Ran, TestSite } from './test-site.ts';

let live: LiveSite;
let site: TestSite;
let user: ReturnType<typeof startUser>;
beforeAll(async () => {
  live = await LiveSite.make();
  ({ site } = live);
  user = startUser();
});
afterAll(async () => {
  await live.remove();
});

/** Somebody who runs a command of the environment again and again, whatever happens to the site. */
function startUser(): { stop: () => Promise<{ runs: number; answers: string[] }> } {
  const answers = new Set<string>();
  let runs = 0;
  const stopped = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      answers.add(await live.runHello());
      runs++;
      await sleep(250); // the processors are for the builds
    }
  };
  const ended = loop();
  return {
    stop: async () => {
      stopped.abort();
      await ended;
      return { runs, answers: [...answers] };
    },
  };
}

interface Event {
  readonly type: string;
  readonly stage?: string;
}

/** Runs `condense install a` and sends a signal as soon as an event says where it is, and `ready` holds as well. */
async function interruptAt(
  isThere: (event: Event) => boolean,
  signal: NodeJS.Signals,
  ready: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<Ran & { readonly signal: string | undefined }> {
  const child = site.start(['--json', 'install', 'a']);
  let sent = false;
  let ended = false;
  child.stdout.once('close', () => {
    ended = true;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (sent || !isThere(JSON.parse(line) as Event)) return;
    sent = true;
    void (async () => {
      while (!(await ready()) && !ended) await sleep(1);
      child.kill(signal);
    })();
  });
  const { exitCode, stdout, stderr, signal: killedBy } = await child;
  expect(sent, `${stdout}\n${stderr}`).toBe(true);
  return { exitCode, stdout, stderr, signal: killedBy };
}

/** Something new to build each time: a variable of the environment is one of a release's inputs. */
let builds = 0;
async function changeEnvironment(): Promise<void> {
  await site.writeSpec('a', [live.channel], ['hello=1.0'], `variables:\n  BUILD: '${++builds}'\n`);
}

/** What condense had started ends with it: the kernel sees to that, soon. */
async function expectNothingAtWork(): Promise<void> {
  const findCommands = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''); // it has just ended
      // The user of `startUser` is always at work, through the released launcher; and so may be tests of other sites.
      const isOfBase = command.includes(`${site.prefix}/apps/condense/bases/`) && command.includes('.tmp/');
      if (command.includes(`${site.dir}/staging`) || isOfBase) found.push(command);
    }
    return found;
  };
  await vi.waitFor(async () => {
    expect(await findCommands()).toEqual([]);
  }, 30_000);
}

const STAGES = ['base', 'solve', 'stage', 'activate', 'pack', 'release', 'gate'] as const;

describe('a build that ends before its time', () => {
  it.each(STAGES)('leaves users what they had and nothing else, in stage %s', async (stage) => {
    await changeEnvironment();
    // A mount point more makes another base, so that there is one to build.
    if (stage === 'base') {
      const binds = 'binds: { run: [/etc, /usr, /var, /run, /srv] }\n';
      await site.writeConfig(`  a: { version: '1', stable: '1' }\n  b: { version: '1' }\n`, binds);
    }
    const before = await live.readPrefix();
    const started = (event: Event): boolean => event.type === 'stage-started' && event.stage === stage;

    for (const [signal, exit] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const ran = await interruptAt(started, signal);
      expect(JSON.parse(ran.stdout.split('\n').at(-1) ?? '')).toMatchObject({ type: 'error', exit });
      await live.expectUnharmed(ran, { exit, says: ['INTERRUPTED', signal] }, before);
    }

    // While the runtime is at work on the base.
    const bases = path.join(site.prefix, 'apps/condense/bases');
    const ready = async (): Promise<boolean> =>
      stage !== 'base' || (await readdir(bases)).some((name) => name.endsWith('.tmp'));
    const killed = await interruptAt(started, 'SIGKILL', ready);
    expect(killed.signal).toBe('SIGKILL');
    await expectNothingAtWork();
    expect(await live.runHello()).toBe(GREETING);
    expect(await site.liveRelease('a-1')).toBe(liveIn(before));

    await site.condenseOk('install', 'a');
    expect(liveIn(await live.readPrefix())).not.toBe(liveIn(before));
    expect(await live.readLeftovers()).toEqual([]);
  });

  it('shows the old release or the new one when it is killed about when it publishes', async () => {
    await changeEnvironment();
    const before = liveIn(await live.readPrefix());
    const gated = (event: Event): boolean => event.type === 'stage-finished' && event.stage === 'gate';

    await interruptAt(gated, 'SIGKILL');

    const releases = await readdir(path.join(site.prefix, 'apps/condense/releases/a-1'));
    expect(releases).toContain(before);
    expect([before, releases.sort().at(-1)]).toContain(await site.liveRelease('a-1'));
    await site.condenseOk('install', 'a');
    expect(await site.liveRelease('a-1')).toBe(releases.sort().at(-1));
    expect(await live.readLeftovers()).toEqual([]);
  });

  it('ends in order when a terminal interrupts all of its processes at once', async () => {
    await changeEnvironment();
    const before = await live.readPrefix();
    for (const stage of ['activate', 'gate']) {
      const child = site.start(['--json', 'install', 'a'], {}, { detached: true }); // a process group of its own
      const lines = createInterface({ input: child.stdout });
      lines.on('line', (line) => {
        const event = JSON.parse(line) as Event;
        if (event.type === 'stage-started' && event.stage === stage) process.kill(-(child.pid ?? 0), 'SIGINT');
      });
      const { exitCode, stdout, stderr } = await child;
      await live.expectUnharmed({ exitCode, stdout, stderr }, { exit: 130, says: ['INTERRUPTED'] }, before);
    }
  });

  it('goes on to its end when only the reader of its output has gone', async () => {
    await changeEnvironment();
    const before = await site.liveRelease('a-1');
    const child = site.start(['--json', 'install', 'a']);
    child.stdout.once('data', () => child.stdout.destroy());

    expect((await child).exitCode).toBe(0);
    expect(await site.liveRelease('a-1')).not.toBe(before);
  });

  it('was never noticed by a user who ran the command all the while', async () => {
    const { runs, answers } = await user.stop();

    expect(answers).toEqual([GREETING]);
    expect(runs).toBeGreaterThan(STAGES.length);
  });
});

/** The live release of a-1, out of the links. */
function liveIn(prefix: readonly string[]): string {
  const current = prefix.find((line) => line.startsWith('apps/condense/current -> '))?.split(' -> ')[1] ?? '';
  const link = prefix.find((line) => line.startsWith(`apps/condense/${current}/scripts/a-1.d -> `));
  return path.basename(link ?? '');
}
