// The CycloneDX document against the schema that CycloneDX publishes, by a validator that is not ours.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { renderCycloneDx } from '../../../src/sbom/cyclonedx.ts';
import { makeBill } from '../../unit/sbom/make-bill.ts';

const require = createRequire(import.meta.url);
const schemas = path.join(path.dirname(require.resolve('@cyclonedx/cyclonedx-library/package.json')), 'res/schema');

/** One line for each violation; none for a valid document. */
async function validate(document: object): Promise<string[]> {
  const program = path.resolve(import.meta.dirname, '../../oracle/validate_json.py');
  const input = JSON.stringify(document);
  const { stdout } = await execa('/usr/bin/python3', [program, schemas, 'bom-1.6.SNAPSHOT.schema.json'], {
    input,
    timeout: 60_000,
  });
  return stdout.split('\n').filter((line) => line !== '');
}

describe('a bill as CycloneDX', () => {
  it('is valid by the published schema of version 1.6', async () => {
    expect(JSON.parse(await readFile(path.join(schemas, 'bom-1.6.SNAPSHOT.schema.json'), 'utf8'))).toMatchObject({
      $id: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    });
    const document = renderCycloneDx(makeBill());
    expect(await validate(document)).toEqual([]);
    // The validator does look: at what the document must not have, and at the licences that the list of SPDX has.
    expect(await validate({ ...document, serialNumber: 'mine' })).toEqual([expect.stringContaining('serialNumber')]);
    const wrong = { type: 'library', name: 'x', licenses: [{ license: { id: 'Not-A-Licence' } }] };
    expect(await validate({ ...document, components: [wrong] })).not.toEqual([]);
  });

  it('refers only to what it lists', () => {
    const { components, dependencies, metadata } = renderCycloneDx(makeBill()) as {
      components: { 'bom-ref': string }[];
      dependencies: { ref: string; dependsOn: string[] }[];
      metadata: { component: { 'bom-ref': string } };
    };
    const listed = [metadata.component['bom-ref'], ...components.map((component) => component['bom-ref'])];
    expect(new Set(listed).size).toBe(listed.length);
    for (const { ref, dependsOn } of dependencies) for (const one of [ref, ...dependsOn]) expect(listed).toContain(one);
  });
});
