// Sessions: one mounted container per user, node, job and release, which later commands join through its user and mount
// namespaces instead of mounting their own. Shell text for the prelude and for what the planner answers, so that both
// ways join alike. docs/launcher.md says what users and admins can rely on.
import type { LauncherFacts, SessionFacts } from './facts.ts';
import { bytesOf, shellQuote } from './shell-quote.ts';
import { compactScript, quoteScript } from './shell-text.ts';
import { HAND_ON, renderNotEntered } from './trampoline.ts';

const word = (text: string): string => shellQuote(bytesOf(text));

/** How long a command may take from finding a session to being in it, in seconds: a session that ends waits for it. */
const GRACE_SECONDS = 60;
/** Where a session could not be started, the next commands do not try again for as many seconds. */
const RETRY_SECONDS = 300;
/** What a first command waits for its session, or for that of another first command, in seconds. */
const START_SECONDS = 20;

/**
 * The first program of the session's container. It waits, looks who is here, and ends when nobody was for a while.
 * Arguments: its key, which it takes as its name in /proc/PID/comm; the context; the seconds to be idle; the descriptor
 * of the session's file; the marker.
 * The look at ns/mnt of others needs no privilege: they are the same user's in the same user namespace (ptrace(2)).
 */
const HOLDER = compactScript(`
trap __cl_over=1 TERM HUP INT
[[ -e $5 ]] && printf %s "$1" >"/proc/$$/comm" || exit
exec {__cl_p}<> <(:)
__cl_wait=15 __cl_grace=${GRACE_SECONDS} __cl_idle=0 __cl_over=
[[ $3 -ge 30 ]] || __cl_wait=1
[[ $3 -ge __cl_grace ]] || __cl_grace=$3
printf '%s\\n' 'condense session 1' "$$" "$1" "$2" end >&"$4"
printf 'ready\\n'
exec >/dev/null 2>&1
set +f
while :; do
  read -rt "$__cl_wait" -u "$__cl_p"
  __cl_idle=$((__cl_idle + __cl_wait))
  for __cl_x in /proc/[0-9]*; do
    [[ $__cl_x != /proc/$$ && $__cl_x/ns/mnt -ef /proc/$$/ns/mnt ]] && __cl_idle=0 && break
  done
  if [[ ! $__cl_over ]]; then
    mapfile -t __cl_s <"/proc/self/fd/$4"
    [[ $__cl_idle -lt $3 && \${__cl_s[2]} = "$1" ]] || __cl_over=1
  fi
  if [[ $__cl_over = 1 ]]; then
    # No new ones: an empty file is no session. Those who have read it already get their time.
    mapfile -t __cl_s <"/proc/self/fd/$4"
    [[ \${__cl_s[2]} != "$1" ]] || : >"/proc/self/fd/$4"
    __cl_over=2 __cl_idle=0
  elif [[ $__cl_over = 2 && $__cl_idle -ge $__cl_grace ]]; then
    exit 0
  fi
done
`);

/**
 * What a session is for, __cl_c, and its file, __cl_f: the same image, mounts and runtime settings, and what ends with a
 * job must not carry another one: a session for each cgroup, but for those of a job's single tasks.
 * In: __cl_release, __cl_binds.
 */
const renderContext = (
  { base, fullName }: LauncherFacts,
  { directory }: SessionFacts,
  settings: readonly [before: string, after: string],
): string => `
mapfile -t __cl_s </proc/self/cgroup
__cl_x=\${__cl_s[*]%/task_*}
__cl_c=$__cl_release\\|${word(base)}\\|$__cl_binds\\|$HOME\\|$__cl_x
${settings[0]}
for __cl_f in "\${!APPTAINER_@}" "\${!SINGULARITY_@}" "\${!NVIDIA_@}"; do
  printf -v __cl_t '%q ' "$__cl_f=\${!__cl_f}" && __cl_c+=$__cl_t
done
${settings[1]}
__cl_x=\${__cl_x//\\//_}
[[ \${#__cl_x} -le 100 ]] || __cl_x=\${__cl_x: -100}
__cl_f=${word(directory)}/condense-$EUID/${word(fullName)}-\${__cl_release##*\\/}-$__cl_x
`;

