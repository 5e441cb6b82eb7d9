// `condense plan`: why something would be built, held against what is built then.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlannedBuild } from '../../src/build/plan-document.ts';
import { serveChannel } from '../channel/serve-channel.ts';
import { writeHelloChannel } from './hello-channel.ts';
import { TestSite } from './test-site.ts';

let site: TestSite;
let channel: Awaited<ReturnType<typeof serveChannel>>;
beforeAll(async () => {
  site = await TestSite.make();
  await writeHelloChannel(site.dir, ['1.0', '2.0']);
  channel = await serveChannel(path.join(site.dir, 'channel'));
  await writeConfig();
  await site.writeSpec('a', [channel.url], ['hello=1.0']);
});
afterAll(async () => {
  await channel.close();
  await site.remove();
});

const writeConfig = (more = ''): Promise<void> => site.writeConfig(`  a: { version: '1', stable: '1' }\n`, more);
const refuse = async (args: readonly string[], exit: number, ...says: string[]): Promise<void> => {
  const { exitCode, stdout, stderr } = await site.condense(...args);
  for (const words of says) expect(stdout + stderr).toContain(words);
  expect(exitCode, stdout + stderr).toBe(exit);
};

async function plan(...args: string[]): Promise<PlannedBuild> {
  const said = (await site.condenseOk('--json', 'plan', 'a', ...args))
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  const found = said.find((line) => Reflect.get(line, 'type') === 'result');
  return found as unknown as PlannedBuild;
}

describe('a plan', () => {
  it('of a first build says what it would download and touch, and touches nothing of it', async () => {
    const first = await plan('--out', 'plan.json');

    expect(first).toMatchObject({
      ...{ action: 'build', fullName: 'a-1', lock: { from: 'solve', packages: 1, isPipOpen: false } },
      space: { downloads: 1, estimatedFrom: 'typical' },
    });
    expect(first.reasons.map(({ input }) => input)).toEqual(['release']);
    expect(first.space.downloadBytes).toBeGreaterThan(500);
    const touched = first.steps.map((step) => step.path);
    expect(touched).toContain(path.join(site.prefix, 'apps/condense/current'));
    expect(touched).toContain(path.join(site.admin, 'cache/packages'));
    expect(await readdir(site.dir)).not.toContain('site');
    expect(await readdir(site.dir)).not.toContain('staging');
    expect(channel.requests.some((request) => request.includes('hello-1.0'))).toBe(false);
  });

  it('is built as it was made, though a newer package would be chosen now', async () => {
    await refuse(['build'], 2, 'no environment was named');
    await refuse(['build', 'a', '--plan', 'plan.json'], 2, 'a plan names its environments itself');
    await refuse(['build', '--plan', 'nothing.json'], 2, 'PLAN_MISSING');

    expect(await site.condenseOk('build', '--plan', 'plan.json')).toContain('was built and passed the gate');

    const again = await plan();
    expect(again).toMatchObject({ action: 'none', reasons: [], steps: [] });
    expect(await site.condenseOk('build', 'a')).toContain('is up to date: nothing to build');
  });

  it('names what changed, and is refused when that is not what it was made from', async () => {
    await site.writeSpec('a', [channel.url], ['hello']);
    await writeConfig(`squashfs: { compression: gzip }\n`);
    await refuse(
      ['build', '--plan', 'plan.json'],
      3,
      'PLAN_STALE',
      '- spec hello is new',
      '- squashfs is not what it was',
    );

    const text = await site.condenseOk('plan');
    for (const words of [
      'a-1 would be built; against its newest release',
      '↑ hello 1.0 -> 2.0',
      '+ hello',
      'squashfs.compression: "zstd" -> "gzip"',
      'as its newest release',
    ])
      expect(text).toContain(words);

    await site.condenseOk('lock', 'a');
    await site.condenseOk('plan', '--out', 'plan.json');
    const lock = path.join(site.dir, 'environments/a/environment.lock.yml');
    const written = await readFile(lock, 'utf8');
    await writeFile(lock, written.replaceAll('2.0', '1.0'));
    await refuse(['build', '--plan', 'plan.json'], 3, 'environment.lock.yml has other packages');
    await writeFile(lock, written);
    expect(await site.condenseOk('build', '--dry-run', '--plan', 'plan.json')).toContain('as locked beside the spec');
  });

  it('of another package downloads that and nothing twice', async () => {
    const before = channel.requests.length;
    await site.condenseOk('build', 'a');
    const packages = channel.requests.slice(before).filter((request) => request.endsWith('.conda'));

    expect(packages).toHaveLength(1);
    expect(packages[0]).toContain('hello-2.0');
    expect(channel.requests.filter((request) => request.includes('hello-1.0'))).toHaveLength(1);
  });
});
