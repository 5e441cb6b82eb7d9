// What holds for tasks wherever they run: processes of this machine, a real Slurm on loopback, and a stand-in for PBS that
// takes the command lines of its manuals.
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchSystem } from '../../../src/batch/batch-system.ts';
import { renderJobScript, type Task } from '../../../src/batch/job-script.ts';
import { pbs } from '../../../src/batch/pbs.ts';
import { runJob } from '../../../src/batch/run-job.ts';
import { runLocalTasks } from '../../../src/batch/run-local.ts';
import { slurm } from '../../../src/batch/slurm.ts';
import type { TaskOutcome } from '../../../src/batch/task-outcome.ts';
import { readClaims } from '../../../src/release/lock-claim.ts';
import { withLock } from '../../../src/release/site-lock.ts';
import { JobLayout } from '../../../src/site/layout.ts';
import { startSlurm, type Slurm } from '../../e2e/daemons.ts';

let dir: string;
let daemons: Slurm;
let env: Record<string, string>;
let count = 0;
beforeAll(async () => {
  // A name that a shell would read as something else.
  dir = await mkdtemp(path.join(os.tmpdir(), "condense-jobs-$(id)'%a"));
  await chmod(dir, 0o755);
  const bin = path.join(dir, 'bin');
  const state = path.join(dir, 'pbs');
  for (const each of [bin, state]) await mkdir(each);
  for (const name of ['qsub', 'qstat', 'qdel'])
    await symlink(path.join(import.meta.dirname, 'pbs-stand-in.sh'), path.join(bin, name));
  const slurmDir = await mkdtemp(path.join(os.tmpdir(), 'condense-slurm-'));
  await chmod(slurmDir, 0o755);
  daemons = await startSlurm(path.join(slurmDir, 'slurm'));
  env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, PBS_STAND_IN: state, SLURM_CONF: daemons.conf, HOME: dir };
  process.env['PATH'] = env['PATH']; // where programs are looked up
});
afterAll(async () => {
  await daemons.stop();
  await rm(path.dirname(path.dirname(daemons.conf)), { recursive: true, force: true });
  await rm(dir, { recursive: true, force: true });
});

interface Watched {
  readonly outcomes: readonly TaskOutcome[];
  readonly lines: readonly string[];
  readonly notes: readonly string[];
  readonly job: JobLayout;
}
interface Wishes {
  readonly signal?: AbortSignal;
  readonly onLine?: (line: string) => void;
  readonly options?: readonly string[];
  readonly scratch?: string;
  readonly onNote?: (text: string) => void;
}

const bash = (name: string, script: string, ...args: string[]): Task => ({
  name,
  words: ['/bin/bash', '-c', script, name, ...args],
});

async function run(system: BatchSystem | 'local', tasks: readonly Task[], wishes: Wishes = {}): Promise<Watched> {
  const lines: string[] = [];
  const notes: string[] = [];
  const job = new JobLayout(path.join(dir, `job-${++count}`));
  await mkdir(job.dir);
  const signal = wishes.signal ?? new AbortController().signal;
  const onLine = (task: string, line: string, from: string): void => {
    lines.push(`${task} ${from}: ${line}`);
    wishes.onLine?.(line);
  };
  if (system === 'local')
    return { outcomes: await runLocalTasks({ tasks, atOnce: 2, cwd: dir, env, onLine, signal }), lines, notes, job };
  await writeFile(job.script, renderJobScript({ title: 'a test', tasks, cwd: dir, env: {}, ...wishes }, job));
  const submission = {
    ...{ name: 'condense-test', tasks: tasks.length, options: wishes.options ?? [], script: job.script, dir: job.dir },
    log: (index: string) => job.systemLog(index),
  };
  const note = (text: string): void => {
    notes.push(text);
    wishes.onNote?.(text);
  };
  return { outcomes: await runJob({ system, submission, job, tasks, env, onLine, note, signal }), lines, notes, job };
}

