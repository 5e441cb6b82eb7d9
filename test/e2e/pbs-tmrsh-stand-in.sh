#!/bin/bash
# Stands in for pbs_tmrsh, which needs a running PBS. It reads its arguments as src/cmds/pbs_tmrsh.c of OpenPBS does and
# runs the command as its MOM does: without a shell, in the home directory, with the environment of the job, not of the caller.
host=
while (($#)); do
  case $1 in
    -n) ;;
    -l) shift && [[ $1 = "$(id -un)" ]] || exit 255 ;;
    -l*) [[ ${1#-l} = "$(id -un)" ]] || exit 255 ;;
    -*) exit 255 ;;
    *) [[ ! $host ]] || break; host=$1 ;;
  esac
  shift
done
[[ $host = node1 && $# -gt 0 ]] || exit 255
cd && exec env -i HOME="$HOME" PATH=/usr/local/bin:/usr/bin:/bin SHELL=/bin/bash PBS_JOBID=1 "$@"
