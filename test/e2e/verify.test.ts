// `condense verify` on a real site: whatever differs from the manifest is named, and the named repair mends it.
import {
  appendFile,
  chmod,
  copyFile,
  lstat,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LiveSite } from './live-site.ts';

let live: LiveSite;
let id: string;
const release = (name: string): string => path.join(live.site.prefix, 'apps/condense/releases/a-1', id, name);

beforeAll(async () => {
  live = await LiveSite.make();
  id = (await live.site.liveRelease('a-1')) ?? '';
});
afterAll(() => live.remove());

/** Runs verify, which must name what differs, and puts the file back. */
async function expectNamed(
  file: string,
  damage: (file: string) => Promise<unknown>,
  expected: { readonly code: string; readonly quick: boolean },
): Promise<void> {
  const kept = path.join(live.site.dir, 'kept');
  await execa('cp', ['--archive', file, kept]);
  try {
    await damage(file);
    // What the quick one finds, the other finds as well: it looks at the same and reads the files besides.
    const quick = live.site.condense('verify', '--quick', 'a');
    const named = await (expected.quick ? quick : live.site.condense('verify'));
    expect(named.stderr).toContain(`code   ${expected.code}`);
    expect(named.stderr).toContain(`error  ${file}  `);
    expect(named.stderr).toMatch(/hint {3}(condense install --rebuild a|chmod 0444) /);
    expect(named.exitCode).toBe(7);
    expect((await quick).exitCode).toBe(expected.quick ? 7 : 0);
  } finally {
    await rm(file, { recursive: true, force: true });
    await rename(kept, file);
  }
}

