// What `launcher --explain` says: which program would run, where, how and why.
import { valueOf } from './environment.ts';
import type { LauncherFacts } from './facts.ts';
import type { ContainerPlan, ProgramPlan } from './plan.ts';
import { runtimeArguments } from './runtime-arguments.ts';
import { shellQuote } from './shell-quote.ts';

export interface Explanation {
  readonly environment: string;
  readonly prefix: string;
  readonly why: string;
  readonly release?: string;
  readonly releaseWhy?: string;
  readonly runtime?: string;
  readonly base?: string;
  readonly image?: string;
  readonly overlays: readonly string[];
  readonly binds: readonly string[];
  readonly path: string | null;
  /** What the program gets otherwise than the caller has it; a removed one is null. */
  readonly changes: Readonly<Record<string, string | null>>;
  readonly argv0: string;
  readonly command: readonly string[];
  /** A line of shell that gives the same program without any launcher. */
  readonly plain: string;
}

/** @param before the caller's environment */
export function explainPlan(
  plan: ContainerPlan | ProgramPlan,
  before: readonly string[],
  facts: LauncherFacts,
): Explanation {
  const path = plan.path ?? valueOf(plan.environment, 'PATH');
  const command = [plan.program, ...plan.args];
  const common = {
    environment: facts.fullName,
    prefix: facts.condaPrefix,
    overlays: [],
    binds: [],
    path: path ?? null,
    changes: compareEnvironments(before, path === undefined ? plan.environment : [...plan.environment, `PATH=${path}`]),
    argv0: plan.zero,
    command,
  };
  if (plan.kind === 'program') return { ...common, why: plan.because, plain: command.map(shellQuote).join(' ') };
  // A name is looked up inside, on the PATH that the launcher would give it.
  const words = plan.program.includes('/') ? command : ['/usr/bin/env', `PATH=${path ?? ''}`, ...command];
  return {
    ...common,
    why:
      plan.within === undefined
        ? `not inside a container: ${facts.marker} is not there`
        : `inside another container, ${plan.within}: ${facts.marker} is not there`,
    release: plan.release,
    releaseWhy: plan.releaseBecause,
    runtime: facts.runtime,
    base: facts.base,
    image: plan.image,
    overlays: plan.overlays.map((overlay) => `${overlay.path}${overlay.note === undefined ? '' : ':rw'}`),
    binds: plan.binds,
    plain: [facts.runtime, ...runtimeArguments(plan, facts), ...words].map(shellQuote).join(' '),
  };
}

function compareEnvironments(before: readonly string[], after: readonly string[]): Record<string, string | null> {
  const names = new Set([...before, ...after].map((entry) => entry.split('=', 1)[0] ?? ''));
  const changed = [...names].filter((name) => valueOf(before, name) !== valueOf(after, name));
  return Object.fromEntries(changed.map((name) => [name, valueOf(after, name) ?? null]));
}

export function describeExplanation(explanation: Explanation): string {
  const { environment, prefix, why, release, releaseWhy, runtime, base, image, overlays, binds, path, changes } =
    explanation;
  const optional = (label: string, text: string | undefined): string[][] => (text === undefined ? [] : [[label, text]]);
  const rows = [
    ['environment', `${environment} at ${prefix}`],
    ['why', why],
    ...optional('release', release),
    ...optional('because', releaseWhy),
    ...optional('runtime', runtime),
    ...optional('base', base),
    ...optional('image', image),
    ...overlays.map((overlay) => ['overlay', overlay]),
    ...binds.map((bind) => ['bind', bind]),
    ['PATH', path ?? '(not set)'],
    ...Object.entries(changes).map(([name, value]) => [
      'changes',
      value === null ? `${name} (unset)` : `${name}=${value}`,
    ]),
    ['argv[0]', explanation.argv0],
    ['command', explanation.command.map((word) => JSON.stringify(word)).join(' ')],
    ['plain', explanation.plain],
  ];
  return rows.map(([label = '', text = '']) => `${label.padEnd(12)} ${text}\n`).join('');
}

/** Bytes that are no UTF-8 become U+FFFD: JSON has no others. */
export function explanationJson(explanation: Explanation): string {
  const text = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');
  return JSON.stringify(
    explanation,
    (_, value: unknown) => {
      if (typeof value === 'string') return text(value);
      return value;
    },
    2,
  );
}
