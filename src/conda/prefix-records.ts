// The files of conda-meta for a whole prefix. Pure.
import { recordName, renderHistory, renderRecord } from './conda-meta.ts';
import type { PlannedPrefix } from './plan-prefix.ts';

/**
 * @param request.rewritten sha256 of each file that is not as its package has it, by path
 * @param request.bytecode what was compiled here, by source
 * @returns texts by name below conda-meta
 */
export function renderRecords(request: {
  readonly planned: PlannedPrefix;
  readonly rewritten: ReadonlyMap<string, string>;
  readonly bytecode: ReadonlyMap<string, string>;
  readonly prefixInside: string;
  readonly requestedSpecs: readonly string[];
  readonly pinnedSpecs?: readonly string[] | undefined;
}): Map<string, string> {
  const { planned, pinnedSpecs = [] } = request;
  const { plan, packages } = planned;
  const files = new Map<string, string>();
  const owners = new Map(plan.items.map((item) => [item.path, item.owner]));
  for (const one of packages) {
    const brought = plan.brought.get(one) ?? [];
    // What is now at a path says nothing of the file of another package that it replaced.
    const own = brought.flatMap(({ path: listed }): [string, string][] => {
      const real = plan.moved.get(listed) ?? listed;
      const digest = owners.get(real) === one ? request.rewritten.get(real) : undefined;
      return digest === undefined ? [] : [[listed, digest]];
    });
    files.set(recordName(one), renderRecord({ ...request, package: one, brought, rewritten: new Map(own) }));
  }
  files.set('history', renderHistory({ ...request, ...planned }));
  // One spec on each line: conda/core/solve.py, get_pinned_specs.
  if (pinnedSpecs.length > 0) files.set('pinned', `${pinnedSpecs.join('\n')}\n`);
  return files;
}
