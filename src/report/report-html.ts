// The parts that every page of the report is made of: the frame, tables, times, sizes, links.
import { createHash } from 'node:crypto';
import { html, relativeLink, Html } from '../system/html.ts';
import { REPORT_STYLE } from './report-style.ts';

/** The pages name the one style that they may have: whatever a name holds, nothing else is run, loaded or sent. */
const styleDigest = createHash('sha256').update(REPORT_STYLE).digest('base64');
const style = new Html(`<style>${REPORT_STYLE}</style>`);
const policy = `default-src 'none'; style-src 'sha256-${styleDigest}'; base-uri 'none'; form-action 'none'`;

export interface PageFrame {
  readonly site: string;
  readonly title: string;
  /** The way to the top of the report: ``, `../`, `../../`. */
  readonly top: string;
  /** Pages above this one, outermost first: what they are called, and where they are from the top. */
  readonly above: readonly { readonly name: string; readonly page: string }[];
  readonly main: Html;
  /** What the whole report is as of. */
  readonly asOf: Html;
}

export function renderPage({ site, title, top, above, main, asOf }: PageFrame): string {
  const crumbs = above.map(({ name, page }) => html`<li><a href="${top}${relativeLink(page)}">${name}</a></li>`);
  const full = title === site ? site : `${title} · ${site}`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <title>${full}</title>
        ${style}
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header>
          ${
            crumbs.length > 0
              ? html`<nav aria-label="Breadcrumb">
                  <ol>
                    ${crumbs}
                    <li aria-current="page">${title}</li>
                  </ol>
                </nav>`
              : html`<p class="brand">Software environments</p>`
          }
        </header>
        <main id="main">${main}</main>
        <footer><p>${asOf} Made by condense.</p></footer>
      </body>
    </html> `.text.replaceAll(/\n\s+/g, '\n'); // indented as the source is, tables would be twice as large
}

export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
}

export type Cell = string | number | Html;

/** The first cell of each row names it. A wide table scrolls by itself, and by keyboard. */
export function renderTable(caption: string, columns: readonly Column[], rows: readonly (readonly Cell[])[]): Html {
  const body = rows.map(
    ([name = '', ...cells]) =>
      html`<tr>
        <th scope="row">${name}</th>
        ${renderCells(cells, columns.slice(1))}
      </tr>`,
  );
  return renderFrame(
    caption,
    columns,
    html`<tbody>
      ${body}
    </tbody>`,
  );
}

/** The same, and nothing where there are no rows. */
export function renderTableOfAny(
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
): Html {
  return rows.length > 0 ? renderTable(caption, columns, rows) : html``;
}

/** Rows that belong together. */
export interface RowGroup {
  readonly name: Cell;
  /** One at least. */
  readonly rows: readonly (readonly Cell[])[];
}

/** The same with the first column for groups of rows: each is named once. */
export function renderGroups(caption: string, columns: readonly Column[], groups: readonly RowGroup[]): Html {
  const bodies = groups.map(({ name, rows }) => {
    const head = html`<th scope="rowgroup" rowspan="${rows.length}">${name}</th>`;
    const body = rows.map(
      (cells, index) =>
        html`<tr>
          ${index === 0 ? head : html``}${renderCells(cells, columns.slice(1))}
        </tr>`,
    );
    return html`<tbody>
      ${body}
    </tbody>`;
  });
  return renderFrame(caption, columns, html`${bodies}`);
}

function renderCells(cells: readonly Cell[], columns: readonly Column[]): Html[] {
  return cells.map((cell, index) =>
    columns[index]?.isNumber ? html`<td class="number">${cell}</td>` : html`<td>${cell}</td>`,
  );
}

function renderFrame(caption: string, columns: readonly Column[], body: Html): Html {
  const head = columns.map(({ title, isNumber }) =>
    isNumber ? html`<th scope="col" class="number">${title}</th>` : html`<th scope="col">${title}</th>`,
  );
  return html`<div class="table" role="region" aria-label="${caption}" tabindex="0">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${head}
        </tr>
      </thead>
      ${body}
    </table>
  </div>`;
}

/** Names and what belongs to them. */
export function renderFacts(facts: readonly (readonly [name: string, value: Cell])[]): Html {
  return html`<dl>
    ${facts.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl> `;
}

/** `<h2>` and what is below it, as a section that is named by it. */
export function renderSection(id: string, heading: string, content: Html): Html {
  return html`<section aria-labelledby="${id}">
    <h2 id="${id}">${heading}</h2>
    ${content}
  </section> `;
}

/** The day; all of the time is in the markup. */
export function renderTime(time: string | undefined): Html {
  return time === undefined || Number.isNaN(Date.parse(time))
    ? html`<span class="quiet">unknown</span>`
    : html`<time datetime="${time}">${time.slice(0, 10)}</time>`;
}

export function renderLink(to: string, text: Cell): Html {
  return html`<a href="${to}">${text}</a>`;
}

/** `12,345` */
export const describeCount = (count: number): string => String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');

export const environmentPage = (name: string): string => `environments/${name}.html`;
export const releasePage = ({ fullName, id }: { readonly fullName: string; readonly id: string }): string =>
  `releases/${fullName}/${id}.html`;
