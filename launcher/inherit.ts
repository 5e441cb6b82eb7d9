// What of the caller's environment does not come along into the container: the rules, for the planner and as shell text
// for the prelude. Everything that no rule names passes byte for byte. docs/launcher.md says why.
import type { InheritFacts, ListRule } from './facts.ts';
import { bytesOf, shellQuote } from './shell-quote.ts';

/**
 * What a runtime sets in its containers (man apptainer-exec; seen in 1.4). Carried out of one, by a batch system or ssh,
 * they would bind that container's directories again and stand for a session of their own.
 */
const LEFTOVERS = ['APPTAINER', 'SINGULARITY'].flatMap((runtime) =>
  ['APPNAME', 'BIND', 'COMMAND', 'CONTAINER', 'ENVIRONMENT', 'NAME'].map((name) => `${runtime}_${name}`),
);
export const MARKS = ['APPTAINER_CONTAINER', 'SINGULARITY_CONTAINER'];

const word = (text: string): string => shellQuote(bytesOf(text));
const nameOf = (entry: string): string => entry.split('=', 1)[0] ?? '';

/** The caller's environment as programs in the container get it. Pure; NAME=VALUE, bytes as latin1. */
export function inheritEnvironment(
  environment: readonly string[],
  { drop, lists, defaults }: InheritFacts,
): readonly string[] {
  const has = (name: string): boolean => environment.some((entry) => nameOf(entry) === name);
  const gone = new Set([...drop, ...(MARKS.some(has) ? LEFTOVERS : [])]);
  const kept = environment
    .filter((entry) => !gone.has(nameOf(entry)))
    .flatMap((entry) => {
      const name = nameOf(entry);
      const rule = lists.find((one) => one.name === name);
      if (rule === undefined) return [entry];
      const value = entry.slice(name.length + 1);
      const entries = value.split(':').filter((directory) => !isDropped(directory, rule));
      return entries.length === 0 ? [] : [`${name}=${entries.join(':')}`];
    });
  const added = Object.entries(defaults).filter(([name]) => !has(name));
  return [...kept, ...added.map(([name, value]) => `${name}=${value}`)];
}

/** The longest prefix decides. */
function bySpecificity({ drop, keep }: ListRule): { directory: string; isKept: boolean }[] {
  return [
    ...keep.map((directory) => ({ directory, isKept: true })),
    ...drop.map((directory) => ({ directory, isKept: false })),
  ].sort((one, other) => other.directory.length - one.directory.length);
}

function isDropped(entry: string, rule: ListRule): boolean {
  const first = bySpecificity(rule).find(({ directory }) => `${entry}/`.startsWith(`${directory}/`));
  return first?.isKept === false;
}

/**
 * The same for the prelude, without a fork. Out: __cl_gone, the variables that are no more, or not as they were;
 * __cl_new, what they are now, NAME=VALUE. The shell's own variables are changed already.
 */
export function renderInheritance({ drop, lists, defaults }: InheritFacts): string {
  const lines = [
    `[[ ! ( ${MARKS.map((name) => `-v ${name}`).join(' || ')} ) ]] || __cl_gone+=(${LEFTOVERS.join(' ')})`,
    ...drop.map((name) => `[[ ! -v ${name} ]] || __cl_gone+=(${name})`),
    ...listsOf(lists, drop).map((rule) =>
      renderList(rule, `__cl_gone+=(${rule.name}); [[ ! $__cl_done ]] || __cl_new+=("${rule.name}=\${__cl_done#:}")`),
    ),
    ...Object.entries(defaults).map(([name, value]) => `[[ -v ${name} ]] || __cl_new+=(${word(`${name}=${value}`)})`),
    '[[ ${#__cl_gone[@]} = 0 ]] || unset -v "${__cl_gone[@]}"',
    '[[ ${#__cl_new[@]} = 0 ]] || export "${__cl_new[@]}"',
    '[[ ${#__cl_gone[@]} = 0 ]] || __cl_note "not as the caller has them: ${__cl_gone[*]}"',
  ];
  return `# What of the caller's environment does not come along: inherit.ts.\n${lines.join('\n')}`;
}

/**
 * The same where none of MARKS is set, straight to the shell's own variables, from which the program gets them.
 */
export function renderPlainInheritance({ drop, lists, defaults }: InheritFacts): string {
  return [
    ...Object.entries(defaults).map(([name, value]) => `[[ -v ${name} ]] || export ${word(`${name}=${value}`)}`),
    ...listsOf(lists, drop).map((rule) =>
      renderList(rule, `if [[ $__cl_done ]]; then ${rule.name}=\${__cl_done#:}; else unset -v ${rule.name}; fi`),
    ),
    ...(drop.length === 0 ? [] : [`unset -v ${drop.join(' ')}`]),
  ].join('\n');
}

const listsOf = (lists: readonly ListRule[], drop: readonly string[]): readonly ListRule[] =>
  lists.filter((rule) => rule.drop.length > 0 && !drop.includes(rule.name));

function renderList(rule: ListRule, end: string): string {
  const cases = bySpecificity(rule).map(
    ({ directory, isKept }) => `      ${word(directory)}/*) ${isKept ? '' : 'continue '};;`,
  );
  const any = rule.drop.map((directory) => `*:${word(directory)}[:/]*`).join(' | ');
  // Plain patterns: bash takes a thousand times as long for @(...) on a long list.
  return `case :\$${rule.name}: in ${any})
  __cl_rest=\$${rule.name}: __cl_done=
  while [[ $__cl_rest ]]; do
    __cl_x=\${__cl_rest%%:*} __cl_rest=\${__cl_rest#*:}
    case $__cl_x/ in
${cases.join('\n')}
    esac
    __cl_done+=:$__cl_x
  done
  ${end}
  ;;
esac`;
}
