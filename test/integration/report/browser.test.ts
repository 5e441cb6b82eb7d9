// The report in a real browser: what it looks like, whom it shuts out, what it asks for.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCatalogue } from '../../../src/report/read-catalogue.ts';
import { renderReport } from '../../../src/report/render-report.ts';
import { writeReport } from '../../../src/report/write-report.ts';
import { Chromium, type View } from '../../report/chromium.ts';
import { writeCatalogue } from '../../report/large-catalogue.ts';
import { makePackage } from '../../unit/release/make-manifest.ts';
import { gated, makeCatalogue, makeRelease } from '../../unit/report/make-catalogue.ts';

let dir: string;
let out: string;
let browser: Chromium;
let pages: ReadonlyMap<string, string>;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-browser-'));
  out = path.join(dir, 'report');
  const shape = { releases: 4, packages: 40, commands: 20 };
  const { config, layout } = await writeCatalogue(dir, ['analysis3', 'ocean'], shape);
  pages = renderReport(await readCatalogue(config, layout, AbortSignal.timeout(60_000)));
  await writeReport(out, pages);
  browser = await Chromium.start();
});
afterAll(async () => {
  await browser.stop();
  await rm(dir, { recursive: true, force: true });
});

const light: View = { width: 1200, height: 900, scheme: 'light' };
const kinds = (): string[] => [
  'index.html',
  'packages.html',
  'environments/analysis3.html',
  [...pages.keys()].find((page) => page.startsWith('releases/')) ?? '',
];

describe('the report in a browser', () => {
  it.each(['light', 'dark'] as const)(
    'has nothing that axe-core finds against WCAG 2.2 AA or good practice, %s',
    async (scheme) => {
      for (const page of kinds()) {
        await browser.open(path.join(out, page), { ...light, scheme });
        expect(await browser.findViolations(), page).toEqual([]);
        expect(await browser.evaluate('matchMedia("(prefers-color-scheme: dark)").matches')).toBe(scheme === 'dark');
      }
    },
  );

  it('asks for nothing besides the page itself, runs no script, and has the style that its policy allows', async () => {
    for (const page of kinds()) {
      await browser.open(path.join(out, page), light);
      expect(browser.listComplaints(), page).toEqual([]);
      expect(await browser.evaluate('[document.scripts.length, document.styleSheets.length]')).toEqual([0, 1]);
      expect(await browser.evaluate('getComputedStyle(document.querySelector("main")).maxWidth')).toBe('1088px');
    }
  });

  it('needs no sideways scrolling in a window of 320 pixels (WCAG 1.4.10): what is wider scrolls by itself', async () => {
    for (const page of kinds()) {
      await browser.open(path.join(out, page), { ...light, width: 320 });
      expect(await browser.evaluate('document.documentElement.scrollWidth'), page).toBe(320);
    }
  });

  it('draws sizes and inodes over time, a point for each release', async () => {
    await browser.open(path.join(out, 'environments/analysis3.html'), light);
    expect(
      await browser.evaluate(
        '[...document.querySelectorAll("svg")].map((svg) => svg.querySelectorAll("circle").length)',
      ),
    ).toEqual([4, 4]);
    expect(await browser.evaluate('document.querySelector("svg .line").getTotalLength() > 100')).toBe(true);
    // A picture of a page with text, tables and two charts; a blank one has some kilobytes.
    expect((await browser.screenshot()).length).toBeGreaterThan(40_000);
  });

  it('shows hostile names as they are written, and does nothing that they say', async () => {
    const nasty = '"><script>document.title = "owned"</script><img src=x onerror="document.title = \'owned\'">';
    const manifest = makeRelease(1, {
      packages: [makePackage(nasty, '1')],
      commands: [nasty],
      notes: [nasty],
      tools: { [nasty]: nasty },
    });
    const hostile = renderReport(makeCatalogue([gated(manifest)], [[manifest, 'a']]));
    const file = path.join(dir, 'hostile.html');
    await writeFile(file, hostile.get([...hostile.keys()][0] ?? '') ?? '');
    await browser.open(file, light);

    expect(browser.listComplaints()).toEqual([]);
    expect(await browser.evaluate('document.title')).toBe(`a-1 ${manifest.id} · test`);
    expect(
      await browser.evaluate('[...document.querySelectorAll("tbody th")].map((cell) => cell.textContent)'),
    ).toContain(nasty);
    expect(await browser.evaluate('document.querySelectorAll("script, img").length')).toBe(0);
  });

  it('would be told of what is wrong: the judges see a page without contrast, language or headings', async () => {
    const file = path.join(dir, 'bad.html');
    await writeFile(
      file,
      '<title>x</title><p style="color:#ddd;background:#fff">pale</p><img src="http://host.example/x.png">',
    );
    await browser.open(file, light);
    const found = (await browser.findViolations()).map(({ id }) => id);
    expect(found).toEqual(
      expect.arrayContaining(['color-contrast', 'html-has-lang', 'image-alt', 'landmark-one-main']),
    );
    expect(browser.listComplaints().join('\n')).toContain('http://host.example/x.png');
  });
});
