// The quarantine for the pip section: what was uploaded since a lock's `excludeNewer` is not considered.
import type { EnvironmentLock } from '../conda/lock.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import type { PipSection } from './pip-section.ts';
import { firstPlace } from './resolve-problems.ts';

type Limited = Pick<EnvironmentLock, 'excludeNewer' | 'packages'>;

/**
 * Options of `pip install` and `pip wheel`. pip asks the index for the time of each file (PEP 700, `upload-time`) and fails
 * where that does not say; files that a line names by their URL, and those on disk, it takes as they are (pypa/pip#13625).
 * @param specFile environment.yml, for messages
 * @throws AppError PIP_QUARANTINE where the environment's pip cannot do that: it would take what was uploaded a minute ago
 */
export function planUploadLimit(
  { excludeNewer, packages }: Limited,
  section: PipSection,
  specFile: string,
): readonly string[] {
  const asksNoIndex = section.requirements.length === 0 || section.flags.includes('--no-index');
  if (excludeNewer === undefined || asksNoIndex) return [];
  const version = packages.find(({ name }) => name === 'pip')?.version ?? '0';
  // Of a Python before 3.11 the reader of times knows no `Z` and no milliseconds.
  if (Number.parseInt(version, 10) >= 26)
    return ['--uploaded-prior-to', excludeNewer.replace(/(?:\.\d+)?Z$/, '+00:00')];
  throw new AppError(EXIT.buildFailed, {
    code: 'PIP_QUARANTINE',
    at: firstPlace(section, specFile),
    message: `pip ${version} of the environment cannot leave out what was uploaded since ${excludeNewer}, as exclude_newer demands`,
    hint: 'write - pip>=26 among the conda packages',
  });
}

/** Whether what one lock has was chosen within the limit of another one. */
export function isWithinLimit(known: Limited, { excludeNewer }: Limited): boolean {
  if (excludeNewer === undefined) return true;
  return known.excludeNewer !== undefined && Date.parse(known.excludeNewer) <= Date.parse(excludeNewer);
}
