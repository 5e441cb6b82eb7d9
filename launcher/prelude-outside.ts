// Commands of the host in the prelude: the host's own program, and the plain forms of "this command on that host", for
// which a start of Node would be most of what a hop costs. As plan.ts and carry.ts have it; unsure means the planner.
import { PLAIN, SHELL, WORDS } from './capsule.ts';
import { listCarried, TRANSPORTS } from './carry.ts';
import { OWN_OF_BASH_NAMES } from './environment.ts';
import type { LauncherFacts } from './facts.ts';
import type { Pieces } from './prelude.ts';
import { VARIABLE_LIMIT_BYTES } from './render-plan.ts';
import { NOT_ALONE } from './simple-commands.ts';
import { bytesOf, shellQuote } from './shell-quote.ts';
import { PLAIN_OPTIONS } from './ssh-command-line.ts';

const word = (text: string): string => shellQuote(bytesOf(text));
/** Those that take the environment along. */
const CARRIERS = ['ssh', 'pbs_tmrsh'];
/** `case` patterns: everything below these directories. */
const below = (directories: readonly string[]): string =>
  directories.map((directory) => `${word(directory)}/*`).join(' | ');
/** As ssh_config(5) has them, in lower case: `*` and `?` mean what they mean in bash. */
const hostPattern = (pattern: string): string =>
  pattern
    .toLowerCase()
    .split(/([*?])/)
    .map((part) => (/^[*?]?$/.test(part) ? part : word(part)))
    .join('');

/**
 * For the careful part: where the command is one of the host's, sets __cl_way to `outside`, __cl_zero, __cl_words (the
 * program and its arguments), __cl_have and __cl_path; where it is unsure, nothing.
 */
