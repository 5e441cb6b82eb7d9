// The bash prelude of the launcher: the common launches, without a fork and without Node. It starts the same program
// with the same bytes as the planner (plan.ts) would, and leaves everything unusual to it. What is common comes first and
// is short: bash takes longer to read a line than to run it, and reads no further than it runs.
import { outermost } from './binds.ts';
import { OWN_OF_BASH_PATTERN, RUNTIME_PATH, RUNTIME_PATTERN, UNASSIGNABLE_PATTERN } from './environment.ts';
import type { LauncherFacts } from './facts.ts';
import { MARKS, renderInheritance, renderPlainInheritance } from './inherit.ts';
import { renderArrival } from './prelude-arrival.ts';
import { renderOutside } from './prelude-outside.ts';
import { VARIABLE_LIMIT_BYTES } from './render-plan.ts';
import { renderFindSession, renderJoinSession, renderStartSession } from './session.ts';
import { bytesOf, shellQuote } from './shell-quote.ts';
import { compactScript, quoteScript } from './shell-text.ts';
import { BECOME_PROGRAM, HAND_ON, TRAMPOLINE } from './trampoline.ts';

// What Node 26 was measured to start with, 40 times of 40: from 1,200,000 as it is and from 700,000 without its compiler.
const COMPILING_KIB = 1_500_000;
const JITLESS_KIB = 700_000;
/** Allows the child all that the hard limit does, and goes on only when that is enough: a soft limit goes no higher. */
const allowAddressSpace = (kib: number): string => `ulimit -Sv ${String(kib)} 2>/dev/null && ulimit -Sv hard && `;

// For V8's work beside; 0 would be as many as Node thinks that the processors are good for.
const ONE_THREAD = '--v8-pool-size=1';
// Without it V8 hashes all of its strings again with a secret, 3 ms, against strangers who choose what it hashes: here
// all is the caller's own. The second way does without: a Node that has it no more ends with status 9.
const NO_SECRET = '--no-rehash-snapshot';

const word = (text: string): string => shellQuote(bytesOf(text));

/**
 * For bash 4.4 and later, up to the line that ends the comment which hides it from Node.
 * @param deferAll leave every launch to the planner: only for the test that compares the two
 */
export function renderPrelude(facts: LauncherFacts, { deferAll = false } = {}): string {
  return `#!/bin/bash -pf
':' /*;
# bash runs the lines up to the mark below; Node sees them as one comment. What it does: docs/launcher.md.
${compactScript(deferAll ? `${renderStart(facts)}__cl_way=plan\n${renderCareful(facts, [])}` : renderAll(facts))}*/
`;
}

function renderAll(facts: LauncherFacts): string {
  return [
    renderStart(facts),
    renderCommon(facts),
    renderCareful(facts, [renderOutside(facts, pieces(facts)), renderArrival(facts, pieces(facts))]),
  ].join('');
}

function renderStart({ fullName, outsideCommands }: LauncherFacts): string {
  const outside = outsideCommands.map((name) => ` | ${word(name)}`).join('');
  return `
# The line of the shell that sources this; 0 for bash that runs it, nothing for other shells.
case \${BASH_LINENO-} in
  0) ;;
  *)
    printf 'condense: this is a program and cannot be sourced, load the module of %s instead\\n' ${word(fullName)} >&2
    return 125
    ;;
esac
set +o posix
unset -v "\${!__cl_@}"
[[ -v LC_ALL ]] && __cl_L=$LC_ALL
LC_ALL=C
__cl_N=${word(fullName)}
__cl_name=\${0##*\\/}
case $__cl_name in
  '' | launcher${outside})
    __cl_way=plan
    # What python's venv makes in a venv of a venv: plan.ts.
    [[ $__cl_name = launcher && $0 = *[/]* && -e \${0%\\/*}/../pyvenv.cfg ]] && __cl_name=python __cl_way=host
    ;;
  *) __cl_way=host ;;
esac
`;
}

/** Pieces of text that stand in the common part and once more, for what is less common, behind it. */
export interface Pieces {
  /** __cl_release, from the caller's pin. */
  readonly release: string;
  /** __cl_have, the kernel's copy of the environment, which is exact: bash's own variables are not. */
  readonly environment: string;
  /** A condition: a container of the release can be started, and the planner has nothing to say. */
  readonly isReady: string;
  /** __cl_binds, what the node has of the site's directories, with a comma before each. */
  readonly binds: string;
}

