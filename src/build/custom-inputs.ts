// What a release depends on by `remove`, `replace` and `libraries`: the rules, and what they name on this machine.
import { digestText } from '../system/files.ts';
import type { BuildPlan } from './build-plan.ts';
import { readSite } from './customise.ts';

/** @returns undefined where an environment has none of it, so that its releases are what they were */
export function readCustomDigest({ environment: { customise } }: BuildPlan): string | undefined {
  const { remove, replace, libraries } = customise;
  const rules = [
    remove.map(({ package: name, spared }) => [name, spared]),
    // Names, targets and sizes: the image has links to them, not their bytes.
    replace.map((rule) => [rule.package, rule.by, readSite(rule)]),
    libraries,
  ];
  const isUsed = remove.length > 0 || replace.length > 0 || libraries.strict || libraries.elsewhere.length > 0;
  return isUsed ? digestText(JSON.stringify(rules)) : undefined;
}