export function renderOutside(facts: LauncherFacts, { release, environment }: Pieces): string {
  if (facts.outsideCommands.length === 0) return '';
  const bin = `${word(facts.condaPrefix)}/bin`;
  return `
${renderCarry(facts)}
__cl_outside() {
  ${release}
  [[ ! -e $__cl_release/overrides/$__cl_name && ! -e $__cl_release/overrides/$__cl_name.env ]] || return
  [[ -e ${word(facts.marker)} ]] && __cl_side=inside || __cl_side=host
  ${environment}
  [[ \${PATH@a} = *x* ]] && __cl_path=$PATH || __cl_path=/usr/local/bin:/usr/bin:/bin
  __cl_rest=$__cl_path: __cl_zero=
  while [[ $__cl_rest ]]; do
    __cl_x=\${__cl_rest%%:*} __cl_rest=\${__cl_rest#*:}
    case $__cl_x in
      ${below(facts.farmRoots)} | ${bin}) ;;
      /*)
        [[ -f $__cl_x/$__cl_name && -x $__cl_x/$__cl_name ]] || continue
        # It may be another launcher.
        IFS= read -rN 24 __cl_t <"$__cl_x/$__cl_name"
        [[ $__cl_t != $'#!/bin/bash -pf\\n\\':\\' /*;'* ]] || return
        __cl_zero=$__cl_x/$__cl_name
        break
        ;;
    esac
  done 2>/dev/null
  [[ $__cl_zero ]] || return
  __cl_words=("$@")
  case $__cl_side$__cl_name in
    insidesrun)
      for __cl_x in "$@"; do [[ $__cl_x != ${bin}/* ]] || return; done
      ;;
    ${CARRIERS.filter((name) => facts.outsideCommands.includes(name))
      .map((name) =>
        `hostNAME | insideNAME)
      [[ $__cl_side = host && $CONDENSE_RELEASE != ${word(facts.fullName)}/* ]] || __cl_NAME "$@" || return
      ;;`.replaceAll('NAME', name),
      )
      .join('\n')}
  esac
  __cl_words=("$__cl_zero" "\${__cl_words[@]}")
  __cl_path=$PATH
  if [[ $__cl_side = inside && :$PATH: = *:${bin}:* ]]; then
    # As pathInside has put it, in front of the farm; else the farm takes its place.
    __cl_x=:$PATH: __cl_rest=
    __cl_rest=\${__cl_x#*:${bin}:} __cl_x=\${__cl_x%%:${bin}:*}
    case $__cl_rest in
      ${below(facts.farmRoots)}) __cl_path=$__cl_x:$__cl_rest ;;
      *) __cl_path=$__cl_x:$__cl_release/bin:$__cl_rest ;;
    esac
    __cl_path=\${__cl_path#:} __cl_path=\${__cl_path%:}
  fi
  __cl_way=outside
}
case $__cl_name in
  ${facts.outsideCommands.map(word).join(' | ')}) __cl_outside "$@" && __cl_note "runs $__cl_zero: it is a command of the host" ;;
esac
`;
}

/**
 * `__cl_ssh` and `__cl_pbs_tmrsh` change __cl_words where the environment goes along, and fail where they are unsure.
 * In: __cl_release, __cl_side, __cl_have.
 */
function renderCarry(facts: LauncherFacts): string {
  const names = listCarried(facts);
  const canCarry =
    !new RegExp(`[^${PLAIN}]`).test(facts.releasesDir) && !names.some((name) => OWN_OF_BASH_NAMES.test(name));
  const wanted = CARRIERS.filter((name) => facts.outsideCommands.includes(name));
  if (wanted.length === 0) return '';
  if (!canCarry) return wanted.map((name) => `__cl_${name}() { return 1; }\n`).join('');
  const carriers = wanted.map((name) => (name === 'ssh' ? renderSsh(facts) : PBS));
  return [renderNeed(facts), renderRender(facts, names), ...carriers].join('');
}

/** `__cl_need WORD...`: 0 one of these commands is the environment's, 1 none is, 2 unsure. */
const renderNeed = (facts: LauncherFacts): string => `
__cl_need() {
  case \${1##*\\/} in ${TRANSPORTS.join(' | ')}) return 1 ;; esac
  __cl_t=1
  for __cl_x in "$@"; do
    case $__cl_x in
      *[!A-Za-z0-9_./+,:@%-]* | ${NOT_ALONE.map((name) => (/^[\w*[/\]]+$/.test(name) ? name : word(name))).join(' | ')}) return 2 ;;
      ${below([facts.condaPrefix, ...facts.farmRoots])}) __cl_t=0 ;;
      *[/]*)
        # A script may have an interpreter of the environment's, or be a launcher.
        __cl_y=
        [[ -f $__cl_x && -r $__cl_x ]] && IFS= read -rN 2 __cl_y <"$__cl_x"
        [[ $__cl_y != '#!' ]] || return 2
        ;;
      .*) ;;
      *) [[ -L $__cl_release/bin/$__cl_x ]] && __cl_t=0 ;;
    esac
  done 2>/dev/null
  return "$__cl_t"
}
`;

/** `__cl_capsule`: __cl_c, the words of capsule.ts up to the command, with blanks between. */
const renderRender = (facts: LauncherFacts, names: readonly string[]): string => `
__cl_encode() {
  [[ $1 != *[!\\ -~]* && \${#1} -le 20000 ]] || return
  __cl_y='' __cl_rest=$1
  while [[ $__cl_rest = *[!${PLAIN}]* ]]; do
    __cl_x=\${__cl_rest%%[!${PLAIN}]*}
    printf -v __cl_t '=%02X' "'\${__cl_rest:\${#__cl_x}:1}"
    __cl_y+=$__cl_x$__cl_t __cl_rest=\${__cl_rest:\${#__cl_x}+1}
  done
  __cl_y+=$__cl_rest
}
__cl_capsule() {
  declare -gA __cl_map=()
  for __cl_x in "\${__cl_have[@]}"; do
    case $__cl_x in ${names.map((name) => `${name}=*`).join(' | ')}) __cl_map[\${__cl_x%%=*}]=\${__cl_x#*=} ;; esac
  done
  # The pin of another environment stays: carry.ts.
  [[ -v __cl_map[CONDENSE_RELEASE] && \${__cl_map[CONDENSE_RELEASE]} != ${word(facts.fullName)}/* ]] ||
    __cl_map[CONDENSE_RELEASE]=${word(facts.fullName)}/\${__cl_release##*\\/}
  __cl_c="$__cl_release/launcher --remote $__cl_side"
  for __cl_n in ${names.join(' ')}; do
    __cl_c+=" $__cl_n"
    [[ -v __cl_map[$__cl_n] ]] || continue
    __cl_encode "\${__cl_map[$__cl_n]}" || return
    __cl_c+="=3D$__cl_y"
  done
}
`;

/** ssh(1)'s options in their plain forms, before and after the host. */
const renderSsh = (facts: LauncherFacts): string => `
__cl_ssh() {
  __cl_host='' __cl_before=()
  while [[ $# -gt 0 ]]; do
    case $1 in
      -[${PLAIN_OPTIONS.withArgument}])
        [[ $# -ge 2 ]] || return
        case $1\${2,,} in -o*remotecommand* | -o*sessiontype*) return 1 ;; esac
        __cl_before+=("$1" "$2")
        shift 2
        ;;
      -*[!${PLAIN_OPTIONS.alone}]* | -*-* | -) return 1 ;;
      -*)
        __cl_before+=("$1")
        shift
        ;;
      *)
        [[ ! $__cl_host ]] || break
        __cl_host=\${1##*@}
        [[ $__cl_host && $1 != *[!A-Za-z0-9._@-]* && $__cl_host != -* ]] || return
        __cl_before+=("$1")
        shift
        ;;
    esac
  done
  __cl_c="$*"
  [[ $__cl_c = *[!\\ ]* ]] || return 0
  [[ $__cl_host && $__cl_c != *[!\\ -~]* ]] || return
  case \${__cl_host,,} in ${(facts.sshHosts ?? []).map(hostPattern).join(' | ') || "''"}) ;; *) return 0 ;; esac
  # Where quotes may hold what ends a command, reading it is more than this can do.
  if [[ $__cl_c = *[\\;\\&\\|\\(\\)]* ]]; then
    [[ $__cl_c != *[\\'\\"\\\\]* ]] || return
    IFS=';&|()'
    # shellcheck disable=SC2206 # it is to be split, and -f is set
    __cl_parts=($__cl_c)
    unset -v IFS
  else
    __cl_parts=("$__cl_c")
  fi
  __cl_firsts=()
  for __cl_x in "\${__cl_parts[@]}"; do
    __cl_x=\${__cl_x#"\${__cl_x%%[!\\ ]*}"}
    [[ ! $__cl_x ]] || __cl_firsts+=("\${__cl_x%% *}")
  done
  __cl_need "\${__cl_firsts[@]}"
  case $? in
    0) ;;
    1) return 0 ;;
    *) return 1 ;;
  esac
  __cl_encode "$__cl_c" || return
  __cl_text=$__cl_y
  __cl_capsule || return
  [[ \${#__cl_c}+\${#__cl_text} -le ${VARIABLE_LIMIT_BYTES} ]] || return
  __cl_words=("\${__cl_before[@]}" "exec $__cl_c ${SHELL}$__cl_text")
}
`;

/** The command is words, and stays so; -n and a host, in their plain form. */
const PBS = `
__cl_pbs_tmrsh() {
  __cl_before=()
  [[ $1 = -n ]] && __cl_before+=(-n) && shift
  [[ $# -ge 2 && $1 && $1 != -* && $2 && $2 != -* ]] || return
  __cl_before+=("$1")
  shift
  __cl_need "$1"
  case $? in
    0) ;;
    1) return 0 ;;
    *) return 1 ;;
  esac
  __cl_capsule || return
  # shellcheck disable=SC2206 # words without blanks, quotes and patterns
  __cl_words=("\${__cl_before[@]}" $__cl_c ${WORDS} "$@")
}
`;
