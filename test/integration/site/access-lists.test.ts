// POSIX ACLs on real file systems: one that has them, and one that has none.
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { expect, it, onTestFinished } from 'vitest';
import { checkAclSupport, parseAcls, readAcls, writeReaders } from '../../../src/site/access-lists.ts';
import { readAccessPolicy, writePermissions } from '../../../src/site/permissions.ts';
import { makeConfig } from '../../unit/make-layout.ts';
import { asRoot } from '../../as-root.ts';

async function makeRoot(): Promise<string> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'condense-acl-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  return root;
}

/** Where the tests are not root, they may be so without a password, as ci/setup needs it too. */

/** ramfs has no lists, on any kernel. */
async function mountWithoutAcls(): Promise<string> {
  const dir = await makeRoot();
  await execa(...asRoot('mount', '-t', 'ramfs', 'none', dir));
  onTestFinished(async () => {
    await execa(...asRoot('umount', dir));
  });
  await execa(...asRoot('chown', String(process.getuid?.() ?? 0), dir));
  return dir;
}

const setAcl = async (args: readonly string[], program = 'setfacl'): Promise<void> => {
  await execa(program, args);
};

const policyOf = (prefix: string, acl: 'require' | 'fall-back', warnings: string[] = []) =>
  readAccessPolicy(
    makeConfig(prefix, {
      groups: { users: 'users' },
      permissions: { readers: ['games'], acl, ownersWrite: false },
    }),
    path.join(prefix, 'store'),
    (event) => {
      if (event.type === 'warning') warnings.push(event.text);
    },
  );

it('gives the readers the image and nobody else anything, whatever a parent hands down', async () => {
  const root = await makeRoot();
  await setAcl(['-d', '-m', 'u:65534:rwx,g:5:rwx', root]);
  const release = path.join(root, 'release');
  await mkdir(path.join(release, 'bin'), { recursive: true });
  const image = path.join(release, 'env.sqsh');
  await writeFile(image, '');
  await writeFile(path.join(release, 'launcher'), '', { mode: 0o755 });
  const { gid } = await stat(image);

  await writePermissions(release, { usersGroup: gid, readers: [60, 61] }, image);

  const acls = await readAcls([release, image, path.join(release, 'launcher'), path.join(release, 'bin')]);
  expect([...(acls ?? [])]).toEqual([
    [image, [60, 61].map((id) => ({ isDefault: false, kind: 'group', id, reads: true, writes: false }))],
  ]);
  expect((await stat(image)).mode & 0o777).toBe(0o440);
  expect((await stat(path.join(release, 'launcher'))).mode & 0o777).toBe(0o555);
});

it('refuses readers where the file system has no lists, or does without them, as the configuration says', async () => {
  const dir = await mountWithoutAcls();
  const warnings: string[] = [];

  await expect(policyOf(dir, 'require')).rejects.toMatchObject({
    exit: 4,
    problems: [{ code: 'ACL_UNSUPPORTED', hint: expect.stringContaining('acl: fall-back') as string }],
  });
  const policy = await policyOf(dir, 'fall-back', warnings);

  expect(policy.readers).toBeUndefined();
  expect(policy.usersGroup).toBe(100);
  expect(warnings.join()).toContain('only users can read the images, not games');
  const image = path.join(dir, 'env.sqsh');
  await writeFile(image, '');
  await writePermissions(dir, { usersGroup: (await stat(image)).gid }, image);
  expect((await stat(image)).mode & 0o777).toBe(0o440);
});

it('takes the readers where the file system has lists, and leaves nothing of having tried', async () => {
  const root = await makeRoot();

  expect((await policyOf(root, 'require')).readers).toEqual([60]);
  await checkAclSupport(root);

  expect(await execa('ls', ['-A', root, path.join(root, 'store')]).then(({ stdout }) => stdout)).not.toContain('.acl-');
});

it('says which file it could not give a list to', async () => {
  await expect(writeReaders('/proc/self/stat', [60])).rejects.toMatchObject({ problems: [{ at: '/proc/self/stat' }] });
});

it('reads what getfacl writes: masks, default entries, names with blanks', async () => {
  const root = await makeRoot();
  const odd = path.join(root, 'a b\\c');
  await mkdir(odd);
  await setAcl(['-m', 'u:65534:rwx,g:60:rw,m::r', odd]);
  await setAcl(['-d', '-m', 'g:61:rwx', odd]);
  await chmod(root, 0o755);

  expect((await readAcls([root, odd]))?.get(odd)).toEqual([
    { isDefault: false, kind: 'user', id: 65534, reads: true, writes: false },
    { isDefault: false, kind: 'group', id: 60, reads: true, writes: false },
    { isDefault: true, kind: 'group', id: 61, reads: true, writes: true },
  ]);
  expect(parseAcls('')).toEqual(new Map());
});
