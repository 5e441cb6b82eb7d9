// Who can read and write what of a site, tried as another user: whatever the umask of who publishes, and whatever others plant.
import { chmod, chown, lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeHome, runAsOrdinaryUser } from '../../ci/ordinary-user.ts';
import { writeHelloChannel } from './hello-channel.ts';
import { TestSite } from './test-site.ts';

/** Groups that every Debian has: users read, games read by ACL, staff publishes; and their numbers. */
const GROUPS = `groups: { users: users, owners: staff }\npermissions: { readers: [games], owners_write: true }\n`;
const [USERS, GAMES, STAFF, NOBODY] = [100, 60, 50, 65534];

let site: TestSite;
let home: string;
beforeAll(async () => {
  site = await TestSite.make();
  home = await makeHome();
  const channel = await writeHelloChannel(site.dir);
  await site.writeConfig(`  a: { version: '1', stable: '1' }\n`, GROUPS);
  await site.writeSpec('a', [channel], ['hello=1.0']);
  await underUmask(0o077, () => site.condenseOk('install', 'a'));
});
afterAll(async () => {
  await site.remove();
  await rm(home, { recursive: true, force: true });
});

async function underUmask<T>(mask: number, work: () => Promise<T>): Promise<T> {
  const before = process.umask(mask);
  try {
    return await work();
  } finally {
    process.umask(before);
  }
}

/** As nobody, who is of that group besides. */
async function asMember(
  gid: number,
  command: readonly string[],
): Promise<{ exitCode: number | undefined; text: string }> {
  const who = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, `--groups=${gid}`, '--'];
  const [program = '', ...args] = [...who, ...command];
  const env = { HOME: home, PATH: '/usr/local/bin:/usr/bin:/bin' };
  const { exitCode, stdout, stderr } = await execa(program, args, { cwd: '/', reject: false, extendEnv: false, env });
  return { exitCode, text: stdout + stderr };
}

const store = (...parts: string[]): string => path.join(site.prefix, 'apps/condense', ...parts);

describe('a site with readers, by group and by list', () => {
  it.each([
    ['the users', USERS],
    ['the readers', GAMES],
  ])('serves %s', async (_, gid) => {
    expect(await asMember(gid, [site.scripts('a', 'bin/hello')])).toMatchObject({
      exitCode: 0,
      text: 'hello 1.0 from /opt/conda/a-1',
    });
  });

  it('tells everybody else which group to join, whatever the mask of its builder', async () => {
    const ran = await asMember(NOBODY, [site.scripts('a', 'bin/hello')]);

    expect(ran.exitCode).toBe(125);
    expect(ran.text).toContain('join the group users');
  });

  it('gives directories of releases to the owners, files to nobody, before they are visible', async () => {
    const id = (await site.liveRelease('a-1')) ?? '';
    const look = async (name: string): Promise<string> => {
      const { mode, gid } = await lstat(store('releases/a-1', id, name));
      return `${(mode & 0o7777).toString(8)} ${gid}`;
    };
    expect(await look('')).toBe(`2775 ${STAFF}`);
    expect(await look('bin')).toBe(`2775 ${STAFF}`);
    expect(await look('env.sqsh')).toBe(`440 ${USERS}`);
    for (const name of ['launcher', 'manifest.json', 'gate.xml', 'modules/a-1'])
      expect(await look(name)).toMatch(/^[45]{3} /);
  });

  it.each([0o000, 0o002, 0o077])('lets nobody else write anywhere, and says so, under umask %i', async (mask) => {
    await underUmask(mask, () => site.condenseOk('install', '--rebuild', 'a'));
    const { stdout } = await execa('find', [site.prefix, site.admin, '-type', 'd']);
    const directories = stdout.split('\n');
    expect(directories.length).toBeGreaterThan(30);

    const tries = await runAsOrdinaryUser(home, [
      'sh',
      '-c',
      'for d; do touch "$d/planted" 2>/dev/null && echo "$d"; done',
      'sh',
      ...directories,
    ]);
    const writable = await execa('find', [site.prefix, site.admin, '!', '-type', 'l', '-perm', '-o+w']);
    const { findings } = JSON.parse((await site.condense('--json', 'doctor')).stdout) as {
      findings: { code?: string }[];
    };

    expect(tries.stdout).toBe('');
    expect(writable.stdout).toBe('');
    expect(findings.filter(({ code }) => code !== undefined && code !== 'WRITABLE_ABOVE')).toEqual([]);
  });
});

