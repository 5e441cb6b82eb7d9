// SPDX 2.3 in JSON (https://spdx.github.io/spdx-spec/v2.3/).
import { digestText } from '../system/files.ts';
import type { Bill, BillItem } from './bill.ts';
import type { Licence } from './licence.ts';

const RELEASE = 'SPDXRef-Release';

export function renderSpdx(bill: Bill): object {
  const ids = new Map(bill.items.map((item) => [item.purl, planId(item)]));
  const idOf = (purl: string): string => ids.get(purl) ?? RELEASE;
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${bill.fullName}/${bill.releaseId}`,
    documentNamespace: `urn:uuid:${bill.uuid}`,
    creationInfo: { created: bill.createdAt, creators: [`Tool: ${bill.tool}-${bill.toolVersion}`] },
    documentDescribes: [RELEASE],
    packages: [
      {
        SPDXID: RELEASE,
        name: bill.fullName,
        versionInfo: bill.releaseId,
        downloadLocation: 'NOASSERTION',
        filesAnalyzed: false,
        checksums: [{ algorithm: 'SHA256', checksumValue: bill.imageSha256 }],
        primaryPackagePurpose: 'CONTAINER',
        comment: Object.entries(bill.facts)
          .map(([name, value]) => `${name}: ${value}`)
          .join('\n'),
        ...NOTHING_SAID,
        licenseDeclared: 'NOASSERTION',
      },
      ...bill.items.map((item) => renderPackage(item)),
    ],
    relationships: [
      relate('SPDXRef-DOCUMENT', 'DESCRIBES', RELEASE),
      ...bill.items.map(({ purl }) => relate(RELEASE, 'CONTAINS', idOf(purl))),
      ...bill.requested.map((purl) => relate(RELEASE, 'DEPENDS_ON', idOf(purl))),
      ...bill.items.flatMap(({ purl, needs = [] }) =>
        needs.map((needed) => relate(idOf(purl), 'DEPENDS_ON', idOf(needed))),
      ),
    ],
    ...renderOwnLicences(bill.items),
  };
}

/** What only a person can conclude, or find in the sources. */
const NOTHING_SAID = { licenseConcluded: 'NOASSERTION', copyrightText: 'NOASSERTION' };

function renderPackage(item: BillItem): object {
  const { name, version, purl, url, sha256, md5, licence, replacedBy } = item;
  return {
    SPDXID: planId(item),
    name,
    versionInfo: version,
    downloadLocation: url,
    filesAnalyzed: false,
    ...(replacedBy === undefined ? {} : { comment: `replaced by the host's ${replacedBy}` }),
    ...(sha256 === undefined && md5 === undefined
      ? {}
      : {
          checksums: [
            ...(sha256 === undefined ? [] : [{ algorithm: 'SHA256', checksumValue: sha256 }]),
            ...(md5 === undefined ? [] : [{ algorithm: 'MD5', checksumValue: md5 }]),
          ],
        }),
    externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl }],
    ...NOTHING_SAID,
    licenseDeclared:
      licence.expression ?? (licence.stated === undefined ? 'NOASSERTION' : planReference(licence.stated)),
  };
}

/** `SPDXRef-conda-python-1a2b3c4d`: letters, digits, `.` and `-` only, so the digest tells `a_b` from `a-b`. */
const planId = ({ source, name, purl }: BillItem): string =>
  `SPDXRef-${source}-${plain(name)}-${digestText(purl).slice(0, 8)}`;

/** A licence that has no SPDX identifier gets one of this document's own (annex D, LicenseRef). */
const planReference = (stated: string): string =>
  `LicenseRef-${plain(stated).slice(0, 40)}-${digestText(stated).slice(0, 8)}`;

const plain = (text: string): string => text.replaceAll(/[^A-Za-z0-9.]+/g, '-').replace(/^-+|-+$/g, '');

const relate = (from: string, relationshipType: string, to: string): object => ({
  spdxElementId: from,
  relationshipType,
  relatedSpdxElement: to,
});

/** Every LicenseRef that is used must be explained (clause 10). */
function renderOwnLicences(items: readonly BillItem[]): { hasExtractedLicensingInfos?: object[] } {
  const texts = new Map(items.flatMap(({ licence }) => listReferences(licence)));
  if (texts.size === 0) return {};
  return {
    hasExtractedLicensingInfos: [...texts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([licenseId, stated]) => ({
        licenseId,
        name: stated,
        extractedText: `The package states its licence as: ${stated}`,
      })),
  };
}

function listReferences({ stated, expression }: Licence): [string, string][] {
  if (expression !== undefined) {
    const used = expression.match(/LicenseRef-[A-Za-z0-9.-]+/g) ?? [];
    return used.map((reference) => [reference, reference]);
  }
  return stated === undefined ? [] : [[planReference(stated), stated]];
}
