// The pages that pip reads (PEP 503): the projects, and the files of each with their digests.
import path from 'node:path';
import { html, relativeLink } from '../system/html.ts';
import type { MirroredDistribution } from './mirror-plan.ts';

/**
 * @param page its path in the mirror: `pip/simple/index.html` lists projects, `pip/simple/greet/index.html` files
 * @param listed what is below the page, sorted by path
 */
export function renderSimplePage(page: string, listed: readonly MirroredDistribution[]): string {
  const isRoot = path.posix.dirname(page) === 'pip/simple';
  const links = isRoot
    ? [...new Set(listed.map(({ locked }) => locked.name))].map(
        (name) => html`<a href="${relativeLink(name)}/">${name}</a><br />`,
      )
    : listed.map(({ file, locked }) => html`<a href="${relativeLink(file)}#sha256=${locked.sha256}">${file}</a><br />`);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="pypi:repository-version" content="1.0" />
        <title>Simple index</title>
      </head>
      <body>
        ${links}
      </body>
    </html> `.text;
}
