// Two ways to an image, by a tree on disk and straight from the archives: the same bytes, or the second says why not.
import { rm, truncate } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planContent } from '../../../src/build/image-from-archives.ts';
import { writeImage, writeImageOf, type PackedImage } from '../../../src/build/pack.ts';
import { finishStagedPrefix, planCommands, readCommands } from '../../../src/build/stage.ts';
import { StagingLayout } from '../../../src/site/layout.ts';
import { LinkFixture } from '../conda/link-fixture.ts';

const placeholder = { text: `/build/${'placehold_'.repeat(20)}`, mode: 'text' } as const;
const binary = { ...placeholder, mode: 'binary' } as const;
const profile = { compression: 'zstd', level: 3, blockSizeBytes: 131072, order: 'none' } as const;
const marker = { name: '.condense', text: 'analysis3-26.11\n' };

let fixture: LinkFixture;
let staging: StagingLayout;
beforeEach(async () => {
  fixture = await LinkFixture.make();
  staging = new StagingLayout(path.join(fixture.dir, 'staging'), 'analysis3-26.11');
});
afterEach(async () => {
  await fixture.remove();
});

type Variables = Readonly<Record<string, string>>;

async function byTree(
  variables: Variables,
  changes: Parameters<LinkFixture['install']>[0] = {},
): Promise<{ image: PackedImage; commands: string[] }> {
  await fixture.install({ prefixOnDisk: staging.prefix, ...changes });
  await finishStagedPrefix(staging, marker, variables);
  const image = await writeImage(staging.root, path.join(fixture.dir, 'tree.sqsh'), profile);
  return { image, commands: await readCommands(staging.prefix) };
}

async function fromArchives(variables: Variables): Promise<{ image: PackedImage; commands: string[] }> {
  const spooled = await fixture.spool();
  if (typeof spooled === 'string') throw new Error(spooled);
  const content = planContent(spooled.entries, path.relative(staging.root, staging.prefix), marker, variables);
  const image = await writeImageOf(content, path.join(fixture.dir, 'archives.sqsh'), profile);
  return { image, commands: planCommands(spooled.entries) };
}

async function addNasty(): Promise<void> {
  const data = (text: string): string => `#!${placeholder.text}/bin/sh\n${text}\n`;
  await fixture.add({
    name: 'one',
    files: [
      { type: 'file', path: 'bin/tool', data: data('a'), mode: 0o755, placeholder },
      { type: 'symlink', path: 'bin/link', target: 'tool' },
      { type: 'file', path: 'bin/.hidden', data: 'x', mode: 0o755 },
      { type: 'file', path: 'bin/text', data: 'no program' },
      { type: 'file', path: 'bin/launcher', data: 'x', mode: 0o755 },
      {
        type: 'file',
        path: 'lib/a.so',
        data: `\0${placeholder.text}/lib\0${'x'.repeat(300_000)}`,
        placeholder: binary,
      },
      { type: 'file', path: 'lib/original', data: 'y'.repeat(200_001), mode: 0o4777 },
      { type: 'hardlink', path: 'lib/a-second-name', target: 'lib/original' },
      { type: 'hardlink', path: 'bin/zz', target: 'lib/original' },
      { type: 'symlink', path: 'lib64', target: 'lib' },
      { type: 'file', path: 'lib/zeros', data: Buffer.concat([Buffer.from('z'), Buffer.alloc(700_000)]) },
      { type: 'file', path: 'lib/empty', data: '' },
      { type: 'file', path: 'lib/empty2', data: '' },
      { type: 'directory', path: 'var/empty/dir' },
      // Sorted as names these stand otherwise than as paths.
      { type: 'file', path: 'share/a/b', data: '1' },
      { type: 'file', path: 'share/a-b', data: '2' },
      { type: 'file', path: 'share/a.b/c', data: '3' },
      { type: 'file', path: `share/${'d'.repeat(90)}/${'f'.repeat(90)}`, data: '4' },
      { type: 'file', path: 'share/\u{1f40d}', data: '5' },
      { type: 'file', path: 'share/\uffee', data: '6' },
      { type: 'file', path: 'share/of both', data: 'of one' },
    ],
  });
  await fixture.add({
    name: 'two',
    format: 'tar.bz2',
    index: { depends: ['one'] },
    // From before paths.json: what holds the placeholder is known at the end only.
    infoFiles: { 'paths.json': undefined },
    files: [
      { type: 'file', path: 'lib64/through', data: data('b'), mode: 0o755, placeholder },
      { type: 'file', path: 'share/of both', data: 'of two' },
      { type: 'file', path: 'share/large', data: Buffer.alloc(6 << 20, 'l') },
      { type: 'file', path: 'share/copy', data: 'y'.repeat(200_001) },
    ],
  });
}

describe('an image made straight from the archives', () => {
  it('has the bytes of the one that is packed from the tree, and the same commands', async () => {
    await addNasty();
    const variables = { GREETING: 'hello' };

    const tree = await byTree(variables);
    const archives = await fromArchives(variables);

    expect(archives.commands).toEqual(['link', 'tool', 'zz']);
    expect(archives).toEqual({ ...tree, image: { ...tree.image, file: archives.image.file } });
    const notes = fixture.events.filter(({ type }) => type === 'note');
    expect(notes.slice(0, notes.length / 2)).toEqual(notes.slice(notes.length / 2));
  });

  it('has the bytes of the one whose files are hard links to extracted packages', async () => {
    await addNasty();
    const extracted = { dir: path.join(fixture.dir, 'extracted'), mayHardLink: true };
    const { image } = await fromArchives({});

    for (const when of ['extracted now', 'extracted before']) {
      expect((await byTree({}, { extracted })).image.sha256, when).toBe(image.sha256);
      await rm(staging.root, { recursive: true });
      await rm(path.join(fixture.dir, 'tree.sqsh'));
    }
  });

  it('has no bytes of the hour in which it was made', async () => {
    await addNasty();
    const first = await fromArchives({});
    await new Promise((resolve) => setTimeout(resolve, 1100)); // squashfs counts whole seconds
    await rm(path.join(fixture.dir, 'spool'), { recursive: true });

    expect((await fromArchives({})).image.sha256).toBe(first.image.sha256);
  });
});

describe('an environment in which something has to run', () => {
  it.each([
    ['bin/.one-post-link.sh', 'one has a post-link script'],
    ['bin/python3', 'one has bin/python3'],
  ])('with %s takes the way by a tree', async (file, why) => {
    await fixture.add({ name: 'one', files: [{ type: 'file', path: file, data: '' }] });

    expect(await fixture.spool()).toBe(why);
  });
});

it('fails where the bytes are cut short, and makes no image of a part', async () => {
  await fixture.add({ name: 'one', files: [{ type: 'file', path: 'a', data: 'x'.repeat(1000) }] });
  const spooled = await fixture.spool();
  if (typeof spooled === 'string') throw new Error(spooled);
  await truncate(path.join(fixture.dir, 'spool/0'), 10);

  await expect(writeImageOf(spooled.entries, path.join(fixture.dir, 'cut.sqsh'), profile)).rejects.toThrow(
    'spool/0 ends after',
  );
});
