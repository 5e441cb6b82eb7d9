// `condense rollback`: puts an older generation's content back, by the same one rename that publishes.
import { planEnvironment } from '../build/build-plan.ts';
import { compareFaces, planRollback, type PublicFace } from '../release/generation.ts';
import { publishFace } from '../release/publish.ts';
import { describeEntry } from '../release/journal.ts';
import { PUBLISH_WAIT_MS, withLock } from '../release/site-lock.ts';
import { readCurrentGeneration, readGenerations } from '../release/site-state.ts';
import { checkOwner } from '../site/permissions.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { describeFullDisk } from '../system/system-error.ts';
import type { Session } from './session.ts';

export interface RollbackOptions {
  readonly to?: number | undefined;
  readonly dryRun?: boolean | undefined;
}

/** @param environment only what belongs to it goes back; everything when undefined */
export async function runRollback(
  session: Session,
  environment: string | undefined,
  options: RollbackOptions,
): Promise<void> {
  const { layout, output } = session;
  const work = async (): Promise<void> => {
    const current = await readCurrentGeneration(layout);
    const history = await readGenerations(layout);
    if (environment !== undefined) checkEnvironment(session, environment, history);
    const plan =
      current &&
      planRollback(history, current, {
        environment,
        to: options.to,
        environments: [...session.config.environments.keys()],
      });
    if (!current || !plan) {
      const target =
        options.to === undefined ? undefined : history.find((generation) => generation.number === options.to);
      if (current && target && compareFaces(target, current)) {
        output.result({ generation: current.number, changed: false }, [
          `generation ${options.to ?? ''} is what users see: nothing to do`,
        ]);
        return;
      }
      throw new AppError(EXIT.publishFailed, {
        code: 'ROLLBACK_IMPOSSIBLE',
        message:
          options.to !== undefined && !target
            ? `there is no generation ${options.to}; there are: ${history.map((generation) => generation.number).join(', ') || 'none'}`
            : `there is no older generation${environment === undefined ? '' : ` in which ${environment} differs`}`,
        at: layout.generations,
        hint: 'condense list --releases',
      });
    }
    const changes = describeChanges(current.versions, plan.face.versions);
    const data = { restores: plan.restores, versions: Object.fromEntries(plan.face.versions) };
    if (options.dryRun) {
      output.result(data, [`would restore generation ${plan.restores}:`, ...changes]);
      return;
    }
    const generation = await publishFace(
      layout,
      plan.face,
      describeEntry('rollback', environment ?? 'all'),
      plan.restores,
    );
    output.result({ generation, changed: true, ...data }, [
      `generation ${generation} shows what generation ${plan.restores} showed:`,
      ...changes,
    ]);
  };
  if (options.dryRun) {
    await work();
    return;
  }
  await checkOwner(session.config);
  const wait = { waitMs: PUBLISH_WAIT_MS, signal: session.signal };
  await withLock(layout.lockFile('publish'), 'rollback', work, wait).catch((error: unknown) => {
    throw describeFullDisk(error, EXIT.publishFailed);
  });
}

/** One that is not in the configuration any more can still go back. */
function checkEnvironment({ config }: Session, environment: string, history: readonly PublicFace[]): void {
  const published = history.flatMap((face) => [...face.versions.keys()]);
  if (!published.some((name) => name.startsWith(`${environment}-`))) planEnvironment(config, environment);
}

function describeChanges(now: ReadonlyMap<string, string>, then: ReadonlyMap<string, string>): string[] {
  const names = [...new Set([...now.keys(), ...then.keys()])].sort();
  return names
    .filter((name) => now.get(name) !== then.get(name))
    .map((name) => `  ${name}  ${now.get(name) ?? '(not there)'} -> ${then.get(name) ?? '(not there)'}`);
}
