// `condense promote`: moves aliases, without a build and without a release.
import { planEnvironment } from '../build/build-plan.ts';
import { parsePromotion, planPromote } from '../release/face-plan.ts';
import { NOTHING_PUBLISHED } from '../release/generation.ts';
import { runChange } from './face.ts';
import type { Session } from './session.ts';

export interface PromoteOptions {
  readonly dryRun?: boolean | undefined;
}

/** @param what `<alias>=<version>`, or an environment whose aliases become what the configuration says */
export async function runPromote(session: Session, what: readonly string[], options: PromoteOptions): Promise<void> {
  const { config } = session;
  const environments = what.filter((one) => !one.includes('='));
  const promotions = what.filter((one) => one.includes('=')).map(parsePromotion);
  for (const name of environments) planEnvironment(config, name);
  await runChange(
    session,
    {
      action: 'promote',
      subject: what.join(' '),
      plan: (current) =>
        Promise.resolve(planPromote(current ?? NOTHING_PUBLISHED, { environments, promotions }, config)),
    },
    { nothing: 'the aliases are there already: nothing to do', ...options },
  );
}
