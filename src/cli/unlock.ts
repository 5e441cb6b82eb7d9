// `condense unlock`: shows who holds which lock, and removes one whose process is known to be gone by whoever says so.
import path from 'node:path';
import { describeEntry, writeJournal } from '../release/journal.ts';
import { describeOwner, lockOfClaim, readClaims, type Claim } from '../release/lock-claim.ts';
import { checkOwner } from '../site/permissions.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { removeTree } from '../system/files.ts';
import type { Session } from './session.ts';

const STATES: Readonly<Record<Claim['state'], string>> = {
  alive: 'its process is at work',
  dead: 'its process is gone: the next command that wants this lock takes it',
  unknown: 'whether its process is at work cannot be seen from here',
};

/**
 * Without a name it only looks. A name is that of one claim: it can never hit a lock that somebody took meanwhile.
 * @throws AppError LOCK_MISSING (exit 2), LOCK_OWNER_ALIVE (exit 11), JOURNAL_NOT_WRITTEN (exit 8)
 */
export async function runUnlock(
  session: Session,
  name: string | undefined,
  options: { readonly dryRun?: boolean | undefined },
): Promise<void> {
  const { config, layout, output } = session;
  const claims = await readClaims(layout.locks);
  if (name === undefined) {
    output.result(
      { locks: claims.map(describeClaim) },
      claims.length === 0
        ? ['nothing is locked']
        : claims.flatMap(({ file, owner, state }) => [
            path.basename(file),
            `  held by ${describeOwner(owner)}`,
            `  ${STATES[state]}`,
          ]),
    );
    return;
  }
  const claim = claims.find(({ file }) => path.basename(file) === name);
  if (!claim) throw describeMissing(layout.locks, name, claims);
  if (claim.state === 'alive') {
    throw new AppError(EXIT.locked, {
      code: 'LOCK_OWNER_ALIVE',
      message: `is held by ${describeOwner(claim.owner)}, and that process is at work`,
      at: claim.file,
      hint: `wait for it, or end it in order: kill ${claim.owner?.pid ?? ''}`,
    });
  }
  const was = `${name}, which was held by ${describeOwner(claim.owner)}`;
  if (options.dryRun) {
    output.result(describeClaim(claim), [`would remove ${was}`]);
    return;
  }
  await checkOwner(config, layout);
  await removeTree(claim.file);
  const unwritten = await writeJournal(layout, describeEntry('unlock', was), `${name} is removed`);
  if (unwritten) throw new AppError(EXIT.followUpFailed, unwritten);
  output.result({ ...describeClaim(claim), removed: true }, [`removed ${was}`]);
}

function describeClaim({ file, owner, state }: Claim): object {
  return { lock: lockOfClaim(path.basename(file)), claim: path.basename(file), state, owner: owner ?? null };
}

function describeMissing(dir: string, name: string, claims: readonly Claim[]): AppError {
  const there = claims.map(({ file }) => path.basename(file));
  return new AppError(EXIT.usage, {
    code: 'LOCK_MISSING',
    message: `there is no lock ${JSON.stringify(name)}; there are: ${there.join(', ') || 'none'}`,
    at: dir,
    hint: 'condense unlock',
  });
}
