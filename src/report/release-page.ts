// The page of one release: what it is, what changed since the one before, what its gate found, and all that is in it.
import type { ReleaseManifest } from '../release/manifest.ts';
import type { ReleaseComparison } from '../release/release-diff.ts';
import { html, type Html, relativeLink } from '../system/html.ts';
import type { Catalogue, CatalogueRelease } from './catalogue.ts';
import { renderUse } from './how-to-load.ts';
import { renderBadges, renderDamages } from './index-page.ts';
import {
  describeCount,
  releasePage,
  renderFacts,
  renderLink,
  renderSection,
  renderTableOfAny,
  renderTime,
  type Cell,
  type Column,
} from './report-html.ts';
import { describeSize } from '../system/describe-size.ts';

type Package = ReleaseManifest['packages'][number];

export function renderReleasePage({ use }: Catalogue, release: CatalogueRelease, manifest: ReleaseManifest): Html {
  const { fullName, id, isLive, changes, damages } = release;
  return html`<h1>${fullName}</h1>
    <p class="lead">Release ${id} ${isLive ? renderBadges(['live']) : html``}${renderDamages(damages)}</p>
    ${renderFacts(listFacts(manifest))}
    ${isLive ? renderSection('load', 'How to load it', renderUse(use, fullName)) : html``}
    ${
      changes
        ? renderSection(
            'changes',
            'What changed',
            html`<p>
                Since
                ${renderLink(`../../${relativeLink(releasePage(changes.since))}`, `${changes.since.fullName}, release ${changes.since.id}`)}.
              </p>
              ${renderComparison(changes.comparison)}`,
          )
        : html``
    }
    ${renderSection('gate', 'The gate', renderGate(manifest))}
    ${renderSection('packages', 'Packages', renderPackages('Everything that is installed', manifest.packages))}
    ${renderSection('commands', 'Commands', renderNames('Commands of this environment', manifest.commands))}
    ${renderSection('build', 'How it was built', renderBuild(manifest))}`;
}

function listFacts({ createdAt, image, packages, gitCommit, commands }: ReleaseManifest): [string, Cell][] {
  return [
    ['Built', renderTime(createdAt)],
    ['Packages', describeCount(packages.length)],
    ['Commands', describeCount(commands.length)],
    ['Image', describeSize(image.sizeBytes)],
    ['Inodes inside', describeCount(image.inodes)],
    ...(gitCommit === undefined ? [] : [['Commit', html`<code>${gitCommit}</code>`] as [string, Cell]]),
    ['Digest of the image (sha256)', html`<code>${image.sha256}</code>`],
  ];
}

function renderComparison({ packages, commands, image }: ReleaseComparison): Html {
  const { added, removed, changed } = packages;
  const more = image.to.sizeBytes - image.from.sizeBytes;
  const size = `The image has ${describeSize(image.to.sizeBytes)}${more === 0 ? ', as before' : `, ${describeSize(Math.abs(more))} ${more > 0 ? 'more' : 'less'} than before`}.`;
  return html`<p>${size}</p>
    ${added.length + removed.length + changed.length === 0 ? html`<p>The packages are the same.</p>` : html``}
    ${renderPackages('Packages that are gone', removed)} ${renderPackages('Packages that are new', added)}
    ${renderTableOfAny(
      'Packages that changed',
      [{ title: 'Package' }, { title: 'Before' }, { title: 'Now' }],
      changed.map(({ from, to }) => [to.name, ...describeMove(from, to)]),
    )}
    ${commands.removed.length > 0 ? renderNames('Commands that are gone', commands.removed) : html``}
    ${commands.added.length > 0 ? renderNames('Commands that are new', commands.added) : html``}`;
}

/** The build only where the versions are the same. */
function describeMove(from: Package, to: Package): [string, string] {
  if (from.version !== to.version) return [from.version, to.version];
  if (from.build !== to.build) return [`${from.version} ${from.build}`, `${to.version} ${to.build}`];
  return [from.version, `${to.version}, of other bytes`];
}

function renderPackages(caption: string, packages: readonly Package[]): Html {
  return renderTableOfAny(
    caption,
    [{ title: 'Package' }, { title: 'Version' }, { title: 'Build' }, { title: 'From' }],
    packages.map(({ name, version, build, source }) => [name, version, source ? '' : build, source ?? 'conda']),
  );
}

