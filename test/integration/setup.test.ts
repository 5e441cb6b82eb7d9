// ci/setup: what it does on a machine that has everything, and on one that it does not know.
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { expect, onTestFinished, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const setup = path.join(root, 'ci/setup');

async function makeTempDir(): Promise<string> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'condense-setup-test-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  return dir;
}

test('the shell scripts have no finding of shellcheck', async () => {
  const { stdout } = await execa('shellcheck', [setup, path.join(root, '.ci/run')], { reject: false });
  expect(stdout).toBe('');
});

test('a machine that has everything is left alone, and the runtime is proved', async () => {
  const { exitCode, stdout, stderr } = await execa(setup, ['run', 'channel', 'test'], { reject: false });
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: 'setup  ready', stderr: '' });
});

test('a group that does not exist is named', async () => {
  const { exitCode, stderr } = await execa(setup, ['tests'], { reject: false });
  expect(exitCode).toBe(2);
  expect(stderr).toContain('there is no group called tests');
});

test('a distribution that it does not know gets the list of missing programs and nothing installed', async () => {
  const dir = await makeTempDir();
  await writeFile(path.join(dir, 'os-release'), 'ID=plan9\nVERSION_ID=4\n');
  // Everything of /usr/bin but two programs.
  for (const name of await readdir('/usr/bin')) {
    if (!['mksquashfs', 'bzip2'].includes(name)) await symlink(path.join('/usr/bin', name), path.join(dir, name));
  }
  for (const name of ['node', 'npm']) {
    await rm(path.join(dir, name), { force: true });
    await symlink('/usr/bin/true', path.join(dir, name));
  }
  // In a mount namespace of its own, the machine says that it is another one.
  const asOther = 'mount --bind -- "$1/os-release" /etc/os-release && PATH=$1 exec "$2" run';
  const { exitCode, stdout, stderr } = await execa(
    'unshare',
    ['--user', '--map-root-user', '--mount', 'bash', '-c', asOther, 'bash', dir, setup],
    { reject: false },
  );
  expect(exitCode).toBe(4);
  expect(stdout).toContain('setup  missing: mksquashfs, which packs images');
  expect(stderr).toContain('this machine (plan9 4) is not one that ci/setup can install programs on');
  expect(stderr).toMatch(/missing: mksquashfs bzip2\b/);
  expect(stderr).toContain('hint   install them yourself');
});
