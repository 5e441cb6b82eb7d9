// `condense status`: the one command at 3 a.m. What is live since when and by whom, what goes on, what is wrong.
import path from 'node:path';
import { describeOwner } from '../release/lock-claim.ts';
import {
  readStatus,
  type LiveVersion,
  type Since,
  type SiteStatus,
  type WaitingRelease,
} from '../release/read-status.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { describeAuthor } from './history.ts';
import type { Session } from './session.ts';

/** @throws AppError with everything that is wrong (exit 7), after the rest is told */
export async function runStatus({ config, layout, output }: Session): Promise<void> {
  const status = await readStatus(layout, config);
  const { locks, ...rest } = status;
  output.result(
    {
      ...{ site: config.site, prefix: config.prefix, ...rest },
      generation: status.generation ?? null,
      locks: locks.map(({ file, state, owner }) => ({ claim: path.basename(file), state, owner: owner ?? null })),
    },
    [`${config.site}, ${config.prefix}`, ...describeStatus(status)],
  );
  if (status.problems.length > 0) throw new AppError(EXIT.publishFailed, status.problems);
}

function describeStatus(status: SiteStatus): string[] {
  const { generation, versions, aliases, disagreements, waiting, locks, unseen, problems } = status;
  return [
    generation
      ? `generation ${generation.generation} is live: ${describeAuthor(generation)}`
      : 'no generation is live: users see nothing',
    ...versions.map((version) => `  ${describeVersion(version)}`),
    ...aliases.map(({ alias, fullName, since }) => `  alias ${alias} -> ${fullName}  ${describeSince(since)}`),
    ...disagreements.map((text) => `  note: ${text}`),
    locks.length === 0 ? 'nothing is being done' : 'being done now:',
    ...locks.map(
      ({ owner, state }) =>
        `  ${describeOwner(owner)}${state === 'alive' ? '' : state === 'dead' ? ' (its process is gone)' : ' (not seen from here)'}`,
    ),
    waiting.length === 0 ? 'nothing waits to be published' : 'not published:',
    ...waiting.map((release) => `  ${describeWaiting(release)}`),
    ...(unseen.length > 0
      ? [
          `generation ${unseen.join(', ')} is on disk and not live: a publish was killed, or current was put back by hand; the next publish clears it away`,
        ]
      : []),
    ...(problems.length > 0
      ? []
      : ['what users reach is whole (sizes, modes and links; condense verify reads all of it)']),
  ];
}

function describeVersion({ fullName, release, since, gitCommit }: LiveVersion): string {
  const commit = gitCommit === undefined ? 'no commit known' : `commit ${gitCommit.slice(0, 12)}${dirt(gitCommit)}`;
  return `${fullName}  ${release}  ${describeSince(since)}  ${commit}`;
}

const dirt = (commit: string): string => (commit.endsWith('-dirty') ? ' and changes besides' : '');

function describeSince(since: Since): string {
  if (!since) return 'since before the history begins';
  const { generation, time, user, host, action } = since;
  return `since ${time ?? '?'} (generation ${generation}, ${action ?? 'unknown'} by ${user ?? '?'} on ${host ?? '?'})`;
}

function describeWaiting({ fullName, release, createdAt, createdBy, gated, wasLive }: WaitingRelease): string {
  const made = `built ${createdAt ?? '?'} by ${createdBy?.user ?? '?'} on ${createdBy?.host ?? '?'}`;
  const state = !gated
    ? 'it has not passed a gate: its build goes on, or was killed'
    : wasLive
      ? 'users had it, and it was taken back'
      : `condense publish ${fullName}/${release}`;
  return `${fullName}/${release}  ${made}; ${state}`;
}
