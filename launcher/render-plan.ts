// A launch plan as shell words for the waiting prelude, which evaluates them and becomes the program.
import { isForRuntime, RUNTIME_PATH, sortEnvironment, valueOf } from './environment.ts';
import { describeExplanation, explainPlan, explanationJson, type Explanation } from './explain.ts';
import type { Invocation } from './invocation.ts';
import type { LauncherFacts } from './facts.ts';
import { renderOverlays } from './overlays.ts';
import {
  nameRelease,
  startedOtherwise,
  type ContainerPlan,
  type LaunchPlan,
  type ProgramPlan,
  type Purpose,
} from './plan.ts';
import { renderLayer } from './layer.ts';
import { runtimeArguments } from './runtime-arguments.ts';
import { bytesOf, shellQuote } from './shell-quote.ts';

/** The kernel takes strings of up to 131072 bytes (execve(2)). */
export const VARIABLE_LIMIT_BYTES = 100_000;

export function renderPlan(
  { plan, purpose }: { plan: LaunchPlan; purpose: Purpose },
  facts: LauncherFacts,
  invocation: Invocation,
): string {
  if (plan.kind === 'fail') {
    const what = `condense: ${plan.message}`;
    return `${note(`fails: ${plan.message}`)}\nprintf '%s\\n' ${shellQuote(what)} >&2; exit ${plan.status}`;
  }
  if (plan.kind === 'say') return say(plan.text);
  if (plan.kind === 'layer') return renderLayer(plan, facts);
  const explanation = (): Explanation => explainPlan(plan, invocation.environment, facts);
  if (plan.kind === 'program') {
    const way = plan.program.startsWith(`${facts.condaPrefix}/`) || plan.program === plan.zero ? 'inside' : 'host';
    if (purpose === 'explain') return `${row(way)}\n${say(describeExplanation(explanation()))}`;
    if (purpose === 'explain-json') return `__cl_way='{"kind": "${way}"}'\n${sayJson(explanation())}`;
    return `${note(`runs ${plan.program}: ${plan.because}`)}\n${renderPrompt(plan)}${renderProgram(plan, invocation)}`;
  }
  const { before, overlays, trampolineArguments, runtime } = renderContainer(plan, facts, invocation);
  if (purpose === 'explain')
    return [...before, explainWay(plan, facts, row), say(describeExplanation(explanation()))].join('\n');
  if (purpose === 'explain-json') return [...before, explainWay(plan, facts, set), sayJson(explanation())].join('\n');
  if (purpose === 'start-session') return [...before, startSession(facts)].join('\n');
  const join = joins(plan, facts) ? [`__cl_session ${trampolineArguments}`] : [];
  return [
    note(`runs ${plan.program} in release ${plan.release}: ${plan.releaseBecause}`),
    renderPrompt(plan),
    ...before,
    ...(plan.within === undefined ? [] : [refuseToNest(plan, plan.within, facts)]),
    ...join,
    ...overlays,
    note('starts a container of its own'),
    `exec ${runtime} ${trampolineArguments}`,
  ].join('\n');
}

/** A line of the trace (prelude.ts), which says nothing when nobody asked for it. */
function note(text: string): string {
  return `__cl_note ${shellQuote(text)}`;
}

/**
 * An image of the caller's own makes it a container of its own, and so does another container: its processes may not
 * enter a session of the host's, nor should the host's commands one of theirs.
 */
function joins(plan: ContainerPlan, facts: LauncherFacts): boolean {
  return facts.sessions !== undefined && plan.overlays.length === 0 && plan.within === undefined;
}

/** In a container there is no privilege to gain, so the runtime needs a user namespace there (user_namespaces(7)). */
function refuseToNest(plan: ContainerPlan, within: string, { fullName }: LauncherFacts): string {
  const what = `condense: ${fullName} cannot start inside another container, which allows no user namespaces`;
  const words = [what, within, startedOtherwise(plan.image)].map(shellQuote).join(' ');
  return `[[ -w /dev/fuse ]] && unshare -Um true 2>/dev/null || { printf '%s, %s, %s\\n' ${words} >&2; exit 125; }`;
}

type Kind = 'inside' | 'host' | 'container' | 'start' | 'join';
const WAYS: Readonly<Record<Kind, string>> = {
  inside: 'directly, without a container',
  host: 'directly, on the host',
  container: 'a container of its own',
  start: 'a session, which it starts',
  join: 'the session of process ${__cl_s[1]}',
};
const row = (kind: Kind): string =>
  kind === 'join' ? `printf '%-12s %s\\n' way "${WAYS.join}"` : `printf '%-12s %s\\n' way ${shellQuote(WAYS[kind])}`;
const set = (kind: Kind): string =>
  kind === 'join'
    ? `__cl_way="{\\"kind\\": \\"join\\", \\"process\\": \${__cl_s[1]}}"`
    : `__cl_way='{"kind": "${kind}"}'`;

/** The waiting shell knows best whether there is a session. */
function explainWay(plan: ContainerPlan, facts: LauncherFacts, how: (kind: Kind) => string): string {
  if (!joins(plan, facts)) return how('container');
  const first =
    facts.sessions?.policy === 'join'
      ? how('container')
      : `if __cl_may; then ${how('start')}; else ${how('container')}; fi`;
  return `if ! __cl_context; then ${how('container')}; elif __cl_find; then ${how('join')}; else ${first}; fi`;
}