/**
 * Whether it is there; then its namespaces are held open as __cl_u and __cl_m. Its file has five lines, the last one
 * "end". Its owner is looked at, and that its process is the one of its key: held open, the namespaces stay; the key,
 * read afterwards, tells that they are the session's.
 */
const FIND = `[[ -O $__cl_f && ! -L $__cl_f ]] && mapfile -t __cl_s <"$__cl_f" &&
[[ \${__cl_s[4]} = end && \${__cl_s[3]} = "$__cl_c" && \${__cl_s[1]} != *[!0-9]* && -O /proc/\${__cl_s[1]} ]] &&
exec {__cl_u}<"/proc/\${__cl_s[1]}/ns/user" {__cl_m}<"/proc/\${__cl_s[1]}/ns/mnt" &&
IFS= read -r __cl_x <"/proc/\${__cl_s[1]}/comm" && [[ $__cl_x = "\${__cl_s[2]}" ]]`;

/**
 * Becomes the program in a session that is there, in the common case, in the place of a nsenter and a second bash: it has
 * the environment from here as it is. Without that program (enter-program.ts) the careful way does it.
 * A working directory that the session does not show needs a container of its own, which may show it.
 * In: __cl_release, __cl_have, __cl_names, __cl_special, __cl_path.
 * @param inherit text that applies what does not come along
 */
export function renderJoinSession(facts: LauncherFacts, inherit: string): string {
  const { sessions, condaPrefix, fullName, marker } = facts;
  if (sessions?.enter === undefined) return '';
  const ifSet: [string, string] = ['case $__cl_names in *\\ APPTAINER_*|*\\ SINGULARITY_*|*\\ NVIDIA_*)', ';; esac'];
  return `
if [[ $__cl_way$__cl_simple = host1 && $EUID != 0 && $CONDENSE_SESSION != off && -x ${word(sessions.enter)} ]]; then
  ${renderContext(facts, sessions, ifSet)}
  if {
    ${FIND} &&
    cd -P . && [[ . -ef / || /proc/\${__cl_s[1]}/root$PWD -ef . ]]
  } 2>/dev/null; then
    [[ . -ef / ]] && __cl_P=/ || __cl_P=$PWD
    ${inherit}
    PATH=$__cl_path
    ${HAND_ON}
    exec ${word(sessions.enter)} "$__cl_u" "$__cl_m" /bin/bash --norc -pfc ${quoteScript(renderNotEntered(word(fullName)))} \\
      "$__cl_P" ${word(marker)} ${word(condaPrefix)}/bin/"$__cl_name" "$0" "$@"
  fi
fi
`;
}

/**
 * Defines `__cl_context`, which prepares the look for a session, `__cl_find`, which finds it and holds its namespaces
 * open, and `__cl_leave`, which lets go of them. In: __cl_release, __cl_binds.
 */
export function renderFindSession(facts: LauncherFacts): string {
  const { sessions } = facts;
  if (sessions === undefined) return '';
  return `
__cl_leave() {
  [[ ! $__cl_u ]] || exec {__cl_u}<&-
  [[ ! $__cl_m ]] || exec {__cl_m}<&-
  __cl_u='' __cl_m=''
  return 1
}
__cl_leave
__cl_find() {
  __cl_s=()
  { ${FIND}; } || __cl_leave
} 2>/dev/null
__cl_context() {
  [[ $EUID != 0 && $__cl_none != off && -x $__cl_runtime && -x ${word(sessions.nsenter)} ]] || return
  ${renderContext(facts, sessions, ['', ''])}
}
`;
}

/**
 * Defines `__cl_session`, called with what the trampoline gets. It becomes the program where there is a session, or
 * where one could be started; else it returns, and the caller starts a container of its own.
 * In: __cl_release, __cl_binds, __cl_trampoline, __cl_D and all that is exported for the trampoline.
 */