function renderNames(what: string, names: readonly string[]): Html {
  return html`<details>
    <summary>${what} (${describeCount(names.length)})</summary>
    <ul class="names">
      ${names.map((name) => html`<li><code>${name}</code></li>`)}
    </ul>
  </details>`;
}

/** Who waived something is the site's own business, and so is what a failed check printed. */
function renderGate({ gate }: ReleaseManifest): Html {
  if (!gate) return html`<p>Its report is not in the manifest: an early condense made this release.</p>`;
  const { checks, waived = [] } = gate;
  const count = (status: GateCheck['status']): number => checks.filter((check) => check.status === status).length;
  const counts = [
    `${describeCount(count(undefined))} passed`,
    ...(count('skipped') > 0 ? [`${describeCount(count('skipped'))} skipped`] : []),
    ...(count('expected') > 0 ? [`${describeCount(count('expected'))} failed as expected`] : []),
    ...(waived.length > 0 ? [`${describeCount(waived.length)} failed and let pass`] : []),
  ];
  return html`<p>
      What was checked before users could get it, through the release’s own commands: ${counts.join(', ')}.
    </p>
    ${renderTableOfAny(
      'Checks that failed and were let pass',
      [{ title: 'Check' }, { title: 'Why' }],
      waived.map(({ check, reason }) => [check, reason]),
    )}
    ${renderTableOfAny(
      'Every check',
      [{ title: 'Check' }, { title: 'Result' }, { title: 'Seconds', isNumber: true }],
      checks.map((check) => [check.name, describeResult(check), check.seconds.toFixed(1)]),
    )}`;
}

type GateCheck = NonNullable<ReleaseManifest['gate']>['checks'][number];

function describeResult({ status, reason }: GateCheck): string {
  const why = reason === undefined ? '' : `: ${reason}`;
  if (status === undefined) return 'passed';
  return status === 'skipped' ? `skipped${why}` : `failed as expected${why}`;
}

function renderBuild(manifest: ReleaseManifest): Html {
  const {
    stageSeconds,
    tools,
    base,
    notes,
    dropped = [],
    removed = [],
    replaced = [],
    added = [],
    hooks = [],
  } = manifest;
  const number = (title: string): Column => ({ title, isNumber: true });
  return html`${renderFacts([
    ...Object.entries(tools).map(([name, version]): [string, Cell] => [name, version]),
    ['Base container', html`<code>${base.digest}</code>`],
  ])}
  ${renderTableOfAny(
    'What each stage took',
    [{ title: 'Stage' }, number('Seconds')],
    Object.entries(stageSeconds).map(([stage, seconds]) => [stage, seconds.toFixed(1)]),
  )}
  ${renderTableOfAny(
    'Packages whose files were taken out',
    [{ title: 'Package' }, number('Files')],
    removed.map(({ package: name, files }) => [name, describeCount(files)]),
  )}
  ${renderTableOfAny(
    'Packages that installations of the host stand in for',
    [{ title: 'Package' }, { title: 'Replaced by' }],
    replaced.map(({ package: name, by }) => [name, by]),
  )}
  ${renderTableOfAny(
    'Files of the site that were put in',
    [{ title: 'File' }, number('Size')],
    added.map(({ path, sizeBytes }) => [path, describeSize(sizeBytes)]),
  )}
  ${renderTableOfAny(
    'Programs of the site that were run',
    [{ title: 'Stage' }, { title: 'Files added, changed, removed' }, number('Seconds')],
    hooks.map((one) => [one.stage, `${one.added}, ${one.changed}, ${one.removed}`, one.seconds.toFixed(1)]),
  )}
  ${renderTableOfAny(
    'What was left out by the rules of the site',
    [{ title: 'Rule' }, number('Files'), number('Size')],
    dropped.map(({ rule, files, bytes }) => [rule, describeCount(files), describeSize(bytes)]),
  )}
  ${
    notes.length > 0
      ? html`<ul class="plain">
          ${notes.map((note) => html`<li>${note}</li>`)}
        </ul>`
      : html``
  }`;
}
