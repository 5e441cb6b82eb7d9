import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  digestInputs,
  digestLock,
  parseLock,
  parseLocks,
  renderLock,
  renderLocks,
  type EnvironmentLock,
  type PipLock,
} from '../../../src/conda/lock.ts';
import { anyText } from '../../any-text.ts';

const lock: EnvironmentLock = {
  lockVersion: 1,
  platform: 'linux-64',
  inputsDigest: '1'.repeat(64),
  channels: ['https://conda.example.org/main', 'file:///srv/channel'],
  virtualPackages: { __unix: '0', __glibc: '2.36', __archspec: 'x86_64_v3' },
  packages: [
    {
      name: 'python',
      version: '3.10',
      build: '1e3',
      buildNumber: 0,
      channel: 'https://conda.example.org/main',
      subdir: 'linux-64',
      url: 'https://conda.example.org/main/linux-64/python-3.10-1e3.conda',
      sha256: '2'.repeat(64),
      md5: '3'.repeat(32),
      sizeBytes: 31_000_000,
    },
    {
      name: 'aa',
      version: '1.0',
      build: '0',
      buildNumber: 0,
      channel: 'file:///srv/channel',
      subdir: 'noarch',
      url: 'file:///srv/channel/noarch/aa-1.0-0.tar.bz2',
      sha256: '4'.repeat(64),
    },
  ],
};

test('is written sorted, with texts that look like numbers in quotes', () => {
  expect(renderLock(lock))
    .toBe(`# Written by condense; do not edit. Beside an environment.yml, condense lock writes it anew.
lockVersion: 1
platform: linux-64
inputsDigest: '${'1'.repeat(64)}'
channels:
  - https://conda.example.org/main
  - file:///srv/channel
virtualPackages:
  __archspec: x86_64_v3
  __glibc: '2.36'
  __unix: '0'
packages:
  - name: aa
    version: '1.0'
    build: '0'
    buildNumber: 0
    channel: file:///srv/channel
    subdir: noarch
    url: file:///srv/channel/noarch/aa-1.0-0.tar.bz2
    sha256: '${'4'.repeat(64)}'
  - name: python
    version: '3.10'
    build: '1e3'
    buildNumber: 0
    channel: https://conda.example.org/main
    subdir: linux-64
    url: https://conda.example.org/main/linux-64/python-3.10-1e3.conda
    sha256: '${'2'.repeat(64)}'
    md5: '${'3'.repeat(32)}'
    sizeBytes: 31000000
`);
});

test('reads back what was written, to the byte', () => {
  const text = renderLock(lock);

  expect(renderLock(parseLock(text, 'x.lock.yml'))).toBe(text);
  expect(parseLock(text, 'x.lock.yml')).toEqual({ ...lock, packages: lock.packages.toReversed() });
});

test.each([
  ['lockVersion: 1', 'lockVersion: 2', ':2:14', /reads lockVersion 1/],
  ["sha256: '444", "sha256: 'z44", ':20:13', /64 hexadecimal/],
  ["version: '1.0'", 'version: 1.0', ':14:14', /must be text, in quotes/],
  ['name: aa', 'name: ../aa', ':13:11', /characters that conda does not allow/],
  ["build: '0'", 'build: a/b', ':15:12', /characters that conda does not allow/],
  ['aa-1.0-0.tar.bz2', '../../x', ':19:10', /must end in name-version-build/],
  ['aa-1.0-0.tar.bz2', '..%2faa-1.0-0.tar.bz2', ':19:10', /must end in name-version-build/],
  ['aa-1.0-0.tar.bz2', 'aa-1.1-0.tar.bz2', ':19:10', /of this package/],
  ['url: https://', 'url: ftp://', ':27:10', /must be an http/],
  ['url: https://', 'url: https://me:secret@', ':27:10', /without credentials/],
  ['url: file:///', 'url: file://host/', ':19:10', /must be an http/],
  ['url: file:///srv', 'url: file:///srv%2Fother', ':19:10', /must be an http/],
  ['subdir: noarch', 'subdir: ../up', ':18:13', /is not a subdir/],
  ['platform: linux-64', 'platform: linux-64\nextra: 1', ':4:8', /extra/],
])('refuses %s changed to %s at its place', (from, to, place, message) => {
  const text = renderLock(lock).replace(from, to);

  expect(() => parseLock(text, 'x.lock.yml')).toThrow(message);
  expect(() => parseLock(text, 'x.lock.yml')).toThrow(`x.lock.yml${place}: `);
});

