// A bill of materials of a release with packages of every kind.
import type { EnvironmentLock, LockedDistribution, LockedPackage } from '../../../src/conda/lock.ts';
import { planBill, type Bill } from '../../../src/sbom/bill.ts';
import { parseLicence } from '../../../src/sbom/licence.ts';
import { makeManifest } from '../release/make-manifest.ts';

const sha256 = 'b'.repeat(64);
const ALIAS = 'https://channels.example';

const conda = (name: string, changes: Partial<LockedPackage> = {}): LockedPackage => ({
  ...{ name, version: '1.0', build: 'h0_0', buildNumber: 0, subdir: 'linux-64', sha256, md5: 'c'.repeat(32) },
  channel: `${ALIAS}/conda-forge`,
  url: `${ALIAS}/conda-forge/linux-64/${name}-1.0-h0_0.conda`,
  ...changes,
});
const pip = (name: string, changes: Partial<LockedDistribution>): LockedDistribution => ({
  ...{ name, version: '2.0', kind: 'wheel', url: `https://files.example/${name}-2.0-py3-none-any.whl`, sha256 },
  ...{ requested: true, direct: false },
  ...changes,
});

const lock: EnvironmentLock = {
  ...{ lockVersion: 1, platform: 'linux-64', inputsDigest: 'd'.repeat(64), virtualPackages: { __glibc: '2.36' } },
  channels: [`${ALIAS}/conda-forge`],
  specs: ['a_b >=1', 'Odd[version=">=1"]'],
  packages: [
    conda('a_b', { depends: ['a-b >=1', 'odd', 'openssh', '__glibc >=2.17'] }),
    conda('a-b', { depends: [] }),
    conda('openssh', { depends: ['a-b'] }),
    conda('odd', {
      ...{ version: '1!2.0+local', build: 'py_0', subdir: 'noarch', channel: 'file:///srv/own channel' },
      url: 'file:///srv/own%20channel/noarch/odd-1!2.0+local-py_0.tar.bz2',
    }),
  ],
  pip: {
    inputsDigest: 'e'.repeat(64),
    packages: [
      pip('wheeled', {}),
      pip('cloned', { kind: 'git', url: 'https://git.example/cloned.git', commit: 'f'.repeat(40), sha256: undefined }),
      pip('local', { kind: 'directory', url: 'file:///srv/local', requested: false }),
    ],
  },
};

export function makeBill(): Bill {
  const licences = new Map([
    ['conda a_b', parseLicence('BSD-3-Clause')],
    ['conda a-b', parseLicence('Own licence, see "COPYING"')],
    ['pip wheeled', parseLicence('LicenseRef-mine OR MIT')],
  ]);
  const manifest = makeManifest({
    ...{ fullName: 'a-1', gitCommit: '1'.repeat(40) },
    removed: [{ package: 'openssh', files: 30, spared: [] }],
    added: [{ path: 'etc/site.conf', sha256: '7'.repeat(64), sizeBytes: 9 }],
    replaced: [{ package: 'a-b', by: '/apps/a-b/5.0', files: 4, links: 2 }],
  });
  return planBill({ manifest, lock, licences, alias: ALIAS, tool: 'condense', toolVersion: '0.1.0' });
}
