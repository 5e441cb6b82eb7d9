// Turns Debian's Python into one that lives in a prefix: as conda-forge's does, and nothing of /usr/lib/python3 in sight.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runCommand } from '../../src/system/run-command.ts';
import { addText, editText, type PackageTree } from './package-tree.ts';

const stdlib = 'lib/python3.11';

/** @param workDir an empty directory */
export async function adaptPython(tree: PackageTree, placeholder: string, workDir: string): Promise<void> {
  for (const file of ['EXTERNALLY-MANAGED', 'sitecustomize.py']) {
    if (!tree.delete(`${stdlib}/${file}`)) throw new Error(`Debian's Python has no ${file}`);
  }
  tree.delete('etc/python3.11/sitecustomize.py');
  useSitePackages(tree);
  editText(tree, `${stdlib}/_sysconfigdata__x86_64-linux-gnu.py`, (text) =>
    text
      .replaceAll(/(?<=['= ])\/usr(?=['/ ])(?!\/bin\/(?:install|dtrace))/g, placeholder)
      .replaceAll(`${placeholder}/lib/x86_64-linux-gnu`, `${placeholder}/lib`),
  );
  tree.set('bin/python3.11', {
    type: 'file',
    data: await compilePython(tree, placeholder, workDir),
    mode: 0o755,
    replace: 'binary',
  });
  for (const name of ['python', 'python3']) tree.set(`bin/${name}`, { type: 'symlink', target: 'python3.11' });
  addText(tree, `${stdlib}/site-packages/README.txt`, 'Packages of this environment.\n');
}

/** Debian's dist-packages and /usr/local out of site, sysconfig, distutils and what setuptools takes from it. */
function useSitePackages(tree: PackageTree): void {
  editText(tree, `${stdlib}/site.py`, (text) =>
    text.replace(
      / {12}if is_virtual_environment:\n[^]*?# this one is deprecated for Debian\n([^]*?)"dist-packages"/,
      '$1"site-packages"',
    ),
  );
  // In a virtual environment, and only there, Debian's Python installs where every other Python does.
  const inVirtualEnvironment = 'sys.base_prefix != sys.prefix or hasattr(sys, "real_prefix")';
  for (const file of ['sysconfig.py', '_distutils_system_mod.py', 'distutils/sysconfig.py']) {
    editText(tree, `${stdlib}/${file}`, (text) => text.replaceAll(inVirtualEnvironment, 'True'));
  }
}

async function compilePython(tree: PackageTree, placeholder: string, workDir: string): Promise<Buffer> {
  const library = tree.get('lib/libpython3.11.so.1.0');
  const site = tree.get(`${stdlib}/site.py`);
  if (library?.type !== 'file' || site?.type !== 'file') throw new Error('no libpython3.11.so.1.0 or no site.py');
  await mkdir(workDir, { recursive: true });
  const libraryFile = path.join(workDir, 'libpython3.11.so.1.0');
  await writeFile(libraryFile, library.data);
  const program =
    'import marshal, sys; ' +
    `code = marshal.dumps(compile(sys.stdin.buffer.read(), '<frozen site>', 'exec')); ` +
    `print(','.join(map(str, code)))`;
  const code = await runCommand({ program: 'python3.11', args: ['-I', '-c', program], input: site.data });
  await writeFile(path.join(workDir, 'site-code.h'), code.stdout);
  await runCommand({
    program: 'gcc',
    cwd: workDir,
    args: [
      ...['-O2', '-Wall', '-Werror', `-I/usr/include/python3.11`, '-I.'],
      ...[`-DPLACEHOLDER="${placeholder}"`, '-DSITE_CODE="site-code.h"', '-o', 'python3.11'],
      ...[path.join(import.meta.dirname, 'python-main.c'), libraryFile],
      // Only the package's own library: what that needs is looked up when it runs.
      ...['-Wl,--disable-new-dtags', `-Wl,-rpath,${placeholder}/lib`, '-Wl,--unresolved-symbols=ignore-in-shared-libs'],
      ...['-Wl,--build-id=none', '-s'],
    ],
    failureHint: 'apt-get install gcc libc6-dev libpython3.11-dev',
  });
  return readFile(path.join(workDir, 'python3.11'));
}
