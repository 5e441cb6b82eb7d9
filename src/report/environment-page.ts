// The page of one environment: its live versions, how to load it, how it grew, and every release that is there.
import { html, type Html, relativeLink } from '../system/html.ts';
import type { Catalogue, CatalogueEnvironment, CatalogueRelease } from './catalogue.ts';
import { renderChart, type ChartPoint } from './chart.ts';
import { renderUse } from './how-to-load.ts';
import { renderBadges, renderDamages } from './index-page.ts';
import {
  describeCount,
  releasePage,
  renderLink,
  renderSection,
  renderTable,
  renderTime,
  type Cell,
} from './report-html.ts';
import { describeSize } from '../system/describe-size.ts';

export function renderEnvironmentPage({ use }: Catalogue, environment: CatalogueEnvironment): Html {
  const { name, versions, releases } = environment;
  return html`<h1>${name}</h1>
    ${
      versions.length === 0
        ? html`<p class="lead">No version of it is live: users cannot load it now.</p>`
        : renderSection(
            'versions',
            'Versions to load',
            renderTable(
              'What users can load now',
              [
                { title: 'Version' },
                { title: 'Also called' },
                { title: 'Since' },
                { title: 'Packages', isNumber: true },
              ],
              versions.map(({ fullName, aliases, since, release }) => [
                release.manifest ? renderLink(`../${relativeLink(releasePage(release))}`, fullName) : fullName,
                html`${renderBadges(aliases)}${renderDamages(release.damages)}`,
                renderTime(since ?? release.manifest?.createdAt),
                release.manifest ? describeCount(release.manifest.packages.length) : '',
              ]),
            ),
          )
    }
    ${versions[0] ? renderSection('load', 'How to load it', renderUse(use, versions.flatMap(({ aliases }) => aliases)[0] ?? versions[0].fullName)) : html``}
    ${renderGrowth(releases)} ${renderSection('releases', 'Releases', renderReleases(releases))}`;
}

function renderGrowth(releases: readonly CatalogueRelease[]): Html {
  const known = releases.flatMap((release) => {
    const { manifest, fullName, isLive } = release;
    if (!manifest) return [];
    const timeMs = Date.parse(manifest.createdAt);
    const { sizeBytes, inodes } = manifest.image;
    const title = `${fullName}, ${manifest.createdAt.slice(0, 10)}: `;
    return [{ timeMs, isLive, title, sizeBytes, inodes }];
  });
  if (known.length < 2) return html``; // one point tells nothing over time
  const points = (value: 'sizeBytes' | 'inodes', describe: (value: number) => string): ChartPoint[] =>
    known
      .map((one) => ({ ...one, value: one[value], title: `${one.title}${describe(one[value])}` }))
      .toSorted((a, b) => a.timeMs - b.timeMs);
  return renderSection(
    'growth',
    'Over time',
    html`<div class="charts">
      ${renderChart('Size of the image (filled: live)', points('sizeBytes', describeSize), describeSizeTick)}
      ${renderChart('Inodes inside the image (filled: live)', points('inodes', describeCount), describeCount)}
    </div>`,
  );
}

/** `1.5 GB`: round already, and without zeros at its end. */
const describeSizeTick = (bytes: number): string =>
  bytes >= 1e9 ? `${Number((bytes / 1e9).toFixed(2))} GB` : `${Number((bytes / 1e6).toFixed(1))} MB`;

function renderReleases(releases: readonly CatalogueRelease[]): Html {
  return renderTable(
    'Every release on disk that passed its gate, newest first',
    [
      { title: 'Release' },
      { title: 'Version' },
      { title: 'Built' },
      { title: 'Packages', isNumber: true },
      { title: 'Image', isNumber: true },
      { title: 'Inodes inside', isNumber: true },
      { title: 'Packages changed' },
    ],
    releases.map((release): Cell[] => {
      const { manifest, fullName, id, isLive, damages } = release;
      const badges = html`${isLive ? renderBadges(['live']) : html``}${renderDamages(damages)}`;
      if (!manifest) return [html`${id} ${badges}`, fullName, '', '', '', '', ''];
      return [
        html`${renderLink(`../${relativeLink(releasePage(release))}`, id)} ${badges}`,
        manifest.version,
        renderTime(manifest.createdAt),
        describeCount(manifest.packages.length),
        describeSize(manifest.image.sizeBytes),
        describeCount(manifest.image.inodes),
        renderCounts(release),
      ];
    }),
  );
}

function renderCounts({ changes }: CatalogueRelease): Cell {
  if (!changes) return html`<span class="quiet">the first</span>`;
  const { added, removed, changed } = changes.comparison.packages;
  if (added.length + removed.length + changed.length === 0) return html`<span class="quiet">none</span>`;
  const parts = [
    ...(added.length > 0 ? [html`<span class="added">${added.length} added</span>`] : []),
    ...(removed.length > 0 ? [html`<span class="removed">${removed.length} removed</span>`] : []),
    ...(changed.length > 0 ? [html`<span>${changed.length} changed</span>`] : []),
  ];
  return html`${parts.flatMap((part, index) => (index === 0 ? [part] : [html`, `, part]))}`;
}
