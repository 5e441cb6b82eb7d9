import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseChannel, parseChannels } from '../../../src/conda/channel.ts';

const alias = 'https://conda.example.org/';

test.each([
  ['conda-forge', 'https://conda.example.org/conda-forge'],
  ['conda-forge/label/dev', 'https://conda.example.org/conda-forge/label/dev'],
  ['https://example.org/a/b/', 'https://example.org/a/b'],
  ['https://example.org/a/linux-64', 'https://example.org/a'],
  ['http://example.org:8080/a/noarch/', 'http://example.org:8080/a'],
  ['file:///srv/my%20channel', 'file:///srv/my%20channel'],
  ['/srv/my channel/linux-64', 'file:///srv/my%20channel'],
])('%s is the channel at %s', (written, url) => {
  expect(parseChannel(written, alias)).toEqual({ url, publicUrl: url });
});

test.each([
  ['https://me:secret@example.org/a', 'https://example.org/a'],
  ['https://example.org/t/tk-1234/a', 'https://example.org/a'],
  ['https://example.org/conda/t/tk-1234/a/linux-64', 'https://example.org/conda/a'],
])('keeps the credentials of %s for requests only', (written, publicUrl) => {
  expect(parseChannel(written, alias)).toEqual({ url: written.replace('/linux-64', ''), publicUrl });
});

test.each([
  'defaults',
  '../up',
  'a/../b',
  './here',
  '',
  'ftp://x/y',
  'https://',
  'file://host/x',
  'https://x/?a=1',
  'a b',
  '-x',
])('refuses %j, saying what to write', (written) => {
  expect(parseChannel(written, alias)).toMatchObject({ code: 'CHANNEL_INVALID', hint: expect.any(String) as string });
});

test('names every bad channel at once, without its credentials', () => {
  expect(() => parseChannels(['ok', 'https://me:secret@example.org/?x', '../up'], alias)).toThrow(
    /^channel "https:\/\/example\.org\/\?x" .*\nchannel "\.\.\/up" /,
  );
});

test('keeps the order, drops doubles and nodefaults', () => {
  const urls = parseChannels(['b', 'nodefaults', 'a', 'https://conda.example.org/b/'], alias).map(({ url }) => url);

  expect(urls).toEqual(['https://conda.example.org/b', 'https://conda.example.org/a']);
});

test('no name leads out of the alias', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '.', '/', '%', '2', 'e', '@', ':', '?', '#', '\\', ' ') }),
      (text) => {
        const channel = parseChannel(`x${text}`, 'https://conda.example.org/pool');
        expect('code' in channel || channel.url.startsWith('https://conda.example.org/pool/x')).toBe(true);
      },
    ),
  );
});
