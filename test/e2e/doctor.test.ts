// A site damaged in many ways: `condense doctor` names each damage and its repair, and the repair, pasted, mends it.
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeHome, runAsOrdinaryUser } from '../../ci/ordinary-user.ts';
import { GREETING, LiveSite } from './live-site.ts';
import { condense } from './test-site.ts';

interface Finding {
  readonly name: string;
  readonly status: string;
  readonly code?: string;
  readonly found: string;
  readonly fix?: string;
}

let live: LiveSite;
beforeAll(async () => {
  live = await LiveSite.make();
});
afterAll(() => live.remove());

const store = (...parts: string[]): string => path.join(live.site.prefix, 'apps/condense', ...parts);
/** By its link: `condense list` would say what is wrong instead. */
const release = async (...parts: string[]): Promise<string> =>
  store('releases/a-1', path.basename(await readlink(store('current/scripts/a-1.d'))), ...parts);
const only = async (dir: string): Promise<string> => path.join(dir, (await readdir(dir))[0] ?? '');

/** What is wrong with the site; what this machine lacks is not the question here. */
async function findDamage(): Promise<{ exit: number | undefined; damage: Finding[] }> {
  const { exitCode, stdout } = await live.site.condense('--json', 'doctor');
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  return { exit: exitCode, damage: findings.filter(({ code }) => code !== undefined) };
}

/** As an administrator pastes it: `condense` is this one with its configuration, and what stands in brackets is for reading. */
async function paste(fix: string): Promise<void> {
  const command = fix.replace(/ {3}\(.*\)$/, '').replaceAll('condense ', 'condense --config "$CONFIG" ');
  const script = `condense() { "$NODE" "$CONDENSE" "$@"; }\n${command}`;
  const env = { NODE: process.execPath, CONDENSE: condense, CONFIG: live.site.configFile };
  const ran = await execa('bash', ['-c', script], { env, reject: false });
  expect(ran.exitCode, `${command}\n${ran.stderr}`).toBe(0);
}

const dayAgo = new Date(Date.now() - 86_400_000).toISOString();
const claim = JSON.stringify({
  ...{ user: 'anna', host: 'elsewhere', pid: 4_000_000, started: 'never', purpose: 'build of b-1', since: dayAgo },
});

/** What is done to the site, together in one round: each where it shows, and under which code. */
type Damage = readonly [what: string, code: string, damage: () => Promise<string>];
const current = async (name: string): Promise<string> => path.join(await realpath(store('current')), name);
const rounds: readonly (readonly Damage[])[] = [
  [
    ['an image that is cut short', 'SIZE_DIFFERS', () => changed(release('env.sqsh'), (file) => truncate(file, 100))],
    [
      'a launcher that was edited',
      'SIZE_DIFFERS',
      () => changed(release('launcher'), (file) => writeFile(file, 'exit')),
    ],
    ['a module that is gone', 'FILE_MISSING', () => changed(release('modules/a-1'), (file) => rm(file))],
    ['a base that is gone', 'FILE_MISSING', () => changed(only(store('bases')), (file) => rm(file))],
    [
      'a command that leads elsewhere',
      'LINK_DIFFERS',
      () => changed(release('bin/hello'), (link) => relink(link, '/bin/sh')),
    ],
    [
      'a lock whose process is gone',
      'LOCK_STALE',
      () => changed(path.join(live.site.admin, 'locks/b-1.lock.0123456789ab'), (file) => writeFile(file, claim)),
    ],
  ],
  [
    ['a manifest that is gone', 'RELEASE_MISSING', () => changed(release('manifest.json'), (file) => rm(file))],
    ['a store that everybody can write to', 'WRITABLE_BY_OTHERS', () => changed(store(), (dir) => chmod(dir, 0o777))],
    [
      'a journal that is none',
      'JOURNAL_REPLACED',
      () => changed(path.join(live.site.admin, 'journal.ndjson'), replaceByDirectory),
    ],
    [
      'a release that a killed build left half made',
      'RELEASE_UNFINISHED',
      () =>
        changed(store('releases/b-1/.incoming-20261121T000000Z-00000000'), (dir) => mkdir(dir, { recursive: true })),
    ],
  ],
  [
    [
      'a release that is gone',
      'RELEASE_MISSING',
      () => changed(release(), (dir) => rename(dir, path.join(live.site.dir, 'gone'))),
    ],
  ],
  [['a Node runtime that is gone', 'FILE_MISSING', () => changed(nodeOf(), (file) => rm(file))]],
  [['`current` that is gone', 'CURRENT_MISSING', () => changed(store('current'), (link) => rm(link))]],
  [
    [
      '`current` that leads nowhere',
      'CURRENT_DANGLING',
      () => changed(store('current'), (link) => relink(link, 'generations/99')),
    ],
  ],
  [
    ['an alias that is gone', 'GENERATION_CHANGED', () => changed(current('envs/a'), (link) => rm(link))],
    [
      'an image that leads elsewhere',
      'GENERATION_CHANGED',
      () => changed(current('envs/a-1.sqsh'), (link) => relink(link, '/nowhere')),
    ],
    [
      'a list of aliases that somebody edited',
      'GENERATION_CHANGED',
      () => changed(current('modules/conda/.modulerc'), (file) => writeFile(file, '#%Module')),
    ],
    [
      'a public link that leads elsewhere',
      'PUBLIC_LINK_BROKEN',
      () => changed(path.join(live.site.prefix, 'apps/conda_scripts'), (link) => relink(link, '/tmp')),
    ],
    [
      'a directory where a public link was',
      'PUBLIC_LINK_BROKEN',
      () => changed(path.join(live.site.prefix, 'modules/conda'), replaceByDirectory),
    ],
    ['a mode that is wrong', 'MODE_DIFFERS', () => changed(release('launcher'), (file) => chmod(file, 0o500))],
  ],
];

