// Downloads and unpacks Debian packages, through the machine's own apt, which verifies them.
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import pLimit from 'p-limit';
import { runCommand } from '../../src/system/run-command.ts';
import { parseAvailable, type DebianPackage } from './debian-package.ts';

/** @throws Error where apt knows nothing */
export async function readAvailable(): Promise<Map<string, DebianPackage>> {
  const { stdout } = await runCommand({ program: 'apt-cache', args: ['dumpavail'], failureHint: 'apt-get update' });
  return parseAvailable(stdout.toString('utf8'));
}

/** `/…/openssh-client_1%3a9.2p1-2+deb12u10_amd64.deb`, as apt-get names what it downloads */
function debFile(debsDir: string, deb: DebianPackage): string {
  return path.join(debsDir, `${deb.name}_${deb.version.replaceAll(':', '%3a')}_${deb.architecture}.deb`);
}

/** Downloads what is not there yet. */
export async function fetchDebs(debs: readonly DebianPackage[], debsDir: string): Promise<void> {
  await mkdir(debsDir, { recursive: true });
  const there = new Set(await readdir(debsDir));
  const missing = debs.filter((deb) => !there.has(path.basename(debFile(debsDir, deb))));
  if (missing.length === 0) return;
  const aside = await mkdtemp(path.join(debsDir, '.fetch-'));
  try {
    await runCommand({
      program: 'apt-get',
      // Its sandbox user could not write below a home directory, and would only make it warn.
      args: ['-o', 'APT::Sandbox::User=root', 'download', ...missing.map((deb) => `${deb.name}=${deb.version}`)],
      cwd: aside,
      failureHint: 'apt-get update',
    });
    for (const deb of missing) await rename(debFile(aside, deb), debFile(debsDir, deb));
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** Unpacks each into a directory of its own. @returns by package name */
export async function unpackDebs(
  debs: readonly DebianPackage[],
  debsDir: string,
  into: string,
  workers: number,
): Promise<Map<string, string>> {
  const limit = pLimit(workers);
  await mkdir(into, { recursive: true });
  const dirs = debs.map((deb) =>
    limit(async (): Promise<[string, string]> => {
      const dir = path.join(into, deb.name);
      await runCommand({ program: 'dpkg-deb', args: ['--extract', debFile(debsDir, deb), dir] });
      return [deb.name, dir];
    }),
  );
  return new Map(await Promise.all(dirs));
}
