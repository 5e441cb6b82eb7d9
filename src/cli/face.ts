// What publish, promote, remove and rollback have in common: do it, or with --dry-run print what would be done.
import { describeFaceChanges } from '../release/face-changes.ts';
import { planChange, publishChange, type FaceOutcome, type WantedChange } from '../release/change-face.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import type { Session } from './session.ts';

export interface ChangeTexts {
  /** Fields of the result, besides those of every change. */
  readonly data?: object | undefined;
  /** First line where something changed, e.g. `generation 4 is live`. */
  readonly done?: ((outcome: FaceOutcome) => string) | undefined;
  readonly nothing?: string | undefined;
}

/**
 * Changes what users see, or says what would be, and prints the result.
 * @throws AppError as publishChange; with exit 8 what went wrong after users saw it
 */
export async function runChange(
  session: Session,
  wanted: WantedChange,
  { dryRun = false, ...texts }: ChangeTexts & { readonly dryRun?: boolean | undefined },
): Promise<FaceOutcome> {
  const warn = (text: string): void => {
    session.output.report({ type: 'warning', text });
  };
  const outcome = dryRun ? await planChange(session, wanted) : await publishChange(session, wanted, warn);
  if (dryRun) for (const text of outcome.warnings) warn(text);
  const { generation, changed, changes, restores, paths } = outcome;
  session.output.result(
    { ...texts.data, generation: generation ?? null, changed, changes, ...{ restores, paths } },
    describeOutcome(outcome, texts),
  );
  checkFollowUp(outcome.followUp);
  return outcome;
}

/** Call it when the result is told: users see what they should. @throws AppError (exit 8) */
export function checkFollowUp(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new AppError(EXIT.followUpFailed, problems);
}

function describeOutcome(outcome: FaceOutcome, { done, nothing }: ChangeTexts): string[] {
  const { generation, changed, changes, paths } = outcome;
  if (!changed) return [nothing ?? 'users see that already: nothing to do'];
  const lines = describeFaceChanges(changes).map((line) => `  ${line}`);
  if (!paths) return [done?.(outcome) ?? `generation ${generation ?? ''} is live:`, ...lines];
  return [
    `generation ${generation ?? ''} would change:`,
    ...(lines.length > 0 ? lines : ['  nothing that users see; only public links are mended']),
    'and touch, in this order:',
    ...paths.map(
      ({ verb, path, target }) => `  ${verb.padEnd(6)}  ${path}${target === undefined ? '' : ` -> ${target}`}`,
    ),
  ];
}
