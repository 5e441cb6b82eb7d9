// The Installer that needs nothing installed on the site: downloads, then our own linker.
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { digestFile, makeDir, removeTree } from '../system/files.ts';
import { fetchPackages } from './fetch.ts';
import { installArchives } from './install-archives.ts';
import type { Installer } from './installer.ts';

export const nativeInstaller: Installer = {
  name: 'native',
  async install(request) {
    const { access, cacheDir, prefixOnDisk, report, signal } = request;
    const wanted = { packages: request.lock.packages, access, cacheDir, report, signal };
    const archives = await fetchPackages(wanted);
    try {
      return await installArchives(request, archives);
    } catch (error) {
      const isInterrupted = error instanceof AppError && error.exit === EXIT.interrupted;
      const spoilt = isInterrupted || signal?.aborted ? [] : await findSpoilt(archives);
      if (spoilt.length === 0) throw error;
      // The disk has changed them since they were verified: once more with whole ones, into an empty prefix.
      for (const file of spoilt) {
        report({ type: 'warning', text: `${file} is damaged: it is removed and fetched again` });
        await removeTree(file);
      }
      const again = await fetchPackages(wanted);
      await removeTree(prefixOnDisk);
      await makeDir(prefixOnDisk);
      return await installArchives(request, again);
    }
  },
};

/** Only when something failed: reading every archive again costs what extracting it does. */
async function findSpoilt(archives: ReadonlyMap<string, string>): Promise<string[]> {
  const spoilt: string[] = [];
  for (const [sha256, file] of archives) if ((await digestFile(file)) !== sha256) spoilt.push(file);
  return spoilt;
}
