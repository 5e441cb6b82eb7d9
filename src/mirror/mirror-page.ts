// index.html of a mirror: what is in it and how to use it. One static file: no scripts, nothing from elsewhere.
import { html, relativeLink, type Html } from '../system/html.ts';
import { aliasDirectory } from './channel-directory.ts';
import { listPackages, lockPath, type MirroredChannel, type MirroredPackage, type MirrorPlan } from './mirror-plan.ts';
import type { PackageRecord } from './mirror-records.ts';
import { describeSize } from '../system/describe-size.ts';

/** Stands for the place that only the web server knows. */
const ADDRESS = 'https://mirror.example.org';

const STYLE = html`
  :root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif; } body { max-width: 75rem; margin: 0 auto;
  padding: 1rem; } table { border-collapse: collapse; width: 100%; } caption { text-align: start; padding-block: 0.5rem;
  } th, td { text-align: start; vertical-align: top; padding: 0.2rem 0.8rem 0.2rem 0; border-bottom: 1px solid #8885; }
  td.number { text-align: end; font-variant-numeric: tabular-nums; } td { overflow-wrap: anywhere; } pre { overflow-x:
  auto; padding: 0.7rem; border: 1px solid #8885; }
`;

/** @param alias where the site finds bare channel names */
export function renderMirrorPage(
  plan: MirrorPlan,
  recordOf: (one: MirroredPackage) => PackageRecord,
  alias: string,
): string {
  const packages = listPackages(plan);
  const bytes = packages.reduce((sum, one) => sum + sizeOf(recordOf(one)), 0);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>Mirror of conda channels</title>
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        <header>
          <h1>Mirror of conda channels</h1>
          <p>
            ${packages.length} packages, ${describeSize(bytes)}: what ${plan.locks.length} locked environments need, and
            nothing else.
          </p>
        </header>
        <main>
          ${describeUse(plan, alias)}
          <section>
            <h2 id="environments">Environments</h2>
            <table>
              <caption>
                Each lock names every package with its sha256.
              </caption>
              <thead>
                <tr>
                  <th scope="col">Environment</th>
                  <th scope="col">Platform</th>
                  <th scope="col">Packages</th>
                  <th scope="col">Lock</th>
                </tr>
              </thead>
              <tbody>
                ${plan.locks.map(
                  ({ name, title, lock }) =>
                    html`<tr>
                      <th scope="row">${title}</th>
                      <td>${lock.platform}</td>
                      <td class="number">${lock.packages.length}</td>
                      <td><a href="${relativeLink(lockPath(name))}">${name}</a></td>
                    </tr> `,
                )}
              </tbody>
            </table>
          </section>
          ${plan.channels.map((channel) => describeChannel(channel, recordOf))} ${describeDistributions(plan)}
        </main>
      </body>
    </html> `.text;
}

function describeUse(plan: MirrorPlan, alias: string): Html {
  const aliasPath = plan.channels.map(({ url }) => aliasDirectory(url, alias)).find((path) => path !== undefined);
  const named = plan.channels.filter(({ url }) => url.startsWith(`${alias}/`));
  const names = named.map(({ url }) => url.slice(alias.length + 1));
  const withAlias = html`<p>For conda and mamba, in <code>.condarc</code>:</p>
    <pre>
channel_alias: ${ADDRESS}/${aliasPath ?? ''}
channels: [${names.join(', ')}]
default_channels: []
channel_priority: strict
</pre>`;
  const mirrors = [
    'channels:',
    '  mirrors:',
    ...plan.channels.map(({ url, path }) => `    ${JSON.stringify(url)}: [${JSON.stringify(`${ADDRESS}/${path}`)}]`),
  ].join('\n');
  return html`<section>
    <h2 id="use">How to use it</h2>
    <p>
      Write the address of this page where it says <code>${ADDRESS}</code>; a directory works too, as
      <code>file:///path</code>.
    </p>
    <p>For condense, in <code>install_config.yaml</code>; specs and locks go on naming the channels themselves:</p>
    <pre>${mirrors}</pre>
    ${aliasPath === undefined ? html`` : withAlias}
    <table>
      <caption>
        Channels by URL
      </caption>
      <thead>
        <tr>
          <th scope="col">Instead of</th>
          <th scope="col">write</th>
        </tr>
      </thead>
      <tbody>
        ${plan.channels.map(
          ({ url, path }) =>
            html`<tr>
              <th scope="row">${url}</th>
              <td><a href="${relativeLink(path)}/noarch/repodata.json">${ADDRESS}/${path}</a></td>
            </tr> `,
        )}
      </tbody>
    </table>
  </section>`;
}

function describeChannel(channel: MirroredChannel, recordOf: (one: MirroredPackage) => PackageRecord): Html {
  const packages = channel.subdirs.flatMap((subdir) => subdir.packages);
  return html`<section>
    <h2>${channel.url}</h2>
    <table>
      <caption>
        ${packages.length} packages
      </caption>
      <thead>
        <tr>
          <th scope="col">Package</th>
          <th scope="col">Version</th>
          <th scope="col">Build</th>
          <th scope="col">For</th>
          <th scope="col">Size</th>
          <th scope="col">Licence</th>
        </tr>
      </thead>
      <tbody>
        ${packages.map((one) => {
          const { name, version, build, subdir } = one.locked;
          const record = recordOf(one);
          return html`<tr>
            <th scope="row"><a href="${relativeLink(one.path)}">${name}</a></th>
            <td>${version}</td>
            <td>${build}</td>
            <td>${subdir}</td>
            <td class="number">${describeSize(sizeOf(record))}</td>
            <td>${licenceOf(record)}</td>
          </tr> `;
        })}
      </tbody>
    </table>
  </section> `;
}

function describeDistributions({ distributions }: MirrorPlan): Html {
  if (distributions.length === 0) return html``;
  return html`<section>
    <h2 id="pip">Python distributions, for pip</h2>
    <p>
      <code>pip install --index-url ${ADDRESS}/pip/simple/</code>, or <code>--index-url</code> in the pip section of an
      environment.yml. A simple index needs a web server that answers a directory with its index.html.
    </p>
    <table>
      <caption>
        ${distributions.length} files
      </caption>
      <thead>
        <tr>
          <th scope="col">Distribution</th>
          <th scope="col">Version</th>
          <th scope="col">File</th>
        </tr>
      </thead>
      <tbody>
        ${distributions.map(
          ({ locked, version, file, path }) =>
            html`<tr>
              <th scope="row">${locked.name}</th>
              <td>${version}</td>
              <td><a href="${relativeLink(path)}">${file}</a></td>
            </tr> `,
        )}
      </tbody>
    </table>
  </section>`;
}

function sizeOf(record: PackageRecord): number {
  return typeof record['size'] === 'number' ? record['size'] : 0;
}

/** A package may say anything here, and as much as it likes. */
function licenceOf(record: PackageRecord): string {
  const { license } = record;
  return typeof license === 'string' ? license.slice(0, 200) : '';
}
