import { describe, expect, it } from 'vitest';
import { planLicenceReport, renderLicenceReport } from '../../../src/sbom/licence-report.ts';
import { makeBill } from './make-bill.ts';

describe('planBill', () => {
  it('names packages by package URLs that scanners know, of channels by name where the site finds them by name', () => {
    expect(makeBill().items.map(({ purl }) => purl)).toEqual([
      'pkg:conda/a-b@1.0?build=h0_0&channel=conda-forge&subdir=linux-64&type=conda',
      'pkg:conda/a_b@1.0?build=h0_0&channel=conda-forge&subdir=linux-64&type=conda',
      'pkg:conda/odd@1%212.0%2Blocal?build=py_0&channel=file:%2F%2F%2Fsrv%2Fown%20channel&subdir=noarch&type=tar.bz2',
      `pkg:pypi/cloned@2.0?vcs_url=git%2Bhttps:%2F%2Fgit.example%2Fcloned.git%40${'f'.repeat(40)}`,
      'pkg:pypi/local@2.0',
      'pkg:pypi/wheeled@2.0?download_url=https:%2F%2Ffiles.example%2Fwheeled-2.0-py3-none-any.whl',
    ]);
  });

  it('says what needs what, as far as the lock does; what the host brings is no part of it', () => {
    const { items, requested } = makeBill();
    const needs = (name: string): readonly string[] | undefined => items.find((item) => item.name === name)?.needs;
    const names = (purls: readonly string[] | undefined) => purls?.map((purl) => /\/([^@]+)@/.exec(purl)?.[1]);
    expect(names(needs('a_b'))).toEqual(['a-b', 'odd']);
    expect(needs('a-b')).toEqual([]);
    expect(needs('odd')).toBeUndefined();
    expect(names(requested)).toEqual(['a_b', 'odd', 'cloned', 'wheeled']);
  });

  it('leaves out what was taken out of the image, and says what of the site is in it instead or besides', () => {
    const { items, facts } = makeBill();
    expect(items.map(({ name }) => name)).not.toContain('openssh');
    expect(facts['removed']).toBe('openssh');
    expect(facts['added']).toBe(`etc/site.conf sha256:${'7'.repeat(64)}`);
    expect(items.find(({ name }) => name === 'a-b')?.replacedBy).toBe('/apps/a-b/5.0');
  });

  it('is the same each time, to its UUID', () => {
    expect(makeBill()).toEqual(makeBill());
    expect(makeBill().uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe('the licence report', () => {
  it('counts licences, and marks packages that state none or none that is SPDX', () => {
    const report = planLicenceReport(makeBill());
    expect(report.unknown).toEqual(['a-b', 'odd', 'cloned', 'local']);
    expect(report.licences).toContainEqual({ licence: 'BSD-3-Clause', packages: 1 });
    const lines = renderLicenceReport('licences', report);
    expect(lines).toContain('  a_b      1.0          BSD-3-Clause');
    expect(lines).toContain('? a-b      1.0          Own licence, see "COPYING"');
    expect(lines).toContain('? local    2.0          (states none)  (pip)');
    expect(lines.at(-1)).toBe(
      '4 of 6 packages state none, or none that is an SPDX expression (?): a-b, odd, cloned, local',
    );
  });
});
