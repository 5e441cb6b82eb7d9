// The order of linking.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dependencyName, linkOrder } from '../../../src/conda/link-order.ts';

const one = (name: string, depends: string[] = [], noarchPython = false, constrains: string[] = []) => ({
  ...{ name, depends, constrains, noarchPython },
  distribution: `c/linux-64::${name}-1-0`,
});
const names = (packages: readonly { name: string }[]): string[] => packages.map(({ name }) => name);

describe('link order', () => {
  it('puts dependencies first, and python before noarch packages that do not name it', () => {
    const packages = [one('app', [], true), one('python', ['zlib >=1.3']), one('aaa', ['python']), one('zlib')];

    expect(names(linkOrder(packages))).toEqual(['zlib', 'python', 'aaa', 'app']);
  });

  it('is that of conda: what needs nothing more goes first, by name', () => {
    const packages = [one('a', ['z']), one('b'), one('y', [], false, ['b <2', 'absent <1']), one('z')];

    expect(names(linkOrder(packages))).toEqual(['b', 'y', 'z', 'a']);
  });

  it('survives cycles and missing packages', () => {
    const packages = [one('pip', ['python', 'setuptools'], true), one('python', ['pip', '__glibc >=2.17'])];

    expect(names(linkOrder(packages))).toEqual(['python', 'pip']);
  });

  it('depends on what is installed, not on the order it comes in', () => {
    const graph = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'python'), { minLength: 1 }).chain((all) =>
      fc.record({
        packages: fc.tuple(...all.map((name) => fc.subarray(all).map((depends) => one(name, depends, name < 'c')))),
        other: fc.shuffledSubarray(all, { minLength: all.length }),
      }),
    );
    fc.assert(
      fc.property(graph, ({ packages, other }) => {
        const shuffled = other.flatMap((name) => packages.filter((p) => p.name === name));
        expect(names(linkOrder(shuffled))).toEqual(names(linkOrder(packages)));
        expect(names(linkOrder(packages)).sort()).toEqual(names(packages).sort());
      }),
    );
  });

  it.each([
    ['numpy >=2', 'numpy'],
    ['numpy', 'numpy'],
    ['conda-forge::NumPy=2', 'numpy'],
    ["libblas[build='*mkl']", 'libblas'],
    ['python_abi 3.13.* *_cp313', 'python_abi'],
  ])('reads the name of %j', (spec, name) => {
    expect(dependencyName(spec)).toBe(name);
  });
});