describe('verify', () => {
  it('finds a site whole that was just published, and what a release records is what it is made of', async () => {
    const said = await live.site.condenseOk('verify');
    expect(said).toContain(`a-1/${id} is whole: digests, modes and links are as its manifest says`);
    expect(said).toContain('what users reach is what was published');

    const manifest = JSON.parse(await readFile(release('manifest.json'), 'utf8')) as Record<string, unknown>;
    expect(manifest).toMatchObject({
      manifestVersion: 2,
      spec: { text: await readFile(path.join(live.site.dir, 'environments/a/environment.yml'), 'utf8') },
      config: { text: await readFile(live.site.configFile, 'utf8') },
      gate: { checks: expect.arrayContaining([expect.objectContaining({ name: 'the image mounts' })]) as unknown },
      links: [
        { path: 'bin/hello', target: '../launcher' },
        { path: 'bin/hello-later', target: '../launcher' },
        { path: 'prefix/bin', target: '../bin' },
        ...['include', 'lib', 'libexec', 'share', 'ssl'].map((name) => ({
          ...{ path: `prefix/${name}`, target: `/opt/conda/a-1/${name}` },
        })),
      ],
    });
    const answer = JSON.parse(
      (await live.site.condenseOk('--json', 'verify', `a-1/${id}`)).split('\n').at(-1) ?? '',
    ) as object;
    expect(answer).toMatchObject({ type: 'result', releases: [{ fullName: 'a-1', id, problems: [] }] });
  });

  it.each([
    ['an image of another size', 'env.sqsh', (file: string) => truncate(file, 100), 'SIZE_DIFFERS', true],
    ['a lock with another byte', 'environment.lock.yml', flipByte, 'DIGEST_DIFFERS', false],
    ['a launcher that says more', 'launcher', (file: string) => appendFile(file, '# more\n'), 'SIZE_DIFFERS', true],
    ['a module that is gone', 'modules/a-1', (file: string) => rm(file), 'FILE_MISSING', true],
    [
      'a gate report that somebody wrote',
      'gate.xml',
      (file: string) => writeFile(file, 'fine'),
      'DIGEST_DIFFERS',
      false,
    ],
    [
      'a file that others may write',
      'environment.lock.yml',
      (file: string) => chmod(file, 0o666),
      'MODE_DIFFERS',
      true,
    ],
    ['a command that leads elsewhere', 'bin/hello', relink, 'LINK_DIFFERS', true],
    ['a copy where a link was', 'bin/hello', copyOver, 'LINK_DIFFERS', true],
    ['a link where a file was', 'launcher', relink, 'FILE_REPLACED', true],
    ['a manifest with other facts', 'manifest.json', changeFacts, 'MANIFEST_CHANGED', true],
    ['a manifest that is cut short', 'manifest.json', (file: string) => truncate(file, 100), 'MANIFEST_INVALID', true],
    [
      'a manifest of a later condense',
      'manifest.json',
      (file: string) => writeFile(file, '{"manifestVersion":3}'),
      'MANIFEST_TOO_NEW',
      true,
    ],
  ] as const)('names %s', async (_, name, damage, code, quick) => {
    await expectNamed(release(name), damage, { code, quick });
  });

  it('names what was put into a release, but for its overrides', async () => {
    await writeFile(release('extra'), '');
    await writeFile(release('overrides/hello.env'), '');
    const ran = await live.site.condense('verify', `a-1/${id}`);
    await rm(release('extra'));
    await rm(release('overrides/hello.env'));

    expect(ran.stderr).toContain(`error  ${release('extra')}  is not in the manifest`);
    expect(ran.stderr).not.toContain('hello.env');
  });

  it('names a base and a Node of the store that are not those that the release was made with', async () => {
    const manifest = JSON.parse(await readFile(release('manifest.json'), 'utf8')) as {
      base: { digest: string };
      node: { version: string };
    };
    const store = path.join(live.site.prefix, 'apps/condense');
    await expectNamed(path.join(store, `bases/${manifest.base.digest}.sif`), flipByte, {
      code: 'DIGEST_DIFFERS',
      quick: false,
    });
    await expectNamed(path.join(store, `runtime/node-${manifest.node.version}/bin/node`), (file) => rm(file), {
      code: 'FILE_MISSING',
      quick: true,
    });
  });

  it('says what is wrong with what users reach, and publishing again mends it', async () => {
    const store = path.join(live.site.prefix, 'apps/condense');
    const damages = [
      { at: path.join(store, 'current/scripts/a-1.d'), code: 'GENERATION_CHANGED' },
      { at: path.join(store, 'current/modules/conda/.modulerc'), code: 'GENERATION_CHANGED' },
      { at: path.join(live.site.prefix, 'apps/conda_envs'), code: 'PUBLIC_LINK_BROKEN' },
    ];
    for (const { at, code } of damages) {
      await rm(at);
      if (code === 'PUBLIC_LINK_BROKEN') await symlink('/nowhere', at);
      else await writeFile(at, 'mine');
      const ran = await live.site.condense('verify', '--quick');
      expect(ran.stderr, at).toContain(`code   ${code}`);
      expect(ran.exitCode).toBe(7);
      expect((await live.site.condense('publish', `a-1/${id}`)).exitCode).toBe(0);
      expect(await live.site.condenseOk('verify', '--quick')).toContain('is what was published');
    }
  });

  it('publishes no release whose bytes are not those that the gate saw, and leaves what is live', async () => {
    await live.site.writeSpec('a', [live.channel], ['hello=2.0']);
    const built = JSON.parse((await live.site.condenseOk('--json', 'build', 'a')).split('\n').at(-1) ?? '') as {
      release: string;
    };
    const image = path.join(live.site.prefix, 'apps/condense/releases/a-1', built.release, 'env.sqsh');
    await flipByte(image);

    const ran = await live.site.condense('publish', `a-1/${built.release}`);

    expect(ran.exitCode).toBe(7);
    expect(ran.stderr).toContain(`error  ${image}  has sha256 `);
    expect(await live.site.liveRelease('a-1')).toBe(id);
    await live.writeSpecs();
  });

  it('takes no damaged release for one that need not be built again, and --rebuild makes another in any case', async () => {
    await truncate(release('env.sqsh'), 100);

    expect(await live.site.condenseOk('install', 'a')).toContain('is live as generation');

    const mended = (await live.site.liveRelease('a-1')) ?? '';
    expect(mended).not.toBe(id);
    expect(await live.site.condenseOk('verify', 'a')).toContain(`a-1/${mended} is whole`);
    expect(await live.site.condenseOk('install', '--rebuild', 'a')).toContain('is live as generation');
    expect(await live.site.liveRelease('a-1')).not.toBe(mended);
  });
});

async function flipByte(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  const { mode } = await lstat(file);
  await chmod(file, 0o644);
  await writeFile(file, bytes);
  await chmod(file, mode & 0o7777);
}

async function relink(file: string): Promise<void> {
  await rm(file);
  await symlink('/usr/bin/true', file);
}

async function copyOver(file: string): Promise<void> {
  await rm(file);
  await copyFile(release('launcher'), file);
}

async function changeFacts(file: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('"environment": "a"', '"environment": "b"'));
}
