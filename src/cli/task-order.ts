// In which order tasks begin: the largest first. On a few slots, one that began last would be waited for by all.
import { readLocks } from '../build/lock.ts';
import type { EnvironmentLock } from '../conda/lock.ts';
import type { EnvironmentOptions } from '../config/site-config.ts';
import type { Layout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';

/** What a package counts as whose lock does not say its size. */
const TYPICAL_BYTES = 1_000_000;

/**
 * By what their locks download. One without a lock has to be solved as well, and nobody knows how large it becomes: it comes
 * first. Those of equal size stay in the order in which they were named.
 */
export async function readLargestFirst(
  layout: Layout,
  environments: readonly EnvironmentOptions[],
  platform: string,
): Promise<readonly EnvironmentOptions[]> {
  const sized = await Promise.all(
    environments.map(async (environment) => ({
      environment,
      bytes: sumBytes(await readLockIfWhole(layout.environmentLock(environment)), platform),
    })),
  );
  return sized.toSorted((a, b) => (a.bytes === b.bytes ? 0 : b.bytes - a.bytes)).map(({ environment }) => environment);
}

/** What is wrong with a lock is for its task to say. */
async function readLockIfWhole(file: string): Promise<readonly EnvironmentLock[]> {
  try {
    return (await readLocks(file)) ?? [];
  } catch (error) {
    if (error instanceof AppError) return [];
    throw error;
  }
}

function sumBytes(locks: readonly EnvironmentLock[], platform: string): number {
  const lock = locks.find((one) => one.platform === platform);
  if (!lock) return Number.POSITIVE_INFINITY;
  const conda = lock.packages.reduce((sum, { sizeBytes = TYPICAL_BYTES }) => sum + sizeBytes, 0);
  return conda + (lock.pip?.packages.length ?? 0) * TYPICAL_BYTES;
}
