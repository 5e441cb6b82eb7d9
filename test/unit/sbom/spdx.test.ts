import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { renderSpdx } from '../../../src/sbom/spdx.ts';
import { parseLicence } from '../../../src/sbom/licence.ts';
import { makeBill } from './make-bill.ts';

// What SPDX 2.3 wants of a document of packages: clauses 6 (document), 7 (packages), 10 (own licences), 11 (relationships),
// with the names of its JSON form. Strict: a key that the specification does not have is an error.
// Narrower than the published JSON schema of 2.3 (spdx/spdx-spec, schemas/spdx-schema-2-3.json), by whose rules for these objects
// python3-jsonschema found the same document valid on 21 November 2026. Its licence is not ours, so it is not in this tree.
const id = z.string().regex(/^SPDXRef-[A-Za-z0-9.-]+$/);
const licence = z.string().refine((text) => text === 'NOASSERTION' || parseLicence(text).expression !== undefined);
const Spdx = z.strictObject({
  spdxVersion: z.literal('SPDX-2.3'),
  dataLicense: z.literal('CC0-1.0'),
  SPDXID: z.literal('SPDXRef-DOCUMENT'),
  name: z.string().min(1),
  documentNamespace: z.string().regex(/^urn:uuid:[0-9a-f-]{36}$/),
  creationInfo: z.strictObject({
    created: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    creators: z.array(z.string().regex(/^(?:Tool|Person|Organization): \S/)).min(1),
  }),
  documentDescribes: z.array(id),
  packages: z.array(
    z.strictObject({
      SPDXID: id,
      name: z.string().min(1),
      versionInfo: z.string(),
      downloadLocation: z.union([z.literal('NOASSERTION'), z.string().regex(/^(?:git\+)?(?:https?|file):\/\//)]),
      filesAnalyzed: z.literal(false),
      checksums: z
        .array(
          z.union([
            z.strictObject({ algorithm: z.literal('SHA256'), checksumValue: z.string().regex(/^[0-9a-f]{64}$/) }),
            z.strictObject({ algorithm: z.literal('MD5'), checksumValue: z.string().regex(/^[0-9a-f]{32}$/) }),
          ]),
        )
        .min(1)
        .optional(),
      primaryPackagePurpose: z.literal('CONTAINER').optional(),
      comment: z.string().optional(),
      externalRefs: z
        .array(
          z.strictObject({
            referenceCategory: z.literal('PACKAGE-MANAGER'),
            referenceType: z.literal('purl'),
            referenceLocator: z.string().regex(/^pkg:[a-z]+\/[^\s]+$/),
          }),
        )
        .optional(),
      licenseConcluded: z.literal('NOASSERTION'),
      licenseDeclared: licence,
      copyrightText: z.literal('NOASSERTION'),
    }),
  ),
  relationships: z.array(
    z.strictObject({
      spdxElementId: id,
      relationshipType: z.enum(['DESCRIBES', 'CONTAINS', 'DEPENDS_ON']),
      relatedSpdxElement: id,
    }),
  ),
  hasExtractedLicensingInfos: z
    .array(
      z.strictObject({
        licenseId: z.string().regex(/^LicenseRef-[A-Za-z0-9.-]+$/),
        name: z.string().min(1),
        extractedText: z.string().min(1),
      }),
    )
    .optional(),
});

describe('a bill as SPDX', () => {
  it('has what SPDX 2.3 wants, and nothing that it does not know', () => {
    const document = Spdx.parse(renderSpdx(makeBill()));
    expect(document.packages).toHaveLength(7);
    expect(document.documentDescribes).toEqual(['SPDXRef-Release']);
  });

  it('gives every element an identifier of its own, and relates only what is there', () => {
    const { packages, relationships } = Spdx.parse(renderSpdx(makeBill()));
    const ids = new Set(['SPDXRef-DOCUMENT', ...packages.map(({ SPDXID }) => SPDXID)]);
    expect(ids.size).toBe(packages.length + 1); // a_b and a-b are not one
    for (const { spdxElementId, relatedSpdxElement } of relationships) {
      expect(ids).toContain(spdxElementId);
      expect(ids).toContain(relatedSpdxElement);
    }
  });

  it('explains every licence that is not on the list of SPDX', () => {
    const { packages, hasExtractedLicensingInfos = [] } = Spdx.parse(renderSpdx(makeBill()));
    const used = packages.flatMap(({ licenseDeclared }) => licenseDeclared.match(/LicenseRef-[\w.-]+/g) ?? []);
    expect(used.toSorted()).toEqual(hasExtractedLicensingInfos.map(({ licenseId }) => licenseId));
    expect(hasExtractedLicensingInfos.map(({ extractedText }) => extractedText)).toContain(
      'The package states its licence as: Own licence, see "COPYING"',
    );
  });
});
