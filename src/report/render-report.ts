// Every page of the report, by its path below the report's directory. Pure: the same catalogue gives the same bytes.
import { html } from '../system/html.ts';
import type { Catalogue } from './catalogue.ts';
import { renderEnvironmentPage } from './environment-page.ts';
import { renderIndex } from './index-page.ts';
import { renderPackagesPage } from './packages-page.ts';
import { renderReleasePage } from './release-page.ts';
import { environmentPage, releasePage, renderPage, renderTime } from './report-html.ts';

/** @returns pages that others lead to before those others: whoever reads while they are put in place finds what is linked */
export function renderReport(catalogue: Catalogue): ReadonlyMap<string, string> {
  const { site, live, environments } = catalogue;
  const home = { name: site, page: 'index.html' };
  const asOf = live
    ? html`As of generation ${live.generation}, published ${renderTime(live.time)}.`
    : html`Nothing is published yet.`;
  const pages = new Map<string, string>();
  for (const { name, releases } of environments) {
    const above = [home, { name, page: environmentPage(name) }];
    for (const release of releases) {
      if (!release.manifest) continue;
      const main = renderReleasePage(catalogue, release, release.manifest);
      const title = `${release.fullName} ${release.id}`;
      pages.set(releasePage(release), renderPage({ site, title, top: '../../', above, main, asOf }));
    }
  }
  for (const environment of environments) {
    const main = renderEnvironmentPage(catalogue, environment);
    const title = environment.name;
    pages.set(environmentPage(title), renderPage({ site, title, top: '../', above: [home], main, asOf }));
  }
  const packages = renderPackagesPage(catalogue);
  pages.set('packages.html', renderPage({ site, title: 'Packages', top: '', above: [home], main: packages, asOf }));
  pages.set('index.html', renderPage({ site, title: site, top: '', above: [], main: renderIndex(catalogue), asOf }));
  return pages;
}
