// What the test channel is made of: the Debian packages it starts from, what a conda environment would not carry, and conda's names.

/** Debian packages whose dependencies, without recommendations, make the channel. */
export const rootPackages: readonly string[] = [
  'python3.11',
  'libpython3.11',
  'python3.11-venv',
  'python3-distutils',
  'python3-pip',
  'python3-setuptools',
  'python3-numpy',
  'python3-scipy',
  'python3-pandas',
  'python3-xarray',
  'python3-dask',
  'python3-distributed',
  'python3-netcdf4',
  'python3-cftime',
  'python3-matplotlib',
  'python3-pytest',
  'python3-ipykernel',
  'python3-mpi4py',
  'jupyter-core',
  'jupyter-client',
  'openmpi-bin',
  'openssh-client',
];

/** Left out, with what only they need: the system's own, and features that no test uses. */
export const prunedPackages: ReadonlySet<string> = new Set([
  // The operating system: the image is used on top of one, glibc included.
  ...['libc6', 'libc-bin', 'dpkg', 'debconf', 'adduser', 'passwd', 'perl', 'perl-base', 'ucf', 'sensible-utils'],
  ...['media-types', 'install-info', 'gcc-12-base'],
  // Debian's way of having several Pythons at once.
  ...['python3', 'python3-minimal', 'libpython3-stdlib', 'mpi-default-bin'],
  // A compiler chain, debuggers, font and XML tools behind optional features of scipy, fonttools and debugpy.
  ...['python3-pythran', 'python3-sympy', 'python3-lxml', 'python3-fs', 'python3-lz4', 'python3-ufolib2'],
  ...['python3-unicodedata2', 'python3-brotli', 'unicode-data', 'gdb', 'python3-coverage'],
  // Tk, X and JavaScript for matplotlib's and hwloc's windows: Agg is enough.
  ...['python3-pil.imagetk', 'libjs-jquery', 'libjs-jquery-ui', 'libhwloc-plugins', 'fonts-lyx'],
]);

/** Conda packages that several Debian packages make together; the first gives the version. */
const groups: Readonly<Record<string, readonly string[]>> = {
  python: [
    'python3.11',
    'python3.11-minimal',
    'libpython3.11',
    'libpython3.11-minimal',
    'libpython3.11-stdlib',
    'python3.11-venv',
    'python3-distutils',
    'python3-lib2to3',
    'python3-pip-whl',
    'python3-setuptools-whl',
  ],
  openmpi: ['openmpi-bin', 'openmpi-common', 'libopenmpi3'],
  openssl: ['openssl', 'libssl3'],
  openssh: ['openssh-client'],
  pandas: ['python3-pandas', 'python3-pandas-lib'],
  'matplotlib-base': ['python3-matplotlib', 'python-matplotlib-data'],
  setuptools: ['python3-setuptools', 'python3-pkg-resources'],
  jupyter_core: ['python3-jupyter-core', 'jupyter-core'],
  jupyter_client: ['python3-jupyter-client', 'jupyter-client'],
};

const renamed: Readonly<Record<string, string>> = {
  'python3-attr': 'attrs',
  'python3-cffi-backend': 'cffi',
  'python3-dateutil': 'python-dateutil',
  'python3-msgpack': 'msgpack-python',
  'python3-pil': 'pillow',
  'python3-stack-data': 'stack_data',
  'python3-tz': 'pytz',
  'python3-yaml': 'pyyaml',
  'python3-zmq': 'pyzmq',
};

const groupOf = new Map(Object.entries(groups).flatMap(([group, members]) => members.map((member) => [member, group])));

/** Conda's name for a Debian package. */
export function condaName(debianName: string): string {
  return (
    groupOf.get(debianName) ??
    renamed[debianName] ??
    debianName
      .replace(/^python3-/, '')
      .replaceAll('+', 'x')
      .toLowerCase()
  );
}

/** The Debian package that gives a conda package its version; `undefined` where there is only one. */
export function leadingPackage(name: string): string | undefined {
  return groups[name]?.[0];
}

/** Dependencies on these are on conda's `python`. */
export function isPythonItself(debianName: string): boolean {
  return /^(lib)?python3(\.11)?(-minimal|-stdlib)?$/.test(debianName) || groupOf.get(debianName) === 'python';
}
