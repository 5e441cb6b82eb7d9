// The command line of the container runtime.
import type { LauncherFacts } from './facts.ts';
import type { Overlay } from './overlays.ts';
import type { ContainerPlan } from './plan.ts';

/** From the runtime's name to the first program inside. */
export function runtimeArguments(plan: ContainerPlan, facts: LauncherFacts): string[] {
  return [
    '-s', // without it the bare base brings a warning for each of passwd, group, localtime ...
    'exec',
    ...(plan.binds.length === 0 ? [] : ['--bind', plan.binds.join(',')]),
    ...[{ path: plan.image }, ...plan.overlays].flatMap((overlay) => ['--overlay', overlayArgument(overlay)]),
    facts.base,
  ];
}

/** The option takes a list in CSV form: a path with a comma is quoted, a quote doubled. */
function overlayArgument({ path, note }: Overlay): string {
  const argument = note !== undefined ? path : `${path}:ro`;
  return /[,"]/.test(argument) ? `"${argument.replaceAll('"', '""')}"` : argument;
}
