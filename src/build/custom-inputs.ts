// What a release depends on by `remove`, `replace`, `files`, `hooks` and `libraries`: the rules, and what they name on this machine.
import { digestText } from '../system/files.ts';
import type { BuildPlan } from './build-plan.ts';
import { isCustomised, readSite } from './customise.ts';
import { digestExtraFiles } from './extra-files.ts';
import { digestHooks } from './hooks.ts';

/**
 * @returns undefined where an environment has none of it, so that its releases are what they were
 * @throws AppError HOOK_MISSING
 */
export async function readCustomDigest(plan: BuildPlan): Promise<string | undefined> {
  const { customise } = plan.environment;
  const { remove, replace, files, hooks, libraries } = customise;
  const isUsed =
    isCustomised(customise) || hooks.programs.length > 0 || libraries.strict || libraries.elsewhere.length > 0;
  if (!isUsed) return undefined;
  const rules = [
    remove.map(({ package: name, spared }) => [name, spared]),
    // Names, targets and sizes: the image has links to them, not their bytes.
    replace.map((rule) => [rule.package, rule.by, readSite(rule.by)]),
    await digestExtraFiles(files),
    await digestHooks(plan),
    libraries,
  ];
  return digestText(JSON.stringify(rules));
}
