// No secret of a URL survives, and nothing else is lost.
import { expect, test } from 'vitest';
import { redactUrls, renderRedactedJson } from '../../../src/system/redact-urls.ts';

test.each([
  ['get https://u:p@h/t/tok/c and http://h/t/tok failed', 'get https://h/c and http://h failed'],
  ['https://u:p@ss@h/c', 'https://h/c'],
  ['"https://h/t/tok"', '"https://h"'],
  ['https://h/t/tok/c::numpy >=2', 'https://h/c::numpy >=2'],
  ['file:///t/data/channel', 'file:///t/data/channel'],
  ['/home/t/data is no URL, nor is me@example.org', '/home/t/data is no URL, nor is me@example.org'],
])('%s becomes %s', (text, expected) => {
  expect(redactUrls(text)).toBe(expected);
});

test('JSON stays JSON, though one of its texts has a URL and a later one an @', () => {
  const value = { a: 'http://x', b: ['y@z', { c: 'https://u:p@h/t/tok/c' }], d: 1 };

  expect(JSON.parse(renderRedactedJson(value))).toEqual({ a: 'http://x', b: ['y@z', { c: 'https://h/c' }], d: 1 });
});
