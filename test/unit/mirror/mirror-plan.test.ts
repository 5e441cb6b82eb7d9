import { describe, expect, it } from 'vitest';
import type { EnvironmentLock, LockedDistribution, LockedPackage } from '../../../src/conda/lock.ts';
import { channelDirectory } from '../../../src/mirror/channel-directory.ts';
import {
  listFiles,
  listPackages,
  listSimplePages,
  planMirror,
  type MirroredLock,
} from '../../../src/mirror/mirror-plan.ts';
import { renderSimplePage } from '../../../src/mirror/simple-index.ts';

const forge = 'https://conda.example/forge';
const own = 'https://conda.example/own';

const locked = (name: string, channel: string, more: Partial<LockedPackage> = {}): LockedPackage => ({
  name,
  version: '1.0',
  build: '0',
  buildNumber: 0,
  channel,
  subdir: 'noarch',
  url: `${channel}/noarch/${name}-1.0-0.conda`,
  sha256: 'a'.repeat(64),
  ...more,
});

const lock = (name: string, channels: string[], packages: LockedPackage[]): MirroredLock => {
  const inside: EnvironmentLock = {
    lockVersion: 1,
    platform: 'linux-64',
    inputsDigest: 'b'.repeat(64),
    channels,
    virtualPackages: {},
    packages,
  };
  return { name, title: name, text: '', lock: inside };
};

describe('the directory of a channel', () => {
  it('keeps what is below one host together, so that the host is an alias', () => {
    expect(channelDirectory('https://conda.example/forge/label/dev')).toBe('conda/conda.example/forge/label/dev');
    expect(channelDirectory('http://127.0.0.1:8080/a')).toBe('conda/_http/127.0.0.1_8080/a');
    expect(channelDirectory('file:///data/channel')).toBe('conda/_file/data/channel');
  });

  it('has plain names only, and tells two apart that would read alike', () => {
    const odd = [
      'https://h/a%20b',
      'https://h/a_b',
      'https://h/~a',
      'https://h/.a',
      'https://h/%2e%2e%2f',
      'https://[::1]/a',
    ];
    const made = odd.map(channelDirectory);

    expect(new Set(made).size).toBe(odd.length);
    for (const path of made) expect(path).toMatch(/^conda(?:\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/);
  });
});

describe('planMirror', () => {
  it('keeps channels apart, also where two have a file of one name', () => {
    const plan = planMirror([
      lock('a', [forge, own], [locked('tool', own)]),
      lock('b', [forge], [locked('tool', forge, { sha256: 'c'.repeat(64) })]),
    ]);

    expect(listPackages(plan).map(({ path }) => path)).toEqual([
      'conda/conda.example/forge/noarch/tool-1.0-0.conda',
      'conda/conda.example/own/noarch/tool-1.0-0.conda',
    ]);
  });

  it('has a channel that gave nothing, with noarch and the platform, since specs name it', () => {
    expect(listFiles(planMirror([lock('a', [forge], [])]))).toEqual([
      'conda/conda.example/forge/linux-64/repodata.json',
      'conda/conda.example/forge/linux-64/repodata.json.zst',
      'conda/conda.example/forge/noarch/repodata.json',
      'conda/conda.example/forge/noarch/repodata.json.zst',
      'locks/a.lock.yml',
    ]);
  });

  it('takes a file once that several locks need, and the same plan for any order of locks', () => {
    const a = lock('a', [forge], [locked('tool', forge)]);
    const b = lock('b', [forge], [locked('tool', forge), locked('lib', forge)]);

    expect(listPackages(planMirror([a, b]))).toHaveLength(2);
    expect(planMirror([b, a])).toEqual(planMirror([a, b]));
  });

  it('refuses a file that its channel has replaced between two locks, and names both', () => {
    const a = lock('a', [forge], [locked('tool', forge)]);
    const b = lock('b', [forge], [locked('tool', forge, { sha256: 'c'.repeat(64) })]);

    expect(() => planMirror([a, b])).toThrow(/has the sha256 c{64} in b and a{64} in a/);
  });
});

describe('what pip added', () => {
  const greet: LockedDistribution = {
    ...{ name: 'greet', version: '1.0', kind: 'wheel', sha256: 'e'.repeat(64), requested: true, direct: false },
    url: 'https://files.example/ab/greet-1.0-py3-none-any.whl',
  };
  const withPip = (name: string, packages: LockedDistribution[]): MirroredLock => {
    const plain = lock(name, [], []);
    return { ...plain, lock: { ...plain.lock, pip: { inputsDigest: 'f'.repeat(64), packages } } };
  };

  it('goes below a simple index, by project', () => {
    const plan = planMirror([withPip('a', [greet])]);

    expect(plan.distributions.map(({ path }) => path)).toEqual(['pip/simple/greet/greet-1.0-py3-none-any.whl']);
    expect([...listSimplePages(plan).keys()]).toEqual(['pip/simple/index.html', 'pip/simple/greet/index.html']);
    expect(renderSimplePage('pip/simple/index.html', plan.distributions)).toContain('<a href="greet/">greet</a>');
    expect(renderSimplePage('pip/simple/greet/index.html', plan.distributions)).toContain(
      `<a href="greet-1.0-py3-none-any.whl#sha256=${'e'.repeat(64)}">`,
    );
    expect(listFiles(planMirror([lock('a', [], [])])).join()).not.toContain('pip/');
  });

  it('is told of where an index cannot hold it, or not all that it needs', () => {
    const git: LockedDistribution = {
      ...{ name: 'own', version: '1', kind: 'git', url: 'https://git.example/own.git', requested: true, direct: true },
      commit: 'a'.repeat(40),
    };
    const sdist: LockedDistribution = { ...greet, kind: 'sdist', url: 'https://files.example/greet-1.0.tar.gz' };
    const plan = planMirror([withPip('a', [git, sdist])]);

    expect(plan.distributions).toHaveLength(1);
    expect(plan.notes).toEqual([
      'greet 1.0 of a is built from source: what its build requires is not locked',
      'own 1 of a is built from https://git.example/own.git, which no index can hold',
    ]);
  });

  it('is refused where two indexes have two files of one name', () => {
    expect(() => planMirror([withPip('a', [greet]), withPip('b', [{ ...greet, sha256: '1'.repeat(64) }])])).toThrow(
      /greet-1.0-py3-none-any.whl has the sha256/,
    );
  });
});
