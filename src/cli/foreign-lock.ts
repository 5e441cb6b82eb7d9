// `condense lock --from` and `--export`: the lock of one environment from and to the formats of others.
import path from 'node:path';
import { planEnvironment } from '../build/build-plan.ts';
import { importLock } from '../build/import-lock.ts';
import type { LockContext } from '../build/lock.ts';
import { renderCondaLock, renderExplicit } from '../conda/export-locks.ts';
import { parseForeignLock } from '../conda/import-locks.ts';
import type { EnvironmentLock } from '../conda/lock.ts';
import { fullName } from '../config/site-config.ts';
import { describePlatform } from '../site/platform.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, readText } from '../system/files.ts';
import { useNetworkSettings } from '../system/network.ts';
import { readLockedSpec, saveLocks, type LockedSpec, type LockOptions } from './lock.ts';
import type { Session } from './session.ts';

export async function runForeignLock(session: Session, names: readonly string[], options: LockOptions): Promise<void> {
  const [name, ...more] = names;
  const clashing = (['check', 'update', 'diff'] as const).filter((key) => options[key] !== undefined);
  if (name === undefined || more.length > 0 || clashing.length > 0 || (options.from && options.export)) {
    throw new AppError(EXIT.usage, {
      code: 'USAGE_INVALID',
      message: '--from and --export are for one environment, each alone',
      hint: 'condense lock analysis3 --from conda-lock.yml, or condense lock analysis3 --export explicit',
    });
  }
  const environment = planEnvironment(session.config, name);
  const spec = await readLockedSpec(session, environment, options);
  if (options.from === undefined) exportLock(session, spec, options);
  else await readForeign(session, spec, path.resolve(options.from), options);
}

function exportLock({ output }: Session, { environment, file, locks }: LockedSpec, options: LockOptions): void {
  const format = options.export ?? 'conda-lock';
  const wanted = locks.filter(({ platform }) => options.platform?.includes(platform) ?? true);
  if (wanted.length === 0) {
    throw new AppError(EXIT.configuration, {
      code: 'LOCK_MISSING',
      message: options.platform ? `${options.platform.join(', ')} is not locked` : 'there is no such file',
      at: file,
      hint: `condense lock ${environment.name}`,
    });
  }
  const text =
    format === 'conda-lock'
      ? renderCondaLock(wanted, path.basename(environment.specFile))
      : renderExplicit(chooseOne(wanted, environment.name));
  output.result({ environment: fullName(environment), format, text }, text.trimEnd().split('\n'));
}

/** An explicit file has no platform of its own. */
function chooseOne(locks: readonly EnvironmentLock[], name: string): EnvironmentLock {
  const here = describePlatform(process.arch);
  const chosen = locks.length === 1 ? locks[0] : locks.find(({ platform }) => platform === here);
  if (chosen) return chosen;
  const names = locks.map(({ platform }) => platform).join(', ');
  throw new AppError(EXIT.usage, {
    code: 'PLATFORM_UNKNOWN',
    message: `the lock is for ${names}, and an explicit file for one`,
    hint: `condense lock ${name} --export explicit --platform ${locks[0]?.platform ?? ''}`,
  });
}

async function readForeign(session: Session, spec: LockedSpec, file: string, options: LockOptions): Promise<void> {
  const { config, layout, output, signal } = session;
  if (!(await lstatIfThere(file))) {
    const message = 'there is no such file';
    throw new AppError(EXIT.usage, { code: 'LOCK_MISSING', message, at: file, hint: `ls ${path.dirname(file)}` });
  }
  const imported = parseForeignLock(await readText(file), file);
  await useNetworkSettings(process.env);
  const context: LockContext = { config, layout, report: output.report, signal, offline: options.offline };
  const now = new Map<string, EnvironmentLock>();
  for (const plan of spec.plans) {
    const one = imported.find(({ platform }) => platform === plan.platform);
    if (one) now.set(plan.platform, await importLock(context, plan, one, spec.pip, file));
    else output.report({ type: 'warning', text: `${file} has nothing for ${plan.platform}` });
  }
  if (now.size === 0) {
    throw new AppError(EXIT.configuration, {
      code: 'IMPORT_MISFIT',
      message: `it is for ${imported.map(({ platform }) => platform).join(', ') || 'no platform'}`,
      at: file,
      hint: `set environments.${spec.environment.name}.platforms`,
    });
  }
  for (const { platform, pip } of now.values()) {
    if (spec.pip && !pip)
      output.report({
        type: 'warning',
        text: `it has nothing for the pip section: condense lock ${spec.environment.name} --platform ${platform}`,
      });
  }
  await saveLocks(session, spec.environment, spec, now, options);
}
