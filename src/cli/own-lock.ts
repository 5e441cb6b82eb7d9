// The lock of a release, for what is said of the release because of it.
import { parseLock, type EnvironmentLock } from '../conda/lock.ts';
import type { ReleaseManifest } from '../release/manifest.ts';
import type { Layout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { digestText, readRegularText } from '../system/files.ts';

/**
 * If it still is what the manifest says: with any other, what is said would be of something else.
 * @throws AppError LOCK_CHANGED (exit 7)
 */
export async function readOwnLock(layout: Layout, manifest: ReleaseManifest): Promise<EnvironmentLock> {
  const { fullName, id } = manifest;
  const release = layout.release(fullName, id);
  const lock = await readRegularText(release.lock);
  const wanted = manifest.files.find((file) => `${release.dir}/${file.path}` === release.lock)?.sha256;
  if (lock !== undefined && digestText(lock) === wanted) return parseLock(lock, release.lock);
  throw new AppError(EXIT.publishFailed, {
    code: 'LOCK_CHANGED',
    message: lock === undefined ? 'is missing, or no regular file' : 'is not the lock that the manifest names',
    at: release.lock,
    hint: `condense verify ${fullName}/${id}`,
  });
}
