// The shell text that runs as the first program in the container: it gives the real program the caller's exact
// environment, argv[0] and working directory, and becomes it. Container runtimes change PATH, LD_LIBRARY_PATH, PS1 and
// more, replace bytes that are no UTF-8, and take 0.4 ms for each variable, so the environment travels packed.
// Everything is exec'd, nothing forked; every variable is named __cl_ and is no more when the program starts.
import { compactScript } from './shell-text.ts';

/**
 * The last step towards a program, on both sides of the container's wall. "$@" is the program and its arguments.
 * In: __cl_zero (argv[0]), __cl_N (the environment's full name, for messages), __cl_names (the variables that this shell
 * was given), __cl_want (NAME=VALUE, names that bash can assign only), __cl_opts and __cl_shopts (the caller's exported
 * SHELLOPTS and BASHOPTS, if any: whoever exports them means those options, not the ones of the launcher's shell).
 * No comment terminator in it: it stands in the prelude too.
 */
export const BECOME_PROGRAM = compactScript(`
# Unset first: only so do RANDOM, SECONDS and their like become plain variables that keep what they are given.
for __cl_x in PWD OLDPWD "\${__cl_names[@]}" "\${__cl_want[@]%%=*}"; do unset -v "$__cl_x"; done 2>/dev/null
[[ \${#__cl_want[@]} = 0 ]] || export "\${__cl_want[@]}" 2>/dev/null
# The exec builtin takes one off.
case \${SHLVL-x} in '' | 0?* | ????* | *[!0-9]*) ;; *) SHLVL=$((SHLVL + 1)) ;; esac
__cl_fail() {
  printf 'condense: %s\\n' "$2" >&2
  exit "$1"
}
case $1 in
  *[/]*)
    [[ -e $1 ]] || __cl_fail 127 "$__cl_N has no such command, $1, see what there is with: launcher ls \${1%[/]*}"
    [[ -x $1 && ! -d $1 ]] || __cl_fail 126 "this is not a program, $1, run it through its interpreter"
    ;;
  *) type -P -- "$1" >/dev/null || __cl_fail 127 "$__cl_N has no such command, $1, is it spelt right and on PATH?" ;;
esac
if [[ -v __cl_opts ]]; then
  set +fp
  while [[ $__cl_opts ]]; do
    case \${__cl_opts%%:*} in noexec | onecmd | -*) ;; *) set -o "\${__cl_opts%%:*}" || : ;; esac
    [[ $__cl_opts = *:* ]] && __cl_opts=\${__cl_opts#*:} || __cl_opts=
  done 2>/dev/null
fi
if [[ -v __cl_shopts ]]; then
  while [[ $__cl_shopts ]]; do
    shopt -s -- "\${__cl_shopts%%:*}" || :
    [[ $__cl_shopts = *:* ]] && __cl_shopts=\${__cl_shopts#*:} || __cl_shopts=
  done 2>/dev/null
fi
exec -a "$__cl_zero" -- "$@"
`);

/** The exec builtin takes one off SHLVL. */
const RAISE_LEVEL = `case \${SHLVL-x} in '' | 0?* | ????* | *[!0-9]*) ;; *) SHLVL=$((SHLVL + 1)) ;; esac`;

/**
 * The environment of the program in the common case, in which bash hands it on as it came but for a few variables, without
 * a look at each of them. In: __cl_special, NAME=VALUE, what the caller has of PWD, OLDPWD, SHLVL, PS1, PS2, PS4; __cl_L, its
 * LC_ALL, if any. No __cl_ variable is exported.
 */
export const HAND_ON = `
unset -v PWD OLDPWD SHLVL
[[ \${#__cl_special[@]} = 0 ]] || export "\${__cl_special[@]}"
{ [[ ! -v __cl_L ]] || LC_ALL=$__cl_L; } 2>/dev/null
${RAISE_LEVEL}
`;

