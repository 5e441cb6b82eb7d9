// What single packages need beyond relocation: Debian's maintainer scripts and alternatives do this on a Debian system.
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
  // Debian chooses among alternatives when it installs; here there is one of each.
  for (const file of [...tree.keys()]) {
    const plain = /^(bin\/.+)\.openmpi$/.exec(file)?.[1] ?? /^lib\/(?:blas|lapack)\/(lib.+)$/.exec(file)?.[1];
    if (plain === undefined) continue;
    const link = file.startsWith('bin/') ? plain : `lib/${plain}`;
    const target = file.slice(file.startsWith('bin/') ? 4 : 4);
    if (!tree.has(link)) tree.set(link, { type: 'symlink', target });
  }
  for (const [file, text] of Object.entries(activationScripts(name))) addText(tree, file, text);
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
