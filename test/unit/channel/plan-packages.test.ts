import { expect, it } from 'vitest';
import { parseAvailable, parseRelations } from '../../channel/debian-package.ts';
import { planClosure } from '../../channel/plan-closure.ts';
import { condaVersion, planPackages } from '../../channel/plan-packages.ts';

const available = parseAvailable(`Package: python3-numpy
Version: 1:1.24.2-1+deb12u1
Architecture: amd64
Depends: python3 (>= 3.11~), python3:any, libblas3 | libblas.so.3, libc6 (>= 2.35), python3-numpy-abi9
Provides: python3-numpy-abi9, python3-f2py
Description: Fast array facility
 with more text: that is not a field

Package: libblas3
Version: 3.11.0-2
Architecture: amd64
Depends: libc6 (>= 2.14), libgcc-s1 (>= 4.0)

Package: libgcc-s1
Version: 12.2.0-14+deb12u1
Architecture: amd64

Package: python3-cftime
Version: 1.6.2-3+b1
Architecture: amd64
Depends: python3-numpy (>= 1:1.22.0), python3-numpy-abi9, debconf | debconf-2.0, libblas3 (>= 9)

Package: python3-cftime
Version: 1.0-1
Architecture: amd64
`);
const pruned = new Set(['libc6', 'python3', 'debconf']);

it('reads relations with alternatives, versions and architecture qualifiers', () => {
  expect(parseRelations('a (>= 1:1.0~) | b:any, c')).toEqual([
    [{ name: 'a', constraint: { operator: '>=', version: '1:1.0~' } }, { name: 'b' }],
    [{ name: 'c' }],
  ]);
});

it('takes the first of a name that apt prints twice, its candidate', () => {
  expect(available.get('python3-cftime')?.version).toBe('1.6.2-3+b1');
});

it('follows dependencies, finds the provider of a virtual package and leaves out what is pruned', () => {
  const closure = planClosure(available, ['python3-cftime'], pruned);

  expect(closure.packages.map(({ name }) => name)).toEqual([
    'libblas3',
    'libgcc-s1',
    'python3-cftime',
    'python3-numpy',
  ]);
});

it('names a dependency that nothing can meet', () => {
  const withoutGcc = new Map([...available].filter(([name]) => name !== 'libgcc-s1'));

  expect(() => planClosure(withoutGcc, ['python3-cftime'], pruned)).toThrow('nothing available for libgcc-s1');
});

it('gives conda names, versions, checked lower bounds and the virtual package for glibc', () => {
  const plans = planPackages(planClosure(available, ['python3-cftime'], pruned));

  expect(plans.map(({ name, version, depends, needsPython }) => ({ name, version, depends, needsPython }))).toEqual([
    { name: 'libblas3', version: '3.11.0', depends: ['__glibc >=2.14,<3.0.a0', 'libgcc-s1 >=4.0'], needsPython: false },
    { name: 'libgcc-s1', version: '12.2.0', depends: [], needsPython: false },
    // libblas3 >= 9 does not hold of the 3.11.0 that there is: no bound rather than an unsolvable one.
    { name: 'cftime', version: '1.6.2', depends: ['libblas3', 'numpy >=1.22.0'], needsPython: false },
    { name: 'numpy', version: '1.24.2', depends: ['__glibc >=2.35,<3.0.a0', 'libblas3'], needsPython: true },
  ]);
});

it.each([
  ['1:9.2p1-2+deb12u10', '9.2p1'],
  ['20250419~deb12u2', '20250419'],
  ['2022.12.1+ds.1-3', '2022.12.1'],
  ['2.2.0~rc1-1', '2.2.0rc1'],
  ['3.11.2-6+deb12u9', '3.11.2'],
])('makes of the Debian version %s the conda version %s', (debian, conda) => {
  expect(condaVersion(debian)).toBe(conda);
});
