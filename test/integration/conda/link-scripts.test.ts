// Post-link scripts, run in a real container with the staging prefix at its final path.
import { lstat, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startableContainer } from './link-container.ts';
import { LinkFixture } from './link-fixture.ts';
import type { RunInside } from '../../../src/conda/installer.ts';

let fixture: LinkFixture;
let runInside: RunInside;
beforeEach(async () => {
  fixture = await LinkFixture.make();
  runInside = await startableContainer(path.join(fixture.dir, 'container'), fixture.prefixOnDisk, fixture.prefixInside);
});
afterEach(async () => {
  await fixture.remove();
});

const scripted = (name: string, script: string, depends: string[] = []) => ({
  name,
  index: { depends },
  files: [{ type: 'file', path: `bin/.${name}-post-link.sh`, data: script, mode: 0o755 }] as const,
});

describe('post-link scripts', () => {
  it('see the prefix at its final path and conda’s variables, in the order of dependencies', async () => {
    const script = 'echo "$PKG_NAME $PKG_VERSION $PKG_BUILDNUM $PREFIX ${0%/*}" >>"$PREFIX/ran"\n';
    await fixture.add(scripted('aaa', script, ['zzz']));
    await fixture.add(scripted('zzz', script));

    const { notes } = await fixture.install({ runInside });

    const { prefixInside } = fixture;
    expect(await fixture.text('ran')).toBe(
      `zzz 1.0 0 ${prefixInside} ${prefixInside}/bin\naaa 1.0 0 ${prefixInside} ${prefixInside}/bin\n`,
    );
    expect(notes).toEqual([]);
  });

  it('leave files whose time does not tell when they ran', async () => {
    const tool = scripted('tool', 'mkdir "$PREFIX/made"; echo x >"$PREFIX/made/x"; touch "$PREFIX/share/packaged"\n');
    await fixture.add({ ...tool, files: [...tool.files, { type: 'file', path: 'share/packaged', data: 'p' }] });

    await fixture.install({ runInside });

    for (const relative of ['made', 'made/x', 'share/packaged', '.']) {
      const { mtime } = await stat(path.join(fixture.prefixOnDisk, relative));
      expect(mtime.toISOString(), relative).toBe('2024-06-01T00:00:00.000Z');
    }
  });

  it('speak to people through .messages.txt, which does not stay', async () => {
    await fixture.add(scripted('tool', 'echo "run tool-setup first" >>"$PREFIX/.messages.txt"\n'));

    const { notes } = await fixture.install({ runInside });

    expect(notes).toEqual(['tool: run tool-setup first']);
    expect(fixture.events).toContainEqual({ type: 'note', text: 'tool: run tool-setup first' });
    await expect(lstat(path.join(fixture.prefixOnDisk, '.messages.txt'))).rejects.toThrow(/ENOENT/);
  });

  it('that fail end the installation, with what they said', async () => {
    const { url } = await fixture.add(scripted('tool', 'echo "no such font" >&2; exit 3\n'));

    await expect(fixture.install({ runInside })).rejects.toMatchObject({
      exit: 5,
      problems: [
        { code: 'SCRIPT_FAILED', at: url, message: expect.stringMatching(/exit code 3[^]*no such font/) as string },
      ],
    });
  });
});
