// Where a file of a Debian package goes in a conda prefix.
import path from 'node:path';

/** First match wins; `undefined`: not carried. Both sides end with a slash. */
const rules: readonly (readonly [string, string | undefined])[] = [
  ...['share/doc', 'share/doc-base', 'share/lintian', 'share/bug', 'share/menu', 'share/man', 'share/info'].map(
    (dir) => [`usr/${dir}/`, undefined] as const,
  ),
  ...['share/applications', 'share/pixmaps', 'share/locale', 'share/bash-completion', 'share/initramfs-tools'].map(
    (dir) => [`usr/${dir}/`, undefined] as const,
  ),
  ...['usr/share/python3/', 'usr/lib/systemd/', 'lib/systemd/', 'lib/udev/', 'usr/lib/udev/', 'usr/local/', 'var/'].map(
    (dir) => [dir, undefined] as const,
  ),
  ...['etc/init.d/', 'etc/default/', 'etc/profile.d/', 'etc/bash_completion.d/', 'usr/lib/modules-load.d/'].map(
    (dir) => [dir, undefined] as const,
  ),
  ['usr/lib/python3/dist-packages/', 'lib/python3.11/site-packages/'],
  ['usr/lib/python3.11/dist-packages/', 'lib/python3.11/site-packages/'],
  ['usr/lib/x86_64-linux-gnu/', 'lib/'],
  ['lib/x86_64-linux-gnu/', 'lib/'],
  ['usr/include/x86_64-linux-gnu/', 'include/'],
  ['usr/sbin/', 'bin/'],
  ['sbin/', 'bin/'],
  ['bin/', 'bin/'],
  ['lib/', 'lib/'],
  ['etc/', 'etc/'],
  ['usr/', ''],
];

/** The tests that numpy, scipy, pandas and others install are a third of their files and of no use here. */
const testSuite = /^lib\/python3\.11\/site-packages\/.*\/tests\//;

/**
 * @param fhsPath a path of the operating system, without the leading slash
 * @returns the path in the prefix, or `undefined` where the prefix has no such thing
 */
export function mapPath(fhsPath: string): string | undefined {
  for (const [from, to] of rules) {
    if (fhsPath.startsWith(from)) {
      const mapped = to === undefined ? undefined : to + fhsPath.slice(from.length);
      return mapped !== undefined && testSuite.test(mapped) ? undefined : mapped;
    }
    if (`${fhsPath}/` === from) return to === undefined || to === '' ? undefined : to.slice(0, -1);
  }
  return undefined;
}

/**
 * The target of a symbolic link, as it must be in the prefix.
 * @param link where the link is in Debian
 * @param target what it says there, absolute or relative
 * @returns a relative target, or `undefined` where it would point outside the prefix or at itself
 */
export function mapLink(
  link: string,
  target: string,
): { readonly fhsTarget: string; readonly target: string } | undefined {
  const fhsTarget = path.posix.join('/', path.posix.dirname(link), target).slice(1);
  const absolute = target.startsWith('/') ? path.posix.normalize(target).slice(1) : fhsTarget;
  const from = mapPath(link);
  const to = mapPath(absolute);
  if (from === undefined || to === undefined || from === to) return undefined;
  return { fhsTarget: absolute, target: path.posix.relative(path.posix.dirname(from), to) };
}
