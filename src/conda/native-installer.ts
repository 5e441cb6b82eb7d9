// The Installer that needs nothing installed on the site: downloads, then our own linker.
import { fetchPackages } from './fetch.ts';
import { installArchives } from './install-archives.ts';
import type { Installer } from './installer.ts';

export const nativeInstaller: Installer = {
  name: 'native',
  async install(request) {
    const { access, cacheDir, report, signal } = request;
    const archives = await fetchPackages({ packages: request.lock.packages, access, cacheDir, report, signal });
    return await installArchives(request, archives);
  },
};
