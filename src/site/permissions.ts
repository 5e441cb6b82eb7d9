// Who may read what is published: as data, applied whatever the umask of whoever builds.
import path from 'node:path';
import type { SiteConfig } from '../config/site-config.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { chmod, lchown, walkTree } from '../system/files.ts';
import { runCommand } from '../system/run-command.ts';

export interface AccessPolicy {
  /** Numeric id of the group whose members may read the image; everybody when undefined. */
  readonly usersGroup?: number | undefined;
}

/** The mode of one entry. Nobody but the owner ever writes; nothing is setuid. */
export function planMode(policy: AccessPolicy, kind: 'file' | 'directory', executable: boolean): number {
  const readOnly = kind === 'directory' || executable ? 0o755 : 0o644;
  const owned = kind === 'directory' ? readOnly : readOnly & ~0o200;
  return policy.usersGroup === undefined ? owned : owned & ~0o007;
}

/**
 * Gives a whole release its modes. Only the image is the group's: everybody can read the rest, so that whoever is not of
 * the group is told so by the launcher instead of by the kernel.
 */
export async function writePermissions(root: string, policy: AccessPolicy, image: string): Promise<void> {
  for await (const entry of walkTree(root)) {
    const file = path.join(root, entry.path);
    const access = file === image ? policy : {};
    if (access.usersGroup !== undefined) await lchown(file, process.geteuid?.() ?? -1, access.usersGroup);
    if (entry.kind !== 'link') await chmod(file, planMode(access, entry.kind, (entry.mode & 0o100) !== 0));
  }
  await chmod(root, planMode({}, 'directory', true));
}

/** @throws AppError GROUP_MISSING */
export async function readAccessPolicy(group: string | undefined, configFile: string): Promise<AccessPolicy> {
  return group === undefined ? {} : { usersGroup: await readGroupId(group, configFile) };
}

/** Root, and the members of a group. */
export function isMember(groupId: number): boolean {
  return (
    process.geteuid?.() === 0 || process.getegid?.() === groupId || (process.getgroups?.() ?? []).includes(groupId)
  );
}

/**
 * Refuses who is not of `groups.owners`, before anything is written.
 * @throws AppError GROUP_MISSING, GROUP_NOT_MEMBER
 */
export async function checkOwner(config: SiteConfig): Promise<void> {
  await checkMember(config.groups.owners, config.file, 'whose members publish here');
}

/**
 * Refuses a builder who could not give the image to `groups.users` in the end.
 * @throws AppError GROUP_MISSING, GROUP_NOT_MEMBER
 */
export async function checkBuilder(config: SiteConfig): Promise<void> {
  await checkMember(config.groups.users, config.file, 'to which images are given');
}

async function checkMember(group: string | undefined, configFile: string, role: string): Promise<void> {
  if (group === undefined || isMember(await readGroupId(group, configFile))) return;
  throw new AppError(EXIT.siteNotReady, {
    code: 'GROUP_NOT_MEMBER',
    message: `this account is not in the group ${group}, ${role}`,
    at: configFile,
    hint: `usermod -aG ${group} "$USER", then log in again`,
  });
}

async function readGroupId(group: string, configFile: string): Promise<number> {
  const { stdout, exitCode } = await runCommand({ program: 'getent', args: ['group', group], okExitCodes: [0, 2] });
  const id = stdout.toString('utf8').split(':')[2];
  if (exitCode !== 0 || id === undefined) {
    throw new AppError(EXIT.siteNotReady, {
      code: 'GROUP_MISSING',
      message: `this machine has no group ${JSON.stringify(group)}`,
      at: configFile,
      hint: `groupadd ${group}, or correct groups`,
    });
  }
  return Number(id);
}
