// `condense gc`: removes what nothing needs any more, and says of all that is there why it stays or goes.
import type { CollectItem } from '../release/collect-plan.ts';
import { planGc, removeUnneeded, type Collection } from '../release/collect.ts';
import { checkOwner } from '../site/permissions.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { describeSystemError } from '../system/system-error.ts';
import type { Session } from './session.ts';
import { describeSize } from '../system/describe-size.ts';

export async function runGc(session: Session, options: { readonly dryRun?: boolean | undefined }): Promise<void> {
  const { config, layout, signal } = session;
  if (options.dryRun) {
    printCollection(session, await planGc(config, layout), true);
    return;
  }
  await checkOwner(config, layout);
  try {
    const collection = await removeUnneeded(config, layout, signal);
    printCollection(session, collection, false);
    if (collection.problems.length > 0) throw new AppError(EXIT.followUpFailed, collection.problems);
  } catch (error) {
    throw describeNoRoom(error, layout.cache);
  }
}

/** The one command that makes room needs some itself: for its lock. */
function describeNoRoom(error: unknown, cache: string): unknown {
  const known = describeSystemError(error);
  const [problem] = known?.problems ?? [];
  if (!problem || !['DISK_FULL', 'QUOTA_EXCEEDED'].includes(problem.code)) return error;
  const hint = `gc needs room for its lock: rm -r ${cache}/packages (they are downloaded again), then: condense gc`;
  return new AppError(EXIT.siteNotReady, { ...problem, hint }, { cause: error });
}

function printCollection({ output }: Session, { items, look }: Collection, isPlan: boolean): void {
  if (look.hidden > 0) {
    const text = `${look.hidden} processes of other accounts could not be looked at: as root, gc sees what they use`;
    output.report({ type: 'warning', text });
  }
  for (const dir of look.unreadable)
    output.report({ type: 'warning', text: `gc: venvs: ${dir} could not be looked into` });
  const going = items.filter(({ keep }) => !keep);
  const removedBytes = going.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const summary =
    going.length === 0
      ? 'nothing to remove'
      : `${isPlan ? 'would remove' : 'removed'} ${describeCounts(going)}: ${describeSize(removedBytes)} at least`;
  output.result({ removedBytes, items }, [
    ...items.filter(({ keep }) => keep).map((item) => describeItem('keeps', item)),
    ...going.map((item) => describeItem(isPlan ? 'would remove' : 'removed', item)),
    summary,
  ]);
}

function describeItem(verb: string, { kind, name, sizeBytes, reasons }: CollectItem): string {
  const size = sizeBytes > 0 ? `  ${describeSize(sizeBytes)}` : '';
  return `${verb}  ${kind === 'cache' ? '' : `${kind} `}${name}${size}  ${reasons.join('; ')}`;
}

function describeCounts(items: readonly CollectItem[]): string {
  const counts = new Map<string, number>();
  for (const { kind } of items) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts]
    .map(([kind, count]) => `${count} ${kind}${count === 1 || kind === 'scratch' ? '' : 's'}`)
    .join(', ');
}
