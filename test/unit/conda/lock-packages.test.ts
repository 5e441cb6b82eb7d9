import { expect, test } from 'vitest';
import { lockPackages } from '../../../src/conda/lock-packages.ts';

const lockFrom = (channel: string, baseUrl?: string) => {
  const named = { file: 'a-1-0.conda', name: 'a', version: '1', build: '0', buildNumber: 0, sha256: 'a'.repeat(64) };
  const solved = { channel: 0, subdir: 'noarch', ...named, baseUrl, depends: [] };
  return lockPackages([solved], [{ url: channel, publicUrl: channel }])[0]?.url;
};

test('packages of a channel on this machine are beside its repodata, or where base_url says', () => {
  expect(lockFrom('file:///srv/c')).toBe('file:///srv/c/noarch/a-1-0.conda');
  expect(lockFrom('file:///srv/c', 'file:///srv/packages')).toBe('file:///srv/packages/a-1-0.conda');
});

test.each([
  ['https://example.org/c', 'file:///etc'],
  ['file:///srv/c', 'file://host/srv'],
  ['file:///srv/c', 'file:///srv%2Fother'],
])('a channel %s cannot send downloads to %s', (channel, base) => {
  expect(() => lockFrom(channel, base)).toThrow(/sends downloads for noarch to/);
});
