// The test channel is what the end-to-end tests install: solved and linked by our own code, it must behave as conda-forge's packages do.
import { execFileSync, type ExecFileSyncOptions } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { convertPackage } from '../channel/convert-package.ts';
import { prunedPackages, rootPackages } from '../channel/debian-roots.ts';
import { readAvailable, unpackDebs } from '../channel/fetch-debs.ts';
import { ensureTestChannel } from '../channel/make-channel.ts';
import { listFhsPaths } from '../channel/package-tree.ts';
import { planClosure } from '../channel/plan-closure.ts';
import { planPackages } from '../channel/plan-packages.ts';
import { nativeInstaller } from '../../src/conda/native-installer.ts';
import { solveEnvironment } from '../../src/conda/solve.ts';
import { probeVirtualPackages } from '../../src/conda/virtual-packages.ts';
import { runCommand } from '../../src/system/run-command.ts';

const specs = ['python=3.11', 'pip', 'xarray', 'netcdf4', 'matplotlib-base', 'scipy', 'distributed', 'mpi4py'];
const tools = ['pytest', 'ipykernel', 'openmpi', 'openssh', 'setuptools'];

let dir: string;
let channelDir: string;
let prefix: string;
let home: string;

beforeAll(async () => {
  channelDir = (await ensureTestChannel()).dir;
  dir = await mkdtemp(path.join(tmpdir(), 'channel-'));
  prefix = path.join(dir, 'opt/conda/analysis3-26.11');
  home = path.join(dir, 'home');
  await mkdir(home);
  const report = (): void => undefined;
  const lock = await solveEnvironment({
    specs: [...specs, ...tools].map((text) => ({ text, at: 'environment.yml' })),
    channels: [channelDir],
    channelAlias: 'http://127.0.0.1:9',
    platform: 'linux-64',
    virtualPackages: await probeVirtualPackages({}, {}),
    repodataCacheDir: path.join(dir, 'repodata'),
    report,
  });
  await nativeInstaller.install({
    lock,
    requestedSpecs: specs,
    prefixOnDisk: prefix,
    prefixInside: prefix,
    cacheDir: path.join(dir, 'packages'),
    runInside: runCommand,
    report,
  });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Runs a command of the prefix with next to no environment; stderr is shown when it fails. */
function run(command: string, args: readonly string[], options: ExecFileSyncOptions & { argv0?: string } = {}): string {
  const env = { HOME: home, PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', ...options.env };
  return execFileSync(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
    cwd: home,
    env,
    encoding: 'utf8',
  });
}
const python = (code: string, options?: Parameters<typeof run>[2]): string =>
  run(`${prefix}/bin/python3`, ['-c', code], options).trim();

/** A link of the farm and the launcher behind it, as far as Python can tell: argv[0] is a path with no Python near it. */
async function makeFarm(): Promise<string> {
  const farm = path.join(await mkdtemp(path.join(dir, 'farm-')), 'analysis3.d/bin');
  await mkdir(farm, { recursive: true });
  const launcher = path.join(path.dirname(farm), 'launcher');
  await writeFile(launcher, `#!/bin/bash -p\nexec -a "$0" ${prefix}/bin/"\${0##*/}" "$@"\n`);
  await chmod(launcher, 0o755);
  for (const name of ['python', 'python3', 'python3.11']) await symlink('../launcher', path.join(farm, name));
  return farm;
}

it('runs the scientific stack, and takes every module and library but glibc from the prefix', () => {
  const found = JSON.parse(
    python(
      `
import json, sys, matplotlib.pyplot, scipy.linalg, pandas, dask.array, distributed, netCDF4, xarray, ssl, sqlite3
xarray.Dataset({"a": ("x", [1, 2, 3])}).to_netcdf("a.nc")
total = xarray.open_dataset("a.nc", chunks={"x": 1}).a.sum().compute().item()
matplotlib.pyplot.plot([1, 2]); matplotlib.pyplot.savefig("a.png")
files = [m.__file__ for m in sys.modules.values() if getattr(m, "__file__", None)]
maps = {line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}
print(json.dumps([total, len(files), [f for f in [*files, *maps] if not f.startswith(sys.prefix)]]))`,
    ),
  ) as [number, number, string[]];

  expect(found[0]).toBe(6);
  expect(found[1]).toBeGreaterThan(1000);
  expect(
    found[2].filter(
      (file) => !/\/(libc|libm|ld-linux-x86-64|libpthread|libdl|librt|libutil|libresolv|libmvec)\.so/.test(file),
    ),
  ).toEqual([]);
});

it('finds every library that a program or library of the prefix names', () => {
  const elfs = run('find', [prefix, '-type', 'f', '(', '-name', '*.so*', '-o', '-path', '*/bin/*', ')'])
    .trim()
    .split('\n');
  const missing = run('bash', ['-c', 'ldd "$@" 2>/dev/null || true', 'ldd', ...elfs]).match(/.*not found.*/g);

  expect(elfs.length).toBeGreaterThan(500);
  expect(missing).toBeNull();
});

it('has the commands that users run, once activated', () => {
  const activate = 'for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do . "$script"; done; exec "$@"';
  const env = {
    CONDA_PREFIX: prefix,
    PATH: `${prefix}/bin:/usr/bin:/bin`,
    OMPI_ALLOW_RUN_AS_ROOT: '1',
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1',
  };
  const activated = (...command: string[]): string => run('bash', ['-c', activate, 'activate', ...command], { env });

  expect(activated('pytest', '--version')).toMatch(/^pytest 7/);
  expect(activated('jupyter', 'kernelspec', 'list')).toContain(`${prefix}/share/jupyter/kernels/python3`);
  expect(activated('python', '-m', 'ipykernel', '--version')).toMatch(/^\d/);
  expect(activated('ssh', '-G', 'somewhere')).toContain('hostname somewhere');
  expect(activated('python', '-c', 'import ssl; print(len(ssl.create_default_context().get_ca_certs()))')).toMatch(
    /^\d{2}/,
  );
  const ranks = 'from mpi4py.MPI import COMM_WORLD as world; print(world.allreduce(world.rank + 1))';
  expect(activated('mpirun', '--oversubscribe', '-n', '2', 'python', '-c', ranks)).toBe('3\n3\n');
});

it('keeps sys.prefix whatever argv[0] says, and sys.executable what argv[0] says', () => {
  const code = 'import sys; print(sys.executable, sys.prefix, sys.exec_prefix, sys.base_prefix)';
  const expected = `${prefix} ${prefix} ${prefix}`;

  expect(python(code)).toBe(`${prefix}/bin/python3 ${expected}`);
  expect(python(code, { argv0: '/site/apps/scripts/analysis3.d/bin/python3' })).toBe(
    `/site/apps/scripts/analysis3.d/bin/python3 ${expected}`,
  );
});

it('imports from site-packages of the prefix alone, with the frozen and with the written site module', () => {
  const code =
    'import sys, site, sysconfig; print(site.getsitepackages(), sysconfig.get_path("purelib"), sys.path[1:])';
  const lib = `${prefix}/lib/python3.11`;
  const expected = `['${lib}/site-packages'] ${lib}/site-packages ['${prefix}/lib/python311.zip', '${lib}', '${lib}/lib-dynload', '${lib}/site-packages']`;

  expect(python(code)).toBe(expected);
  expect(run(`${prefix}/bin/python3`, ['-X', 'frozen_modules=off', '-c', code]).trim()).toBe(expected);
});

it('makes virtual environments through a farm link, which find their own prefix and our base', async () => {
  const farm = await makeFarm();
  const venv = path.join(dir, 'venv');

  run(`${farm}/python3`, ['-m', 'venv', venv]);

  const code = 'import sys; print(sys.prefix, sys.base_prefix, sys.path[-1])';
  for (const name of ['python', 'python3', 'python3.11']) {
    expect(run(`${venv}/bin/${name}`, ['-c', code]).trim()).toBe(
      `${venv} ${prefix} ${venv}/lib/python3.11/site-packages`,
    );
  }
  expect(run(`${venv}/bin/pip`, ['--version'])).toContain(`from ${venv}/lib/python3.11/site-packages/pip`);
  expect(await readFile(`${venv}/pyvenv.cfg`, 'utf8')).toContain(`home = ${farm}\n`);
});

it('obeys PYTHONHOME unless it is told to ignore the environment', () => {
  const env = { PYTHONHOME: '/usr' };
  const args = ['-S', '-c', 'import sys; print(sys.prefix, sys.base_prefix)'];

  expect(run(`${prefix}/bin/python3`, args, { env }).trim()).toBe('/usr /usr');
  expect(run(`${prefix}/bin/python3`, ['-E', ...args], { env }).trim()).toBe(`${prefix} ${prefix}`);
  expect(run(`${prefix}/bin/python3`, ['-I', ...args], { env }).trim()).toBe(`${prefix} ${prefix}`);
});

it.each(['-I', '-E', '-S', '-s', '-B', '-OO', '-bb', '-q', '-Werror', '-Xdev', '-Xutf8', '-P', '-u'])(
  "understands %s as CPython's own main does",
  (option) => {
    const args = [
      option,
      '-c',
      'import sys; print(sys.flags, sys.warnoptions, sys._xoptions, sys.argv)',
      '-x',
      '\u00e9',
    ];

    expect(run(`${prefix}/bin/python3`, args)).toBe(run('/usr/bin/python3.11', args));
  },
);

it('lets pip build and install into site-packages, with a shebang of the prefix', async () => {
  const source = path.join(dir, 'greet');
  await mkdir(source);
  await writeFile(path.join(source, 'greet.py'), 'def main():\n    print("hello")\n');
  await writeFile(
    path.join(source, 'setup.py'),
    'from setuptools import setup\n' +
      'setup(name="greet", version="1", py_modules=["greet"], entry_points={"console_scripts": ["greet = greet:main"]})\n',
  );

  run(`${prefix}/bin/pip`, ['install', '--no-index', '--no-build-isolation', source]);

  expect(run(`${prefix}/bin/greet`, [])).toBe('hello\n');
  expect(python('import greet; print(greet.__file__)')).toBe(`${prefix}/lib/python3.11/site-packages/greet.py`);
});

it('runs the post-link script of a package', async () => {
  const fonts = Number(await readFile(path.join(prefix, 'var/cache/fonts/count'), 'utf8'));

  expect(fonts).toBeGreaterThan(0);
});

it('converts equal Debian packages to equal bytes, wherever and whenever', async () => {
  const closure = planClosure(await readAvailable(), rootPackages, prunedPackages);
  const plan = planPackages(closure).find(({ name }) => name === 'numpy');
  if (!plan) throw new Error('there is no numpy');
  const debs = path.join(channelDir, '../debs');

  const records = [];
  for (const place of ['here', 'over-there']) {
    const workDir = path.join(dir, place);
    const unpackedDirs = [...(await unpackDebs(plan.debs, debs, path.join(workDir, 'debs'), 1)).values()];
    const known = await listFhsPaths(unpackedDirs);
    const channel = path.join(workDir, 'channel');
    records.push(await convertPackage({ plan, unpackedDirs, known, channelDir: channel, workDir: `${workDir}/work` }));
  }

  expect(records[1]).toEqual(records[0]);
});
