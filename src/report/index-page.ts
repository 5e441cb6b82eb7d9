// index.html of the report: every environment with what is live of it, how to load one, and what changed lately.
import type { HistoryEntry } from '../release/history.ts';
import { html, type Html } from '../system/html.ts';
import { relativeLink } from '../system/html.ts';
import type { Catalogue, CatalogueEnvironment, CatalogueVersion } from './catalogue.ts';
import { renderUse } from './how-to-load.ts';
import {
  describeCount,
  environmentPage,
  releasePage,
  renderLink,
  renderSection,
  renderGroups,
  renderTime,
  type Cell,
  type RowGroup,
} from './report-html.ts';
import { describeSize } from '../system/describe-size.ts';

export function renderIndex(catalogue: Catalogue): Html {
  const { environments, history, site } = catalogue;
  const versions = environments.flatMap((environment) => environment.versions);
  const bytes = sum(versions, ({ release }) => release.manifest?.image.sizeBytes);
  const inodes = sum(versions, ({ release }) => release.manifest?.image.inodes);
  const first = versions.find(({ aliases }) => aliases.length > 0) ?? versions[0];
  return html`<h1>${site}</h1>
    <p class="lead">${describeSum(environments, versions, bytes, inodes)}</p>
    ${first ? renderSection('load', 'How to load one', renderUse(catalogue.use, first.aliases[0] ?? first.fullName)) : html``}
    ${renderSection(
      'environments',
      'Environments',
      renderGroups(
        'What users can load now',
        [
          { title: 'Environment' },
          { title: 'Version' },
          { title: 'Also called' },
          { title: 'Since' },
          { title: 'Packages', isNumber: true },
          { title: 'Image', isNumber: true },
          { title: 'Inodes inside', isNumber: true },
        ],
        environments.map(renderEnvironment),
      ),
    )}
    <p>${renderLink('packages.html', 'Which environment has which package')}</p>
    ${history.length > 0 ? renderSection('changes', 'What changed lately', renderHistory(history)) : html``}`;
}

const sum = (versions: readonly CatalogueVersion[], value: (version: CatalogueVersion) => number | undefined): number =>
  versions.reduce((total, version) => total + (value(version) ?? 0), 0);

function describeSum(
  environments: readonly CatalogueEnvironment[],
  versions: readonly CatalogueVersion[],
  bytes: number,
  inodes: number,
): string {
  if (versions.length === 0) return 'Nothing is published yet.';
  const count = (number: number, what: string): string => `${describeCount(number)} ${what}${number === 1 ? '' : 's'}`;
  return (
    `${count(environments.length, 'environment')}, ${count(versions.length, 'version')} to load: ` +
    `${describeSize(bytes)} in ${count(versions.length, 'file')} on the shared disk, instead of ${count(inodes, 'file')}.`
  );
}

function renderEnvironment({ name, versions, releases }: CatalogueEnvironment): RowGroup {
  const link = renderLink(relativeLink(environmentPage(name)), name);
  if (versions.length === 0)
    return {
      name: link,
      rows: [[html`<span class="quiet">none is live; ${releases.length} on disk</span>`, '', '', '', '', '']],
    };
  const rows = versions.map(({ fullName, aliases, since, release }): Cell[] => {
    const { manifest, damages } = release;
    return [
      manifest ? renderLink(relativeLink(releasePage(release)), manifest.version) : fullName,
      html`${renderBadges(aliases)}${renderDamages(damages)}`,
      renderTime(since ?? manifest?.createdAt),
      ...(manifest
        ? [
            describeCount(manifest.packages.length),
            describeSize(manifest.image.sizeBytes),
            describeCount(manifest.image.inodes),
          ]
        : ['', '', '']),
    ];
  });
  return { name: link, rows };
}

export const renderBadges = (names: readonly string[]): Html[] =>
  names.map((name) => html`<span class="badge">${name}</span>`);

export const renderDamages = (damages: readonly string[]): Html[] =>
  damages.map((code) => html`<span class="badge damaged">damaged: ${code}</span>`);

/** A publish of everything changes dozens of names; the page of each environment tells the rest. */
const MOST_CHANGES = 8;

/** Who did it is the site's own business, and not on a page that anybody may copy. */
function renderHistory(history: readonly HistoryEntry[]): Html {
  const entries = history.map(({ generation, time, changes }) => {
    const lines = changes.map(describeChange);
    const shown = lines.length > MOST_CHANGES ? lines.slice(0, MOST_CHANGES - 1) : lines;
    const more = lines.length - shown.length;
    const all = [...shown, ...(more > 0 ? [`and ${more} more`] : []), ...(lines.length === 0 ? ['Nothing.'] : [])];
    return html`<li>
      <p class="quiet">${renderTime(time)} · generation ${generation}</p>
      <ul>
        ${all.map((line) => html`<li>${line}</li>`)}
      </ul>
    </li>`;
  });
  return html`<ol class="log">
    ${entries}
  </ol>`;
}

function describeChange({ kind, name, from, to, packages }: HistoryEntry['changes'][number]): string {
  if (to === undefined) return kind === 'alias' ? `The name ${name} was taken away.` : `${name} was taken away.`;
  if (kind === 'alias') return from === undefined ? `${name} means ${to}.` : `${name} means ${to}, no longer ${from}.`;
  if (from === undefined) return `${name} is new.`;
  const counts = (['added', 'removed', 'changed'] as const).flatMap((what) =>
    packages && packages[what] > 0 ? [`${packages[what]} ${what}`] : [],
  );
  const what = counts.length > 0 ? ` (packages: ${counts.join(', ')})` : '';
  // Release ids begin with their time.
  return `${name} ${to > from ? 'has a newer release' : 'went back to an earlier release'}${what}.`;
}
