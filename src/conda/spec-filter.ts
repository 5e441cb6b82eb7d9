// What of a MatchSpec the solver cannot compare, compared here: the records that do not match are not given to it.
import { Version, VersionSpec } from '@conda-org/rattler';
import { parseMatchSpec, renderMatchSpec, type MatchSpec } from './match-spec.ts';

interface ComparedRecord {
  readonly file: string;
  readonly subdir: string;
  readonly version: string;
  readonly track_features?: string | undefined;
}

export interface SolverSpec {
  /** What the solver is given. */
  readonly text: string;
  /** Whether a record of that name may be taken; `undefined` where the solver sees to all of it. */
  readonly matches?: ((record: ComparedRecord) => boolean) | undefined;
}

/** @param text as `parseSpecs` gives it @throws Error or text that says why it is no spec */
export function planSolverSpec(text: string): SolverSpec {
  const spec = parseMatchSpec(text);
  if (typeof spec === 'string') throw new Error(spec);
  const { subdir, fn, track_features: features, version, ...kept } = spec;
  const tests: ((record: ComparedRecord) => boolean)[] = [];
  if (subdir !== undefined) tests.push((record) => record.subdir === subdir);
  if (fn !== undefined) tests.push((record) => record.file === fn);
  if (features !== undefined) {
    const wanted = featureSet(features);
    tests.push((record) => featureSet(record.track_features ?? '') === wanted);
  }
  let solved: MatchSpec = kept;
  if (version !== undefined) {
    const clauses = version.match(/\^[^$]*\$|[()|,]|[^()|,]+/g)?.map((one) => one.trim()) ?? [];
    if (clauses.some((clause) => readText(clause))) tests.push(compileVersion(clauses));
    else solved = { ...kept, version: clauses.map(readFuzzy).join('') };
  }
  return {
    text: renderMatchSpec(solved),
    matches: tests.length === 0 ? undefined : (record) => tests.every((test) => test(record)),
  };
}

/** The same set, written in any order: conda/models/match_spec.py, FeatureMatch. */
function featureSet(text: string): string {
  return text
    .split(/[ ,]+/)
    .filter((one) => one !== '')
    .sort()
    .join(' ');
}

/** CEP 29: `==1.8.*` is fuzzy; the solver would take it for 1.8 itself. */
const readFuzzy = (clause: string): string => clause.replace(/^==(?=.*\*$)/, '');

/**
 * CEP 29, "Version matching": a clause between `^` and `$`, or with a `*` that is not at its end, is compared as text. So is a `*`
 * after a local version, which the solver matches with nothing.
 */
function readText(clause: string): RegExp | undefined {
  if (clause.startsWith('^') && clause.endsWith('$')) {
    if (/\(\?|\\[1-9k]/.test(clause)) throw new Error(`${clause} has a lookaround or a backreference`);
    return new RegExp(clause, 'i');
  }
  const text = /^(?:!=|==|=)?([^<>=!~]*)$/.exec(clause)?.[1] ?? '';
  const isText = /\*[^*]*[^*.]/.test(text) || (text.includes('+') && text.endsWith('*'));
  if (!isText) return undefined;
  return new RegExp(`^${text.replaceAll(/[.+\\^$[\]{}?]/g, String.raw`\$&`).replaceAll('*', '.*')}$`, 'i');
}

type Test = (record: ComparedRecord) => boolean;

/** `|` of `,` of clauses and parentheses. */
function compileVersion(clauses: readonly string[]): Test {
  let at = 0;
  const readAny = (): Test => {
    const tests = [readAll()];
    while (clauses[at] === '|') tests.push((at++, readAll()));
    return (record) => tests.some((test) => test(record));
  };
  const readAll = (): Test => {
    const tests = [readOne()];
    while (clauses[at] === ',') tests.push((at++, readOne()));
    return (record) => tests.every((test) => test(record));
  };
  const readOne = (): Test => {
    const clause = clauses[at++] ?? '';
    if (clause === '(') {
      const inner = readAny();
      if (clauses[at++] !== ')') throw new Error('a "(" of the version is not closed');
      return inner;
    }
    if (/^[),|]?$/.test(clause)) throw new Error('a version is missing');
    return compileClause(clause);
  };
  const test = readAny();
  if (at < clauses.length) throw new Error(`unexpected ${JSON.stringify(clauses[at])} in the version`);
  return test;
}

function compileClause(clause: string): Test {
  const pattern = readText(clause);
  if (pattern) {
    const isNegated = clause.startsWith('!=');
    return ({ version }) => pattern.test(version) !== isNegated;
  }
  const spec = new VersionSpec(readFuzzy(clause));
  return ({ version }) => spec.matches(new Version(version));
}