function pieces(facts: LauncherFacts): Pieces {
  const releases = word(facts.releasesDir);
  const binds = outermost([...facts.binds, ...facts.farmRoots]).map(word);
  return {
    release: `
__cl_release=${releases}/${word(facts.releaseId)}
if [[ $CONDENSE_RELEASE = ${word(facts.fullName)}/* ]]; then
  __cl_x=\${CONDENSE_RELEASE#*\\/}
  [[ $__cl_x && $__cl_x != *[!0-9A-Za-z-]* && -r ${releases}/$__cl_x/env.sqsh ]] && __cl_release=${releases}/$__cl_x
fi
`,
    environment: `mapfile -td '' __cl_have <"/proc/$$/environ"\n`,
    isReady: `! -e /.singularity.d && ! $CONTAINER_OVERLAY_PATH && -r $__cl_release/env.sqsh && -r ${word(facts.base)} && -x ${word(facts.runtime)}`,
    binds: `
if [[ ${binds.map((bind) => `-e ${bind}`).join(' && ')} ]]; then
  __cl_binds=${binds.map((bind) => `,${bind}`).join('')}
else
  __cl_binds=
  for __cl_x in ${binds.join(' ')}; do [[ -e $__cl_x ]] && __cl_binds+=,$__cl_x; done
fi
`,
  };
}

function renderCommon(facts: LauncherFacts): string {
  const { release, environment, isReady, binds } = pieces(facts);
  const bin = `${word(facts.condaPrefix)}/bin`;
  const careful = ['CONDENSE_TRACE', ...(facts.inherit === undefined ? [] : MARKS)];
  return `
if [[ $__cl_way = host ]]; then
  if [[ -e ${word(facts.marker)} ]]; then
    [[ -x ${bin}/$__cl_name && ! -d ${bin}/$__cl_name ]] && __cl_way=inside || __cl_way=plan
  else
    ${release}
    [[ ${isReady} && ! -e $__cl_release/overrides/$__cl_name && ! -e $__cl_release/overrides/$__cl_name.env ]] || __cl_way=plan
  fi
fi
if [[ $__cl_way != plan ]]; then
  ${environment}
  # A caller who exports one of these gets the careful way.
  __cl_names=" \${__cl_have[*]%%=*} "
  case $__cl_names in ${careful.map((name) => `*\\ ${name}\\ *|`).join('')}${OWN_OF_BASH_PATTERN}) ;; *) __cl_simple=1 ;; esac
  # What bash changes by itself; all other variables it hands on as they came.
  __cl_special=()
  for __cl_x in "\${__cl_have[@]}"; do
    case $__cl_x in [OPS][HLSW][124DLV]*)
      case $__cl_x in PWD=* | OLDPWD=* | SHLVL=* | PS[124]=*) __cl_special+=("$__cl_x") ;; esac
      ;;
    esac
  done
  __cl_path=$PATH
fi
if [[ $__cl_way$__cl_simple = inside1 ]]; then
  ${HAND_ON}
  exec -a "$0" -- ${bin}/"$__cl_name" "$@"
fi
if [[ $__cl_way = host ]]; then
  ${renderPath(facts)}
  ${binds}
fi
${renderJoinSession(facts, facts.inherit === undefined ? '' : renderPlainInheritance(facts.inherit))}`;
}