test('refuses two packages of one name, in whatever spelling', () => {
  const [, aa] = lock.packages;
  const url = 'file:///srv/channel/noarch/AA-1.0-0.conda';
  const twice = { ...lock, packages: aa ? [aa, { ...aa, name: 'AA', url }] : [] };

  expect(() => parseLock(renderLock(twice), 'x.lock.yml')).toThrow(/^x\.lock\.yml:21:11: aa is locked twice$/);
});

test('refuses what is no YAML, and what is cut off', () => {
  expect(() => parseLock('{', 'x.lock.yml')).toThrow(/^x\.lock\.yml:/);
  expect(() => parseLock('', 'x.lock.yml')).toThrow(/^x\.lock\.yml:/);
  expect(() => parseLock(renderLock(lock).slice(0, -60), 'x.lock.yml')).toThrow(/x\.lock\.yml:/);
});

test('the digest of inputs changes with the order of channels, not with that of specs or virtual packages', () => {
  const inputs = {
    specs: ['a', 'b'],
    channels: ['x', 'y'],
    platform: 'linux-64',
    virtualPackages: { __a: '1', __b: '2' },
  };
  const digest = digestInputs(inputs);

  expect(digestInputs({ ...inputs, specs: ['b', 'a'], virtualPackages: { __b: '2', __a: '1' } })).toBe(digest);
  expect(digestInputs({ ...inputs, channels: ['y', 'x'] })).not.toBe(digest);
  expect(digestInputs({ ...inputs, specs: ['a'] })).not.toBe(digest);
});

const pipLock: PipLock = {
  inputsDigest: '5'.repeat(64),
  packages: [
    {
      name: 'tool',
      version: '2.0',
      kind: 'git',
      url: 'https://git.example.org/tool.git',
      commit: '6'.repeat(40),
      subdirectory: 'python',
      requested: true,
      direct: true,
    },
    {
      name: 'foo-bar',
      version: '1.10',
      kind: 'wheel',
      url: 'https://index.example.org/Foo_Bar-1.10-py3-none-any.whl',
      sha256: '7'.repeat(64),
      requested: false,
      direct: false,
    },
  ],
};

test('has what pip adds after the conda packages, and reads it back', () => {
  const text = renderLock({ ...lock, pip: pipLock });

  expect(text.split('pip:\n')[1]).toBe(`  inputsDigest: '${'5'.repeat(64)}'
  packages:
    - name: foo-bar
      version: '1.10'
      kind: wheel
      url: https://index.example.org/Foo_Bar-1.10-py3-none-any.whl
      sha256: '${'7'.repeat(64)}'
      requested: false
      direct: false
    - name: tool
      version: '2.0'
      kind: git
      url: https://git.example.org/tool.git
      commit: '${'6'.repeat(40)}'
      subdirectory: python
      requested: true
      direct: true
`);
  expect(parseLock(text, 'x.lock.yml').pip).toEqual({ ...pipLock, packages: pipLock.packages.toReversed() });
});

test.each([
  ['name: foo-bar', 'name: Foo_Bar', /normalised name/],
  ['Foo_Bar-1.10-py3', 'other-1.10-py3', /a wheel of this distribution/],
  [`commit: '${'6'.repeat(40)}'`, `sha256: '${'6'.repeat(64)}'`, /or a commit where kind is git/],
  ['subdirectory: python', 'subdirectory: ../python', /leaves the project/],
  ['https://index', 'https://me:secret@index', /without credentials/],
  ["version: '1.10'\n      kind", "version: '1; rm'\n      kind", /is not a version/],
  ['name: tool', 'name: foo-bar', /locked twice/],
])('refuses a pip part with %s replaced by %s', (written, instead, message) => {
  const text = renderLock({ ...lock, pip: pipLock }).replace(written, instead);

  expect(() => parseLock(text, 'x.lock.yml')).toThrow(message);
});

