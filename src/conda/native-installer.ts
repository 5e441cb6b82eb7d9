// The installer that needs nothing installed on the site: downloads, then our own linker.
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { digestFile, makeDir, removeTree } from '../system/files.ts';
import { fetchPackages } from './fetch.ts';
import { installArchives } from './install-archives.ts';
import type { Installer, InstallRequest } from './installer.ts';
import { spoolArchives, type SpooledPrefix, type SpoolRequest } from './spool-archives.ts';

export const nativeInstaller: Installer = {
  name: 'native',
  async install(request) {
    return await withWholeArchives(request, request.prefixOnDisk, (archives) => installArchives(request, archives));
  },
};

/**
 * The content of a prefix that needs no tree on disk, or, in words, what asks for one.
 * @param scratch does not exist yet; the caller removes it
 */
export async function spoolPrefix(
  request: SpoolRequest & Pick<InstallRequest, 'access' | 'cacheDir'>,
  scratch: string,
): Promise<SpooledPrefix | string> {
  return await withWholeArchives(request, scratch, (archives) => spoolArchives(request, archives, scratch));
}

/** @param place what the work fills; emptied before it is done again */
async function withWholeArchives<T>(
  request: Pick<InstallRequest, 'lock' | 'access' | 'cacheDir' | 'report' | 'signal'>,
  place: string,
  work: (archives: ReadonlyMap<string, string>) => Promise<T>,
): Promise<T> {
  const { lock, access, cacheDir, report, signal } = request;
  const wanted = { packages: lock.packages, access, cacheDir, report, signal };
  const archives = await fetchPackages(wanted);
  try {
    return await work(archives);
  } catch (error) {
    const isInterrupted = error instanceof AppError && error.exit === EXIT.interrupted;
    const spoilt = isInterrupted || signal?.aborted ? [] : await findSpoilt(archives);
    if (spoilt.length === 0) throw error;
    // The disk has changed them since they were verified: once more with whole ones, into an empty place.
    for (const file of spoilt) {
      report({ type: 'warning', text: `${file} is damaged: it is removed and fetched again` });
      await removeTree(file);
    }
    const again = await fetchPackages(wanted);
    await removeTree(place);
    await makeDir(place);
    return await work(again);
  }
}

/** Only when something failed: reading every archive again costs what extracting it does. */
async function findSpoilt(archives: ReadonlyMap<string, string>): Promise<string[]> {
  const spoilt: string[] = [];
  for (const [sha256, file] of archives) if ((await digestFile(file)) !== sha256) spoilt.push(file);
  return spoilt;
}