async function changed(file: string | Promise<string>, change: (file: string) => Promise<unknown>): Promise<string> {
  await change(await file);
  return await file;
}
async function relink(link: string, target: string): Promise<void> {
  await rm(link);
  await symlink(target, link);
}
async function replaceByDirectory(file: string): Promise<void> {
  await rm(file);
  await mkdir(file);
}
const nodeOf = async (): Promise<string> => path.join(await only(store('runtime')), 'bin/node');

describe('condense doctor', () => {
  it('finds nothing wrong with a site that was just made', async () => {
    const { damage } = await findDamage();

    expect(damage).toEqual([]);
    expect((await live.site.condense('doctor')).stdout).toContain('ok      site: 1 live release, whole as far as');
  });

  it.each(rounds.map((round) => [round.map(([what]) => what).join(', '), round] as const))(
    'names %s, each once, and its repair mends it',
    async (_, round) => {
      const made: { at: string; code: string }[] = [];
      // Where it is is asked first: a damaged site cannot be asked.
      for (const [, code, makeDamage] of round) made.push({ at: await makeDamage(), code });

      const { exit, damage } = await findDamage();

      for (const { at, code } of made) {
        const named = damage.filter((finding) => finding.name === at);
        expect(named, JSON.stringify(damage)).toMatchObject([{ code }]);
      }
      expect(exit).toBe(4);
      for (const fix of new Set(damage.map((finding) => finding.fix ?? 'false'))) await paste(fix);
      expect((await findDamage()).damage).toEqual([]);
      expect(await live.runHello()).toBe(GREETING);
    },
  );
});

describe('condense doctor user', () => {
  it('tells an ordinary user without a configuration what is wrong, and mends it only when told to', async () => {
    const home = await makeHome();
    try {
      const bashrc = path.join(home, '.bashrc');
      await writeFile(bashrc, 'export PYTHONHOME=/usr\n');
      if (process.getuid?.() === 0) await chown(bashrc, 65534, 65534);
      const doctor = async (...args: string[]): Promise<{ warnings: number; written: unknown[]; login?: object }> => {
        const command = [process.execPath, condense, '--json', 'doctor', 'user', ...args];
        const env = { SHELL: '/bin/bash', PATH: '/usr/bin:/bin' };
        const { exitCode, stdout, stderr } = await runAsOrdinaryUser(home, command, env);
        expect(exitCode, stderr).toBe(0);
        return JSON.parse(stdout.split('\n').at(-1) ?? '') as Awaited<ReturnType<typeof doctor>>;
      };

      expect(await doctor()).toMatchObject({ warnings: 1, written: [], login: { kind: 'measured' } });
      expect(await doctor('--fix')).toMatchObject({
        ...{ warnings: 1, written: [{ file: bashrc, copy: `${bashrc}.before-condense` }] },
      });
      expect(await doctor()).toMatchObject({ warnings: 0, written: [] });
    } finally {
      await rm(home, { recursive: true });
    }
  });
});