const gone = async (pid: string): Promise<boolean> =>
  !existsSync(`/proc/${pid}`) || (await readFile(`/proc/${pid}/stat`, 'utf8')).includes(') Z ');

describe.each([
  ['this machine', 'local'],
  ['Slurm', slurm],
  ['PBS', pbs],
] as const)('tasks on %s', (_, system) => {
  it('get their words byte for byte, and are heard while they run', async () => {
    const [odd, go] = ['a  b\n$(touch /tmp/no) \'"\\ `id` é %a', path.join(dir, `go-${String(++count)}`)];
    const script = `printf '%s|' "$@"; echo; echo problem >&2; until [[ -e "$1" ]]; do sleep 0.05; done; printf 'no line feed'`;
    const { outcomes, lines } = await run(system, [bash('a', script, go, odd, '--', '')], {
      // Only what is heard lets it end.
      onLine: (line) => {
        if (line === 'problem') void writeFile(go, '');
      },
    });

    expect(outcomes).toEqual([{ name: 'a', exit: 0 }]);
    const [first, second] = `${go}|${odd}|--||`.split('\n');
    expect(lines.toSorted()).toEqual(
      [
        'a stderr: problem',
        `a stdout: ${first ?? ''}`,
        `a stdout: ${second ?? ''}`,
        'a stdout: no line feed',
      ].toSorted(),
    );
  });

  it('hand their exit statuses on, each its own, and say what killed one', async () => {
    const tasks = [bash('a', 'exit 6'), bash('b', 'echo fine'), bash('c', 'exit 11'), bash('d', 'kill -9 $$')];
    const { outcomes, lines } = await run(system, tasks);

    expect(outcomes.map(({ name, exit }) => [name, exit])).toEqual([
      ...[['a', 6], ['b', 0], ['c', 11], ['d', 5]], // prettier-ignore
    ]);
    expect(outcomes[3]?.problem).toMatchObject({ code: 'TASK_KILLED' });
    expect(outcomes[3]?.problem?.message).toContain('d was killed by signal 9');
    expect(lines).toEqual(['b stdout: fine']);
  });

  it('are told once to end when condense is, may clean up, and are awaited', async () => {
    const told = path.join(dir, `told-${String(++count)}`);
    // Two signals would make condense leave without cleaning up.
    const script = `trap 'echo told >>"$1"; sleep 1; trap - TERM; exit 143' TERM; echo $$; while :; do sleep 0.1; done`;
    const interrupt = new AbortController();
    let pid = '';
    const running = run(system, [bash('a', script, told)], {
      signal: interrupt.signal,
      onLine: (line) => {
        pid = line;
        interrupt.abort(new Error('interrupted'));
      },
    });

    await expect(running).rejects.toThrow('interrupted');
    expect(await readFile(told, 'utf8')).toBe('told\n');
    expect(await gone(pid)).toBe(true);
  });
});

describe.each([
  ['Slurm', slurm, 'SLURM_JOB_ID'],
  ['PBS', pbs, 'PBS_JOBID'],
] as const)('a job of %s', (name, system, variable) => {
  it('says its number and where its files are, and runs every task of an array once', async () => {
    const tasks = ['a', 'b', 'c'].map((one) => bash(one, `echo "\${${variable}:+in a job}" "$0"`));
    const { lines, notes, job } = await run(system, tasks);

    expect(lines.toSorted()).toEqual(['a', 'b', 'c'].map((one) => `${one} stdout: in a job ${one}`));
    expect(notes[0]).toMatch(new RegExp(`^${name} job \\S+ is submitted: a, b, c; its files are in `));
    expect(notes[0]).toContain(job.dir);
  });

  it('gives its scratch directory to the task as TMPDIR, and says so where there is none', async () => {
    const { lines } = await run(system, [bash('a', 'echo "$TMPDIR"')], { scratch: 'HOME' });
    expect(lines).toEqual([expect.stringMatching(/^a stdout: \/./)]);

    const { outcomes, lines: said } = await run(system, [bash('a', 'echo ran')], { scratch: 'NO_SUCH_DIRECTORY' });
    expect(outcomes).toEqual([{ name: 'a', exit: 4 }]);
    expect(said.join('\n')).toContain('NO_SUCH_DIRECTORY is no directory of node');
    expect(said.join('\n')).not.toContain('ran');
  });

  it('that cannot be submitted is said with what the batch system said', async () => {
    await expect(run(system, [bash('a', 'echo')], { options: ['--no-such-option'] })).rejects.toMatchObject({
      exit: 4,
      problems: [{ code: 'TOOL_FAILED', message: expect.stringContaining('no-such-option') as string }],
    });
  });
});

