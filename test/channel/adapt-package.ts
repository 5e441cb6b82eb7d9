// What single packages need beyond relocation: Debian's maintainer scripts and alternatives do this on a Debian system.
import path from 'node:path';
import { activationScripts } from './activation.ts';
import { addText, type PackageTree } from './package-tree.ts';
import { adaptPython } from './python-package.ts';

/** Packages whose libraries get an absolute rpath, so that replacing the prefix in binaries is needed for them to work. */
export const absoluteRpath: ReadonlySet<string> = new Set([
  ...['python', 'numpy', 'openssl', 'openssh', 'openmpi', 'libnetcdf19', 'libhdf5-103-1'],
]);

/** @param workDir a directory that does not exist yet */
export async function adaptPackage(
  name: string,
  tree: PackageTree,
  placeholder: string,
  workDir: string,
): Promise<void> {
  if (name === 'python') await adaptPython(tree, placeholder, workDir);
  if (name === 'ca-certificates') bundleCertificates(tree);
  if (name === 'fonts-dejavu-core') addPostLink(tree, name);
  if (name === 'openmpi') {
    // Its components look below $OPAL_PREFIX/lib/<multiarch name>.
    tree.set('lib/x86_64-linux-gnu', { type: 'symlink', target: '.' });
  }
  linkAlternatives(tree);
  for (const [file, text] of Object.entries(activationScripts(name))) addText(tree, file, text);
}

/** Debian chooses among alternatives when it installs (update-alternatives(1)); here there is one of each. */
function linkAlternatives(tree: PackageTree): void {
  for (const file of [...tree.keys()]) {
    const link = file
      .replace(/^(bin\/.+)\.openmpi$/, '$1')
      .replace(/^lib\/(?:blas|lapack)\/(lib[^/]+)$/, 'lib/$1')
      .replace(/^lib\/libpsm1\/(libpsm_infinipath\.so\.1)\.16$/, 'lib/$1');
    if (!tree.has(link)) {
      tree.set(link, { type: 'symlink', target: path.posix.relative(path.posix.dirname(link), file) });
    }
  }
}

function bundleCertificates(tree: PackageTree): void {
  const certificates = [...tree].flatMap(([file, entry]) =>
    file.startsWith('share/ca-certificates/') && entry.type === 'file' ? [{ file, data: entry.data }] : [],
  );
  for (const { file } of certificates) tree.delete(file);
  addText(tree, 'ssl/cacert.pem', certificates.map(({ data }) => `${data.toString('latin1').trimEnd()}\n`).join(''));
  tree.set('ssl/cert.pem', { type: 'symlink', target: 'cacert.pem' });
}

/** A post-link script as fontconfig's: it looks at the prefix, leaves a file there, and says so in .messages.txt. */
function addPostLink(tree: PackageTree, name: string): void {
  const script = `#!/bin/bash
set -eu
mkdir -p "$PREFIX/var/cache/fonts"
find "$PREFIX/share/fonts" -name '*.ttf' | wc -l > "$PREFIX/var/cache/fonts/count"
echo "$PKG_NAME: counted the fonts of $PREFIX" >> "$PREFIX/.messages.txt"
`;
  addText(tree, `bin/.${name}-post-link.sh`, script, 0o755);
}
