// Who may read what is published: as data, applied whatever the umask of whoever builds.
import path from 'node:path';
import type { SiteConfig } from '../config/site-config.ts';
import { AppError } from '../system/app-error.ts';
import type { Report } from '../system/events.ts';
import { EXIT } from '../system/exit-codes.ts';
import { chmod, lchown, walkTree } from '../system/files.ts';
import { runCommand } from '../system/run-command.ts';
import type { Layout } from './layout.ts';
import { checkLinkOwners } from './link-owners.ts';
import { checkAclSupport, removeAcls, writeReaders } from './access-lists.ts';

export interface AccessPolicy {
  /** Numeric id of the group whose members may read the image; everybody when undefined. */
  readonly usersGroup?: number | undefined;
  /** Of groups that may read it as well, by ACL. */
  readonly readers?: readonly number[] | undefined;
  /** Of the group to which the directories of a release belong, so that any of its members can remove it. */
  readonly ownersGroup?: number | undefined;
}

/** The mode of one entry. Nobody but the owner ever writes a file; nothing is setuid. */
export function planMode(policy: AccessPolicy, kind: 'file' | 'directory', executable: boolean): number {
  // Set-group-id: what is made in it later, such as an override, is the group's as well.
  if (kind === 'directory') return policy.ownersGroup === undefined ? 0o755 : 0o2775;
  const readOnly = executable ? 0o555 : 0o444;
  return policy.usersGroup === undefined ? readOnly : readOnly & ~0o007;
}

/**
 * Gives a whole release its groups, modes and lists, while nobody else can enter it; the root's come last, and with them
 * the others see it. Only the image is the users' alone: everybody can read the rest, so that whoever is not of the group
 * is told so by the launcher instead of by the kernel. Lists that came from a parent's default list are taken away.
 * @throws AppError ACL_UNSUPPORTED, TOOL_MISSING where there are readers
 */
export async function writePermissions(root: string, policy: AccessPolicy, image: string): Promise<void> {
  await removeAcls(root);
  const { ownersGroup, usersGroup, readers = [] } = policy;
  const directories = ownersGroup === undefined ? {} : { ownersGroup };
  const give = async (file: string, group: number | undefined): Promise<void> => {
    if (group !== undefined) await lchown(file, process.geteuid?.() ?? -1, group);
  };
  for await (const entry of walkTree(root)) {
    const file = path.join(root, entry.path);
    if (entry.kind === 'link') continue;
    const isImage = file === image;
    await give(file, entry.kind === 'directory' ? ownersGroup : isImage ? usersGroup : undefined);
    const access = isImage ? { usersGroup } : directories;
    await chmod(file, planMode(access, entry.kind, (entry.mode & 0o100) !== 0));
    if (isImage) await writeReaders(file, readers);
  }
  await give(root, ownersGroup);
  await chmod(root, planMode(directories, 'directory', true));
}

/**
 * The ids of the configured groups. Where the store's file system has no ACLs, the readers are left out with a warning,
 * if the configuration lets that be.
 * @param store is made, to try a list in it
 * @throws AppError GROUP_MISSING; ACL_UNSUPPORTED, TOOL_MISSING
 */
export async function readAccessPolicy(config: SiteConfig, store: string, report?: Report): Promise<AccessPolicy> {
  const { groups, permissions, file } = config;
  const idOf = async (group: string | undefined): Promise<number | undefined> =>
    group === undefined ? undefined : await readGroupId(group, file);
  const readers: number[] = [];
  for (const group of permissions.readers) readers.push(await readGroupId(group, file));
  const policy = {
    usersGroup: await idOf(groups.users),
    ownersGroup: permissions.ownersWrite ? await idOf(groups.owners) : undefined,
  };
  if (readers.length === 0) return policy;
  try {
    await checkAclSupport(store);
    return { ...policy, readers };
  } catch (error) {
    if (!(error instanceof AppError) || permissions.acl === 'require') throw error;
    const text = `${error.message}: only ${groups.users ?? ''} can read the images, not ${permissions.readers.join(', ')}`;
    report?.({ type: 'warning', text });
    return policy;
  }
}

/** Root, and the members of a group. */
export function isMember(groupId: number): boolean {
  return (
    process.geteuid?.() === 0 || process.getegid?.() === groupId || (process.getgroups?.() ?? []).includes(groupId)
  );
}

/**
 * Refuses who is not of `groups.owners`, and links on the way that somebody else planted, before anything is written.
 * @throws AppError GROUP_MISSING, GROUP_NOT_MEMBER, LINK_NOT_TRUSTED
 */
export async function checkOwner(config: SiteConfig, layout: Layout): Promise<void> {
  await checkLinkOwners(layout);
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

/** @throws AppError GROUP_MISSING */
export async function readGroupId(group: string, configFile: string): Promise<number> {
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
