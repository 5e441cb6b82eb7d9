// How much room a build would take: what has to be downloaded is known, what comes of it is estimated.
import { cachedPackageFile } from '../conda/fetch.ts';
import type { EnvironmentLock } from '../conda/lock.ts';
import type { ReleaseManifest } from '../release/manifest.ts';
import { lstatIfThere } from '../system/files.ts';
import type { PlannedBuild } from './plan-document.ts';

/**
 * Of what is downloaded. The large environment of docs/performance.md: 541 packages, 1,232 MB of image, 198,888 inodes;
 * the staged prefix has about three times the image.
 */
const TYPICAL = { imagePerByte: 1.1, inodesPerByte: 1 / 6000, stagingPerImage: 3 };

export type Downloads = Pick<PlannedBuild['space'], 'downloads' | 'downloadBytes' | 'cachedBytes'>;

/** What of a lock is in the cache, and what is not. */
export async function readDownloads(packageCache: string, lock: EnvironmentLock): Promise<Downloads> {
  let [downloads, downloadBytes, cachedBytes] = [0, 0, 0];
  for (const locked of lock.packages) {
    const there = await lstatIfThere(cachedPackageFile(packageCache, locked));
    if (there) cachedBytes += Number(there.size);
    else {
      downloads++;
      downloadBytes += locked.sizeBytes ?? 0;
    }
  }
  return { downloads, downloadBytes, cachedBytes };
}

/** @param before the newest release, whose packages and image tell how one becomes the other */
export async function readSpace(
  packageCache: string,
  lock: EnvironmentLock,
  before: { readonly manifest: ReleaseManifest; readonly lock: EnvironmentLock | undefined } | undefined,
): Promise<PlannedBuild['space']> {
  const total = sumBytes(lock);
  const known = before?.lock ? sumBytes(before.lock) : 0;
  const isKnown = before !== undefined && known > 0;
  const imageBytes = total * (isKnown ? before.manifest.image.sizeBytes / known : TYPICAL.imagePerByte);
  const inodes = total * (isKnown ? before.manifest.image.inodes / known : TYPICAL.inodesPerByte);
  return {
    ...(await readDownloads(packageCache, lock)),
    imageBytes: Math.round(imageBytes),
    inodes: Math.round(inodes),
    stagingBytes: Math.round(imageBytes * (1 + TYPICAL.stagingPerImage)),
    estimatedFrom: isKnown ? 'release' : 'typical',
  };
}

const sumBytes = ({ packages }: EnvironmentLock): number =>
  packages.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0);
