#!/bin/bash
# Stands for micromamba in tests: notes how it was called, links what an explicit file names from its package cache and
# writes records as libmamba does for explicit URLs. It replaces no prefixes and runs no scripts: what micromamba itself
# does is tested where it is on PATH. With STAND_IN_FAILS beside it, it ends as that file says.
set -eu
if [[ ${1-} == --version ]]; then echo 2.0.5; exit; fi
args=$*
while (($#)); do
  case $1 in
    --prefix) prefix=$2; shift ;;
    --file) file=$2; shift ;;
    --root-prefix) root=$2; shift ;;
  esac
  shift
done
if [[ -f ${0%/*}/STAND_IN_FAILS ]]; then . "${0%/*}/STAND_IN_FAILS"; fi
{ echo "args $args"; umask; env | sort; echo "history $(stat -c %s "$prefix/conda-meta/history")"; } >"$root/../../called"
while read -r url; do
  [[ $url == file://* ]] || continue
  sum=${url##*#sha256:}
  archive=${url#file://}
  archive=${archive%%#*}
  echo "$sum  $archive" | sha256sum --check --quiet
  name=${archive##*/}
  stem=${name%.tar.bz2}
  mkdir -p "$root/pkgs/$stem"
  tar -xjf "$archive" -C "$root/pkgs/$stem"
  paths=${extra-} # further entries of the record, where a test wants some
  while read -r path; do
    mkdir -p "$prefix/$(dirname "$path")"
    ln "$root/pkgs/$stem/$path" "$prefix/$path"
    paths+="${paths:+,}{\"_path\":\"$path\",\"path_type\":\"hardlink\"}"
  done <"$root/pkgs/$stem/info/files"
  echo "made at $(date +%s%N)" >"$prefix/made"
  IFS=- read -r pkg version build <<<"$stem"
  printf '{"name":"%s","version":"%s","build":"%s","url":"%s","timestamp":0,"paths_data":{"paths":[%s],"paths_version":1}}' \
    "$pkg" "$version" "$build" "${url%%#*}" "$paths" >"$prefix/conda-meta/$stem.json"
done <"$file"
echo "==> now <==" >>"$prefix/conda-meta/history"
