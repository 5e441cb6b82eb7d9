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
  const { stdout } = await execa('shellcheck', [setup, path.join(root, 'ci/run-tests'), path.join(root, '.ci/run')], {
    reject: false,
  });
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

/** In a mount namespace of its own, the machine says which distribution it is and lacks some programs; apt-get only fails. */
async function runSetupOn(release: string, missing: readonly string[]) {
  const dir = await makeTempDir();
  await writeFile(path.join(dir, 'os-release'), release);
  for (const name of await readdir('/usr/bin')) {
    if (!missing.includes(name)) await symlink(path.join('/usr/bin', name), path.join(dir, name));
  }
  for (const name of ['node', 'npm', 'apt-get']) {
    await rm(path.join(dir, name), { force: true });
    await symlink(name === 'apt-get' ? '/usr/bin/false' : '/usr/bin/true', path.join(dir, name));
  }
  const asOther = 'mount --bind -- "$1/os-release" /etc/os-release && PATH=$1 exec "$2" run';
  return await execa('unshare', ['--user', '--map-root-user', '--mount', 'bash', '-c', asOther, 'bash', dir, setup], {
    reject: false,
  });
}

test('a package that brings two missing programs is installed once', async () => {
  const { stdout } = await runSetupOn('ID=debian\nVERSION_ID=12\n', ['mksquashfs', 'unsquashfs']);
  expect(stdout).toMatch(/apt-get install squashfs-tools(?! squashfs-tools)/);
});

test('a distribution that it does not know gets the list of missing programs and nothing installed', async () => {
  const { exitCode, stdout, stderr } = await runSetupOn('ID=plan9\nVERSION_ID=4\n', ['mksquashfs', 'bzip2']);
  expect(exitCode).toBe(4);
  expect(stdout).toContain('setup  missing: mksquashfs, which packs images');
  expect(stderr).toContain('this machine (plan9 4) is not one that ci/setup can install programs on');
  expect(stderr).toMatch(/missing: mksquashfs bzip2\b/);
  expect(stderr).toContain('hint   install them yourself');
});
