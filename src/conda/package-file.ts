// The names that conda gives to package files, and what they may hold (CEP 26). A name that passes here is one path component.

/** Package name, version and build as CEP 26 allows them; upper case too, which older packages have. */
export const PACKAGE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
export const PACKAGE_VERSION = /^[A-Za-z0-9_.+!]{1,64}$/;
export const PACKAGE_BUILD = /^[A-Za-z0-9_.+]{1,64}$/;
export const SHA256 = /^[0-9a-f]{64}$/;

export interface PackageFile {
  readonly name: string;
  readonly version: string;
  readonly build: string;
  readonly extension: '.conda' | '.tar.bz2';
}

/** Takes `numpy-2.1.0-py312_0.conda` apart; `undefined` for anything else, such as a name with a slash. */
export function parsePackageFile(file: string): PackageFile | undefined {
  const extension = file.endsWith('.conda') ? '.conda' : file.endsWith('.tar.bz2') ? '.tar.bz2' : undefined;
  if (extension === undefined) return undefined;
  const stem = file.slice(0, -extension.length);
  const buildDash = stem.lastIndexOf('-');
  const versionDash = stem.lastIndexOf('-', buildDash - 1);
  if (versionDash < 1) return undefined;
  const name = stem.slice(0, versionDash);
  const version = stem.slice(versionDash + 1, buildDash);
  const build = stem.slice(buildDash + 1);
  if (!PACKAGE_NAME.test(name) || !PACKAGE_VERSION.test(version) || !PACKAGE_BUILD.test(build)) return undefined;
  return { name, version, build, extension };
}