/**
 * What bash says where the program could not be started in a session. "$0" is the working directory, "$1" the marker, "$2"
 * the program; then argv[0] and the arguments. A program without a first line is none to execve(2), but one to bash.
 * @param name the environment's full name, in shell's words
 */
export const renderNotEntered = (name: string): string =>
  compactScript(`
__cl_say() { printf "condense: in the session of %s: %s\\n" ${name} "$1" >&2; exit 125; }
[[ -e $1 ]] || __cl_say "it ended while this command was on its way into it, run it again"
cd -- "$0" 2>/dev/null || __cl_say "cannot enter $0 there, run it again"
[[ -x $2 && ! -d $2 ]] && exec -a "$3" -- "$2" "\${@:4}"
if [[ -e $2 ]]; then
  printf "condense: this is not a program, %s, run it through its interpreter\\n" "$2" >&2
  exit 126
fi
printf "condense: %s has no such command, %s, see what there is with: launcher ls %s\\n" ${name} "$2" "\${2%/*}" >&2
exit 127
`);

/**
 * What `bash --norc -pfc` gets (without --norc, -c with a socket as standard input reads ~/.bashrc). Its arguments: argv[0], program, arguments; or none, when they are packed.
 * Its environment:
 * - __cl_E: shell words, the caller's environment; or __cl_FE: the descriptor of a file that holds them;
 * - __cl_W, __cl_FW: the same for argv[0], program and arguments, when they are long or not ASCII;
 * - __cl_C, __cl_P, __cl_M: in a session, descriptors to close, where __cl_D is, and the marker, which must be there;
 * - __cl_D: a descriptor of the caller's working directory, or empty for `/`, which differs by nature;
 * - __cl_N: the environment's full name; __cl_O: a program to run if the wanted one is not there;
 * - __cl_S, __cl_B: the caller's exported SHELLOPTS and BASHOPTS;
 * - __cl_I: the signals that the caller ignores (nohup, a background job), as SigIgn of proc(5): apptainer forgets them.
 */
export const TRAMPOLINE = compactScript(`
[[ -v __cl_FE ]] && IFS= read -rd '' -u "$__cl_FE" __cl_E
[[ -v __cl_FW ]] && IFS= read -rd '' -u "$__cl_FW" __cl_W
for __cl_x in $__cl_FE $__cl_FW $__cl_C; do exec {__cl_x}<&-; done
eval "__cl_want=($__cl_E)"
[[ -v __cl_W ]] && eval "set -- $__cl_W"
__cl_zero=$1
shift
if [[ -v __cl_M && ! -e $__cl_M ]]; then
  printf 'condense: %s\\n' "the session of $__cl_N ended while this command was on its way into it, run it again" >&2
  exit 125
fi
if [[ $__cl_D ]]; then
  [[ ! -v __cl_P ]] || cd -- "$__cl_P" 2>/dev/null
  if [[ ! . -ef /proc/self/fd/$__cl_D ]]; then
    printf 'condense: %s\\n' "the working directory cannot be seen in the container of $__cl_N, which would start in $PWD, cd to a directory that it shows or ask for this one to be bound" >&2
    exit 125
  fi
  exec {__cl_D}<&-
fi
[[ -v __cl_O && ! -x $1 ]] && __cl_zero=$__cl_O && set -- "$__cl_O"
for ((__cl_x = 1, __cl_I = 16#$__cl_I; __cl_I != 0; __cl_x++, __cl_I = __cl_I >> 1 & ~(1 << 63))); do
  ((__cl_I & 1)) && trap '' "$__cl_x"
done
[[ -v __cl_S ]] && __cl_opts=$__cl_S
[[ -v __cl_B ]] && __cl_shopts=$__cl_B
export -n __cl_N
mapfile -td '' __cl_have <"/proc/$$/environ"
for __cl_x in "\${__cl_have[@]%%=*}"; do
  case $__cl_x in '' | [0-9]* | *[!a-zA-Z0-9_]* | __cl_N) ;; *) __cl_names+=("$__cl_x") ;; esac
done
${BECOME_PROGRAM}
`);
