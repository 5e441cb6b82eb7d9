// How micromamba, mamba and conda are asked to install exactly what is locked: the explicit file, arguments, environment. Pure.
import type { InstallerProgram } from '../site/installer-program.ts';
import type { LockedPackage } from './lock.ts';

/** In the prefix: the program links files from its package cache, and two binds are two file systems to link(2). */
export const SCRATCH = '.condense-installer';

/** Where things are below a scratch directory, on disk as inside. */
export function planScratch(dir: string): {
  readonly home: string;
  readonly temporary: string;
  readonly root: string;
  readonly packages: string;
  readonly channel: string;
  readonly explicit: string;
  readonly condarc: string;
} {
  return {
    home: `${dir}/home`,
    temporary: `${dir}/tmp`,
    root: `${dir}/root`,
    packages: `${dir}/root/pkgs`,
    channel: `${dir}/channel`,
    explicit: `${dir}/explicit.txt`,
    condarc: `${dir}/condarc`,
  };
}

/** `noarch/tool-1.0-0.conda`: explicit files know packages by their names, the cache by their digests. */
export function archivePath({ subdir, url }: Pick<LockedPackage, 'subdir' | 'url'>): string {
  return `${subdir}/${url.slice(url.lastIndexOf('/') + 1)}`;
}

/**
 * An explicit file (docs.conda.io, "Building identical conda environments"; conda/misc.py; libmamba/src/core/transaction.cpp):
 * a URL in each line with the digest that the program is to verify.
 * @param channel the directory of the archives, as the program sees it
 */
export function renderExplicit(
  packages: readonly LockedPackage[],
  channel: string,
  { takesSha256 }: Pick<InstallerProgram, 'takesSha256'>,
): string {
  const lines = packages.map((locked) => {
    const digest = takesSha256 ? `#sha256:${locked.sha256}` : locked.md5 === undefined ? '' : `#${locked.md5}`;
    return `file://${channel}/${archivePath(locked)}${digest}`;
  });
  return ['@EXPLICIT', ...lines, ''].join('\n');
}

/** conda has no way to read no configuration; CONDARC is read last, and the environment counts more. */
export function renderCondarc(inside: string): string {
  const at = planScratch(inside);
  return [
    'channels: [nodefaults]',
    'default_channels: []',
    'create_default_packages: []',
    `pkgs_dirs: ["${at.packages}"]`,
    `envs_dirs: ["${at.root}/envs"]`,
    'offline: true',
    'shortcuts: false',
    'auto_update_conda: false',
    'notify_outdated_conda: false',
    'report_errors: false',
    'register_envs: false',
    'always_yes: true',
    '',
  ].join('\n');
}

/**
 * `install` into a prefix that is an empty environment, since `create` refuses a directory that is there (libmamba's
 * create.cpp), and the prefix is a mount point. /bin/sh fixes the umask, which decides about modes that archives leave open.
 * @param prefixInside where the prefix is in the image, and is seen while it is made
 */
export function planOtherInstall(
  installer: Pick<InstallerProgram, 'program' | 'kind'>,
  prefixInside: string,
): { readonly program: string; readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> } {
  const at = planScratch(`${prefixInside}/${SCRATCH}`);
  const common = ['install', '--yes', '--quiet', '--offline', '--prefix', prefixInside, '--file', at.explicit];
  const args =
    installer.kind === 'libmamba'
      ? // Bytecode is compiled afterwards, the same way each time.
        [...common, '--no-rc', '--no-env', '--root-prefix', at.root, '--no-pyc']
      : common;
  return {
    program: '/bin/sh',
    args: ['-c', 'umask 022 && exec "$0" "$@"', installer.program, ...args],
    env: {
      PATH: '/usr/bin:/bin',
      HOME: at.home,
      TMPDIR: at.temporary,
      LC_ALL: 'C.UTF-8',
      XDG_CACHE_HOME: `${at.home}/.cache`,
      XDG_CONFIG_HOME: `${at.home}/.config`,
      // What a script's python imports is compiled later, too.
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONHASHSEED: '0',
      ...(installer.kind === 'libmamba'
        ? { MAMBA_ROOT_PREFIX: at.root }
        : {
            CONDARC: at.condarc,
            CONDA_PKGS_DIRS: at.packages,
            CONDA_ENVS_DIRS: `${at.root}/envs`,
            CONDA_OFFLINE: 'true',
            CONDA_SHORTCUTS: 'false',
            CONDA_REGISTER_ENVS: 'false',
            CONDA_ALWAYS_COPY: 'false',
            CONDA_ALWAYS_SOFTLINK: 'false',
            CONDA_ALLOW_SOFTLINKS: 'false',
            CONDA_REPORT_ERRORS: 'false',
          }),
    },
  };
}
