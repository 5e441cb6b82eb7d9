// The page of packages: which environment has which package, in the version that its users get.
import { html, type Html, relativeLink } from '../system/html.ts';
import type { Catalogue, CatalogueVersion } from './catalogue.ts';
import { releasePage, renderLink, renderTable, type Cell } from './report-html.ts';

export function renderPackagesPage({ environments }: Catalogue): Html {
  const shown = environments.flatMap(({ versions }) => chooseVersion(versions) ?? []);
  const holdings = shown.map(
    ({ release }) => new Map(release.manifest?.packages.map((one) => [one.name, one.version])),
  );
  const names = [...new Set(holdings.flatMap((held) => [...held.keys()]))].sort();
  return html`<h1>Packages</h1>
    <p class="lead">${names.length} packages, of the versions that users get by the name of each environment alone.</p>
    <p>
      ${shown.flatMap(({ fullName, release }, index) => [
        html`${index === 0 ? '' : ' · '}${renderLink(relativeLink(releasePage(release)), fullName)}`,
      ])}
    </p>
    ${renderTable(
      'Which environment has which package',
      [{ title: 'Package' }, ...shown.map(({ fullName }) => ({ title: fullName }))],
      names.map((name): Cell[] => [
        name,
        ...holdings.map((held) => held.get(name) ?? html`<span class="quiet">–</span>`),
      ]),
    )}`;
}

/** The stable one, which has the shortest alias: `analysis3` before `analysis3-unstable`; else the newest. */
function chooseVersion(versions: readonly CatalogueVersion[]): CatalogueVersion | undefined {
  const readable = versions.filter(({ release }) => release.manifest);
  const named = readable.filter(({ aliases }) => aliases.length > 0);
  const length = ({ aliases }: CatalogueVersion): number => Math.min(...aliases.map((alias) => alias.length));
  return named.toSorted((a, b) => length(a) - length(b))[0] ?? readable[0];
}
