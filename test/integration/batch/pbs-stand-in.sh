#!/bin/bash
# Stands for qsub, qstat and qdel of PBS, which Debian does not have: takes the command lines that their manuals describe
# (openpbs, doc/man1) and that batch-systems.test.ts records, and runs the tasks on this machine. State is in $PBS_STAND_IN.
set -u
state=$PBS_STAND_IN
printf '%s\n' "${0##*/} $*" >>"$state/command-lines"

run_task() { # <job> <index or nothing> <walltime in s or nothing> <log> <script>
  local file=$state/$1.${2:-1} log=${4//^array_index^/$2}
  # The output is copied to its place at the end; the top shell reads the script from its standard input.
  PBS_JOBID=$1 PBS_ARRAY_INDEX=$2 setsid /bin/bash <"$5" >"$file.output" 2>&1 &
  local shell=$!
  printf '%s\n' "$shell" >"$file.session"
  printf R >"$file.state"
  if [[ -n $3 ]]; then
    for ((i = 0; i < $3 * 10; i++)); do
      kill -0 "$shell" 2>/dev/null || break
      sleep 0.1
    done
    if kill -0 "$shell" 2>/dev/null; then
      printf '=>> PBS: job killed: walltime %s exceeded limit %s\n' $(($3 + 1)) "$3" >>"$file.output"
      kill -TERM -- "-$shell"
    fi
  fi
  wait "$shell"
  cp "$file.output" "$log"
  printf F >"$file.state"
}

case ${0##*/} in
  qsub)
    name='' range='' log='' walltime=''
    while [[ ${1-} == -* ]]; do
      case $1 in
        -N) name=$2 ;;
        -J) range=$2 ;;
        -o) log=$2 ;;
        -l) [[ $2 == walltime=* ]] && walltime=${2#walltime=} ;;
        -S | -j | -q) ;;
        *) printf 'qsub: invalid option %s\n' "$1" >&2 && exit 2 ;;
      esac
      shift 2
    done
    number=$(($(cat "$state/number" 2>/dev/null || echo 100) + 1))
    echo "$number" >"$state/number"
    cp "$1" "$state/$number.script"
    if [[ -n $range ]]; then
      for ((index = 1; index <= ${range#1-}; index++)); do
        run_task "$number" "$index" "$walltime" "$log" "$state/$number.script" >/dev/null 2>&1 </dev/null &
      done
      echo "${number}[].server"
    else
      run_task "$number" '' "$walltime" "$log" "$state/$number.script" >/dev/null 2>&1 </dev/null &
      echo "$number.server"
    fi
    echo "$name" >"$state/$number.name"
    ;;
  qstat)
    number=${3%%[.[]*}
    [[ -e $state/$number.script ]] || { echo "qstat: Unknown Job Id $3" >&2 && exit 153; }
    printf 'Job id            Name             User              Time Use S Queue\n'
    printf -- '----------------  ---------------- ----------------  -------- - -----\n'
    for file in "$state/$number".*.state; do
      index=${file#"$state/$number."}
      id=$number.server
      [[ $3 == *'[]'* ]] && id="${number}[${index%.state}].server"
      printf '%-17s %-16s %-16s  00:00:01 %s workq\n' "$id" "$(cat "$state/$number.name")" nobody "$(cat "$file")"
    done
    ;;
  qdel)
    number=${1%%[.[]*}
    for file in "$state/$number".*.session; do kill -TERM -- "-$(cat "$file")" 2>/dev/null || true; done
    ;;
esac