test('reads back any lock that it can have written, whatever its texts look like to YAML', () => {
  const odd = fc.constantFrom(
    '1e3',
    '0x10',
    '1.0',
    '1_000',
    '.5',
    '0o7',
    '1.',
    '2024.01.01',
    '0.e1',
    '12e03',
    '1+',
    '0b1',
    '6.0_1',
  );
  const word = fc.oneof(odd, fc.stringMatching(/^[A-Za-z0-9_.+]{1,64}$/));
  const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,40}$/);
  const channel = fc.constantFrom(
    'https://h.example/t',
    'http://127.0.0.1:8080/a%20b',
    'file:///srv/c',
    'file:///srv/%C3%BC/c',
  );
  const hex = (digits: number) =>
    fc.stringMatching(new RegExp(`^[0-9]{${digits}}$|^[0-9a-f]{${digits}}$|^[0-9]{${digits - 3}}e[0-9]{2}$`));
  const locked = fc
    .record(
      {
        ...{ name, version: word, build: word, buildNumber: fc.nat(), channel, sha256: hex(64) },
        subdir: fc.constantFrom('noarch', 'linux-64'),
        extension: fc.constantFrom('.conda', '.tar.bz2'),
        md5: hex(32),
        sizeBytes: fc.maxSafeNat(),
      },
      { requiredKeys: ['name', 'version', 'build', 'buildNumber', 'channel', 'sha256', 'subdir', 'extension'] },
    )
    .map(({ extension, ...one }) => ({
      ...one,
      url: `${one.channel}/${one.subdir}/${one.name}-${one.version}-${one.build}${extension}`,
    }));
  const any = fc.record({
    lockVersion: fc.constant(1 as const),
    platform: fc.constant('linux-64'),
    inputsDigest: hex(64),
    channels: fc.array(channel),
    virtualPackages: fc.dictionary(
      // zod leaves that one key out of records; no virtual package has the name.
      fc.oneof(name, anyText()).filter((key) => key !== '__proto__'),
      fc.oneof(word, anyText()),
      {
        noNullPrototype: true,
      },
    ),
    packages: fc.uniqueArray(locked, { selector: (one) => one.name.toLowerCase(), maxLength: 5 }),
  });
  fc.assert(
    fc.property(any, (written) => {
      const packages = written.packages.toSorted((a, b) => (a.name < b.name ? -1 : 1));
      expect(parseLock(renderLock(written), 'x.lock.yml')).toEqual({ ...written, packages });
    }),
    { numRuns: 500 },
  );
});

describe('a file with several platforms', () => {
  const other: EnvironmentLock = { ...lock, platform: 'linux-aarch64', packages: [] };

  test('reads back what was written, sorted by platform', () => {
    const text = renderLocks([other, lock]);

    expect(text.match(/^---$/gm)).toHaveLength(1);
    expect(parseLocks(text, 'x').map(({ platform }) => platform)).toEqual(['linux-64', 'linux-aarch64']);
    expect(renderLocks(parseLocks(text, 'x'))).toBe(text);
    expect(parseLocks(renderLock(lock), 'x')).toEqual([parseLock(renderLock(lock), 'x')]);
  });

  test('is refused at the place, in the second part as in the first, and where a platform is there twice', () => {
    const text = renderLocks([lock, other]);
    const line = text.split('\n').indexOf('platform: linux-aarch64') + 1;

    expect(() => parseLocks(text.replace('platform: linux-aarch64', 'platform: 7'), 'x')).toThrow(`x:${line}:11`);
    expect(() => parseLocks(text.replace('linux-aarch64', 'linux-64'), 'x')).toThrow('linux-64 is locked twice');
    expect(() => parseLocks('', 'x')).toThrow();
    expect(() => parseLocks(`${text}<<<<<<< HEAD\n`, 'x')).toThrow(/^x:/);
  });
});

describe('what a lock says besides what it installs', () => {
  const more: EnvironmentLock = {
    ...lock,
    specs: ['numpy', 'aa >=1'],
    pinned: ['python 3.10.*'],
    excludeNewer: '2026-11-01T00:00:00.000Z',
    packages: lock.packages.map((locked) => ({ ...locked, depends: ['zlib >=1.3,<2', `python_abi 3.10.* *_cp310`] })),
  };

  test('is written on one line for each package, and read back', () => {
    const text = renderLock(more);

    expect(text).toContain('\n    depends: [ python_abi 3.10.* *_cp310, "zlib >=1.3,<2" ]\n'.replaceAll('"', "'"));
    expect(renderLock(parseLock(text, 'x'))).toBe(text);
    expect(() => parseLock(text.replace('python_abi 3', '-r x 3'), 'x')).toThrow(/is not a dependency/);
  });

  test('does not count as another lock', () => {
    expect(digestLock(more)).toBe(digestLock(lock));
    expect(digestLock({ ...lock, packages: [] })).not.toBe(digestLock(lock));
  });
});
