#!/bin/bash -pf
# Stands for the container runtime in the mass tests: notes how it was called, changes the environment as a runtime
# does, and runs the program without any container. It is no runtime: what apptainer does is tested with apptainer.
printf '%s\0' "$@" >"${0%/*}/last-call"
tr '\0' '\n' <"/proc/$$/environ" >"${0%/*}/last-environment"
while [[ $1 != */base.sif ]]; do shift; done
shift
export PATH=/usr/bin LD_LIBRARY_PATH=/.singularity.d/libs PS1='Apptainer> ' APPTAINER_CONTAINER=stand-in USER_PATH=/x
unset -v IFS OLDPWD
exec "$@"
