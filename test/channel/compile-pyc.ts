// Compiles the Python files of packages that are not noarch: those carry their .pyc, as conda-forge's do.
import { mkdir, readFile, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { walkTree } from '../../src/system/files.ts';
import { minimalEnvironment, runCommand } from '../../src/system/run-command.ts';
import type { PackageTree } from './package-tree.ts';
import { entryTime } from './tar-archive.ts';

/** @param workDir a directory that does not exist yet */
export async function compilePyc(tree: PackageTree, workDir: string): Promise<void> {
  const sources = [...tree].filter(([file]) => /^lib\/python3\.11\/.*\.py$/.test(file));
  if (sources.length === 0) return;
  for (const [file, entry] of sources) {
    if (entry.type !== 'file') continue;
    const copy = path.join(workDir, file);
    await mkdir(path.dirname(copy), { recursive: true });
    await writeFile(copy, entry.data);
    // The .pyc names its source's time, which must be the one that the archive gives it.
    await utimes(copy, entryTime, entryTime);
  }
  await runCommand({
    program: '/usr/bin/python3.11', // the one that the packages are of, not one that a person put before it on PATH
    args: ['-m', 'compileall', '-q', '-s', workDir, '-p', '/', path.join(workDir, 'lib')],
    // The order of sets in compiled code follows the hash seed.
    env: { ...minimalEnvironment(), PYTHONHASHSEED: '0' },
    // 1: some file is not for this Python, such as lib2to3's tests; it stays without.
    okExitCodes: [0, 1],
  });
  for await (const { path: file, kind } of walkTree(workDir)) {
    if (kind !== 'file' || !file.endsWith('.pyc')) continue;
    tree.set(file, { type: 'file', data: await readFile(path.join(workDir, file)), mode: 0o644 });
  }
}
