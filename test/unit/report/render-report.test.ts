import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planTicks } from '../../../src/report/chart.ts';
import { renderReport } from '../../../src/report/render-report.ts';
import { makePackage } from '../release/make-manifest.ts';
import { gated, makeCatalogue, makeRelease } from './make-catalogue.ts';
import { anyText } from '../../any-text.ts';

function makePages(): ReadonlyMap<string, string> {
  const [first, second, third] = [
    makeRelease(1, { packages: [makePackage('numpy', '1.26.4'), makePackage('gone', '1')] }),
    makeRelease(2, { packages: [makePackage('numpy', '2.1.0')], commands: ['python3', 'new-command'] }),
    makeRelease(3, { fullName: 'b-1', environment: 'b', packages: [makePackage('pipped', '3', 'pypi_0', 'pip')] }),
  ];
  const history = [
    {
      generation: 7,
      time: '2026-11-03T00:00:00Z',
      user: 'alice',
      host: 'login1',
      changes: [
        {
          kind: 'version' as const,
          name: 'a-1',
          from: first.id,
          to: second.id,
          packages: { added: 0, removed: 1, changed: 1 },
        },
        { kind: 'version' as const, name: 'c-1', from: second.id, to: first.id },
        { kind: 'version' as const, name: 'd-1', from: first.id },
        { kind: 'alias' as const, name: 'a', from: 'a-0', to: 'a-1' },
      ],
    },
  ];
  return renderReport(
    makeCatalogue(
      [first, second, third].map((one) => gated(one)),
      [[second, 'a'], [third]],
      history,
    ),
  );
}

/** Where the links of a page lead, from the top of the report. */
const linksOf = (page: string, text: string): string[] =>
  [...text.matchAll(/href="([^"#]+)"/g)].map(([, to = '']) =>
    path.posix.join(path.posix.dirname(page), decodeURIComponent(to)),
  );

describe('renderReport', () => {
  it('makes a page of each environment and release, one of all packages, and the one that leads to them', () => {
    expect([...makePages().keys()]).toEqual([
      expect.stringMatching(/^releases\/a-1\/20261102T100000Z-[0-9a-f]{8}\.html$/),
      expect.stringMatching(/^releases\/a-1\/20261101T/),
      expect.stringMatching(/^releases\/b-1\//),
      'environments/a.html',
      'environments/b.html',
      'packages.html',
      'index.html',
    ]);
  });

  it('leads to pages that are there, and from the first page to every other', () => {
    const pages = makePages();
    const reached = new Set<string>();
    const visit = (page: string): void => {
      if (reached.has(page)) return;
      expect(pages.has(page), page).toBe(true);
      reached.add(page);
      for (const link of linksOf(page, pages.get(page) ?? '')) visit(link);
    };
    visit('index.html');
    expect([...reached].sort()).toEqual([...pages.keys()].sort());
  });

  it('tells what changed, who can load what and how, and not who did it', () => {
    const pages = makePages();
    const textOf = (page: string): string =>
      (pages.get(page) ?? '').replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
    const index = textOf('index.html');
    for (const words of [
      'module use /site/modules module load conda/a',
      '#!/site/apps/conda_scripts/a.d/bin/python3',
      'a-1 has a newer release (packages: 1 removed, 1 changed).',
      'c-1 went back to an earlier release.',
      'd-1 was taken away.',
      'a means a-1, no longer a-0.',
    ])
      expect(index).toContain(words);
    expect([...pages.values()].join('')).not.toMatch(/alice|login1|build1/);
    const release = textOf([...pages.keys()][0] ?? '');
    expect(release).toMatch(/Packages that are gone .*gone 1 .*Packages that changed .*numpy 1\.26\.4 2\.1\.0/);
    expect(release).toContain('Commands that are new (1)');
    expect(textOf('packages.html')).toMatch(/numpy 2\.1\.0 – pipped – 3/);
  });

  it('tells what the gate passed, skipped, expected to fail and let pass, with the reasons and without the names', () => {
    const waived = [
      { check: 'import broken', reason: 'fixed in May', by: 'alice', failure: 'ImportError in /home/alice' },
    ];
    const checks = [
      { name: 'the image mounts', seconds: 0.1 },
      { name: 'import gui', seconds: 0, status: 'skipped' as const, reason: 'needs a display' },
      { name: 'import old', seconds: 1, status: 'expected' as const, reason: 'until 2027' },
    ];
    const manifest = { ...makeRelease(1), gate: { sha256: '', checks, waived } };
    const [page = ''] = renderReport(makeCatalogue([gated(manifest)])).values();
    const text = page.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
    expect(text).toContain('1 passed, 1 skipped, 1 failed as expected, 1 failed and let pass.');
    expect(text).toContain('import broken fixed in May');
    expect(text).toContain('import gui skipped: needs a display');
    expect(text).toContain('import old failed as expected: until 2027');
    expect(text).not.toContain('alice');
  });

  it('is the same for the same catalogue, byte by byte', () => {
    expect(makePages()).toEqual(makePages());
  });

  it('shows any text as text, whatever it holds', () => {
    fc.assert(
      fc.property(anyText(40), (text) => {
        const nasty = `</td></pre><script>${text}"'><img onerror=x>`;
        const manifest = makeRelease(1, {
          packages: [makePackage(nasty, nasty, nasty)],
          ...{ commands: [nasty], notes: [nasty], tools: { [nasty]: nasty }, stageSeconds: { [nasty]: 1 } },
          ...{ gitCommit: nasty, dropped: [{ rule: nasty, files: 1, bytes: 1 }] },
        });
        const withGate = { ...manifest, gate: { sha256: '', checks: [{ name: nasty, seconds: 1 }] } };
        for (const page of renderReport(makeCatalogue([gated(withGate)], [[withGate, 'a']])).values()) {
          const told = [/<(?:script|img)/, /<[^>]*\sonerror/, /[\u0000-\u0008\u000b-\u001f\u202a-\u202e]/];
          expect(told.map((what) => what.exec(page)?.[0])).toEqual([undefined, undefined, undefined]);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('planTicks', () => {
  it('begins at zero and ends at or above the highest value, in a few round steps', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e13 }), (highest) => {
        const ticks = planTicks(highest);
        expect(ticks[0]).toBe(0);
        expect(ticks.at(-1)).toBeGreaterThanOrEqual(highest);
        expect(ticks.length).toBeGreaterThanOrEqual(3);
        expect(ticks.length).toBeLessThanOrEqual(6);
      }),
    );
    expect(planTicks(1.5e9)).toEqual([0, 5e8, 1e9, 1.5e9]);
  });
});
