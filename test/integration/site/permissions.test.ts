// Modes on a real disk, whatever the umask.
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { writePermissions } from '../../../src/site/permissions.ts';

it('keeps the image to the group, and lets everybody have the launcher, which tells the others about it', async () => {
  const root = await mkdtemp(path.join(os.tmpdir(), 'condense-permissions-'));
  onTestFinished(() => rm(root, { recursive: true }));
  const mask = process.umask(0o077);
  onTestFinished(() => {
    process.umask(mask);
  });
  const image = path.join(root, 'env.sqsh');
  await writeFile(image, '');
  await writeFile(path.join(root, 'launcher'), '', { mode: 0o755 });
  await mkdir(path.join(root, 'bin'));
  await symlink('../launcher', path.join(root, 'bin/python3'));

  await writePermissions(root, { usersGroup: process.getegid?.() ?? 0 }, image);

  const mode = async (name: string): Promise<number> => (await stat(path.join(root, name))).mode & 0o777;
  expect(await mode('env.sqsh')).toBe(0o440);
  expect(await mode('launcher')).toBe(0o555);
  expect(await mode('bin')).toBe(0o755);
  expect(await mode('.')).toBe(0o755);
});
