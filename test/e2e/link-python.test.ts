// Real Python of the test channel, linked by our own linker and compiled in the container.
import { lstat, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunInside } from '../../src/conda/installer.ts';
import { ensureTestChannel } from '../channel/make-channel.ts';
import { startableContainer } from '../integration/conda/link-container.ts';
import { closure, readChannel } from './channel-closure.ts';
import { LinkFixture, readTree } from '../integration/conda/link-fixture.ts';

const wanted = ['python', 'packaging', 'jinja2', 'pytest'];
const fixtures: LinkFixture[] = [];
const containers: RunInside[] = [];

beforeAll(async () => {
  const { dir } = await ensureTestChannel();
  const packages = await readChannel(dir);
  for (const order of [wanted, [...wanted].reverse()]) {
    const fixture = await LinkFixture.make();
    fixtures.push(fixture);
    for (const { file, index } of closure(packages, order)) await fixture.addFile(file, index);
    const { prefixOnDisk, prefixInside } = fixture;
    const runInside = await startableContainer(path.join(fixture.dir, 'container'), prefixOnDisk, prefixInside);
    containers.push(runInside);
    await fixture.install({ runInside });
  }
});
afterAll(async () => {
  for (const fixture of fixtures) await fixture.remove();
});

const first = (): { fixture: LinkFixture; run: RunInside } => {
  const [fixture] = fixtures;
  const [run] = containers;
  if (!fixture || !run) throw new Error('nothing was installed');
  return { fixture, run };
};

describe('python, linked', () => {
  it('runs in the container with the final prefix, and imports noarch packages from their bytecode', async () => {
    const { fixture, run } = first();

    const { stdout, stderr } = await run({
      program: `${fixture.prefixInside}/bin/python3`,
      args: ['-v', '-c', 'import sys, platform, base64, quopri, jinja2; print(sys.prefix, jinja2.__cached__)'],
      env: { PATH: '/usr/bin:/bin', PYTHONDONTWRITEBYTECODE: '1' },
    });

    expect(stdout.toString()).toMatch(
      /^\/opt\/conda\/analysis3-26\.11 \/opt\/conda\/analysis3-26\.11\/.*\/__init__\.cpython-[\d]+\.pyc\n$/,
    );
    expect(stderr).toMatch(/jinja2\/__pycache__\/__init__\.cpython-\d+\.pyc matches /);
    // Sources with the prefix in them (a shebang, in base64.py) came with bytecode of another size.
    expect(stderr).not.toMatch(/bytecode is stale/);
    expect(stderr).not.toMatch(/code object from '[^']*\/(?:jinja2\/[^']*|base64|platform|quopri)\.py'/);
  });

  it('starts the command of an entry point', async () => {
    const { fixture, run } = first();

    const { stdout } = await run({
      program: `${fixture.prefixInside}/bin/pytest`,
      args: ['--version'],
      env: { PATH: '/usr/bin:/bin', PYTHONDONTWRITEBYTECODE: '1' },
    });

    expect(stdout.toString()).toMatch(/^pytest \d/);
  });

  it('has records of every file, the bytecode too', async () => {
    const { fixture } = first();
    const tree = Object.keys(await readTree(fixture.prefixOnDisk));

    const recorded = new Set<string>();
    for (const name of tree.filter((each) => /^conda-meta\/.*\.json$/.test(each))) {
      const record = JSON.parse(await fixture.text(name)) as { files: string[] };
      for (const file of record.files) recorded.add(file);
    }

    const loose: string[] = [];
    for (const relative of tree) {
      if (relative.startsWith('conda-meta') || recorded.has(relative)) continue;
      if (!(await lstat(path.join(fixture.prefixOnDisk, relative))).isDirectory()) loose.push(relative);
    }
    expect(loose).toEqual([]);
    expect([...recorded].some((file) => file.endsWith('.pyc'))).toBe(true);
    for (const file of recorded) expect(tree, file).toContain(file);
  });

  it('is byte for byte the same in another installation, in other order', async () => {
    const [one, two] = fixtures;
    const trees = [one, two].map(async (each) => await readTree(each?.prefixOnDisk ?? ''));

    const [left, right] = await Promise.all(trees);

    expect(left).toEqual(right);
    expect((await stat(one?.prefixOnDisk ?? '')).mode & 0o777).toBe(0o755);
  });
});
