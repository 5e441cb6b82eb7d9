// What a command that another host has sent comes to in the prelude (capsule.ts, arrival.ts): decoded without Node.
// Only names that a launcher sends are taken; all that is not as a launcher writes it is for the planner to refuse.
import { PLAIN, SHELL, WORDS } from './capsule.ts';
import { listCarried } from './carry.ts';
import { OWN_OF_BASH_NAMES } from './environment.ts';
import type { LauncherFacts } from './facts.ts';
import type { Pieces } from './prelude.ts';
import { bytesOf, shellQuote } from './shell-quote.ts';

const word = (text: string): string => shellQuote(bytesOf(text));

/**
 * For the careful part: where the launcher is called with --remote and a capsule, makes its variables those of the
 * caller, and sets __cl_way to `host` or `arrived` (in place), __cl_zero, __cl_words, __cl_have and __cl_path.
 */
export function renderArrival(facts: LauncherFacts, { release, environment, isReady, binds }: Pieces): string {
  const names = listCarried(facts);
  // Those would change the shell that reads them.
  if (names.some((name) => OWN_OF_BASH_NAMES.test(name))) return '';
  return `
__cl_decode() {
  case $1 in *[!=${PLAIN}]* | *=00*) return 1 ;; esac
  [[ \${1//=[0-9A-F][0-9A-F]} != *=* ]] || return
  printf -v __cl_x %b "\${1//=/\\\\x}"
}
__cl_arrive() {
  __cl_side=$1 __cl_t=' ' __cl_carried=()
  shift
  [[ $__cl_side = inside || $__cl_side = host ]] || return
  while [[ $# -gt 0 && $1 != :* ]]; do
    __cl_decode "$1" || return
    case $__cl_x in
      ${names.map((name) => `${name}=*`).join(' | ')}) __cl_carried+=("$__cl_x") ;;
      ${names.join(' | ')}) ;;
      *) return 1 ;;
    esac
    __cl_t+="\${__cl_x%%=*} "
    shift
  done
  __cl_words=()
  case $1 in
    ${SHELL}*) [[ $# = 1 ]] && __cl_decode "\${1#${SHELL}}" || return ;;
    ${WORDS})
      [[ $# -gt 1 ]] || return
      shift
      __cl_words=("$@")
      ;;
    *) return 1 ;;
  esac
  __cl_text=$__cl_x __cl_shell=/bin/sh __cl_zero=
  [[ \${#__cl_words[@]} -gt 0 ]] || __cl_t+='SHLVL ' __cl_zero=1
  ${environment}
  __cl_all=("\${__cl_have[@]}") __cl_have=()
  for __cl_x in "\${__cl_all[@]}"; do [[ $__cl_t = *" \${__cl_x%%=*} "* ]] || __cl_have+=("$__cl_x"); done
  __cl_have+=("\${__cl_carried[@]}")
  if [[ $__cl_zero ]]; then
    for __cl_x in "\${__cl_have[@]}"; do [[ $__cl_x = SHELL=* ]] && __cl_shell=\${__cl_x#*=}; done
    [[ $__cl_shell = /* ]] || __cl_shell=/bin/sh
    __cl_have+=(SHLVL=1)
    __cl_words=("$__cl_shell")
    # arrival.ts
    [[ $__cl_shell != *[/]@(zsh|csh|tcsh) ]] || __cl_words+=(-f)
    __cl_words+=(-c "$__cl_text")
  fi
  __cl_zero=\${__cl_words[0]}
  if [[ $__cl_side = host || -e ${word(facts.marker)} ]]; then
    __cl_way=arrived
  else
    local CONDENSE_RELEASE='' CONTAINER_OVERLAY_PATH=''
    for __cl_x in "\${__cl_have[@]}"; do
      case $__cl_x in
        CONDENSE_RELEASE=*) CONDENSE_RELEASE=\${__cl_x#*=} ;;
        CONTAINER_OVERLAY_PATH=*) CONTAINER_OVERLAY_PATH=\${__cl_x#*=} ;;
      esac
    done
    ${release}
    [[ ${isReady} ]] || return
    ${binds}
    __cl_way=host
  fi
}
if [[ $__cl_name = launcher && $1 = --remote ]] && __cl_arrive "\${@:2}"; then
  # shellcheck disable=SC2086 # names
  unset -v $__cl_t
  [[ \${#__cl_carried[@]} = 0 ]] || export "\${__cl_carried[@]}"
  __cl_path=$PATH
  ${facts.sessions === undefined ? '' : '__cl_none=$CONDENSE_SESSION'}
fi
`;
}
