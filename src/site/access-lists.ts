// POSIX access control lists (acl(5)) through setfacl(1) and getfacl(1) of the package `acl`.
import path from 'node:path';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { makeSharedDir, mkdtemp, removeTree } from '../system/files.ts';
import { findProgram } from '../system/find-program.ts';
import { runCommand } from '../system/run-command.ts';

/** One entry besides the mode's own three. */
export interface AclEntry {
  /** What new files of a directory start with, not what holds for itself. */
  readonly isDefault: boolean;
  readonly kind: 'user' | 'group';
  readonly id: number;
  /** After the mask. */
  readonly reads: boolean;
  readonly writes: boolean;
}

/** Takes away every entry below a directory, also those that its files got from a parent's default list. */
export async function removeAcls(dir: string): Promise<void> {
  // Without the program none were made here, and what a parent hands on is masked by the modes that are set after this.
  if ((await findProgram('setfacl')) === undefined) return;
  await runSetfacl(['--recursive', '--physical', '--remove-all', '--remove-default', '--', dir]);
}

/**
 * Lets groups read a file whose mode is set already.
 * @throws AppError ACL_UNSUPPORTED, TOOL_MISSING
 */
export async function writeReaders(file: string, groups: readonly number[]): Promise<void> {
  if (groups.length === 0) return;
  await runSetfacl(['--modify', groups.map((id) => `g:${id}:r`).join(','), '--', file]);
}

/**
 * Tries one list on the file system of a directory, which is made.
 * @throws AppError ACL_UNSUPPORTED, TOOL_MISSING
 */
export async function checkAclSupport(dir: string): Promise<void> {
  await makeSharedDir(dir);
  const scratch = await mkdtemp(path.join(dir, '.acl-'));
  try {
    await runSetfacl(['--modify', 'g:0:r', '--', scratch]);
  } finally {
    await removeTree(scratch);
  }
}

async function runSetfacl(args: readonly string[]): Promise<void> {
  const file = args.at(-1);
  if ((await findProgram('setfacl')) === undefined) throw aclProgramMissing('setfacl');
  const { exitCode, stderr } = await runCommand({ program: 'setfacl', args, okExitCodes: [0, 1] });
  if (exitCode === 0) return;
  const unsupported = /not supported/i.test(stderr);
  throw new AppError(EXIT.siteNotReady, {
    code: unsupported ? 'ACL_UNSUPPORTED' : 'ACL_NOT_SET',
    message: unsupported
      ? 'is on a file system without POSIX ACLs, and permissions.readers asks for them'
      : `setfacl: ${stderr.trim()}`,
    at: file,
    hint: unsupported
      ? 'mount it with ACLs; or take away permissions.readers; or say permissions: { acl: fall-back }, and only groups.users can read'
      : `ls -ld ${file ?? ''}; getfacl ${file ?? ''}`,
  });
}

const aclProgramMissing = (program: string): AppError =>
  new AppError(EXIT.siteNotReady, {
    code: 'TOOL_MISSING',
    message: `there is no program ${program}`,
    hint: 'apt-get install acl',
  });

/** Paths in one command line, which the kernel limits (execve(2)). */
const AT_ONCE = 1000;

/** @returns the entries of each file that has any, by path; undefined where there is no getfacl to ask */
export async function readAcls(
  files: readonly string[],
): Promise<ReadonlyMap<string, readonly AclEntry[]> | undefined> {
  if ((await findProgram('getfacl')) === undefined) return undefined;
  const acls = new Map<string, readonly AclEntry[]>();
  for (let start = 0; start < files.length; start += AT_ONCE) {
    const some = files.slice(start, start + AT_ONCE);
    const { stdout } = await runCommand({
      program: 'getfacl',
      args: ['--absolute-names', '--numeric', '--skip-base', '--physical', '--no-effective', '--', ...some],
      okExitCodes: [0, 1], // what is gone by now, or cannot be looked at
    });
    for (const [file, entries] of parseAcls(stdout.toString('utf8'))) acls.set(file, entries);
  }
  return acls;
}

/** @param text of `getfacl --numeric`: a block for each file, which begins with `# file: <path>` */
export function parseAcls(text: string): ReadonlyMap<string, readonly AclEntry[]> {
  const acls = new Map<string, readonly AclEntry[]>();
  for (const block of text.split(/\n\n+/)) {
    const file = /^# file: (.*)$/m.exec(block)?.[1];
    if (file !== undefined) acls.set(unescapeName(file), parseEntries(block));
  }
  return acls;
}

function parseEntries(block: string): AclEntry[] {
  const mask = (isDefault: boolean): string =>
    new RegExp(`^${isDefault ? 'default:' : ''}mask::(\\S+)`, 'm').exec(block)?.[1] ?? 'rwx';
  return [...block.matchAll(/^(default:)?(user|group):(\d+):([r-])([w-])[x-]/gm)].map(
    ([, fallback, kind, id, read, write]) => {
      const isDefault = fallback !== undefined;
      return {
        isDefault,
        kind: kind === 'user' ? 'user' : 'group',
        id: Number(id),
        reads: read === 'r' && mask(isDefault).includes('r'),
        writes: write === 'w' && mask(isDefault).includes('w'),
      };
    },
  );
}

/** getfacl doubles the backslashes of names, and writes line breaks and the like as `\ooo`. */
const unescapeName = (name: string): string =>
  name.replaceAll(/\\(\\|[0-7]{3})/g, (_, code: string) =>
    code === '\\' ? code : String.fromCharCode(Number.parseInt(code, 8)),
  );