export function renderStartSession(facts: LauncherFacts): string {
  const { sessions } = facts;
  if (sessions === undefined) return '';
  return `
# Not again for a while where it did not work.
__cl_may() {
  printf -v __cl_now '%(%s)T' -1
  [[ \${__cl_s[0]} != none || \${__cl_s[1]} = *[!0-9]* || $((__cl_now - __cl_s[1])) -gt ${RETRY_SECONDS} ]]
}
__cl_start() (
  # What would bind all who come later.
  [[ $(ulimit -t; ulimit -v; ulimit -d; nice) = $'unlimited\\nunlimited\\nunlimited\\n0' ]] || return
  umask 077
  __cl_d=\${__cl_f%/*}
  [[ -d $__cl_d ]] || mkdir "$__cl_d"
  [[ -d $__cl_d && ! -L $__cl_d && -O $__cl_d && ! -L $__cl_f.lock ]] || return
  exec {__cl_l}>>"$__cl_f.lock" && flock -w ${START_SECONDS} "$__cl_l" || return
  __cl_find && return
  __cl_may || return
  exec {__cl_h}>"$__cl_f" || return
  printf -v __cl_k '%x-%x' "$$" "$__cl_now"
  exec {__cl_r}< <(
    cd /
    set +f
    for __cl_x in /proc/self/fd/*; do
      __cl_x=\${__cl_x##*\\/}
      [[ $__cl_x = [012] || $__cl_x = "$__cl_h" ]] || exec {__cl_x}>&-
    done
    # A rank that is bound to a processor must not bind the file system of all others to it.
    IFS= read -r __cl_x </sys/devices/system/cpu/possible && type -P taskset >&2 && __cl_all="taskset -c $__cl_x"
    unset -v __cl_E __cl_FE __cl_W __cl_FW __cl_D __cl_I __cl_S __cl_B __cl_O
    # shellcheck disable=SC2086 # three words, of digits the last
    exec setsid $__cl_all "$__cl_runtime" -s exec \${__cl_binds:+--bind "\${__cl_binds#,}"} --overlay "$__cl_release/env.sqsh:ro" "$__cl_base" \\
      /bin/bash --norc -pfc ${quoteScript(HOLDER)} condense-session "$__cl_k" "$__cl_c" ${sessions.idleSeconds} "$__cl_h" ${word(facts.marker)} </dev/null
  )
  IFS= read -rt ${START_SECONDS} -u "$__cl_r" __cl_x
  if [[ $__cl_x = ready ]] && __cl_find; then
    [[ /proc/self/fd/$__cl_u -ef /proc/self/ns/user ]] || return 0
    # Without a user namespace of its own (a setuid starter) nobody can join it: it need not wait for its idle time.
    kill -KILL "\${__cl_s[1]}"
  fi
  printf 'none\\n%s\\n' "$__cl_now" >"$__cl_f"
  return 1
) 2>/dev/null
__cl_session() {
  __cl_context && cd -P . 2>/dev/null && __cl_P=$PWD || return 0
  __cl_find || __cl_note "no session to join in $__cl_f"
  [[ $__cl_u ]] || ${sessions.policy === 'join' ? 'return 0' : '{ __cl_may && __cl_start && __cl_find; } || return 0'}
  [[ ! $__cl_D || /proc/\${__cl_s[1]}/root$__cl_P -ef . ]] || { __cl_leave; return 0; }
  export __cl_P "__cl_C=$__cl_u $__cl_m" __cl_M=${word(facts.marker)}
  __cl_note "joins the session of process \${__cl_s[1]} ($__cl_f)"
  exec ${word(sessions.nsenter)} --user=/proc/self/fd/"$__cl_u" --mount=/proc/self/fd/"$__cl_m" --preserve-credentials \\
    /bin/bash --norc -pfc "$__cl_trampoline" bash "$@"
}`;
}
