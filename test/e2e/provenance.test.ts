// What a release is made of, whether it can be made again, and what the site offers, on a real site: `condense sbom`,
// `condense verify --rebuild`, `condense report`.
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LiveSite } from './live-site.ts';

let live: LiveSite;
let id: string;
beforeAll(async () => {
  live = await LiveSite.make();
  id = (await live.site.liveRelease('a-1')) ?? '';
});
afterAll(() => live.remove());

describe('sbom', () => {
  it('prints the same document for a release and for what is live of it, in both formats', async () => {
    const spdx = JSON.parse(await live.site.condenseOk('sbom', 'a')) as { packages: { name: string }[] };
    expect(spdx).toMatchObject({ spdxVersion: 'SPDX-2.3', name: `a-1/${id}` });
    expect(spdx.packages.map(({ name }) => name)).toEqual(['a-1', 'hello']);
    expect(JSON.parse(await live.site.condenseOk('sbom', `a-1/${id}`))).toEqual(spdx);

    const cyclonedx: unknown = JSON.parse(await live.site.condenseOk('sbom', 'a-1', '--format', 'cyclonedx'));
    expect(cyclonedx).toMatchObject({
      ...{ bomFormat: 'CycloneDX', specVersion: '1.6' },
      components: [{ name: 'hello', version: '1.0', licenses: [{ expression: 'MIT' }] }],
    });
  });

  it('lists the licences that the packages in the image state', async () => {
    const said = await live.site.condenseOk('sbom', '--licences', 'a');
    expect(said).toContain('  hello  1.0  MIT');
    expect(said).toContain('all 1 packages state an SPDX expression');
  });

  it('says what there is where the name means nothing, and nothing of a lock that is not the one of the manifest', async () => {
    const ran = await live.site.condense('sbom', 'nothing');
    expect([ran.exitCode, ran.stderr]).toEqual([2, expect.stringContaining('live: a-1')]);
    const lock = path.join(live.site.prefix, 'apps/condense/releases/a-1', id, 'environment.lock.yml');
    const text = await readFile(lock, 'utf8');
    await chmod(lock, 0o644);
    await writeFile(lock, `${text}# mine\n`);
    const changed = await live.site.condense('sbom', 'a');
    await writeFile(lock, text);
    await chmod(lock, 0o444);
    expect([changed.exitCode, changed.stderr]).toEqual([7, expect.stringContaining('code   LOCK_CHANGED')]);
  });
});

describe('verify --rebuild', () => {
  it('builds the lock of a release again, finds the same bytes, and leaves nothing', async () => {
    const before = await live.readPrefix();
    // Neither a later version nor another spec counts: the release says what it was made from.
    await live.site.writeConfig(`  a: { version: '2' }\n`);
    await live.site.writeSpec('a', [live.channel], ['hello=2.0']);

    const said = await live.site.condenseOk('verify', '--rebuild', `a-1/${id}`);

    expect(said).toContain(`a-1/${id} was built again, and its image has the same bytes: `);
    expect(await live.readPrefix()).toEqual(before);
    expect(await live.readLeftovers()).toEqual([]);
    await live.writeSpecs();
  });

  it('says that only the packing differs where mksquashfs packs otherwise, and what version it is', async () => {
    // A stand-in that injects the fault: the real program, with other blocks and another name for its version.
    const bin = path.join(live.site.dir, 'bin');
    await mkdir(bin);
    await writeFile(
      path.join(bin, 'mksquashfs'),
      '#!/bin/sh\n[ "$1" != -version ] || { echo "mksquashfs version 9.9"; exit 0; }\nPATH=${PATH#*:} exec mksquashfs "$@" -b 4096\n',
      { mode: 0o755 },
    );
    await live.expectFailure(
      ['verify', '--rebuild', 'a'],
      {
        exit: 7,
        says: [
          /was built again, and the image has sha256 [0-9a-f]{64}, not [0-9a-f]{64}:/,
          'no file differs: the same files are packed otherwise',
          /then mksquashfs mksquashfs version 4\S*.*, now mksquashfs version 9\.9/,
          'code   REBUILD_DIFFERS',
        ],
      },
      { PATH: `${bin}:${process.env['PATH'] ?? ''}` },
    );
    await rm(bin, { recursive: true });
  });

  it('wants the name of one release', async () => {
    for (const args of [['--rebuild'], ['--rebuild', '--quick', 'a']]) {
      const ran = await live.site.condense('verify', ...args);
      expect([ran.exitCode, ran.stderr]).toEqual([2, expect.stringContaining('code   USAGE_INVALID')]);
    }
  });
});

describe('test', () => {
  it('runs the gate on all that is live as tasks, and wants to know on what', async () => {
    expect(await live.site.condenseOk('test', '--all', '--jobs', '2')).toMatch(/a-1\/\S+: \d+ checks passed, 0 failed/);
    for (const args of [['test'], ['test', '--all', 'a'], ['test', '--all', 'a', '--jobs', '2']]) {
      const ran = await live.site.condense(...args);
      expect([ran.exitCode, ran.stderr]).toEqual([2, expect.stringContaining('code   USAGE_INVALID')]);
    }
  });
});

describe('report', () => {
  it('makes pages of what is live, says so when there is nothing to do, and touches no other directory', async () => {
    const out = path.join(live.site.dir, 'web');
    expect(await live.site.condenseOk('report', '--out', out, '--dry-run')).toContain('write    index.html');

    expect(await live.site.condenseOk('report', '--out', out)).toMatch(/has \d+ pages: \d+ written, 0 removed/);

    const index = await readFile(path.join(out, 'index.html'), 'utf8');
    expect(index).toContain(`module use ${live.site.modules}`);
    expect(index).toContain(`href="releases/a-1/${id}.html"`);
    const release = await readFile(path.join(out, `releases/a-1/${id}.html`), 'utf8');
    expect(release).toContain('the image mounts');
    expect(release).toMatch(/>hello<\/th>\s*<td>1\.0<\/td>/);
    expect(await live.site.condenseOk('report', '--out', out)).toContain('already: nothing to do');
    const refused = await live.site.condense('report', '--out', live.site.prefix);
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining('code   REPORT_NOT_OURS')]);
  });
});
