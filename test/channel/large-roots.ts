// What makes the large channel, for measurements: real packages of many files, over 100,000 paths once they are installed.
// Not part of the test channel, so a change here leaves that one as it is.

/** Besides the test channel's own roots. Much Python, headers and data; few libraries, which take long to relocate. */
export const largeRootPackages: readonly string[] = [
  // Python packages of some thousand files each.
  ...['ansible', 'python3-azure', 'python3-plotly', 'python3-sympy', 'python3-django', 'python3-botocore'],
  ...['python3-babel', 'python3-kubernetes', 'python3-twisted', 'python3-nipype', 'python3-openstackclient'],
  // What a scientist would ask for.
  ...['python3-astropy', 'python3-boto3', 'python3-bs4', 'python3-cartopy', 'python3-cryptography', 'python3-fsspec'],
  ...['python3-geopandas', 'python3-h5py', 'python3-ipywidgets', 'python3-jinja2', 'python3-mne', 'python3-nbconvert'],
  ...['python3-networkx', 'python3-nibabel', 'python3-nltk', 'python3-notebook', 'python3-numba', 'python3-paramiko'],
  ...['python3-pint', 'python3-pydot', 'python3-requests', 'python3-scrapy', 'python3-seaborn', 'python3-skimage'],
  ...['python3-sklearn', 'python3-sphinx', 'python3-sqlalchemy', 'python3-statsmodels', 'python3-typeshed', 'mypy'],
  // Headers.
  ...['libboost1.74-dev', 'libeigen3-dev'],
  // Large files that do not compress.
  ...['fonts-noto-cjk', 'fonts-noto-cjk-extra', 'fonts-noto-extra', 'gmt-gshhg-full', 'proj-data', 'rdkit-data'],
];

/** Besides what the test channel leaves out: more of the operating system, of X and of compilers. */
export const largePrunedPackages: readonly string[] = [
  ...['dbus', 'dbus-x11', 'default-dbus-session-bus', 'dbus-session-bus', 'init-system-helpers', 'lsb-base', 'procps'],
  ...['usrmerge', 'sysvinit-utils', 'sed', 'wget', 'help2man', 'xvfb', 'xauth', 'x11-common', 'x11-xkb-utils'],
  ...['libc6-dev', 'libc-dev', 'libstdc++-dev', 'libstdc++-12-dev', 'llvm-14', 'pkg-config', 'pkgconf', 'xml-core'],
  ...['sgml-base', 'libgl1', 'libgl1-mesa-dri', 'libglx0', 'libsystemd0', 'netbase', 'python3-gi'],
];
