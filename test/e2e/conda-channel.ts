// A channel with a package `conda` that has the files which conda's documentation names: bin/conda, condabin/conda,
// bin/activate, etc/profile.d/conda.sh. conda itself cannot be had here: this one does what conda/activate.py says of
// `conda shell.posix` (build_activate, build_deactivate, _hook_preamble), and makes empty environments.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { writeCondaPackage } from '../channel/conda-package.ts';
import { writeRepodata } from '../channel/write-repodata.ts';

const PLACEHOLDER = '/home/conda/feedstock_root/build_artifacts/conda/_h_env_placehold';

const CONDA = `#!/bin/bash
set -u
root=${PLACEHOLDER}
say() { printf "export %s='%s'\\n" "$1" "$2"; }
find_prefix() {
  case $1 in */*) printf '%s\\n' "$1"; return ;; esac
  local dirs dir
  IFS=: read -ra dirs <<< "\${CONDA_ENVS_PATH-}"
  for dir in "\${dirs[@]}"; do
    if [ -d "$dir/$1/conda-meta" ]; then printf '%s\\n' "$dir/$1"; return; fi
  done
  echo "EnvironmentNameNotFound: $1" >&2
  exit 1
}
say_all() { # prefix, level, PATH
  say PATH "$3"; say CONDA_PREFIX "$1"; say CONDA_SHLVL "$2"; say CONDA_DEFAULT_ENV "\${1##*/}"; say CONDA_PROMPT_MODIFIER "(\${1##*/}) "
  say CONDA_EXE "$root/bin/conda"; say _CE_M ''; say _CE_CONDA ''; say CONDA_PYTHON_EXE "$root/bin/python"
  printf "PS1='%s'\\n" "(\${1##*/}) \${PS1-}"
  for script in "$1"/etc/conda/activate.d/*.sh; do [ ! -e "$script" ] || printf '. "%s"\\n' "$script"; done
}
without() { local path=":$PATH:"; path=\${path//":$1/bin:"/:}; path=\${path#:}; printf '%s' "\${path%:}"; }
level=\${CONDA_SHLVL:-0}
case "\${1-} \${2-}" in
  'shell.posix activate')
    prefix=$(find_prefix "\${3-$root}") || exit
    [ "$level" = 0 ] || say "CONDA_PREFIX_$level" "$CONDA_PREFIX"
    say_all "$prefix" $((level + 1)) "$prefix/bin:$(without "\${CONDA_PREFIX:-none}")" ;;
  'shell.posix deactivate')
    if [ "$level" = 0 ]; then exit; fi
    if [ "$level" = 1 ]; then
      say PATH "$(without "$CONDA_PREFIX")"; echo 'unset CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_PROMPT_MODIFIER'; say CONDA_SHLVL 0
      say CONDA_EXE "$root/bin/conda"; say CONDA_PYTHON_EXE "$root/bin/python"
    else
      old=CONDA_PREFIX_$((level - 1)); echo "unset $old"
      say_all "\${!old}" $((level - 1)) "\${!old}/bin:$(without "$CONDA_PREFIX")"
    fi ;;
  'shell.posix reactivate') [ "$level" = 0 ] || say_all "$CONDA_PREFIX" "$level" "$PATH" ;;
  'shell.bash hook' | 'shell.posix hook') say CONDA_EXE "$root/bin/conda"; cat "$root/etc/profile.d/conda.sh" ;;
  'create -n') mkdir -p "\${CONDA_ENVS_PATH%%:*}/$3"/{bin,conda-meta} && touch "\${CONDA_ENVS_PATH%%:*}/$3/conda-meta/history" ;;
  'install '*) touch "$CONDA_PREFIX/conda-meta/$2.json" ;;
  'info --base') echo "$root" ;;
  *) echo "conda: $*" >&2; exit 2 ;;
esac
`;
const SOURCED = `conda() { if [ "$1" = activate ]; then eval "$("$CONDA_EXE" shell.posix "$@")"; else "$CONDA_EXE" "$@"; fi; }\n`;

/** @returns the channel's URL */
export async function writeCondaChannel(siteDir: string): Promise<string> {
  const dir = path.join(siteDir, 'conda-channel');
  const index = { name: 'conda', version: '24.9.0', build: 'h0_0', build_number: 0, subdir: 'linux-64', depends: [] };
  const placeholder = { text: PLACEHOLDER, mode: 'text' } as const;
  const program = { type: 'file', mode: 0o755, data: CONDA, placeholder } as const;
  const record = await writeCondaPackage({
    ...{ dir, format: 'conda', index },
    files: [
      ...['bin/conda', 'condabin/conda'].map((file) => ({ ...program, path: file })),
      { type: 'file', path: 'bin/activate', mode: 0o755, data: '#!/bin/sh\nreturn 1\n' },
      { type: 'file', path: 'etc/profile.d/conda.sh', data: SOURCED },
    ],
  });
  await writeRepodata(dir, [record]);
  return pathToFileURL(dir).href;
}
