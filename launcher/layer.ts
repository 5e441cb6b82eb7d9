// `launcher --layer`: packages of the user's own on top of a version, as one image. A venv is made at its final path in a
// container that has an empty directory bound there, then packed, with scripts that start its commands.
import type { LauncherFacts } from './facts.ts';
import { bytesOf, shellQuote } from './shell-quote.ts';

export interface LayerPlan {
  readonly kind: 'layer';
  /** As typed; it is made, and holds the image and `bin`. */
  readonly directory: string;
  /** What pip is told to install. */
  readonly pip: readonly string[];
}

/** In the image, as it is started: `.start NAME ARGUMENT...`; `$layer` is its path inside, set before. */
const renderStart = ({ fullName, condaPrefix }: LauncherFacts): string => `
# Made by condense. A Python of another version does not look where this layer's packages are.
python=\`cd $layer/lib && echo python*\`
if [ ! -e ${condaPrefix}/lib/"$python" ]; then
  echo "condense: this layer was made with $python, which ${fullName} has no more, $layer, make it again with launcher --layer" >&2
  exit 125
fi
name=$1
shift
exec "$layer/bin/$name" "$@"
`;

/** On the host, under the name of each command; `launcher`, `layer` (the directory) and `inside` are set before. */
const renderRun = ({ fullName }: LauncherFacts): string => `
# Made by condense: a command of the layer, in the container of ${fullName} with the layer over it.
if [ ! -x "$launcher" ]; then
  echo "condense: ${fullName}, which this layer was made for, is gone, $layer, make it again with another version" >&2
  exit 125
fi
CONTAINER_OVERLAY_PATH=\${CONTAINER_OVERLAY_PATH:+$CONTAINER_OVERLAY_PATH:}$layer/layer.sqsh
export CONTAINER_OVERLAY_PATH
exec "$launcher" "$inside/bin/.start" "\${0##*/}" "$@"
`;

/** Text of bash for the waiting prelude. It leaves nothing behind when it fails. */
export function renderLayer({ directory, pip }: LayerPlan, facts: LauncherFacts): string {
  const launcher = `${facts.farmRoots[0] ?? ''}/${facts.fullName}.d/launcher`;
  const word = (text: string): string => shellQuote(bytesOf(text));
  return `
set +f
__cl_dir=${shellQuote(directory)}
[[ $__cl_dir = /* ]] || __cl_dir=$PWD/$__cl_dir
__cl_dir=\${__cl_dir%/} __cl_layer=\${__cl_dir##*/} __cl_launcher=${word(launcher)}
__cl_say() { printf 'condense: %s\\n' "$1" >&2; exit 125; }
[[ $__cl_layer =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]*$ && $__cl_dir != *[:,\\"\\\\]* ]] || __cl_say "the directory of a layer is a name of letters, digits, dots and dashes, on a path without : and , and quotes, $__cl_dir, choose another one"
[[ ! -e $__cl_dir && ! -L $__cl_dir ]] || __cl_say "there is something already, $__cl_dir, remove it or choose another one"
type -P mksquashfs >/dev/null || __cl_say "mksquashfs is missing on this node, PATH, go to one that has squashfs-tools"
__cl_tmp=$(mktemp -d "$__cl_dir.XXXXXX") || __cl_say "no directory can be made here, $__cl_dir, choose another one"
trap 'rm -rf -- "$__cl_tmp"' EXIT
trap 'exit 130' INT TERM HUP
__cl_inside=/opt/layers/$__cl_layer __cl_tree=$__cl_tmp/root/opt/layers/$__cl_layer
mkdir -p "$__cl_tree" "$__cl_tmp/done/bin"
__cl_bind=APPTAINER_BIND
[[ $__cl_runtime != */singularity ]] || __cl_bind=SINGULARITY_BIND
__cl_in() {
  env -u PYTHONHOME -u PYTHONPATH -u CONTAINER_OVERLAY_PATH CONDENSE_SESSION=off PYTHONNOUSERSITE=1 \\
    "$__cl_bind=\${!__cl_bind:+\${!__cl_bind},}$__cl_tree:$__cl_inside" "$__cl_launcher" "$@"
}
__cl_in python3 -m venv --system-site-packages --without-pip "$__cl_inside" || __cl_say "the venv could not be made, $__cl_inside, see above"
__cl_in "$__cl_inside/bin/python" -m pip --disable-pip-version-check install ${pip.map(shellQuote).join(' ')} || __cl_say "pip could not install that, $__cl_dir, see above; nothing was made"
{ printf '#!/bin/sh\\nlayer=%q' "$__cl_inside"; printf %s ${word(renderStart(facts))}; } >"$__cl_tree/bin/.start" && chmod 755 "$__cl_tree/bin/.start" &&
  mksquashfs "$__cl_tmp/root" "$__cl_tmp/done/layer.sqsh" -all-root -noappend -quiet -no-progress >/dev/null &&
  { printf '#!/bin/sh\\nlauncher=%q layer=%q inside=%q' "$__cl_launcher" "$__cl_dir" "$__cl_inside"; printf %s ${word(renderRun(facts))}; } >"$__cl_tmp/done/run" &&
  chmod 755 "$__cl_tmp/done/run" || __cl_say "the layer could not be packed, $__cl_dir, see above"
for __cl_x in "$__cl_tree"/bin/*; do
  [[ ! -x $__cl_x && ! -L $__cl_x || $__cl_x = *[/]activate* ]] || ln -s ../run "$__cl_tmp/done/bin/\${__cl_x##*/}"
done
chmod 755 "$__cl_tmp/done"
mv -T -- "$__cl_tmp/done" "$__cl_dir" || __cl_say "the layer could not be put in place, $__cl_dir, see above"
printf '%s\\n' "made $__cl_dir on top of $__cl_N: start its commands from $__cl_dir/bin"
exit 0
`;
}
