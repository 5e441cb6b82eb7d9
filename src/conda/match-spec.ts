// What condense itself must know of a MatchSpec (CEP 29): the name, and the channel before `::`. The rest is the solver's.
import type { SpecLine } from '../config/environment-spec.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';

export interface RequestedSpec {
  /** Lower case: names are compared so (CEP 26). */
  readonly name: string;
  /** The channel before `::`, as written. */
  readonly channel?: string | undefined;
  /** The spec without its channel. */
  readonly solverText: string;
  readonly line: SpecLine;
}

const NAME = /^([A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(?=$|[\s=<>!~[])/;
/** The solver reads these; it ignores or dies of the others (`channel`, `subdir`, `license`), which must not pass silently. */
const KEYS = new Set(['version', 'build', 'build_number', 'md5', 'sha256']);

/** The name that a dependency in repodata asks for, lower case; `undefined` where it is no plain spec. */
export function parseDependencyName(dependency: string): string | undefined {
  if (dependency.includes(':') || /\[.*\b(?:channel|url|subdir)\b/.test(dependency)) return undefined;
  return NAME.exec(dependency)?.[1]?.toLowerCase();
}

/** @throws AppError SPEC_INVALID with each bad spec's place */
export function parseSpecs(lines: readonly SpecLine[]): readonly RequestedSpec[] {
  const problems: Problem[] = [];
  const specs: RequestedSpec[] = [];
  for (const line of lines) {
    const spec = parseSpec(line);
    if ('code' in spec) problems.push(spec);
    else specs.push(spec);
  }
  if (problems.length > 0) throw new AppError(EXIT.configuration, problems);
  return specs;
}

/** The one way in which a spec is refused. */
export function describeInvalidSpec(line: SpecLine, why: string): Problem {
  return {
    code: 'SPEC_INVALID',
    message: `${JSON.stringify(line.text)} is not a conda spec: ${why.trim().replaceAll(/\s+/g, ' ')}`,
    at: line.at,
    hint: 'write e.g. numpy, numpy=2.1, "numpy >=2,<3" or conda-forge::numpy',
  };
}

function parseSpec(line: SpecLine): RequestedSpec | Problem {
  const text = line.text.trim();
  const cut = text.indexOf('::');
  const channel = cut < 0 ? undefined : text.slice(0, cut);
  const solverText = cut < 0 ? text : text.slice(cut + 2).trim();
  if (channel === '') return describeInvalidSpec(line, 'the channel before :: is missing');
  if (solverText.includes(':')) return describeInvalidSpec(line, 'unexpected ":"');
  const name = NAME.exec(solverText)?.[1];
  if (name === undefined) {
    return describeInvalidSpec(line, 'it must start with a package name of letters, digits, ".", "-" and "_"');
  }
  const why = checkBrackets(solverText);
  if (why !== undefined) return describeInvalidSpec(line, why);
  return { name: name.toLowerCase(), channel, solverText, line };
}

function checkBrackets(text: string): string | undefined {
  const open = text.indexOf('[');
  if (open < 0) return undefined;
  if (!text.endsWith(']')) return 'the "[" is not closed at the end';
  for (const [, key = ''] of text.slice(open + 1, -1).matchAll(/(?:^|,)\s*(\w+)\s*=\s*(?:'[^']*'|"[^"]*"|[^,]*)/g)) {
    if (key === 'channel') return 'write the channel before the name, as in channel::name';
    if (!KEYS.has(key)) return `"${key}" is not supported in brackets (only ${[...KEYS].join(', ')})`;
  }
  return undefined;
}
