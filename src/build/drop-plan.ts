// Which files of a prefix the rules of `drop` leave out of the image. Pure.
import type { DropRules } from '../config/site-config.ts';
import type { TreeEntry } from '../system/files.ts';
import { globExpression } from './path-glob.ts';
import { resolveInTree } from './tree-links.ts';

export interface PrefixEntry extends TreeEntry {
  /** Of a link, relative to its directory or absolute within the prefix (`/` is the prefix); undefined when it leads out. */
  readonly target?: string | undefined;
}

export interface DropPlan {
  /** Files and links, relative to the prefix, sorted, and the directories that hold nothing then, innermost first. */
  readonly files: readonly string[];
  readonly directories: readonly string[];
  readonly report: readonly DropCount[];
  /** Patterns that match nothing that is there. */
  readonly unmatched: readonly string[];
  /** Patterns that would take what a command or conda needs. */
  readonly refused: readonly { readonly pattern: string; readonly path: string; readonly neededBy: string }[];
}

export interface DropCount {
  /** `outside_commands`, `static_libraries`, `tests`, or the pattern. */
  readonly rule: string;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Libraries that compilers link without being asked, or always (gcc: lib/gcc; the C library of conda's compilers: sysroot;
 * clang's run-time; rustc, ocamlopt, ghc, go: their own standard libraries; nvcc: the CUDA run-time).
 */
const COMPILER_LIBRARIES = [
  ...['lib/gcc', '*/sysroot', 'lib/clang', 'lib/rustlib', 'lib/ocaml', 'lib/ghc*', 'go', '**/lib*_nonshared.a'],
  ...['**/libcudart_static.a', '**/libcudadevrt.a', '**/libculibos.a'],
];

/** Tests of Python's own library and of packages; conda-forge's python keeps test/support, astropy imports its tests. */
const TESTS = ['lib/python*/**/tests', 'lib/python*/**/test'];
const NEEDED_TESTS = [
  'lib/python*/test/support',
  'lib/python*/test/__init__.py',
  'lib/python*/site-packages/astropy/tests',
];

interface Rule {
  readonly name: string;
  readonly isPattern: boolean;
  readonly matches: (path: string) => boolean;
}

/**
 * @param commands names in `bin` that the farm has links for
 * @param outside those of them that are the host's: the image must not have them, since inside its `bin` comes first
 */
export function planDrop(
  entries: readonly PrefixEntry[],
  rules: DropRules,
  commands: readonly string[],
  outside: readonly string[] = [],
): DropPlan {
  const tree = new Map(entries.map((entry) => [entry.path, entry]));
  const isKept = anyOf(rules.keep);
  const needed = findNeeded(tree, commands, isKept);
  const isOutside = new Set(outside.map((name) => `bin/${name}`));
  const outsideRule: Rule = {
    name: 'outside_commands',
    isPattern: false,
    matches: (path) => isOutside.has(path),
  };
  const ordered = [...(outside.length > 0 ? [outsideRule] : []), ...orderRules(rules)];
  const dropped = new Map<string, Rule>();
  const refused = new Map<string, { path: string; neededBy: string }>();
  const matched = new Set<Rule>();
  for (const entry of entries) {
    if (entry.kind === 'directory') continue;
    const rule = ordered.find(({ matches }) => matches(entry.path));
    if (!rule) continue;
    matched.add(rule);
    if (rule === outsideRule) {
      dropped.set(entry.path, rule);
      continue;
    }
    if (isKept(entry.path)) continue;
    const neededBy = needed.get(entry.path) ?? neededByConda(entry.path);
    if (neededBy === undefined) dropped.set(entry.path, rule);
    else if (rule.isPattern && !refused.has(rule.name)) refused.set(rule.name, { path: entry.path, neededBy });
  }
  dropDanglingLinks(tree, dropped, isKept);
  return {
    files: [...dropped.keys()].sort(),
    directories: findEmptied(entries, dropped),
    report: countByRule(tree, dropped, ordered),
    unmatched: ordered.filter((rule) => rule.isPattern && !matched.has(rule)).map(({ name }) => name),
    refused: [...refused].map(([pattern, why]) => ({ pattern, ...why })),
  };
}

function anyOf(patterns: readonly string[]): (path: string) => boolean {
  const expressions = patterns.map(globExpression);
  return (path) => expressions.some((expression) => expression.test(path));
}

/** The first that matches a path has it. */
function orderRules(rules: DropRules): Rule[] {
  const isStatic = (path: string): boolean => path.endsWith('.a');
  const isCompilers = anyOf(COMPILER_LIBRARIES);
  const isTest = anyOf(TESTS);
  const isNeededTest = anyOf(NEEDED_TESTS);
  const rule = (name: string, matches: Rule['matches']): Rule => ({ name, isPattern: false, matches });
  return [
    ...(rules.staticLibraries ? [rule('static_libraries', (path) => isStatic(path) && !isCompilers(path))] : []),
    ...(rules.tests ? [rule('tests', (path) => isTest(path) && !isNeededTest(path))] : []),
    ...rules.patterns.map(({ text }) => ({ name: text, isPattern: true, matches: anyOf([text]) })),
  ];
}

/** Without its records conda does not know the environment, without the marker the launcher does not. */
function neededByConda(path: string): string | undefined {
  if (path.startsWith('conda-meta/')) return 'conda itself';
  return path === '.condense' ? 'the launcher' : undefined;
}

/** What commands, and links that are to be kept, lead to: every link on the way and what is at its end. */
function findNeeded(
  tree: ReadonlyMap<string, PrefixEntry>,
  commands: readonly string[],
  isKept: (path: string) => boolean,
): Map<string, string> {
  const needed = new Map<string, string>();
  for (const command of commands)
    for (const path of resolveInTree(`bin/${command}`, tree)) needed.set(path, `the command ${command}`);
  for (const { path, kind } of tree.values())
    if (kind === 'link' && isKept(path))
      for (const end of resolveInTree(path, tree)) needed.set(end, `the link ${path}`);
  return needed;
}

/** A link goes with what it leads to. */
function dropDanglingLinks(
  tree: ReadonlyMap<string, PrefixEntry>,
  dropped: Map<string, Rule>,
  isKept: (path: string) => boolean,
): void {
  const links = [...tree.values()].filter(({ path, kind }) => kind === 'link' && !dropped.has(path) && !isKept(path));
  for (let before = -1; before !== dropped.size;) {
    before = dropped.size;
    for (const { path } of links) {
      const gone = dropped.has(path) ? undefined : resolveInTree(path, tree).find((step) => dropped.has(step));
      const rule = gone === undefined ? undefined : dropped.get(gone);
      if (rule) dropped.set(path, rule);
    }
  }
}

/** Directories that had something and have nothing now, innermost first. */
export function findEmptied(
  entries: Iterable<{ readonly path: string }>,
  dropped: ReadonlyMap<string, unknown>,
): string[] {
  const left = new Map<string, number>();
  const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
  for (const { path } of entries) left.set(parentOf(path), (left.get(parentOf(path)) ?? 0) + 1);
  const emptied: string[] = [];
  const take = (path: string): void => {
    const parent = parentOf(path);
    const remaining = (left.get(parent) ?? 0) - 1;
    left.set(parent, remaining);
    if (remaining > 0 || parent === '') return;
    emptied.push(parent);
    take(parent);
  };
  for (const path of dropped.keys()) take(path);
  return emptied;
}

/** A file of several names is gone with its last one. */
function countByRule(
  tree: ReadonlyMap<string, PrefixEntry>,
  dropped: ReadonlyMap<string, Rule>,
  rules: readonly Rule[],
): DropCount[] {
  const names = new Map<number, number>();
  for (const { kind, inode } of tree.values()) if (kind === 'file') names.set(inode, (names.get(inode) ?? 0) + 1);
  const counts = new Map(rules.map((rule) => [rule, { rule: rule.name, files: 0, bytes: 0 }]));
  for (const [path, rule] of dropped) {
    const entry = tree.get(path);
    const count = counts.get(rule);
    if (!entry || !count) continue;
    count.files += 1;
    const remaining = (names.get(entry.inode) ?? 0) - 1;
    names.set(entry.inode, remaining);
    if (entry.kind === 'file' && remaining === 0) count.bytes += entry.sizeBytes;
  }
  return [...counts.values()].filter(({ files }) => files > 0);
}
