import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { renderCondaLock, renderExplicit } from '../../../src/conda/export-locks.ts';
import { parseForeignLock, type ImportedLock } from '../../../src/conda/import-locks.ts';
import type { EnvironmentLock, LockedPackage } from '../../../src/conda/lock.ts';
import { AppError } from '../../../src/system/app-error.ts';

const MAIN = 'https://conda.example.org/main';

function locked(
  name: string,
  version: string,
  depends: readonly string[],
  more: Partial<LockedPackage> = {},
): LockedPackage {
  const subdir = more.subdir ?? 'linux-64';
  const url = `${MAIN}/${subdir}/${name}-${version}-0.conda`;
  const digests = { sha256: 'a'.repeat(64), md5: 'b'.repeat(32) };
  return { name, version, build: '0', buildNumber: 0, channel: MAIN, subdir, url, ...digests, depends, ...more };
}

const lock: EnvironmentLock = {
  lockVersion: 1,
  platform: 'linux-64',
  inputsDigest: '1'.repeat(64),
  channels: [MAIN],
  virtualPackages: {},
  packages: [
    locked('app', '3.10', ['python >=3.11', 'zlib']),
    locked('python', '3.11', ['zlib >=1.3,<2', '__glibc >=2.17']),
    locked('zlib', '1.3', ['odd', '_circle']),
    locked('_circle', '1', ['zlib'], { subdir: 'noarch' }),
  ],
  pip: {
    inputsDigest: '2'.repeat(64),
    packages: [
      {
        ...{ name: 'greet', version: '1.0', kind: 'wheel', sha256: 'c'.repeat(64), requested: true, direct: false },
        url: 'https://files.example.org/greet-1.0-py3-none-any.whl',
      },
    ],
  },
};

const expected = (platform: string): ImportedLock => ({
  platform,
  packages: lock.packages.map(({ name, version, build, channel, subdir, url, sha256, md5 }) => ({
    ...{ name, version, build, channel, subdir, url, sha256, md5 },
  })),
  pip: [
    { name: 'greet', version: '1.0', kind: 'wheel', sha256: 'c'.repeat(64), url: lock.pip?.packages[0]?.url ?? '' },
  ],
});
const byName = (locks: readonly ImportedLock[]) =>
  locks.map((one) => ({ ...one, packages: one.packages.toSorted((a, b) => (a.name < b.name ? -1 : 1)) }));

describe('conda-lock.yml', () => {
  it('is read back, with every platform', () => {
    const text = renderCondaLock([{ ...lock, platform: 'linux-aarch64' }, lock], 'environment.yml');

    expect(byName(parseForeignLock(text, 'x'))).toEqual(byName([expected('linux-64'), expected('linux-aarch64')]));
    expect(text).toContain("        zlib: '>=1.3,<2'\n".slice(4));
    expect(text).toContain('\n    linux-64: ');
  });

  it('is refused where it demands what the lock does not have', () => {
    const [first, ...rest] = lock.packages;
    const packages = [{ ...(first ?? locked('app', '1', [])), md5: undefined }, ...rest];

    expect(() => renderCondaLock([{ ...lock, packages }], 'e.yml')).toThrow('gives none of app');
    const [wheel] = lock.pip?.packages ?? [];
    if (!wheel) throw new Error('the lock has a wheel');
    const pip = {
      inputsDigest: '2'.repeat(64),
      packages: [{ ...wheel, kind: 'git' as const, commit: 'd'.repeat(40) }],
    };
    expect(() => renderCondaLock([{ ...lock, pip }], 'e.yml')).toThrow(/no repositories .* greet/);
  });

  test.each([
    ['version: 1', 'version: 2', /x:2:10: version this condense reads version 1 only/],
    [
      'url: https://conda.example.org/main/linux-64/app',
      'url: ftp://conda.example.org/app',
      /x:\d+:10: .*is not the URL/,
    ],
    ['name: app', 'name: other', /it is the URL of app 3\.10, not of other 3\.10/],
    ['name: zlib', 'name: zlib\n    url: x', /x:\d+:5: the same key is given twice/],
  ])('with %s as %s is refused at the place', (from, to, message) => {
    const text = renderCondaLock([lock], 'environment.yml');
    expect(text).toContain(from);

    expect(() => parseForeignLock(text.replace(from, to), 'x')).toThrow(message);
  });

  it('gives only what is of its main category', () => {
    const text = renderCondaLock([lock], 'e.yml').replace('category: main', 'category: dev');

    expect(parseForeignLock(text, 'x')[0]?.packages).toHaveLength(3);
  });
});

describe('an explicit file', () => {
  it('has each package after those that it needs, and is read back', () => {
    const text = renderExplicit(lock);
    const names = [...text.matchAll(/\/([a-z_]+)-[^/]*\.conda#b{32}$/gm)].map(([, name]) => name);

    expect(names).toEqual(['zlib', '_circle', 'python', 'app']);
    expect(text).toMatch(/^# platform: linux-64\n@EXPLICIT\n/m);
    const [read] = parseForeignLock(text, 'x');
    const withoutSha = expected('linux-64').packages.map((one) => ({ ...one, sha256: undefined }));
    expect(byName(read ? [read] : [])).toEqual(byName([{ ...expected('linux-64'), packages: withoutSha }]));
  });

  it('has a sha256 where there is no md5, and tells its platform by the packages where it does not say', () => {
    const text = renderExplicit({ ...lock, pip: undefined, packages: [locked('a', '1', [], { md5: undefined })] });

    expect(text).toContain(`a-1-0.conda#sha256:${'a'.repeat(64)}`);
    expect(parseForeignLock(text.replace(/# platform.*\n/, ''), 'x')).toMatchObject([{ platform: 'linux-64' }]);
    expect(() => parseForeignLock('@EXPLICIT\n', 'x')).toThrow('which platform');
  });

  it('is read without the credentials of its URLs', () => {
    const text = `@EXPLICIT\nhttps://me:secret@conda.example.org/t/tk-1/main/linux-64/a-1-0.conda#${'b'.repeat(32)}\n`;

    expect(parseForeignLock(text, 'x')[0]?.packages[0]).toMatchObject({
      channel: MAIN,
      name: 'a',
      md5: 'b'.repeat(32),
    });
  });

  test.each([
    ['https://conda.example.org/main/linux-64/../../x.conda', /is not the URL of a conda package/],
    ['/tmp/a-1-0.conda', /is not the URL of a package/],
    ['https://h/c/linux-64/a-1-0.conda#md5sum', /"md5sum" is no digest/],
    ['https://h/c/linux-64/a-1-0.conda\nhttps://h/c/noarch/a-2-0.conda', /a is there twice for linux-64/],
    ['conda install a', /is not the URL of a package/],
  ])('with %j is refused', (line, message) => {
    expect(() => parseForeignLock(`@EXPLICIT\n${line}\n`, 'x')).toThrow(message);
  });
});

test('whatever the text, it is read or refused for a reason', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string().map((some) => `@EXPLICIT\n${some}`),
    fc.string().map((some) => `version: 1\npackage: ${some}`),
  );
  fc.assert(
    fc.property(text, (some) => {
      try {
        parseForeignLock(some, 'x');
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
      }
    }),
  );
});