function sayJson(explanation: Explanation): string {
  const text = bytesOf(explanationJson(explanation)).replace(/^\{/, '');
  return `printf '{\\n  "way": %s,%s\\n' "$__cl_way" ${shellQuote(text)}; exit`;
}

/** For bash a start-up file without a name, which reads the user's own first; for others a line. Both only on a terminal. */
function renderPrompt(plan: ContainerPlan | ProgramPlan): string {
  if (plan.prompt !== true) return '';
  if (!plan.program.endsWith('/bash')) {
    return `printf 'condense: this shell is inside %s, exit leaves it\\n' "$__cl_N" >&2\n`;
  }
  const text = `eval "exec \${BASH_SOURCE##*/}<&-"; [[ ! -r ~/.bashrc ]] || . ~/.bashrc\nPS1="(%s) $PS1"`;
  return `printf -v __cl_x ${shellQuote(text)} "$__cl_N"; exec {__cl_rc}<<<"$__cl_x"\n`;
}

/** The options that go with it, as shell words. */
function promptArguments(plan: ContainerPlan | ProgramPlan): string {
  return plan.prompt === true && plan.program.endsWith('/bash') ? ' --rcfile "/dev/fd/$__cl_rc" -i' : '';
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
  /** What locks the overlays. */
  readonly overlays: readonly string[];
  readonly runtime: string;
  /** argv[0], program, arguments, unless they are packed. */
  readonly trampolineArguments: string;
}

function renderContainer(plan: ContainerPlan, facts: LauncherFacts, invocation: Invocation): RenderedContainer {
  const { wanted, shellOptions, bashOptions } = sortEnvironment(plan.environment, plan.path);
  // The waiting shell has the caller's, also what does not come along.
  const { names } = sortEnvironment(invocation.environment, undefined);
  const kept = new Set(wanted.map((entry) => entry.split('=', 1)[0] ?? ''));
  const words = [plan.zero, plan.program, ...plan.args];
  const text = words.join(' ');
  const isPlain = text.length <= VARIABLE_LIMIT_BYTES && /^[\u0001-\u007f]*$/.test(text);
  const variables: Record<string, string | undefined> = {
    __cl_N: facts.fullName,
    __cl_I: invocation.ignoredSignals,
    __cl_O: plan.otherwise,
    __cl_S: shellOptions,
    __cl_B: bashOptions,
    PATH: RUNTIME_PATH,
  };
  const command = [facts.runtime, ...runtimeArguments(plan, facts)].map(shellQuote).join(' ');
  return {
    before: [
      'if [[ . -ef / ]]; then __cl_D=; else exec {__cl_D}<.; fi',
      'export __cl_D',
      renderPacked('E', wanted),
      ...(isPlain ? [] : [renderPacked('W', words)]),
      // Nothing but names that are identifiers: an array subscript would be evaluated.
      ...names.filter((name) => !isForRuntime(name) || !kept.has(name)).map((name) => `unset -v ${name}`),
      ...Object.entries(variables).map(([name, value]) =>
        value === undefined ? '' : `export ${name}=${shellQuote(value)}`,
      ),
      // As the prelude has them; what was sent by another host has its own.
      `__cl_none=${shellQuote(valueOf(plan.environment, 'CONDENSE_SESSION') ?? '')}`,
      `__cl_release=${shellQuote(plan.release)} __cl_binds=${shellQuote(plan.binds.map((bind) => `,${bind}`).join(''))}`,
    ],
    overlays: renderOverlays(plan.overlays, nameRelease(plan, facts), command, facts),
    runtime: `${command} /bin/bash --norc -pfc "$__cl_trampoline" bash`,
    trampolineArguments: isPlain ? `${words.map(shellQuote).join(' ')}${promptArguments(plan)}` : '',
  };
}

/** Long texts go through a file without a name: apptainer takes no more than 1 MB of arguments and environment. */
function renderPacked(letter: 'E' | 'W', words: readonly string[]): string {
  const text = words.map(shellQuote).join(' ');
  if (text.length <= VARIABLE_LIMIT_BYTES) return `export __cl_${letter}=${shellQuote(text)}`;
  return `exec {__cl_x}<<<${shellQuote(text)} && export __cl_F${letter}=$__cl_x`;
}

function renderProgram(plan: ProgramPlan, invocation: Invocation): string {
  const { wanted, shellOptions, bashOptions } = sortEnvironment(plan.environment, plan.path);
  // The waiting shell has the caller's, also what is to be no more.
  const { names } = sortEnvironment(invocation.environment, undefined);
  const list = (words: readonly string[]): string => words.map(shellQuote).join(' ');
  return [
    `__cl_zero=${shellQuote(plan.zero)}`,
    `__cl_names=(${names.join(' ')})`,
    `__cl_want=(${list(wanted)})`,
    ...(shellOptions === undefined ? [] : [`__cl_opts=${shellQuote(shellOptions)}`]),
    ...(bashOptions === undefined ? [] : [`__cl_shopts=${shellQuote(bashOptions)}`]),
    `set -- ${list([plan.program, ...plan.args])}${promptArguments(plan)}`,
    ...(plan.otherwise === undefined
      ? []
      : [`[[ -x $1 ]] || { __cl_zero=${shellQuote(plan.otherwise)}; set -- ${shellQuote(plan.otherwise)}; }`]),
    '__cl_become "$@"',
  ].join('\n');
}
