// Who may read what is published: as data, applied whatever the umask of whoever builds.
import path from 'node:path';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { chmod, lchown, walkTree } from '../system/files.ts';
import { runCommand } from '../system/run-command.ts';

export interface AccessPolicy {
  /** Numeric id of the group whose members may read; everybody when undefined. */
  readonly usersGroup?: number | undefined;
}

/** The mode of one entry. Nobody but the owner ever writes; nothing is setuid. */
export function planMode(policy: AccessPolicy, kind: 'file' | 'directory', executable: boolean): number {
  const readOnly = kind === 'directory' || executable ? 0o755 : 0o644;
  const owned = kind === 'directory' ? readOnly : readOnly & ~0o200;
  return policy.usersGroup === undefined ? owned : owned & ~0o007;
}

/** Gives a whole tree the modes and the group of the policy. */
export async function writePermissions(root: string, policy: AccessPolicy): Promise<void> {
  const own = async (file: string): Promise<void> => {
    if (policy.usersGroup !== undefined) await lchown(file, process.geteuid?.() ?? -1, policy.usersGroup);
  };
  for await (const entry of walkTree(root)) {
    const file = path.join(root, entry.path);
    await own(file);
    if (entry.kind !== 'link') await chmod(file, planMode(policy, entry.kind, (entry.mode & 0o100) !== 0));
  }
  await own(root);
  await chmod(root, planMode(policy, 'directory', true));
}

/** @throws AppError GROUP_MISSING */
export async function readAccessPolicy(group: string | undefined, configFile: string): Promise<AccessPolicy> {
  if (group === undefined) return {};
  const { stdout, exitCode } = await runCommand({ program: 'getent', args: ['group', group], okExitCodes: [0, 2] });
  const id = stdout.toString('utf8').split(':')[2];
  if (exitCode !== 0 || id === undefined) {
    throw new AppError(EXIT.siteNotReady, {
      code: 'GROUP_MISSING',
      message: `this machine has no group ${JSON.stringify(group)}`,
      at: configFile,
      hint: `groupadd ${group}, or correct groups.users`,
    });
  }
  return { usersGroup: Number(id) };
}
