// A lock of another tool as ours: a solve in which nothing else may be chosen says whether it is one of this spec.
import type { ImportedLock } from '../conda/import-locks.ts';
import type { EnvironmentLock, PipLock } from '../conda/lock.ts';
import { digestPipInputs, type PipSection } from '../pip/pip-section.ts';
import { normalizeDistributionName } from '../conda/wheel-file.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import type { BuildPlan } from './build-plan.ts';
import { readPlannedAccess, solvePlanned, type LockContext } from './lock.ts';

/**
 * @param file where it came from, for messages
 * @throws AppError IMPORT_MISFIT where the packages are not just what the spec needs; as a solve does
 */
export async function importLock(
  context: LockContext,
  plan: BuildPlan,
  imported: ImportedLock,
  pip: PipSection | undefined,
  file: string,
): Promise<EnvironmentLock> {
  const access = await readPlannedAccess(context, plan);
  const keep = { packages: imported.packages, how: 'only' as const };
  const lock = await solvePlanned(context, plan, access, keep).catch((error: unknown) => {
    if (!(error instanceof AppError) || error.problems[0]?.code !== 'PACKAGE_GONE') throw error;
    throw misfit(plan, file, [error.message]);
  });
  const wanted = new Map(imported.packages.map((one) => [one.name.toLowerCase(), one]));
  const differences = [
    ...lock.packages
      .filter(({ name }) => !wanted.has(name.toLowerCase()))
      .map(({ name, version }) => `${name} ${version} is needed, and it does not have it`),
    ...lock.packages
      .filter(({ name, md5 }) => md5 !== undefined && (wanted.get(name.toLowerCase())?.md5 ?? md5) !== md5)
      .map(({ name }) => `${name} has another md5 in the channel`),
    ...imported.packages
      .filter(({ name }) => lock.packages.every((locked) => locked.name.toLowerCase() !== name.toLowerCase()))
      .map(({ name, version }) => `${name} ${version} is not needed`),
  ];
  if (differences.length > 0) throw misfit(plan, file, differences);
  return { ...lock, pip: pip && imported.pip.length > 0 ? importPip(lock, imported, pip) : undefined };
}

/** As it is: no pip looks at it before it is installed, and the gate afterwards. */
function importPip(lock: EnvironmentLock, { pip }: ImportedLock, section: PipSection): PipLock {
  const named = new Set(
    section.requirements.flatMap(({ requirement: { name } }) =>
      name === undefined ? [] : [normalizeDistributionName(name)],
    ),
  );
  return {
    inputsDigest: digestPipInputs(section, lock.packages, lock.platform),
    packages: pip.map((one) => ({ ...one, requested: named.has(one.name), direct: false })),
  };
}

function misfit(plan: BuildPlan, file: string, lines: readonly string[]): AppError {
  return new AppError(EXIT.configuration, {
    code: 'IMPORT_MISFIT',
    message: `these packages are not a lock of ${plan.spec.file} for ${plan.platform}:\n${lines.map((text) => `- ${text}`).join('\n')}`,
    at: file,
    hint: `write what is missing into the spec; or solve anew: condense lock ${plan.environment.name}`,
  });
}
