// `condense rollback`: puts an older generation's content back, by the same one rename that publishes.
import { planEnvironment } from '../build/build-plan.ts';
import type { WantedFace } from '../release/change-face.ts';
import { finishFace } from '../release/face-plan.ts';
import type { Generation, PublicFace } from '../release/generation.ts';
import { planRollback } from '../release/rollback-plan.ts';
import { readGenerations } from '../release/site-state.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { runChange } from './face.ts';
import type { Session } from './session.ts';

export interface RollbackOptions {
  readonly to?: number | undefined;
  readonly dryRun?: boolean | undefined;
}

/** @param environment only what belongs to it goes back; everything when undefined */
export async function runRollback(
  session: Session,
  environment: string | undefined,
  { to, dryRun }: RollbackOptions,
): Promise<void> {
  await runChange(
    session,
    {
      action: 'rollback',
      subject: [environment ?? 'everything', ...(to === undefined ? [] : [`--to ${to}`])].join(' '),
      plan: (current) => planBack(session, current, environment, to),
    },
    {
      dryRun,
      done: ({ generation, restores }) =>
        `generation ${generation ?? ''} shows what generation ${restores ?? ''} showed:`,
      nothing: `generation ${to ?? ''} is what users see: nothing to do`,
    },
  );
}

/** @throws AppError ROLLBACK_IMPOSSIBLE, ENVIRONMENT_UNKNOWN */
async function planBack(
  { config, layout }: Session,
  current: Generation | undefined,
  environment: string | undefined,
  to: number | undefined,
): Promise<WantedFace> {
  const history = await readGenerations(layout);
  // One that is not in the configuration any more can still go back.
  if (environment !== undefined && !hasVersionOf(history, environment)) planEnvironment(config, environment);
  const target = history.find((generation) => generation.number === to);
  const plan = current && planRollback(history, current, { environment, to, policy: config });
  if (plan) return { ...finishFace(plan.face, config), restores: plan.restores };
  if (current && target) return { face: current, warnings: [] };
  throw new AppError(EXIT.publishFailed, {
    code: 'ROLLBACK_IMPOSSIBLE',
    message:
      to === undefined
        ? `there is no older generation${environment === undefined ? '' : ` in which ${environment} differs`}`
        : `there is no generation ${to}; there are: ${history.map(({ number }) => number).join(', ') || 'none'}`,
    at: layout.generations,
    hint: 'condense history',
  });
}

const hasVersionOf = (history: readonly PublicFace[], environment: string): boolean =>
  history.some((face) => [...face.versions.keys()].some((name) => name.startsWith(`${environment}-`)));
