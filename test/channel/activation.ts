// etc/conda/activate.d and deactivate.d scripts, in the form that conda-forge's packages have them.

/** By conda package: variable to path in the prefix. */
const variables: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'ca-certificates': { SSL_CERT_FILE: '/ssl/cacert.pem' },
  // Open MPI computes all from its prefix. Debian's PMIx has its directories compiled in one by one.
  openmpi: {
    OPAL_PREFIX: '',
    PMIX_PKGDATADIR: '/lib/pmix2/share/pmix',
    PMIX_PKGLIBDIR: '/lib/pmix2/lib/pmix',
  },
};

/** @returns path in the prefix to text; nothing for most packages */
export function activationScripts(packageName: string): Record<string, string> {
  const settings = Object.entries(variables[packageName] ?? {});
  if (settings.length === 0) return {};
  const activate = settings.map(
    ([name, below]) =>
      `if [ -n "\${${name}:-}" ]; then export _CONDA_SET_${name}="$${name}"; fi\n` +
      `export ${name}="\${CONDA_PREFIX}${below}"\n`,
  );
  const deactivate = settings.map(
    ([name]) =>
      `unset ${name}\n` +
      `if [ -n "\${_CONDA_SET_${name}:-}" ]; then\n` +
      `  export ${name}="$_CONDA_SET_${name}"\n  unset _CONDA_SET_${name}\nfi\n`,
  );
  return {
    [`etc/conda/activate.d/${packageName}-activate.sh`]: activate.join(''),
    [`etc/conda/deactivate.d/${packageName}-deactivate.sh`]: deactivate.join(''),
  };
}
