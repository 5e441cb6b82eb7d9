// CycloneDX 1.6 in JSON (https://cyclonedx.org/docs/1.6/json/).
import type { Bill, BillItem } from './bill.ts';
import type { Licence } from './licence.ts';

export function renderCycloneDx(bill: Bill): object {
  const root = `${bill.fullName}/${bill.releaseId}`;
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${bill.uuid}`,
    version: 1,
    metadata: {
      timestamp: bill.createdAt,
      tools: { components: [{ type: 'application', name: bill.tool, version: bill.toolVersion }] },
      component: {
        type: 'container',
        'bom-ref': root,
        name: bill.fullName,
        version: bill.releaseId,
        hashes: [{ alg: 'SHA-256', content: bill.imageSha256 }],
        properties: Object.entries(bill.facts).map(([name, value]) => ({ name: `condense:${name}`, value })),
      },
    },
    components: bill.items.map(renderComponent),
    dependencies: [
      { ref: root, dependsOn: bill.requested },
      // Without an entry, what it needs is unknown; with an empty one it needs nothing.
      ...bill.items.flatMap(({ purl, needs }) => (needs === undefined ? [] : [{ ref: purl, dependsOn: needs }])),
    ],
  };
}

function renderComponent({ name, version, purl, url, sha256, md5, licence, replacedBy }: BillItem): object {
  const hashes = [
    ...(md5 === undefined ? [] : [{ alg: 'MD5', content: md5 }]),
    ...(sha256 === undefined ? [] : [{ alg: 'SHA-256', content: sha256 }]),
  ];
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    ...(hashes.length > 0 ? { hashes } : {}),
    ...renderLicence(licence),
    purl,
    externalReferences: [{ type: url.startsWith('git+') ? 'vcs' : 'distribution', url }],
    ...(replacedBy === undefined ? {} : { properties: [{ name: 'condense:replacedBy', value: replacedBy }] }),
  };
}

function renderLicence({ stated, expression }: Licence): { licenses?: object[] } {
  if (expression !== undefined) return { licenses: [{ expression }] };
  return stated === undefined ? {} : { licenses: [{ license: { name: stated } }] };
}
