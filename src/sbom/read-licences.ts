// What the packages in an image say of their licences: conda's records and the metadata of Python distributions, which every
// image has. The cache may have lost the packages, and the manifest does not say.
import path from 'node:path';
import { normalizeDistributionName } from '../conda/wheel-file.ts';
import type { ReleaseManifest } from '../release/manifest.ts';
import type { Layout } from '../site/layout.ts';
import { readRegularText, removeTree, walkTree } from '../system/files.ts';
import { makeScratchDir } from '../system/scratch-dir.ts';
import { runUnsquash } from '../system/unsquash.ts';
import type { Licences } from './bill.ts';
import { parseLicence, parseMetadataLicence, type Licence } from './licence.ts';

/**
 * Unpacks these few files of the image into a scratch directory, which is removed again.
 * @throws AppError TOOL_FAILED where the image cannot be read
 */
export async function readLicences(
  layout: Layout,
  { fullName, id }: Pick<ReleaseManifest, 'fullName' | 'id'>,
  signal: AbortSignal,
): Promise<Licences> {
  const { image } = layout.release(fullName, id);
  const scratch = await makeScratchDir('condense-sbom-');
  try {
    const inside = layout.condaPrefix(fullName).slice(1);
    const dest = path.join(scratch, 'image');
    await runUnsquash({
      ...{ image, dest, signal, writesTo: scratch, failureHint: `condense verify ${fullName}/${id}` },
      wanted: [`${inside}/conda-meta/*.json`, `${inside}/lib/python*/site-packages/*.dist-info/METADATA`],
    });
    return await readUnpacked(dest);
  } finally {
    await removeTree(scratch);
  }
}

async function readUnpacked(dir: string): Promise<Licences> {
  const licences = new Map<string, Licence>();
  for await (const entry of walkTree(dir)) {
    if (entry.kind !== 'file') continue;
    const text = (await readRegularText(path.join(dir, entry.path))) ?? '';
    if (entry.path.endsWith('.json')) {
      const { name, license } = parseRecord(text);
      if (typeof name === 'string') licences.set(`conda ${name.toLowerCase()}`, parseLicence(license));
    } else {
      const { name, licence } = parseMetadataLicence(text);
      if (name !== undefined) licences.set(`pip ${normalizeDistributionName(name)}`, licence);
    }
  }
  return licences;
}

/** Records of packages: anybody's JSON. One that cannot be read says nothing, and is reported as unknown. */
function parseRecord(text: string): { readonly name?: unknown; readonly license?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
