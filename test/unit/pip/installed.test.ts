import { describe, expect, it, test } from 'vitest';
import type { LockedDistribution } from '../../../src/conda/lock.ts';
import { parseNetrc } from '../../../src/conda/netrc.ts';
import { authorizeRequest } from '../../../src/conda/channel-access.ts';
import { parseRecord, planDirectUrl, renderRecordLine } from '../../../src/pip/dist-info.ts';
import { parseInstallationReport } from '../../../src/pip/installation-report.ts';
import { planPipAccess } from '../../../src/pip/pip-access.ts';
import { findUnlockable } from '../../../src/pip/resolve-problems.ts';
import type { IndexOption, PipSection } from '../../../src/pip/pip-section.ts';

const index = (place: string): IndexOption => ({ kind: 'index', place, line: { text: place, at: 'e.yml:5:7' } });
const section = (...places: readonly string[]): PipSection => ({
  ...{ requirements: [], constraints: [], flags: [], local: new Map() },
  indexes: places.map(index),
});
const login = (host: string) => ({ host, login: 'me', password: 'a b"\\' });

describe('credentials of a pip section', () => {
  it('are those of its URLs and of the netrc, for the hosts that it names and no others', () => {
    const { netrc, access } = planPipAccess(
      section('https://u:p%40w@one.example:8443/simple', 'https://two.example/simple'),
      [login('two.example'), login('three.example')],
    );

    expect(netrc).toBe(
      'machine one.example login u password p@w\nmachine two.example login me password "a b\\"\\\\"\n',
    );
    expect(parseNetrc(netrc, 'netrc')[1]).toEqual({ host: 'two.example', login: 'me', password: 'a b"\\' });
    expect(authorizeRequest('https://one.example:8443/files/a.whl', access).url).toBe(
      'https://u:p%40w@one.example:8443/files/a.whl',
    );
    expect(authorizeRequest('https://two.example/a.whl', access).url).toContain('https://me:');
    expect(authorizeRequest('https://four.example/a.whl', access).url).toBe('https://four.example/a.whl');
  });

  it('cannot be two of one host', () => {
    expect(() => planPipAccess(section('https://a:b@one.example/x', 'https://c:d@one.example/y'), [])).toThrow(
      /e\.yml:5:7.*other credentials/,
    );
  });
});

describe('a resolution', () => {
  const one: LockedDistribution = {
    ...{ name: 'foo', version: '1.0', kind: 'wheel', url: 'https://x.example/foo-1.0-py3-none-any.whl' },
    ...{ sha256: 'a'.repeat(64), requested: true, direct: false },
  };
  const line = { text: 'Foo>=1', at: 'e.yml:6:7' };
  const wanted = {
    ...section(),
    requirements: [
      {
        requirement: { name: 'Foo', extras: [], source: { kind: 'index' as const, specifier: '>=1' }, marker: '' },
        hashes: [],
        line,
      },
    ],
  };

  it('can be locked as it is', () => {
    expect(findUnlockable([one], wanted, 'e.yml')).toEqual([]);
  });

  test.each([
    [{ version: '1.0\n--index-url http://evil.example' }, /not a version/],
    [{ version: '1.0 --hash=x' }, /not a version/],
    [{ sha256: undefined }, /must have a sha256/],
    [{ url: 'https://x.example/bar-1.0-py3-none-any.whl' }, /a wheel of this distribution/],
    [{ url: 'https://x.example/foo-1.0-py3-none-any.whl?sig=secret' }, /without credentials/],
    [{ kind: 'sdist', url: 'https://x.example/foo%2f..%2fbar.tar.gz' }, /an sdist/],
    [{ kind: 'git', commit: 'main' }, /full hexadecimal/],
    [{ kind: 'sdist', url: 'https://x.example/a.zip', subdirectory: '../x' }, /leaves the project/],
  ])('is refused where the lock could not be read back: %j', (change, why) => {
    const [problem] = findUnlockable([{ ...one, ...(change as Partial<LockedDistribution>) }], wanted, 'e.yml');

    expect(problem).toMatchObject({ code: 'PIP_UNVERIFIABLE', at: 'e.yml:6:7' });
    expect(problem?.message).toMatch(why);
    expect(problem?.message).not.toMatch(/\n|secret/);
  });
});

describe('an installation report', () => {
  const item = (download_info: object) => ({
    download_info,
    is_direct: false,
    requested: true,
    metadata: { name: 'Foo.Bar', version: '1.0', requires_dist: ['Baz_x>=1; extra == "y"'] },
  });

  it('tells wheels, sdists, repositories and directories apart', () => {
    const report = parseInstallationReport(
      JSON.stringify({
        version: '1',
        install: [
          item({ url: 'https://x/Foo_Bar-1.0-py3-none-any.whl', archive_info: { hash: 'sha256=AB' } }),
          item({ url: 'https://x/a.zip', archive_info: { hashes: { sha256: 'cd' } }, subdirectory: 'py' }),
          item({ url: 'https://x/a.git', vcs_info: { vcs: 'git', commit_id: '12' } }),
          item({ url: 'file:///x', dir_info: {} }),
        ],
      }),
    );

    expect(report).toMatchObject([
      { name: 'foo-bar', kind: 'wheel', sha256: 'ab', requires: ['baz-x'] },
      { kind: 'sdist', sha256: 'cd', subdirectory: 'py' },
      { kind: 'git', commit: '12' },
      { kind: 'directory' },
    ]);
  });

  test.each(['', '{}', '{"version":"2","install":[]}', '{"version":"1","install":[{}]}'])('is refused: %s', (text) => {
    expect(typeof parseInstallationReport(text)).toBe('string');
  });
});

describe('a RECORD', () => {
  it('has paths relative to site-packages, in quotes where they need them', () => {
    const text = 'a/b.py,sha256=x,1\r\n"a/c,""d"".py",,\n../../../bin/a,,\n';

    expect(parseRecord(text, 'lib/python3.11/site-packages')).toEqual([
      'lib/python3.11/site-packages/a/b.py',
      'lib/python3.11/site-packages/a/c,"d".py',
      'bin/a',
    ]);
  });

  test.each([
    '../../../../etc/passwd,,',
    '/etc/passwd,,',
    'no comma',
    '../../../conda-meta/history,,',
    '../../../conda-meta/numpy-2.0-0.json,,',
    '../../../.condense,,',
  ])('is refused: %s', (line) => {
    expect(typeof parseRecord(`${line}\n`, 'lib/python3.11/site-packages')).toBe('string');
  });

  it('has sha256 in base64 without padding', () => {
    expect(renderRecordLine('a', '')).toBe('a,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0');
  });
});

test('direct_url.json says where something came from, but not from which path of the building machine', () => {
  const one: LockedDistribution = {
    ...{ name: 'a', version: '1', kind: 'git', url: 'https://x/a', commit: '12', requested: true, direct: true },
  };

  expect(planDirectUrl(one)).toBe('{"url":"https://x/a","vcs_info":{"vcs":"git","commit_id":"12"}}');
  expect(planDirectUrl({ ...one, direct: false })).toBeUndefined();
  expect(planDirectUrl({ ...one, kind: 'directory', url: 'file:///home/me/a' })).toBeUndefined();
});
