// Where directories below links are.
import { describe, expect, it } from 'vitest';
import { resolveDirectory } from '../../../src/conda/link-resolution.ts';

const url = 'https://channel.example/linux-64/uses-1-0.conda';
/** Resolves with these links and files (no target). */
const resolve = (dir: string, there: Record<string, string | undefined>): string =>
  resolveDirectory(dir, url, (path) => (path in there ? { url: 'other', target: there[path] } : undefined));

describe('a directory', () => {
  it.each<[string, Record<string, string>, string]>([
    ['lib/x', {}, 'lib/x'],
    ['lib64/x', { lib64: 'lib' }, 'lib/x'],
    ['a/b/c', { 'a/b': '../d/./e//' }, 'd/e/c'],
    ['a/x', { a: 'b', b: 'c', c: 'd/e' }, 'd/e/x'],
    ['usr/lib', { usr: '.' }, 'lib'],
  ])('%s with links %j is %s', (dir, links, real) => {
    expect(resolve(dir, links)).toBe(real);
  });

  it.each<[string, Record<string, string | undefined>, RegExp]>([
    ['lib', { lib: '/usr/lib' }, /leads through lib -> \/usr\/lib/],
    ['lib', { lib: '..' }, /leads out of the environment/],
    ['a/b', { a: 'c/../../d' }, /leads out of the environment/],
    ['a', { a: 'b', b: 'a' }, /leads through/],
    ['a/b', { a: undefined }, /needs a to be a directory, but it is a file of other/],
    ['a', { a: 'b', b: undefined }, /needs b to be a directory/],
  ])('%s with links %j is refused', (dir, links, message) => {
    expect(() => resolve(dir, links)).toThrow(message);
  });
});
