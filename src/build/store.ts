// What every environment of the site shares and a build needs first: the base container, and Node for the launcher.
import { STORE_WAIT_MS, withLock } from '../release/site-lock.ts';
import { writeNodeRuntime } from '../site/product.ts';
import { planBase, readRootLinks, writeBase, type BasePlan } from './base.ts';
import type { BuildContext } from './build-context.ts';

/** What every environment of the site shares. Two builds at once make it one after the other. */
export async function readyStore(context: BuildContext): Promise<{ base: BasePlan; node: string }> {
  const work = async (): Promise<{ base: BasePlan; node: string }> => ({
    base: await readyBase(context),
    node: await writeNodeRuntime(context.layout),
  });
  return await withLock(context.layout.lockFile('store'), 'preparing the base container', work, {
    waitMs: STORE_WAIT_MS,
    signal: context.signal,
  });
}

async function readyBase(context: BuildContext): Promise<BasePlan> {
  const plan = await planStoreBase(context);
  await writeBase(plan, context.runtime, context.signal);
  return plan;
}

/** The base that this machine's builds need, whether it is there or not. */
export async function planStoreBase(context: BuildContext): Promise<BasePlan> {
  return planBase(context.layout, context.product.baseTemplate, {
    binds: context.config.binds,
    rootLinks: await readRootLinks(),
    runtimeVersion: context.runtime.version,
  });
}
