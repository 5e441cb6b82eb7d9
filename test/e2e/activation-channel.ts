// A channel whose one package has activate.d scripts of every kind that conda-forge's packages ship.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { writeCondaPackage } from '../channel/conda-package.ts';
import { writeRepodata } from '../channel/write-repodata.ts';

/** By file of activate.d. Named after the packages that have such scripts on conda-forge. */
const SCRIPTS: Readonly<Record<string, string>> = {
  'gdal-activate.sh': `
if [ -n "\${GDAL_DATA:-}" ]; then export _CONDA_SET_GDAL_DATA="$GDAL_DATA"; fi
export GDAL_DATA="$CONDA_PREFIX/share/gdal"
export CPL_ZIP_ENCODING=UTF-8
`,
  'udunits2-activate.sh': `export UDUNITS2_XML_PATH="$CONDA_PREFIX/share/udunits/udunits2.xml"\n`,
  'glib_activate.sh': `
export GSETTINGS_SCHEMA_DIR_CONDA_BACKUP="\${GSETTINGS_SCHEMA_DIR:-}"
export GSETTINGS_SCHEMA_DIR="$CONDA_PREFIX/share/glib-2.0/schemas"
`,
  'libxml2_activate.sh': `
if test -n "\${XML_CATALOG_FILES:-}"; then
  xml_catalog_files_libxml2="\${XML_CATALOG_FILES}"
  XML_CATALOG_FILES="\${XML_CATALOG_FILES} "
else
  xml_catalog_files_libxml2=""
  XML_CATALOG_FILES=""
fi
export XML_CATALOG_FILES="\${XML_CATALOG_FILES}file://$CONDA_PREFIX/etc/xml/catalog file:///etc/xml/catalog"
`,
  'activate-gcc.sh': `
export CC="$CONDA_PREFIX/bin/gcc"
export CFLAGS="\${CFLAGS:--O2 -ftree-vectorize -I$CONDA_PREFIX/include}"
export LDFLAGS="-Wl,-rpath,$CONDA_PREFIX/lib\${LDFLAGS:+ $LDFLAGS}"
unset CMAKE_PREFIX_OF_SITE
`,
  'perl.sh': `export PERL5LIB="$CONDA_PREFIX/lib/perl5/a:$CONDA_PREFIX/lib/perl5/b\${PERL5LIB:+:$PERL5LIB}"\n`,
  'man.sh': `export MANPATH="$CONDA_PREFIX/man:\${MANPATH:-}"\n`,
  'tool.sh': `
alias zoo-list='ls -l "$HOME" | head'
zoo_greet() {
  local name=$1
  if [ -z "$name" ]; then
    name='nobody else'
  fi
  printf '%s\\n' "hello $name; \\"quoted\\" \\\\ \${CONDA_PREFIX##*/}"
}
export ZOO_TEXT='a "b" $c \`d\` \\e; #f & é'
export ZOO_LINES='one
two'
PATH="$CONDA_PREFIX/libexec/zoo:$PATH"
`,
  'tool.csh': `setenv ZOO_TEXT 'something else'\nalias zoo-list ls\n`,
  'tool.fish': `set -gx ZOO_FISH yes\n`,
};

/** @returns the channel's URL */
export async function writeActivationChannel(siteDir: string): Promise<string> {
  const dir = path.join(siteDir, 'activation-channel');
  const index = { name: 'activation', version: '1.0', build: 'h0_0', build_number: 0, subdir: 'linux-64', depends: [] };
  const scripts = Object.entries(SCRIPTS).map(([name, data]) => ({
    ...{ type: 'file' as const, path: `etc/conda/activate.d/${name}`, data },
  }));
  const variables = { FROM_PACKAGE: 'of a package', FROM_BOTH: 'of a package' };
  const record = await writeCondaPackage({
    ...{ dir, format: 'conda', index },
    files: [
      ...scripts,
      { type: 'file', path: 'etc/conda/env_vars.d/activation.json', data: JSON.stringify(variables) },
      { type: 'file', path: 'bin/zoo', mode: 0o755, data: '#!/bin/bash\nexec /usr/bin/env -0\n' },
    ],
  });
  await writeRepodata(dir, [record]);
  return pathToFileURL(dir).href;
}
