// Whether anybody but those who publish can write where condense keeps its things, or read an image that is not for them.
import path from 'node:path';
import type { SiteConfig } from '../config/site-config.ts';
import { lstatIfThere, readdir, walkTree } from '../system/files.ts';
import { runCommand } from '../system/run-command.ts';
import { readAcls, type AclEntry } from './access-lists.ts';
import type { Finding } from './finding.ts';
import type { Layout, ReleaseLayout } from './layout.ts';
import { findForeignLinks, listWay } from './link-owners.ts';
import { readGroupId } from './permissions.ts';

/** A path with what lstat(2) says of it. */
interface Looked {
  readonly file: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

const describeLooked = (file: string, at: NonNullable<Awaited<ReturnType<typeof lstatIfThere>>>): Looked => ({
  ...{ file, uid: Number(at.uid), gid: Number(at.gid), mode: Number(at.mode) & 0o7777 },
});

/** Who may write: numbers of accounts and of the owners' group. */
interface Trusted {
  readonly isUser: (uid: number) => Promise<boolean>;
  readonly ownersGroup: number | undefined;
}

/**
 * Looks at modes, owners and lists; reads no content.
 * @param releases those that are live
 * @returns nothing where all is well; each finding names the path and the command that mends it
 * @throws AppError GROUP_MISSING
 */
export async function auditPermissions(
  config: SiteConfig,
  layout: Layout,
  releases: readonly ReleaseLayout[],
): Promise<Finding[]> {
  const ours = await listOurs(config, layout, releases);
  const above = [
    ...new Set([config.prefix, config.adminDir, config.stagingDir].flatMap((dir) => listWay(path.dirname(dir)))),
  ];
  const trusted = await readTrusted(config, layout);
  const findings: Finding[] = (await findForeignLinks(layout.writtenThrough)).map((problem) => ({
    ...{ name: problem.at ?? '', status: 'failure', code: problem.code, found: problem.message, fix: problem.hint },
  }));
  const acls = await readAcls([...ours.keys()]);
  for (const looked of ours.values()) {
    findings.push(...(await auditOurs(looked, trusted)));
    for (const entry of acls?.get(looked.file) ?? []) findings.push(...(await auditEntry(looked.file, entry, trusted)));
  }
  for (const dir of above) if (!ours.has(dir)) findings.push(...(await auditAbove(dir, trusted)));
  for (const release of releases) findings.push(...(await auditImage(config, release.image, acls)));
  if (!acls && config.permissions.readers.length > 0)
    findings.push({
      name: 'getfacl',
      status: 'failure',
      code: 'TOOL_MISSING',
      found: 'missing',
      fix: 'apt-get install acl',
    });
  return findings;
}

/** What is condense's own and there: whole where it is small, of caches only the directories that others could put things into. */
async function listOurs(
  config: SiteConfig,
  layout: Layout,
  releases: readonly ReleaseLayout[],
): Promise<ReadonlyMap<string, Looked>> {
  const ours = new Map<string, Looked>();
  const look = async (file: string): Promise<void> => {
    const at = await lstatIfThere(file);
    if (at && !at.isSymbolicLink()) ours.set(file, describeLooked(file, at));
  };
  const lookAll = async (dir: string): Promise<void> => {
    await look(dir);
    if (ours.has(dir)) for await (const entry of walkTree(dir)) await look(path.join(dir, entry.path));
  };
  for (const dir of [config.prefix, config.stagingDir, ...layout.writtenThrough]) await look(dir);
  for (const dir of [layout.bases, layout.locks, layout.generations, layout.runtime]) await lookAll(dir);
  if (ours.has(layout.releases))
    for (const name of await readdir(layout.releases)) {
      await look(layout.releasesOf(name));
    }
  for (const release of releases) await lookAll(release.dir);
  return ours;
}

async function readTrusted(config: SiteConfig, layout: Layout): Promise<Trusted> {
  const store = await lstatIfThere(layout.store);
  const ownersGroup =
    config.groups.owners === undefined ? undefined : await readGroupId(config.groups.owners, config.file);
  const known = new Map<number, boolean>([
    [0, true],
    [process.geteuid?.() ?? 0, true],
  ]);
  if (store) known.set(Number(store.uid), true);
  const isUser = async (uid: number): Promise<boolean> => {
    const answer = known.get(uid) ?? (ownersGroup !== undefined && (await readGroupsOf(uid)).includes(ownersGroup));
    known.set(uid, answer);
    return answer;
  };
  return { isUser, ownersGroup };
}

async function readGroupsOf(uid: number): Promise<number[]> {
  const { exitCode, stdout } = await runCommand({ program: 'id', args: ['-G', String(uid)], okExitCodes: [0, 1] });
  return exitCode === 0 ? stdout.toString('utf8').trim().split(' ').map(Number) : [];
}

/** A group of one, as many systems give each account, is the account itself. */
const isWritableByGroup = ({ mode, gid, uid }: Looked, trusted: Trusted): boolean =>
  (mode & 0o020) !== 0 && gid !== trusted.ownersGroup && gid !== 0 && gid !== uid;

async function auditOurs(looked: Looked, trusted: Trusted): Promise<Finding[]> {
  const { file, uid, gid, mode } = looked;
  const findings: Finding[] = [];
  const complain = (code: string, found: string, fix: string): void => {
    findings.push({ name: file, status: 'failure', code, found, fix });
  };
  if (!(await trusted.isUser(uid)))
    complain(
      'OWNER_FOREIGN',
      `belongs to uid ${uid}, who is none of those who publish`,
      `ls -ld ${file}; chown root ${file}`,
    );
  if ((mode & 0o002) !== 0) complain('WRITABLE_BY_OTHERS', 'everybody can write here', `chmod o-w ${file}`);
  if (isWritableByGroup(looked, trusted))
    complain('WRITABLE_BY_GROUP', `the group ${gid} can write here, and is not groups.owners`, `chmod g-w ${file}`);
  return findings;
}

/** Whoever can write above can put another directory in the place of ours; where it is sticky, they cannot. */
async function auditAbove(dir: string, trusted: Trusted): Promise<Finding[]> {
  const at = await lstatIfThere(dir);
  if (!at || at.isSymbolicLink()) return [];
  const looked = describeLooked(dir, at);
  if ((looked.mode & 0o1000) !== 0) return [];
  const who =
    (looked.mode & 0o002) !== 0
      ? 'everybody'
      : isWritableByGroup(looked, trusted)
        ? `the group ${looked.gid}`
        : undefined;
  if (who === undefined) return [];
  const found = `${who} can write here, and so put something else in the place of what is below`;
  return [
    {
      name: dir,
      status: 'warning',
      code: 'WRITABLE_ABOVE',
      found,
      fix: `chmod ${who === 'everybody' ? 'o-w' : 'g-w'} ${dir}   (or +t)`,
    },
  ];
}

async function auditEntry(file: string, entry: AclEntry, trusted: Trusted): Promise<Finding[]> {
  if (!entry.writes) return [];
  if (entry.kind === 'user' ? await trusted.isUser(entry.id) : entry.id === trusted.ownersGroup) return [];
  const name = `${entry.kind === 'user' ? 'u' : 'g'}:${entry.id}`;
  const what = entry.isDefault ? 'can write to what is made here' : 'can write here';
  return [
    {
      ...{ name: file, status: 'failure', code: 'WRITABLE_BY_ACL' },
      found: `${entry.kind} ${entry.id} ${what}, by its access control list`,
      fix: `setfacl ${entry.isDefault ? '-d ' : ''}-x ${name} ${file}`,
    },
  ];
}

/** Who reads an image that is not for everybody. */
async function auditImage(
  config: SiteConfig,
  image: string,
  acls: ReadonlyMap<string, readonly AclEntry[]> | undefined,
): Promise<Finding[]> {
  const { groups, permissions, file: configFile } = config;
  const at = await lstatIfThere(image);
  if (groups.users === undefined || !at?.isFile()) return [];
  const findings: Finding[] = [];
  const complain = (found: string, fix: string): void => {
    findings.push({ name: image, status: 'failure', code: 'IMAGE_READERS', found, fix });
  };
  const users = await readGroupId(groups.users, configFile);
  if (Number(at.gid) !== users)
    complain(`belongs to the group ${at.gid}, not to groups.users`, `chgrp ${groups.users} ${image}`);
  if ((Number(at.mode) & 0o007) !== 0) complain('everybody can read it, not only groups.users', `chmod o= ${image}`);
  const wanted = new Map<number, string>();
  for (const group of permissions.readers) wanted.set(await readGroupId(group, configFile), group);
  const entries = acls?.get(image) ?? [];
  for (const { kind, id, reads } of entries)
    if (reads && !(kind === 'group' && wanted.has(id)))
      complain(
        `${kind} ${id} can read it, and is not in permissions.readers`,
        `setfacl -x ${kind === 'user' ? 'u' : 'g'}:${id} ${image}`,
      );
  if (!acls || permissions.acl === 'fall-back') return findings;
  for (const [id, group] of wanted)
    if (!entries.some((entry) => entry.kind === 'group' && entry.id === id && entry.reads))
      complain(`${group} of permissions.readers cannot read it`, `setfacl -m g:${group}:r ${image}`);
  return findings;
}