it('names the walltime that PBS ended a task for', async () => {
  const { outcomes } = await run(pbs, [bash('a', 'sleep 60')], { options: ['-l', 'walltime=1'] });

  expect(outcomes).toMatchObject([{ name: 'a', exit: 5, problem: { code: 'JOB_WALLTIME' } }]);
  expect(outcomes[0]?.problem?.message).toContain('walltime 2 exceeded limit 1');
});

describe('of Slurm', () => {
  const update = (job: string, ...words: string[]) =>
    execa('scontrol', ['update', `JobId=${job}`, ...words], { env, timeout: 20_000 });
  const number = (note: string): string | undefined => /^Slurm job (\d+) is submitted/.exec(note)?.[1];

  it('names the walltime that a task was ended for', async () => {
    let id = '';
    const { outcomes } = await run(slurm, [bash('a', 'echo up; sleep 600')], {
      onNote: (text) => (id = number(text) ?? id),
      // The shortest limit that can be asked for is a minute.
      onLine: () => void update(id, 'EndTime=now'),
    });

    expect(outcomes).toMatchObject([{ name: 'a', exit: 5, problem: { code: 'JOB_WALLTIME' } }]);
  });

  it('tells a task that somebody else cancelled from one that failed', async () => {
    let id = '';
    const { outcomes } = await run(slurm, [bash('a', 'echo up; sleep 600'), bash('b', 'echo b')], {
      onNote: (text) => (id = number(text) ?? id),
      onLine: (line) => {
        if (line === 'up') void execa('scancel', [`${id}_1`], { env, timeout: 20_000 });
      },
    });

    expect(outcomes).toMatchObject([
      { name: 'a', exit: 5, problem: { code: 'JOB_CANCELLED' } },
      { name: 'b', exit: 0 },
    ]);
  });

  it('says why a task waits for a node, and takes it back when condense is ended', async () => {
    const interrupt = new AbortController();
    let waits = '';
    const running = run(slurm, [bash('a', 'echo ran')], {
      options: ['--hold'],
      signal: interrupt.signal,
      onNote: (text) => {
        if (!text.startsWith('a waits')) return;
        waits = text;
        interrupt.abort(new Error('interrupted'));
      },
    });

    await expect(running).rejects.toThrow('interrupted');
    expect(waits).toBe('a waits for a node (JobHeldUser)');
    expect((await execa('squeue', ['--noheader'], { env, timeout: 20_000 })).stdout).toBe('');
  });
});

