// Where a release comes from: the commit of the configuration and the versions of the tools.
import type { InstallerProgram } from '../site/installer-program.ts';
import type { ContainerRuntime } from '../site/runtime.ts';
import { digestText, readText } from '../system/files.ts';
import { findProgram } from '../system/find-program.ts';
import { redactUrls } from '../system/redact-urls.ts';
import { runCommand } from '../system/run-command.ts';

/** The commit that a directory is at, `-dirty` when it has changes; nothing outside git. */
export async function readGitCommit(dir: string): Promise<{ gitCommit?: string }> {
  if ((await findProgram('git')) === undefined) return {};
  const git = (...args: string[]): ReturnType<typeof runCommand> =>
    runCommand({ program: 'git', args: ['-C', dir, ...args], okExitCodes: [0, 128] });
  const head = await git('rev-parse', 'HEAD');
  if (head.exitCode !== 0) return {};
  const status = await git('status', '--porcelain', '--', '.');
  return { gitCommit: head.stdout.toString('utf8').trim() + (status.stdout.length > 0 ? '-dirty' : '') };
}

export async function readToolVersions({
  runtime,
  installer,
}: {
  readonly runtime: ContainerRuntime;
  readonly installer?: InstallerProgram | undefined;
}): Promise<Record<string, string>> {
  // mksquashfs -version ends with 1 in some versions, and with 0 in others.
  const squashfs = await runCommand({ program: 'mksquashfs', args: ['-version'], okExitCodes: [0, 1] });
  return {
    ...(installer ? { installer: installer.version } : {}),
    mksquashfs: squashfs.stdout.toString('utf8').split('\n')[0] ?? '',
    node: process.versions.node,
    runtime: runtime.version,
  };
}

/** A file that a build reads, for the manifest: as it is, but for the credentials of URLs, line by line. */
export async function readInputFile(file: string): Promise<{ file: string; sha256: string; text: string }> {
  const text = await readText(file);
  return { file, sha256: digestText(text), text: text.split('\n').map(redactUrls).join('\n') };
}
