// A launch plan as shell words for the waiting prelude, which evaluates them and becomes the program.
import { isForRuntime, RUNTIME_PATH, sortEnvironment } from './environment.ts';
import { describePlan } from './explain.ts';
import type { LauncherFacts } from './facts.ts';
import type { ContainerPlan, LaunchPlan, ProgramPlan, Purpose } from './plan.ts';
import { runtimeArguments } from './runtime-arguments.ts';
import { shellQuote } from './shell-quote.ts';
import { TRAMPOLINE } from './trampoline.ts';

/** The kernel takes strings of up to 131072 bytes (execve(2)). */
export const VARIABLE_LIMIT_BYTES = 100_000;

export function renderPlan(
  { plan, purpose }: { plan: LaunchPlan; purpose: Purpose },
  facts: LauncherFacts,
  ignoredSignals: string,
): string {
  if (plan.kind === 'fail') return `printf '%s\\n' ${shellQuote(`condense: ${plan.message}`)} >&2; exit ${plan.status}`;
  if (plan.kind === 'say') return say(plan.text);
  if (plan.kind === 'program') return purpose === 'explain' ? say(describePlan(plan, facts)) : renderProgram(plan);
  const { before, trampolineArguments, runtime } = renderContainer(plan, facts, ignoredSignals);
  if (purpose === 'explain') return [...before, explainWay(plan, facts), say(describePlan(plan, facts))].join('\n');
  if (purpose === 'start-session') return [...before, startSession(facts)].join('\n');
  const join = joins(plan, facts) ? [`__cl_session ${trampolineArguments}`] : [];
  return [...before, ...join, `exec ${runtime} ${trampolineArguments}`].join('\n');
}

/** An image of the caller's own makes it a container of its own. */
function joins(plan: ContainerPlan, facts: LauncherFacts): boolean {
  return facts.sessions !== undefined && plan.overlays.length === 0;
}

function explainWay(plan: ContainerPlan, facts: LauncherFacts): string {
  const row = (text: string): string => `printf '%-12s %s\\n' way ${text}`;
  const own = row(shellQuote('a container of its own'));
  if (!joins(plan, facts)) return own;
  const first = facts.sessions?.policy === 'join' ? own : row(shellQuote('a session, which it starts'));
  const joined = row('"the session of process ${__cl_s[1]}"');
  return `if ! __cl_context; then ${own}; elif __cl_find; then ${joined}; else ${first}; fi`;
}

function startSession(facts: LauncherFacts): string {
  const what = `condense: no session of ${facts.fullName} could be started`;
  const where = facts.sessions?.directory ?? '';
  const toDo = 'run a command to see whether the container starts, and whether that directory is writable';
  return [
    '__cl_context && { __cl_find || __cl_start; } && exit',
    `printf '%s, %s, %s\\n' ${[what, where, toDo].map(shellQuote).join(' ')} >&2; exit 125`,
  ].join('\n');
}

function say(text: string): string {
  return `printf %s ${shellQuote(text)}; exit`;
}

interface RenderedContainer {
  /** What is set and exported before. */
  readonly before: readonly string[];
  readonly runtime: string;
  /** argv[0], program, arguments, unless they are packed. */
  readonly trampolineArguments: string;
}

function renderContainer(plan: ContainerPlan, facts: LauncherFacts, ignoredSignals: string): RenderedContainer {
  const { wanted, names, shellOptions, bashOptions } = sortEnvironment(plan.environment, plan.path);
  const words = [plan.zero, plan.program, ...plan.args];
  const text = words.join(' ');
  const isPlain = text.length <= VARIABLE_LIMIT_BYTES && /^[\u0001-\u007f]*$/.test(text);
  const variables: Record<string, string | undefined> = {
    __cl_N: facts.fullName,
    __cl_I: ignoredSignals,
    __cl_O: plan.otherwise,
    __cl_S: shellOptions,
    __cl_B: bashOptions,
    PATH: RUNTIME_PATH,
  };
  const command = [facts.runtime, ...runtimeArguments(plan, facts), '/bin/bash', '--norc', '-pfc', TRAMPOLINE, 'bash'];
  return {
    before: [
      'if [[ . -ef / ]]; then __cl_D=; else exec {__cl_D}<.; fi',
      'export __cl_D',
      renderPacked('E', wanted),
      ...(isPlain ? [] : [renderPacked('W', words)]),
      // Nothing but names that are identifiers: an array subscript would be evaluated.
      ...names.filter((name) => !isForRuntime(name)).map((name) => `unset -v ${name}`),
      ...Object.entries(variables).map(([name, value]) =>
        value === undefined ? '' : `export ${name}=${shellQuote(value)}`,
      ),
      // As the prelude has them.
      `__cl_release=${shellQuote(plan.release)} __cl_binds=${shellQuote(plan.binds.map((bind) => `,${bind}`).join(''))}`,
    ],
    runtime: command.map(shellQuote).join(' '),
    trampolineArguments: (isPlain ? words : []).map(shellQuote).join(' '),
  };
}

/** Long texts go through a file without a name: apptainer takes no more than 1 MB of arguments and environment. */
function renderPacked(letter: 'E' | 'W', words: readonly string[]): string {
  const text = words.map(shellQuote).join(' ');
  if (text.length <= VARIABLE_LIMIT_BYTES) return `export __cl_${letter}=${shellQuote(text)}`;
  return `exec {__cl_x}<<<${shellQuote(text)} && export __cl_F${letter}=$__cl_x`;
}

function renderProgram(plan: ProgramPlan): string {
  const { wanted, names, shellOptions, bashOptions } = sortEnvironment(plan.environment, plan.path);
  const list = (words: readonly string[]): string => words.map(shellQuote).join(' ');
  return [
    `__cl_zero=${shellQuote(plan.zero)}`,
    `__cl_names=(${names.join(' ')})`,
    `__cl_want=(${list(wanted)})`,
    ...(shellOptions === undefined ? [] : [`__cl_opts=${shellQuote(shellOptions)}`]),
    ...(bashOptions === undefined ? [] : [`__cl_shopts=${shellQuote(bashOptions)}`]),
    `set -- ${list([plan.program, ...plan.args])}`,
    ...(plan.otherwise === undefined
      ? []
      : [`[[ -x $1 ]] || { __cl_zero=${shellQuote(plan.otherwise)}; set -- ${shellQuote(plan.otherwise)}; }`]),
    '__cl_become "$@"',
  ].join('\n');
}
