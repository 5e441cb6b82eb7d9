// What a user puts over the image: the entries of CONTAINER_OVERLAY_PATH, directories or images. One of them may be
// written to (`:rw`): by one command at a time, which a lock sees to, and on the release that it was first written on.
import type { LauncherFacts } from './facts.ts';
import type { Sight } from './path.ts';
import { shellQuote } from './shell-quote.ts';

export interface Overlay {
  readonly path: string;
  /** Where it is written to, a file of ours: locked meanwhile; `<full name>/<release>` and, as a second line, by whom. */
  readonly note?: string | undefined;
}

/** What is wrong, where, what to do. */
type Problem = readonly [what: string, where: string, whatToDo: string];

/**
 * @param list as the runtimes' own options have it, `:rw` or `:ro` (the default) behind a path; nothing between two colons is nothing
 * @param release `<full name>/<release>`, what they are to lie over
 */
export function planOverlays(
  list: string,
  release: string,
  facts: LauncherFacts,
  sight: Sight,
): { readonly overlays: readonly Overlay[] } | { readonly problem: Problem } {
  const overlays: Overlay[] = [];
  for (const [, path = '', suffix] of list.matchAll(/([^:]+)(?::(rw|ro))?(?=:|$)/g)) {
    const note = sight.isThere(`${path}/.`) ? `${path}/.condense` : `${path}.condense`;
    const problem =
      suffix === 'rw' ? findProblemToWrite(path, note, release, facts, sight) : findProblemToRead(path, note, sight);
    if (problem !== undefined) return { problem };
    overlays.push(suffix === 'rw' ? { path, note } : { path });
  }
  const [, second] = overlays.filter(({ note }) => note !== undefined);
  if (second === undefined) return { overlays };
  return {
    problem: ['one overlay alone can be written to', second.path, 'take :rw from it in CONTAINER_OVERLAY_PATH'],
  };
}

function findProblemToRead(path: string, note: string, sight: Sight): Problem | undefined {
  if (!sight.isReadable(path)) return ['this overlay cannot be read', path, 'correct CONTAINER_OVERLAY_PATH'];
  if (!sight.isThere(note)) return undefined;
  // fuse-overlayfs writes marks (.wh..wh..opq) that the kernel's overlay, which mounts what is read alone, does not know.
  const what = 'this overlay was written to, and what was removed in it would be there again if it were read alone';
  return [what, path, 'put :rw behind it in CONTAINER_OVERLAY_PATH'];
}

function findProblemToWrite(
  path: string,
  note: string,
  release: string,
  facts: LauncherFacts,
  sight: Sight,
): Problem | undefined {
  if (!sight.isThere(path)) return ['there is no such overlay', path, `make it: mkdir ${shellQuote(path)}`];
  if (!sight.isReadable(path) || !sight.isWritable(path))
    return ['you may not write to this overlay', path, 'choose one of your own in CONTAINER_OVERLAY_PATH'];
  const of = sight.readText(note)?.split('\n', 1)[0] ?? '';
  // It has parts of that release in it and hides others: over another release it would be a mixture of both.
  if (of === '' || of === release) return undefined;
  const [, fullName, id] = /^([\w.-]+)\/([\w-]+)$/.exec(of) ?? [];
  if (fullName === undefined || id === undefined)
    return ['this file is in the place of what the launcher notes there', note, 'give it another name'];
  const what = `this overlay was made on ${of}, not on ${release}`;
  if (fullName !== facts.fullName) return [what, path, 'make another one for this environment'];
  return sight.isReadable(`${facts.releasesDir}/${id}/env.sqsh`)
    ? [what, path, `go on with that release: export CONDENSE_RELEASE=${of}`]
    : [what, path, 'make another one, that release is gone'];
}

/**
 * Text of bash for the waiting prelude, behind which the overlay to write to is locked, and was seen to take it. The lock
 * is held by what the runtime leaves running outside (the trampoline closes the descriptor), so as long as it is mounted.
 * @param release `<full name>/<release>`
 * @param runtime the runtime's command up to the first program inside, as shell words
 */
export function renderOverlays(
  overlays: readonly Overlay[],
  release: string,
  runtime: string,
  { condaPrefix }: LauncherFacts,
): string[] {
  return overlays.flatMap(({ path, note }) => {
    if (note === undefined) return [];
    const words = { OVERLAY: path, NOTE: note, RELEASE: release, PREFIX: condaPrefix };
    const assignments = Object.entries(words).map(([name, word]) => `__cl_${name}=${shellQuote(word)}`);
    return [...assignments, LOCK, `__cl_t=$(timeout --foreground 60 ${runtime} ${PROOF}`, NOTE];
  });
}

const LOCK = `
__cl_say() { printf 'condense: %s, %s, %s\\n' "$@" >&2; exit 125; }
{ [[ ! -L $__cl_NOTE ]] && exec {__cl_C}<>"$__cl_NOTE"; } 2>/dev/null ||
  __cl_say "the launcher cannot write its note on an overlay" "$__cl_NOTE" "put the overlay into a directory of yours"
flock -n -E 9 "$__cl_C" 2>/dev/null
case $? in
  0) export __cl_C ;;
  9)
    { IFS= read -r __cl_x && IFS= read -r __cl_x; } <"$__cl_NOTE" && __cl_x=" (it was last written to by \${__cl_x//[^[:print:]]/})" || __cl_x=
    __cl_say "another command has this overlay$__cl_x" "$__cl_OVERLAY" "wait for that to end, or do all in one shell: launcher bash"
    ;;
  *) __cl_say "no file can be locked here, and two commands at once would spoil an overlay" "$__cl_NOTE" "take a directory on a disk of this node" ;;
esac
`;

/** No runtime says beforehand whether it can, and some mount what they cannot write to without a word. */
const PROOF = `/bin/bash --norc -pfc '[[ -w $0 ]]' "$__cl_PREFIX" </dev/null 2>&1) ||
  __cl_say "this overlay cannot be written to here (\${__cl_t:-it is mounted to be read alone})" "$__cl_OVERLAY" "take a directory on a disk of this node, or make a layer: launcher --layer"`;

const NOTE = `printf '%s\\nprocess %s on %s at %(%FT%T%z)T\\n' "$__cl_RELEASE" "$$" "$(</proc/sys/kernel/hostname)" -1 >"$__cl_NOTE"`;