describe('a lock that a job of Slurm left on another node', () => {
  const source = (name: string): string => JSON.stringify(path.resolve(import.meta.dirname, '../../../src', name));
  /** A task that takes the lock, says so, and is killed or goes on. The claim then names another host. */
  async function leaveLock(
    name: string,
    then: string,
  ): Promise<{ lock: string; ended: Promise<Watched>; stop: () => void }> {
    const lock = path.join(dir, `locks-${name}`, 'a-1.lock');
    const code = `import { withLock } from ${source('release/site-lock.ts')};
      await withLock(${JSON.stringify(lock)}, 'build of a-1', async () => { console.log('held'); ${then} });`;
    const interrupt = new AbortController();
    const held = Promise.withResolvers<unknown>();
    const words = [process.execPath, '--input-type=module', '-e', code];
    const ended = run(slurm, [{ name: 'a', words }], {
      signal: interrupt.signal,
      onLine: held.resolve,
      options: ['--no-requeue'],
    });
    await held.promise;
    const [claim] = await readClaims(path.dirname(lock));
    const file = claim?.file ?? '';
    await writeFile(file, JSON.stringify({ ...claim?.owner, host: 'node7' }));
    return {
      lock,
      ended,
      stop: () => {
        interrupt.abort(new Error('enough'));
      },
    };
  }
  const wait = `await new Promise((resolve) => setTimeout(resolve, 600000));`;
  const take = (lock: string): Promise<string> => withLock(lock, 'mine', () => Promise.resolve('mine'));

  beforeAll(() => {
    process.env['SLURM_CONF'] = daemons.conf;
  });
  afterAll(() => {
    delete process.env['SLURM_CONF'];
  });

  it('is taken over once Slurm knows that the job has ended, and not before', async () => {
    const { lock, ended, stop } = await leaveLock('ended', wait);
    const refused = take(lock);
    await expect(refused).rejects.toThrow(/on node7 \(pid \d+, Slurm job \d+\)/);
    await expect(refused).rejects.toMatchObject({
      problems: [
        { hint: expect.stringMatching(/squeue -j \d+; ssh node7 ps -p \d+\): condense unlock a-1\.lock\./) as string },
      ],
    });

    const [claim] = await readClaims(path.dirname(lock));
    await execa('kill', ['-9', String(claim?.owner?.pid)], { timeout: 5000 });
    expect((await ended).outcomes).toMatchObject([{ exit: 5, problem: { code: 'TASK_KILLED' } }]);
    stop();

    await expect.poll(() => take(lock), { timeout: 30_000, interval: 500 }).toBe('mine');
  });

  it('stays where the node of the job has failed: it may be at work, and nobody sees it', async () => {
    const { lock, ended } = await leaveLock('failed', wait);
    const [claim] = await readClaims(path.dirname(lock));
    const id = /\d+/.exec(claim?.owner?.job ?? '')?.[0] ?? '';
    const ask = async (...words: string[]): Promise<string> =>
      (
        await execa('squeue', ['--noheader', '--states=all', `--jobs=${id}`, ...words], { env, timeout: 20_000 })
      ).stdout.trim();
    const node = await ask('--format=%N');
    // It comes back by itself, since it answers.
    const down = ['update', `NodeName=${node}`, 'State=DOWN', 'Reason=test'];
    await execa('scontrol', down, { env, timeout: 20_000 });
    expect((await ended).outcomes).toMatchObject([{ exit: 5, problem: { code: 'JOB_NODE_FAILED' } }]);

    expect(await ask('--format=%T')).toBe('NODE_FAIL');
    await expect(take(lock)).rejects.toMatchObject({ exit: 11 });
  });

  it('stays where the job was of another cluster, or a shell that may outlive its job took it', async () => {
    const { outcomes } = await run(slurm, [bash('a', 'true')]);
    expect(outcomes).toMatchObject([{ exit: 0 }]);
    const list = ['--noheader', '--states=COMPLETED', '--format=%A'];
    const id = (await execa('squeue', list, { env, timeout: 20_000 })).stdout.split('\n').at(-1) ?? '';
    expect(id).toMatch(/^\d+$/);
    const owner = {
      user: 'u',
      host: 'node7',
      pid: 1,
      started: 's',
      job: `Slurm job ${id}`,
      purpose: 'p',
      since: 'now',
    };
    for (const [name, cluster] of [
      ['elsewhere', 'north'],
      ['shell', undefined],
    ] as const) {
      const lock = path.join(dir, `locks-${name}`, 'a-1.lock');
      await mkdir(path.dirname(lock));
      await writeFile(`${lock}.0123456789ab`, JSON.stringify({ ...owner, cluster }));
      await expect(take(lock)).rejects.toMatchObject({ exit: 11 });
    }
  });
});
