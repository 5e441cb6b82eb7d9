// `condense adopt`: an environment that is there already becomes a release, of its exact packages, or is refused with what stands against it.
import { appendFile, chmod, copyFile, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runAsOrdinaryUser } from '../../ci/ordinary-user.ts';
import { LiveSite } from './live-site.ts';

let live: LiveSite;
let image: string;
/** As another installer has left it, at a path of its own. */
let prefix: string;
beforeAll(async () => {
  live = await LiveSite.make();
  const { site } = live;
  image = path.join(site.prefix, 'apps/condense/releases/a-1', (await site.liveRelease('a-1')) ?? '', 'env.sqsh');
  await site.writeConfig(`  a: { version: '1', stable: '1' }\n  b: { version: '1' }\n  old: { version: '22.10' }\n`);
  await execa('unsquashfs', ['-quiet', '-no-progress', '-dest', path.join(site.dir, 'unpacked'), image]);
  prefix = path.join(site.dir, 'unpacked/opt/conda/a-1');
});
afterAll(() => live.remove());

async function adopt(...args: string[]): Promise<{ release: string; manifest: Record<string, unknown> }> {
  const said = await live.site.condenseOk('--json', 'adopt', ...args);
  const { environment, release } = JSON.parse(said.split('\n').at(-1) ?? '') as {
    environment: string;
    release: string;
  };
  const file = path.join(live.site.prefix, 'apps/condense/releases', environment, release, 'manifest.json');
  return { release, manifest: JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown> };
}

async function runHello(fullName: string): Promise<string> {
  const ran = await runAsOrdinaryUser(live.home, [live.site.scripts(fullName, 'bin/hello')]);
  return ran.stdout + ran.stderr;
}

describe('adopt', () => {
  it('makes a gated release of a plain prefix, whose programs know their new place', async () => {
    const { release, manifest } = await adopt('b', prefix);

    expect(manifest).toMatchObject({
      adopted: { from: prefix, kind: 'prefix', left: [] },
      packages: [{ name: 'hello', version: '1.0', build: 'h0_0' }],
      gate: { checks: expect.arrayContaining([expect.objectContaining({ name: 'the image mounts' })]) as unknown },
    });
    await live.site.condenseOk('publish', `b-1/${release}`);
    expect(await runHello('b-1')).toBe('hello 1.0 from /opt/conda/b-1');
    expect(await live.site.condenseOk('verify', 'b')).toContain('is whole');
  });

  it('finds the image of a version in a tree like hh5’s, writes the environment.yml that there was none of, and says what ran on the host', async () => {
    const tree = path.join(live.site.dir, 'hh5');
    const farm = path.join(tree, 'apps/cms_conda_scripts/old-22.10.d/bin');
    await mkdir(path.join(tree, 'apps/cms_conda/envs'), { recursive: true });
    await mkdir(farm, { recursive: true });
    await copyFile(image, path.join(tree, 'apps/cms_conda/envs/old-22.10.sqsh'));
    for (const name of ['launcher.sh', 'launcher_conf.sh', 'hello', 'ssh', 'pbs_tmrsh'])
      await writeFile(path.join(farm, name), '');

    const planned = await live.site.condenseOk('adopt', '--dry-run', 'old', tree);
    const ran = await live.site.condense('adopt', 'old', tree);

    expect(planned).toContain('would build old-22.10 of 1 packages');
    expect(ran.exitCode, ran.stderr).toBe(0);
    expect(ran.stderr).toContain('its farm also has pbs_tmrsh, ssh');
    const spec = await readFile(path.join(live.site.dir, 'environments/old/environment.yml'), 'utf8');
    expect(spec).toContain(`channels:\n  - ${live.channel}\n`);
    expect(spec).toMatch(/ {2}- hello=?=?1\.0\n/);
    const release = /condense publish (\S+)/.exec(ran.stdout)?.[1] ?? '';
    await live.site.condenseOk('publish', release);
    expect(await runHello('old-22.10')).toBe('hello 1.0 from /opt/conda/old-22.10');
    expect(await readdir(path.join(live.site.dir, 'staging'))).toEqual([]);
  });

  it('builds the same again from the lock that it names', async () => {
    const { release } = await adopt('b', prefix);
    const lock = path.join(live.site.prefix, 'apps/condense/releases/b-1', release, 'environment.lock.yml');
    await copyFile(lock, path.join(live.site.dir, 'environments/b/environment.lock.yml'));

    expect(await live.site.condenseOk('build', 'b')).toContain(`b-1 release ${release} is up to date`);
    await rm(path.join(live.site.dir, 'environments/b/environment.lock.yml'));
  });

  it('refuses what was changed, added or removed by hand, until it may be left out', async () => {
    const changed = path.join(live.site.dir, 'changed');
    await execa('cp', ['--archive', prefix, changed]);
    await chmod(path.join(changed, 'bin/hello'), 0o755);
    await appendFile(path.join(changed, 'bin/hello'), 'echo mine\n');
    await rm(path.join(changed, 'share/hello/version'), { force: true });
    await symlink('/usr/bin/ssh', path.join(changed, 'bin/ssh'));

    const ran = await live.site.condense('adopt', 'b', changed);
    expect(ran.exitCode).toBe(5);
    expect(ran.stderr).toContain('ADOPT_INCOMPLETE');
    for (const line of [
      'changed by hand: bin/hello',
      'changed by hand: share/hello/version (gone)',
      'of no package: bin/ssh',
    ])
      expect(ran.stderr).toContain(line);
    expect(ran.stderr).toContain(`hint   leave it out: condense adopt --leave b ${changed}`);

    const { manifest } = await adopt('--leave', 'b', changed);
    expect(manifest['adopted']).toMatchObject({ left: expect.arrayContaining(['of no package: bin/ssh']) as string[] });
  });

  it.each([
    ['a record without a digest', { sha256: undefined }, 'RECORD_INVALID', 'has no sha256'],
    ['a record that is none', { name: 7 }, 'RECORD_INVALID', 'is no record of a package'],
    ['a name that leaves its directory', { name: '../../x' }, 'LOCK_INVALID', 'characters that conda does not allow'],
    ['another package than it says', { sha256: 'a'.repeat(64) }, 'PACKAGE_', 'hello'],
  ])('refuses %s', async (_, change, code, says) => {
    const damaged = path.join(live.site.dir, 'damaged');
    await rm(damaged, { recursive: true, force: true });
    await execa('cp', ['--archive', prefix, damaged]);
    const [record = ''] = (await readdir(path.join(damaged, 'conda-meta'))).filter((name) => name.startsWith('hello'));
    const file = path.join(damaged, 'conda-meta', record);
    const text = JSON.stringify({ ...(JSON.parse(await readFile(file, 'utf8')) as object), ...change });
    await rm(file);
    await writeFile(file, text);

    const ran = await live.site.condense('adopt', 'b', damaged);

    expect(ran.exitCode).not.toBe(0);
    expect(ran.stderr).toContain(code);
    expect(ran.stderr).toContain(says);
  });

  it('says of what is nothing to adopt that it is not', async () => {
    const ran = await live.site.condense('adopt', 'b', path.join(live.site.dir, 'environments'));

    expect(ran.exitCode).toBe(5);
    expect(ran.stderr).toContain('PREFIX_MISSING');
    expect((await live.site.condense('adopt', 'nothing', prefix)).exitCode).toBe(2);
    expect((await live.site.condense('adopt', 'b', live.site.configFile)).stderr).toContain('unsquashfs');
  });
});
