// What `launcher --explain` says: which program would run, where, and why.
import { valueOf } from './environment.ts';
import type { LauncherFacts } from './facts.ts';
import type { ContainerPlan, ProgramPlan } from './plan.ts';

export function describePlan(plan: ContainerPlan | ProgramPlan, facts: LauncherFacts): string {
  const path = plan.path ?? valueOf(plan.environment, 'PATH') ?? '(not set)';
  const command = [plan.program, ...plan.args].map((word) => JSON.stringify(word)).join(' ');
  const rows =
    plan.kind === 'program'
      ? [['why', plan.because]]
      : [
          ['why', `not inside a container: ${facts.marker} is not there`],
          ['release', `${plan.release}${plan.release.endsWith(`/${facts.releaseId}`) ? '' : ' (CONDENSE_RELEASE)'}`],
          ['runtime', facts.runtime],
          ['base', facts.base],
          ['image', plan.image],
          ...plan.overlays.map((overlay) => ['overlay', overlay]),
          ...plan.binds.map((bind) => ['bind', bind]),
        ];
  return [['environment', `${facts.fullName} at ${facts.condaPrefix}`], ...rows, ['PATH', path], ['command', command]]
    .map(([label = '', text = '']) => `${label.padEnd(12)} ${text}\n`)
    .join('');
}