/** The environment's own commands come first where its farm stands on the caller's PATH: inside, no launcher is needed. */
function renderPath(facts: LauncherFacts): string {
  const bin = `${word(facts.condaPrefix)}/bin`;
  const releases = word(facts.releasesDir);
  return `
case :$PATH: in
  *:${bin}:*) ;;
  ${facts.farmRoots.map((root) => `*:${word(root)}/*`).join(' | ')})
    __cl_rest=$PATH: __cl_done=
    while [[ $__cl_rest ]]; do
      __cl_x=\${__cl_rest%%:*} __cl_rest=\${__cl_rest#*:}
      case $__cl_x in ${facts.farmRoots.map((root) => `${word(root)}/*`).join(' | ')})
        if [[ $__cl_x = ${releases}/* || $__cl_x -ef ${releases}/${word(facts.releaseId)}/bin ]]; then
          __cl_path=$__cl_done${bin}:$__cl_x:$__cl_rest
          __cl_path=\${__cl_path%:}
          break
        fi
        ;;
      esac
      __cl_done+=$__cl_x:
    done
    ;;
esac
`;
}

/**
 * What is less common, or takes long anyway.
 * @param more ways that set __cl_way, __cl_zero, __cl_path and "$@", or leave all as it is to the planner
 */
function renderCareful(facts: LauncherFacts, more: readonly string[]): string {
  const bin = `${word(facts.condaPrefix)}/bin`;
  return `
__cl_runtime=${word(facts.runtime)}
__cl_base=${word(facts.base)}
__cl_trampoline=${quoteScript(TRAMPOLINE)}
${facts.sessions === undefined ? '' : '__cl_none=$CONDENSE_SESSION'}
# bash ignores SIGQUIT itself; with a trap, /proc tells whether the caller does. exec takes the trap away.
trap : QUIT
__cl_note() { :; }
if [[ $CONDENSE_TRACE = [1/]* ]]; then
  __cl_T=$CONDENSE_TRACE
  __cl_note() {
    if [[ $__cl_T = /* ]]; then
      { printf 'condense[%s] %s\\n' "$$" "$1" >>"$__cl_T"; } 2>/dev/null
    else
      printf 'condense[%s] %s\\n' "$$" "$1" >&2
    fi
  }
  __cl_note "$0: release ${facts.releasesDir}/${facts.releaseId}, $# arguments"
fi
__cl_gone=() __cl_new=()
__cl_note "way: $__cl_way (inside: directly; host: a session or a container; plan: the planner decides, or what is said next)"
${renderFindSession(facts)}
${renderStartSession(facts)}
if [[ $__cl_way = inside || $__cl_way = host ]]; then
  __cl_zero=$0
  __cl_words=(${bin}/"$__cl_name" "$@")
fi
${renderContainer(facts, renderPlainWanted())}
${more.length === 0 ? '' : [...more, renderContainer(facts)].join('')}
if [[ $__cl_way != plan ]]; then
  ${renderWanted()}
fi
__cl_become() {
${BECOME_PROGRAM}
}
[[ $__cl_way = plan ]] || __cl_become "\${__cl_words[@]}"

__cl_note "asks the planner"
# The second way is slower, and works with little address space (ulimit -v), below a package.json of somebody's, with any Node.
# Node that has too little is not started: it is sometimes (4 of 100 with 200 MB) seen to hang instead of dying of it.
# Standard error is the caller's all the while: the planner looks whether it is a terminal.
{
  __cl_t=$(ulimit -Sc 0; ${allowAddressSpace(COMPILING_KIB)} exec -c ${word(facts.node)} ${ONE_THREAD} ${NO_SECRET} "$0" "$$" "$#" </dev/null 2>/dev/null) ||
    __cl_t=$(ulimit -Sc 0; ${allowAddressSpace(JITLESS_KIB)} exec -c ${word(facts.node)} --jitless ${ONE_THREAD} - "$$" "$#" <"$0" 2>/dev/null)
} && eval "$__cl_t"
printf 'condense: %s\\n' "the planner of $__cl_N failed, ${word(facts.node).replaceAll(/[$"`\\]/g, '')} with $0, allow it more memory (ulimit -v) or tell the maintainers of the environment" >&2
exit 125
`;
}

/** What the program gets, and what the shell has of it: __cl_want, __cl_names and more of trampoline.ts. */
function renderWanted(): string {
  return `
