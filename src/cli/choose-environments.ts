// Which environments a command is for.
import type { SiteConfig } from '../config/site-config.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';

/** @param all as `--all` says; a lock of nothing named is one of everything */
export function chooseEnvironments(
  config: SiteConfig,
  command: string,
  named: readonly string[],
  all: boolean | undefined,
): readonly string[] {
  if (all && named.length > 0) {
    throw new AppError(EXIT.usage, {
      code: 'USAGE_INVALID',
      message: '--all means every environment of the configuration: name none besides',
      hint: `condense ${command} --all`,
    });
  }
  return all || (command === 'lock' && named.length === 0) ? [...config.environments.keys()] : [...new Set(named)];
}
