// Packages for somebody else's hands: every archive is read again, since nobody here notices later that the disk spoilt it.
import { digestFile, removeTree } from '../system/files.ts';
import { fetchPackages, type FetchRequest } from './fetch.ts';

/**
 * Brings every package into the cache as `fetchPackages` does, and fetches once more what is damaged there.
 * @returns sha256 to path
 * @throws AppError as `fetchPackages`
 */
export async function fetchVerified(request: FetchRequest): Promise<ReadonlyMap<string, string>> {
  const archives = await fetchPackages(request);
  for (const [sha256, file] of archives) {
    request.signal?.throwIfAborted();
    if ((await digestFile(file)) === sha256) continue;
    request.report({ type: 'warning', text: `${file} is damaged: it is removed and fetched again` });
    await removeTree(file);
    await fetchPackages({ ...request, packages: request.packages.filter((one) => one.sha256 === sha256) });
  }
  return archives;
}
