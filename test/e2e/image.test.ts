// What is in the image, and what is not.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseManifest, type ReleaseManifest } from '../../src/release/manifest.ts';
import { writeHelloChannel } from './hello-channel.ts';
import { TestSite } from './test-site.ts';

let site: TestSite;
let channel: string;
beforeAll(async () => {
  site = await TestSite.make();
  channel = await writeHelloChannel(site.dir);
});
afterAll(() => site.remove());

async function build(environment: string): Promise<ReleaseManifest> {
  await site.writeConfig(environment);
  await site.condenseOk('install', 'a');
  const file = site.scripts('a-1', 'manifest.json');
  return parseManifest(await readFile(file, 'utf8'), path.basename(file));
}

describe('an image', () => {
  it('has the same bytes when the same environment is built again', async () => {
    await site.writeSpec('a', [channel], ['hello=1.0'], 'variables: { DATA: /data }\n');
    const first = await build(`  a: { version: '1' }\n`);
    await new Promise((resolve) => setTimeout(resolve, 1100)); // squashfs counts whole seconds

    const second = await build(`  a: { version: '1', outside_commands: [ssh] }\n`);

    expect(second.id).not.toBe(first.id);
    expect(second.image.sha256).toBe(first.image.sha256);
  });

  it('is without what the configuration drops, and its manifest says so; a pattern that takes a command builds nothing', async () => {
    await site.writeSpec('a', [channel], ['hello=1.0']);

    const manifest = await build(`  a: { version: '1', drop: { patterns: [share/hello], tests: true } }\n`);

    expect(manifest.dropped).toEqual([{ rule: 'share/hello', files: 1, bytes: 4 }]);
    const ran = await site.condense('install', 'a');
    expect(ran.stdout).toContain('was live already: nothing to do');
    await site.writeConfig(`  a: { version: '1', drop: { patterns: [bin] } }\n`);
    const refused = await site.condense('install', 'a');
    expect(refused.exitCode).toBe(5);
    expect(refused.stderr).toMatch(
      /install_config\.yaml:\d+:41 {2}the pattern 'bin' would drop bin\/hello, which the command hello needs/,
    );
  });
});
