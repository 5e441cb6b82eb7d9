// What conda calls this machine (conda docs: "subdir").

/** @throws Error on a platform that conda has no Linux name for */
export function describePlatform(arch: string): string {
  const names: Readonly<Record<string, string>> = {
    x64: 'linux-64',
    arm64: 'linux-aarch64',
    ppc64: 'linux-ppc64le',
    s390x: 'linux-s390x',
  };
  const name = names[arch];
  if (name === undefined) throw new Error(`conda has no packages for Linux on ${arch}`);
  return name;
}