describe('doctor, on rights that are wrong', () => {
  const release = async (): Promise<string> => store('releases/a-1', (await site.liveRelease('a-1')) ?? '');
  it.each([
    ['WRITABLE_BY_OTHERS', 'everybody can write here', () => store(), 'chmod o+w', 'chmod o-w'],
    [
      'WRITABLE_BY_GROUP',
      'the group 5 can write here',
      () => path.join(site.admin, 'locks'),
      'chgrp 5',
      'chmod g-w',
      'chmod g+w',
    ],
    ['OWNER_FOREIGN', 'belongs to uid 65534', () => store('releases/a-1'), 'chown 65534', 'chown root'],
    ['WRITABLE_BY_ACL', 'group 5 can write here', () => store('generations'), 'setfacl -m g:5:rwx', 'setfacl -x g:5'],
    [
      'WRITABLE_BY_ACL',
      'user 65534 can write to what is made here',
      () => store('releases'),
      'setfacl -d -m u:65534:rwx',
      'setfacl -d -x u:65534',
    ],
    [
      'IMAGE_READERS',
      'group 5 can read it',
      async () => path.join(await release(), 'env.sqsh'),
      'setfacl -m g:5:r',
      'setfacl -x g:5',
    ],
    [
      'IMAGE_READERS',
      'games of permissions.readers cannot read it',
      async () => path.join(await release(), 'env.sqsh'),
      'setfacl -x g:60',
      'setfacl -m g:games:r',
    ],
    [
      'IMAGE_READERS',
      'everybody can read it',
      async () => path.join(await release(), 'env.sqsh'),
      'chmod o+r',
      'chmod o=',
    ],
  ])('names %s (%s), and its repair mends it', async (code, found, where, damage, repair, more?: string) => {
    const at = await where();
    for (const command of [damage, more]) if (command !== undefined) await execa('sh', ['-c', `${command} ${at}`]);

    const named = (await findAt(at)).filter((finding) => finding.code === code);

    expect(named).toMatchObject([{ code, status: 'failure', found: expect.stringContaining(found) as string }]);
    expect(named[0]?.fix).toContain(`${repair} ${at}`);
    await execa('sh', ['-c', `${repair} ${at}`]);
    expect(await findAt(at)).toEqual([]);
  });

  it('warns where somebody could put another directory in the place of the site', async () => {
    await chmod(site.dir, 0o777);

    expect(await findAt(site.dir)).toMatchObject([{ code: 'WRITABLE_ABOVE', status: 'warning' }]);
    await chmod(site.dir, 0o755);
    expect(await findAt(site.dir)).toEqual([]);
  });

  async function findAt(at: string): Promise<{ code: string; status: string; found: string; fix?: string }[]> {
    const { stdout } = await site.condense('--json', 'doctor');
    const { findings } = JSON.parse(stdout) as {
      findings: { name: string; code: string; status: string; found: string }[];
    };
    return findings.filter(({ name }) => name === at);
  }
});

describe('a link that another user plants', () => {
  /** Each in a directory that anybody may write to, where the kernel does not protect (no sticky bit). */
  const places: readonly [what: string, place: () => string][] = [
    ['the staging directory', () => path.join(site.dir, 'open/staging')],
    ['the admin directory', () => path.join(site.dir, 'open/admin')],
    ['its locks', () => path.join(site.dir, 'open/admin/locks')],
    ['its journal', () => path.join(site.dir, 'open/admin/journal.ndjson')],
    ['its cache', () => path.join(site.dir, 'open/admin/cache')],
    ['the prefix', () => path.join(site.dir, 'open/site')],
    ['the modules', () => path.join(site.dir, 'open/site/modules')],
    ['the store', () => path.join(site.dir, 'open/site/apps/condense')],
    ['the releases', () => path.join(site.dir, 'open/site/apps/condense/releases')],
    ['the releases of one version', () => path.join(site.dir, 'open/site/apps/condense/releases/a-1')],
  ];

  it.each(places)('in the place of %s is not followed, and nothing comes to where it leads', async (_, place) => {
    const open = path.join(site.dir, 'open');
    const victim = path.join(site.dir, 'victim');
    await rm(open, { recursive: true, force: true });
    await rm(victim, { recursive: true, force: true });
    const link = place();
    await mkdir(path.dirname(link), { recursive: true });
    for (let dir = path.dirname(link); dir !== site.dir; dir = path.dirname(dir)) await chmod(dir, 0o777);
    const isFile = link.endsWith('.ndjson');
    if (isFile) await writeFile(victim, 'precious\n');
    else await mkdir(victim);
    // In a directory of root's: whoever planted it is not the directory's owner.
    expect((await runAsOrdinaryUser(home, ['ln', '-s', victim, link])).exitCode).toBe(0);
    const config = path.join(site.dir, 'open.yaml');
    const text = await readFile(site.configFile, 'utf8');
    const spec = path.join(site.dir, 'environments/a/environment.yml');
    await writeFile(
      config,
      text
        .replace(GROUPS, '')
        .replaceAll(/: \.\/(site|admin|staging)$/gm, ': ./open/$1')
        .replace("version: '1'", `version: '1', spec: ${spec}`),
    );

    const ran = await site.condense('--config', config, 'install', 'a');

    expect(ran.exitCode, ran.stdout).toBe(4);
    expect(ran.stderr).toMatch(/LINK_NOT_TRUSTED|DIRECTORY_NOT_OURS/);
    expect(ran.stderr).toContain(link);
    expect(isFile ? await readFile(victim, 'utf8') : await readdir(victim)).toEqual(isFile ? 'precious\n' : []);
  });

  it('does not keep an administrator from links of their own', async () => {
    const elsewhere = path.join(site.dir, 'elsewhere');
    await mkdir(elsewhere);
    await rm(path.join(site.admin, 'cache'), { recursive: true });
    await symlink(elsewhere, path.join(site.admin, 'cache'));

    await site.condenseOk('install', '--rebuild', 'a');

    expect(await readdir(elsewhere)).toContain('packages');
    await chown(elsewhere, 0, 0);
  });
});
