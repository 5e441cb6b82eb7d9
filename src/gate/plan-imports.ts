// Which modules are imported, what with, and which entry points are looked up in the same process. Pure.
import type { GatePolicy } from '../config/site-config.ts';
import { describeExpired, isOver } from './exceptions.ts';
import { listTopModules, type Inventory } from './inventory.ts';
import type { RawResult } from './raw-result.ts';

export interface ImportItem {
  /** Of the check. */
  readonly name: string;
  /** As IMPORT_PROGRAM takes it: `i:<module>` or `e:<module>:<attribute>`. */
  readonly work: string;
  /** The package to name when it fails. */
  readonly from: string;
}

/** One process: an import, and the entry points that need no other top-level module. */
export interface ImportGroup {
  /** Imported before, as `p:<module>`. */
  readonly preload: readonly string[];
  readonly items: readonly ImportItem[];
}

export interface ImportPlan {
  readonly groups: readonly ImportGroup[];
  /** What the configuration decides without trying it. */
  readonly decided: readonly RawResult[];
  readonly warnings: readonly string[];
}

export function planImports(inventory: Inventory, policy: GatePolicy, today: string): ImportPlan {
  const decided: RawResult[] = [];
  const groups = new Map<string, { preload: string[]; items: ImportItem[] }>();
  const tops = listTopModules(inventory);
  const isSkipped = new Map<string, RawResult['skipped']>();
  const wanted = [...tops, ...policy.imports.map((module) => ({ module, from: 'gate.imports' }))];
  for (const { module, from } of wanted) {
    const name = `import ${module}`;
    if (groups.has(module) || decided.some((one) => one.name === name)) continue;
    const skip = findFor(policy.skip, module);
    if (skip && isOver(skip.exception, today)) {
      decided.push({ name, seconds: 0, failure: describeExpired(`gate.skip.${skip.module}`, skip.exception) });
    } else if (skip) {
      isSkipped.set(module, skip.exception);
      decided.push({ name, seconds: 0, skipped: skip.exception });
    } else {
      const preload = policy.preload[module];
      if (preload && isOver(preload, today))
        decided.push({ name, seconds: 0, failure: describeExpired(`gate.preload.${module}`, preload) });
      else groups.set(module, { preload: [...(preload?.first ?? [])], items: [{ name, work: `i:${module}`, from }] });
    }
  }
  for (const { name: from, scripts } of inventory.distributions) {
    for (const { name: script, value } of scripts) {
      const name = `entry point ${script}`;
      const [, module, attribute] = /^([\w.]+)\s*:\s*([\w.]+)\s*(?:\[.*\])?$/.exec(value) ?? [];
      if (module === undefined || attribute === undefined) {
        decided.push({ name, seconds: 0, failure: `${from}: ${JSON.stringify(value)} is not <module>:<attribute>` });
        continue;
      }
      const skip = findFor(policy.skip, module);
      const decidedTop = decided.find(
        (one) => within(module, one.name.replace(/^import /, '')) && one.name.startsWith('import '),
      );
      if (skip && !isOver(skip.exception, today)) decided.push({ name, seconds: 0, skipped: skip.exception });
      else if (decidedTop) decided.push({ name, seconds: 0, skipped: { reason: `${decidedTop.name} was not tried` } });
      else {
        const top =
          [...groups.keys()].filter((one) => within(module, one)).sort((a, b) => a.length - b.length)[0] ?? module;
        const group = groups.get(top) ?? { preload: [...(policy.preload[top]?.first ?? [])], items: [] };
        if (!group.items.some((item) => item.name === name))
          group.items.push({ name, work: `e:${module}:${attribute}`, from });
        groups.set(top, group);
      }
    }
  }
  const known = [...groups.keys(), ...decided.map((one) => one.name.replace(/^import /, ''))];
  const warnings = [
    ...Object.keys(policy.skip)
      .filter((module) => !known.some((one) => within(one, module)))
      .map((module) => `gate.skip.${module}`),
    ...Object.keys(policy.preload)
      .filter((module) => !known.includes(module))
      .map((module) => `gate.preload.${module}`),
  ].map((key) => `${key} is for nothing in this environment: remove it`);
  return { groups: [...groups.values()], decided, warnings };
}

/** Whether a module is another one or in it: `iris.cube` is in `iris`. */
const within = (module: string, outer: string): boolean => module === outer || module.startsWith(`${outer}.`);

function findFor<T>(
  entries: Readonly<Record<string, T>>,
  module: string,
): { module: string; exception: T } | undefined {
  const found = Object.entries(entries).find(([outer]) => within(module, outer));
  return found && { module: found[0], exception: found[1] };
}
