// The bash prelude of the launcher: the common launches, without a fork and without Node. It starts the same program
// with the same bytes as the planner (plan.ts) would, and leaves everything unusual to it.
import { outermost } from './binds.ts';
import { OWN_OF_BASH_PATTERN, RUNTIME_PATH, RUNTIME_PATTERN, UNASSIGNABLE_PATTERN } from './environment.ts';
import type { LauncherFacts } from './facts.ts';
import { renderInheritance } from './inherit.ts';
import { VARIABLE_LIMIT_BYTES } from './render-plan.ts';
import { renderFindSession, renderJoinSession, renderStartSession } from './session.ts';
import { bytesOf, shellQuote } from './shell-quote.ts';
import { BECOME_PROGRAM, HAND_ON, TRAMPOLINE } from './trampoline.ts';

const word = (text: string): string => shellQuote(bytesOf(text));

/**
 * For bash 4.4 and later, up to the line that ends the comment which hides it from Node.
 * @param deferAll leave every launch to the planner: only for the test that compares the two
 */
export function renderPrelude(facts: LauncherFacts, { deferAll = false } = {}): string {
  const outside = facts.outsideCommands.map((name) => ` | ${word(name)}`).join('');
  const farms = facts.farmRoots.map(word).join('|');
  const onPath = facts.farmRoots.map((root) => `:$PATH = *:${word(root)}/*`).join(' || ');
  return `#!/bin/bash -pf
':' /*;
# bash runs the lines up to the mark below; Node sees them as one comment. What it does: docs/launcher.md.
# The line of the shell that sources this; 0 for bash that runs it, nothing for other shells.
case \${BASH_LINENO-} in
  0) ;;
  *)
    printf 'condense: this is a program and cannot be sourced, load the module of %s instead\\n' ${word(facts.fullName)} >&2
    return 125
    ;;
esac
set +o posix
unset -v "\${!__cl_@}"
[[ -v LC_ALL ]] && __cl_L=$LC_ALL
LC_ALL=C
# bash ignores SIGQUIT itself; with a trap, /proc tells whether the caller does. exec takes the trap away.
trap : QUIT
__cl_N=${word(facts.fullName)}
__cl_prefix=${word(facts.condaPrefix)}
__cl_releases=${word(facts.releasesDir)}
__cl_own=$__cl_releases/${word(facts.releaseId)}
__cl_base=${word(facts.base)}
__cl_runtime=${word(facts.runtime)}
__cl_name=\${0##*\\/}
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
  __cl_note "$0: release $__cl_own, $# arguments"
fi
# What python's venv makes in a venv of a venv: plan.ts.
[[ $__cl_name = launcher && $0 = *[/]* && -e \${0%\\/*}/../pyvenv.cfg ]] && __cl_name=python
${facts.sessions === undefined ? '' : '__cl_none=$CONDENSE_SESSION\n'}case $__cl_name in
  '' | launcher${outside}) __cl_way=plan ;;
  *) if [[ -e ${word(facts.marker)} ]]; then __cl_way=inside; else __cl_way=host; fi ;;
esac
case $__cl_way in
  inside) [[ -x $__cl_prefix/bin/$__cl_name && ! -d $__cl_prefix/bin/$__cl_name ]] || __cl_way=plan ;;
  host)
    __cl_release=$__cl_own
    if [[ $CONDENSE_RELEASE = "$__cl_N"/* ]]; then
      __cl_x=\${CONDENSE_RELEASE#*\\/}
      [[ $__cl_x && $__cl_x != *[!0-9A-Za-z-]* && -r $__cl_releases/$__cl_x/env.sqsh ]] && __cl_release=$__cl_releases/$__cl_x
    fi
    [[ ! -e /.singularity.d && ! $CONTAINER_OVERLAY_PATH ]] || __cl_way=plan
    [[ -r $__cl_release/env.sqsh && -r $__cl_base && -x $__cl_runtime ]] || __cl_way=plan
    [[ ! -e $__cl_release/overrides/$__cl_name && ! -e $__cl_release/overrides/$__cl_name.env ]] || __cl_way=plan
    ;;
esac${deferAll ? '\n__cl_way=plan' : ''}

${renderInherited(facts)}__cl_note "way: $__cl_way (inside: directly; host: a session or a container; plan: the planner decides)"
if [[ $__cl_way != plan ]]; then
  __cl_path=$PATH
  if [[ $__cl_way = host && ( ${onPath} ) && :$PATH: != *:"$__cl_prefix"/bin:* ]]; then
    # The environment's own commands come first where its farm stands on the caller's PATH: inside, no launcher is needed.
    __cl_rest=$PATH: __cl_done=
    while [[ $__cl_rest ]]; do
      __cl_x=\${__cl_rest%%:*} __cl_rest=\${__cl_rest#*:}
      if [[ $__cl_x = @(${farms})/* && ( $__cl_x = "$__cl_releases"/* || $__cl_x -ef $__cl_own/bin ) ]]; then
        __cl_path=$__cl_done$__cl_prefix/bin:$__cl_x:$__cl_rest
        __cl_path=\${__cl_path%:}
        break
      fi
      __cl_done+=$__cl_x:
    done
  fi
  # The kernel's copy is exact; bash's own variables are not.
  mapfile -td '' __cl_have <"/proc/$$/environ"
  # What bash changes by itself; all other variables it hands on as they came.
  __cl_special=()
  for __cl_x in "\${__cl_have[@]}"; do
    case $__cl_x in PWD=* | OLDPWD=* | SHLVL=* | PS[124]=*) __cl_special+=("$__cl_x") ;; esac
  done
  [[ \${PATH@a} = *x* ]] && __cl_special+=("PATH=$__cl_path")
  [[ -v __cl_L ]] && __cl_special+=("LC_ALL=$__cl_L")
  __cl_x=" \${__cl_have[*]%%=*} "
  case $__cl_x in ${OWN_OF_BASH_PATTERN}) __cl_simple= ;; *) __cl_simple=1 ;; esac
  __cl_note "PATH inside: $__cl_path"
fi
${renderSimple(facts)}
# From here on what is less common, or takes long anyway.
__cl_become() {
${BECOME_PROGRAM.replaceAll(/^(?=.)/gm, '  ')}
}
${renderStartSession(facts)}
if [[ $__cl_way != plan ]]; then
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
        [[ $__cl_way = inside ]] && __cl_names+=("\${__cl_x%%=*}")
        ;;
      *)
        __cl_want+=("$__cl_x")
        __cl_names+=("\${__cl_x%%=*}")
        ;;
    esac
  done
fi

if [[ $__cl_way = inside ]]; then
  __cl_zero=$0
  __cl_become "$__cl_prefix/bin/$__cl_name" "$@"
elif [[ $__cl_way = host ]]; then
  # Long texts go through a file without a name: a runtime takes no more than 1 MB of arguments and environment.
  __cl_pack() {
    if [[ \${#__cl_t} -le ${VARIABLE_LIMIT_BYTES} ]]; then export "__cl_$1=$__cl_t"; else exec {__cl_x}<<<"$__cl_t" && export "__cl_F$1=$__cl_x"; fi
  }
  [[ \${#__cl_want[@]} = 0 ]] || printf -v __cl_t '%q ' "\${__cl_want[@]}"
  __cl_pack E
  set -- "$0" "$__cl_prefix/bin/$__cl_name" "$@"
  __cl_t=$*
  if [[ \${#__cl_t} -gt ${VARIABLE_LIMIT_BYTES} || $__cl_t = *[![:ascii:]]* ]]; then
    printf -v __cl_t '%q ' "$@"
    set --
    __cl_pack W
  fi
  if [[ . -ef / ]]; then __cl_D=; else exec {__cl_D}<.; fi
  mapfile -t __cl_have <"/proc/$$/status"
  for __cl_x in "\${__cl_have[@]}"; do [[ $__cl_x = SigIgn:* ]] && export __cl_I="\${__cl_x##*[^0-9a-f]}"; done
  [[ -v __cl_opts ]] && export __cl_S=$__cl_opts
  [[ -v __cl_shopts ]] && export __cl_B=$__cl_shopts
  [[ \${#__cl_names[@]} = 0 ]] || unset -v "\${__cl_names[@]}" 2>/dev/null
  export __cl_N __cl_D PATH=${RUNTIME_PATH}
  ${facts.sessions === undefined ? '' : '__cl_session "$@"'}
  __cl_note "starts a container of its own from $__cl_release, binds \${__cl_binds#,}"
  exec "$__cl_runtime" -s exec \${__cl_binds:+--bind "\${__cl_binds#,}"} --overlay "$__cl_release/env.sqsh:ro" "$__cl_base" \\
    /bin/bash --norc -pfc ${word(TRAMPOLINE)} bash "$@"
fi

__cl_note "asks the planner"
# The second way is slower, and works with little address space (ulimit -v) and below a package.json of somebody's.
# Standard error is the caller's all the while: the planner looks whether it is a terminal.
{
  __cl_t=$(ulimit -Sc 0; exec -c ${word(facts.node)} --v8-pool-size=0 "$0" "$$" "$#" </dev/null 2>/dev/null) ||
    __cl_t=$(ulimit -Sc 0; exec -c ${word(facts.node)} --jitless --v8-pool-size=0 - "$$" "$#" <"$0" 2>/dev/null)
} && eval "$__cl_t"
printf 'condense: %s\\n' "the planner of $__cl_N failed, ${word(facts.node).replaceAll(/[$"`\\]/g, '')} with $0, allow it more memory (ulimit -v) or tell the maintainers of the environment" >&2
exit 125
*/
`;
}

/** Where bash hands on the environment as it came, but for a few variables: without a look at each of them. */
function renderSimple(facts: LauncherFacts): string {
  const binds = outermost([...facts.binds, ...facts.farmRoots])
    .map(word)
    .join(' ');
  return `if [[ $__cl_way = inside && $__cl_simple ]]; then
  set -- "$0" "$__cl_prefix/bin/$__cl_name" "$@"
  [[ \${#__cl_special[@]} = 0 ]] || printf -v __cl_E '%q ' "\${__cl_special[@]}"
  ${HAND_ON.replaceAll('\n', '\n  ')}
fi
if [[ $__cl_way = host ]]; then
  for __cl_x in ${binds}; do [[ -e $__cl_x ]] && __cl_binds+=,$__cl_x; done
fi
${renderFindSession(facts)}
${renderJoinSession(facts)}`;
}

function renderInherited({ inherit }: LauncherFacts): string {
  if (inherit === undefined) return '__cl_gone=() __cl_new=()\n';
  return `__cl_gone=() __cl_new=()\nif [[ $__cl_way = host ]]; then\n${renderInheritance(inherit).replaceAll(/^(?=.)/gm, '  ')}\nfi\n`;
}