__cl_note "PATH inside: $__cl_path"
__cl_want=("\${__cl_new[@]}") __cl_names=("\${__cl_new[@]%%=*}")
for __cl_x in "\${__cl_have[@]}"; do
  # The kernel's copy still has what does not come along.
  [[ " \${__cl_gone[*]} " != *" \${__cl_x%%=*} "* ]] || continue
  case \${__cl_x%%=*} in
    '' | [0-9]* | *[!a-zA-Z0-9_]* | ${UNASSIGNABLE_PATTERN}) ;;
    PATH) __cl_want+=("PATH=$__cl_path") ;;
    SHELLOPTS) __cl_opts=\${__cl_x#*=} ;;
    BASHOPTS) __cl_shopts=\${__cl_x#*=} ;;
    ${RUNTIME_PATTERN})
      __cl_want+=("$__cl_x")
      [[ $__cl_way = host ]] || __cl_names+=("\${__cl_x%%=*}")
      ;;
    *)
      __cl_want+=("$__cl_x")
      __cl_names+=("\${__cl_x%%=*}")
      ;;
  esac
done
`;
}

/**
 * The same without a look at each variable, where __cl_names is still all names of __cl_have: none of bash's own, none
 * that no shell can assign, nothing that does not come along. In: the text for all others.
 */
function renderPlainWanted(): string {
  return `
case $__cl_simple\${__cl_gone[*]}$__cl_names in
  1\\ *[!a-zA-Z0-9_\\ ]* | *\\ _\\ * | *\\ [0-9]* | *\\ \\ * | [!1]* | 1[!\\ ]*)
    ${renderWanted()}
    ;;
  *)
    __cl_want=("\${__cl_new[@]}" "\${__cl_have[@]}")
    [[ $__cl_path = "$PATH" ]] || __cl_want+=("PATH=$__cl_path")
    __cl_t="\${__cl_new[*]%%=*}"
    for __cl_x in "\${__cl_have[@]%%=*}"; do
      case $__cl_x in ${RUNTIME_PATTERN} | PATH) ;; *) __cl_t+=\\ $__cl_x ;; esac
    done
    # shellcheck disable=SC2206 # names of variables
    __cl_names=($__cl_t)
    ;;
esac
`;
}

/**
 * Becomes the program in a session or in a container of its own, where __cl_way is `host`.
 * @param wanted text that finds out what the program gets
 */
function renderContainer(facts: LauncherFacts, wanted = renderWanted()): string {
  return `
if [[ $__cl_way = host ]]; then
  ${facts.inherit === undefined ? '' : renderInheritance(facts.inherit)}
  ${wanted}
  # Long texts go through a file without a name: a runtime takes no more than 1 MB of arguments and environment.
  __cl_pack() {
    if [[ \${#__cl_t} -le ${VARIABLE_LIMIT_BYTES} ]]; then export "__cl_$1=$__cl_t"; else exec {__cl_x}<<<"$__cl_t" && export "__cl_F$1=$__cl_x"; fi
  }
  [[ \${#__cl_want[@]} = 0 ]] || printf -v __cl_t '%q ' "\${__cl_want[@]}"
  __cl_pack E
  set -- "$__cl_zero" "\${__cl_words[@]}"
  __cl_t=$*
  if [[ \${#__cl_t} -gt ${VARIABLE_LIMIT_BYTES} || $__cl_t = *[![:ascii:]]* ]]; then
    printf -v __cl_t '%q ' "$@"
    set --
    __cl_pack W
  fi
  if [[ . -ef / ]]; then __cl_D=; else exec {__cl_D}<.; fi
  # From one S to the next: fewer than the lines are.
  mapfile -td S __cl_have <"/proc/$$/status"
  for __cl_x in "\${__cl_have[@]}"; do [[ $__cl_x = igIgn:* ]] && export __cl_I="\${__cl_x//[!0-9a-f]/}"; done
  [[ -v __cl_opts ]] && export __cl_S=$__cl_opts
  [[ -v __cl_shopts ]] && export __cl_B=$__cl_shopts
  [[ \${#__cl_names[@]} = 0 ]] || unset -v "\${__cl_names[@]}" 2>/dev/null
  export __cl_N __cl_D PATH=${RUNTIME_PATH}
  ${facts.sessions === undefined ? '' : '__cl_session "$@"'}
  __cl_note "starts a container of its own from $__cl_release, binds \${__cl_binds#,}"
  exec "$__cl_runtime" -s exec \${__cl_binds:+--bind "\${__cl_binds#,}"} --overlay "$__cl_release/env.sqsh:ro" "$__cl_base" \\
    /bin/bash --norc -pfc "$__cl_trampoline" bash "$@"
fi
`;
}
