// `condense remove`: takes versions and aliases away from users. Releases stay on disk.
import { planRemove } from '../release/face-plan.ts';
import { NOTHING_PUBLISHED } from '../release/generation.ts';
import { runChange } from './face.ts';
import type { Session } from './session.ts';

export interface RemoveOptions {
  /** Also what is stable. */
  readonly stable?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

/** @param names full names and aliases */
export async function runRemove(session: Session, names: readonly string[], options: RemoveOptions): Promise<void> {
  await runChange(
    session,
    {
      action: 'remove',
      subject: names.join(' '),
      plan: (current) =>
        Promise.resolve(planRemove(current ?? NOTHING_PUBLISHED, names, session.config, options.stable)),
    },
    { dryRun: options.dryRun },
  );
}
