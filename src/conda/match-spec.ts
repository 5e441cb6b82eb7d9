// MatchSpecs as people write them (CEP 29; docs.conda.io, "Package match specifications"). Pure: text to its fields, and
// fields to the one form that the solver is given.
import type { SpecLine } from '../config/environment-spec.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';

export interface RequestedSpec {
  /** Lower case: names are compared so (CEP 26). */
  readonly name: string;
  /** The channel before `::` or of `[channel=...]`, as written. */
  readonly channel?: string | undefined;
  /** The spec without its channel: `name[version=">=2",build="*_0"]`. */
  readonly solverText: string;
  readonly line: SpecLine;
}

/** What a spec says, each as written; `name` in lower case. */
export interface MatchSpec {
  readonly name: string;
  readonly channel?: string;
  readonly subdir?: string;
  readonly version?: string;
  readonly build?: string;
  readonly build_number?: string;
  readonly md5?: string;
  readonly sha256?: string;
  readonly track_features?: string;
  readonly fn?: string;
}

const NAME = /^([A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(?=$|[\s=<>!~[])/;
/** CEP 26: the subdirs that there are. Another last part belongs to the channel: `conda-forge/label/dev`. */
const SUBDIR = /^(?:noarch|(?:linux|osx|win|freebsd|zos|emscripten|wasi)-[a-z0-9]+)$/;
/** What each key of the brackets may be. The solver cannot compare the others (`license`, `url`), or needs a package file for them. */
const KEYS: Readonly<Record<string, readonly [pattern: RegExp, what: string]>> = {
  version: [/^[^"']+$/, 'a version'],
  build: [/^[^"'\s]+$/, 'a build'],
  // The solver keeps 64 bits, and dies of more.
  build_number: [/^(?:[<>=!]=|[<>=])?\s*\d{1,15}$/, 'a number, or one after an operator such as >='],
  md5: [/^[0-9a-f]{32}$/i, '32 hexadecimal digits'],
  sha256: [/^[0-9a-f]{64}$/i, '64 hexadecimal digits'],
  channel: [/^[^"'\s]+$/, 'a channel'],
  subdir: [/^[a-z0-9-]+$/, 'a subdir such as linux-64'],
  track_features: [/^[\w.-]+(?:[ ,]+[\w.-]+)*$/, 'names of features'],
  fn: [/^[^"'\s/]+$/, 'the name of a package file'],
};
const MAX_LENGTH = 2000;

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
    const spec = parseMatchSpec(line.text);
    if (typeof spec === 'string') problems.push(describeInvalidSpec(line, spec));
    else {
      const { channel, ...rest } = spec;
      specs.push({ name: spec.name, channel, solverText: renderMatchSpec(rest), line });
    }
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

/**
 * `(channel(/subdir):(namespace):)name(version(build))[key=value,...]`, CEP 29, "Syntax". Versions are not read here.
 * @returns its fields, or why it is none
 */
export function parseMatchSpec(written: string): MatchSpec | string {
  if (written.length > MAX_LENGTH) return `it has more than ${MAX_LENGTH} characters`;
  // conda drops what follows a '#' (conda/models/match_spec.py, _parse_spec_str).
  const text = (written.split('#')[0] ?? '').trim();
  if (/\.(?:conda|tar\.bz2)$/.test(text)) return 'it is a package file; write its name and version, or name[fn=...]';
  // conda drops these, and would install the package whatever the condition.
  if (/;|\sif\s/.test(text)) return 'conditions ("if") are not supported';
  const open = text.indexOf('[');
  if (open >= 0 && !text.endsWith(']')) return 'the "[" is not closed at the end';
  const keywords = open < 0 ? {} : parseBrackets(text.slice(open + 1, -1));
  if (typeof keywords === 'string') return keywords;
  const place = parsePlace((open < 0 ? text : text.slice(0, open)).trim());
  if (typeof place === 'string') return place;
  const { rest, ...position } = place;
  if (rest === '*' || /^[\w.-]*\*/.test(rest))
    return 'a "*" in the name would be many packages; name the one to install';
  const name = NAME.exec(rest)?.[1];
  if (name === undefined) return 'it must start with a package name of letters, digits, ".", "-" and "_"';
  const { subdir: ofChannel, channel, ...others } = { ...position, ...splitSubdir(keywords['channel']), ...keywords };
  const subdir = keywords['subdir'] ?? splitSubdir(keywords['channel']).subdir ?? ofChannel;
  const bare = splitSubdir(channel).channel;
  const positional = parseVersionAndBuild(rest.slice(name.length).trim());
  for (const [key, value] of Object.entries(positional)) {
    const rule = KEYS[key];
    if (rule && !rule[0].test(value)) return `${JSON.stringify(value)} is not ${rule[1]}`;
  }
  return {
    name: name.toLowerCase(),
    ...(bare === undefined || bare === '*' ? {} : { channel: bare }),
    ...(subdir === undefined ? {} : { subdir }),
    ...positional,
    ...others,
  };
}

/** For the solver and for messages: everything in brackets, where no form is ambiguous. */
export function renderMatchSpec({ name, ...fields }: MatchSpec): string {
  const keywords = Object.entries(fields as Record<string, string>).map(([key, value]) => `${key}="${value}"`);
  return keywords.length === 0 ? name : `${name}[${keywords.join(',')}]`;
}

/** What stands before the name. A namespace is read and ignored, as CEP 29 has it. */
function parsePlace(text: string): { rest: string; channel?: string; subdir?: string } | string {
  const parts = text.split(':');
  const rest = (parts.pop() ?? '').trim();
  if (parts.length === 0) return { rest };
  parts.pop();
  const channel = parts.join(':').trim();
  if (channel === '') {
    return text.startsWith(':') ? 'the channel before :: is missing' : { rest };
  }
  return /[\s"']/.test(channel) ? `${JSON.stringify(channel)} is not a channel` : { rest, ...splitSubdir(channel) };
}

function splitSubdir(channel: string | undefined): { channel?: string; subdir?: string } {
  if (channel === undefined) return {};
  const cut = channel.lastIndexOf('/');
  const subdir = channel.slice(cut + 1);
  return cut > 0 && SUBDIR.test(subdir) ? { channel: channel.slice(0, cut), subdir } : { channel };
}

function parseBrackets(text: string): Readonly<Record<string, string>> | string {
  const keywords: Record<string, string> = {};
  const pair = /\s*([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s,"'[\]]+))\s*(?:,|(?=\s|$))/y;
  while (text.slice(pair.lastIndex).trim() !== '') {
    const at = pair.lastIndex;
    const [, key = '', double, single, bare] = pair.exec(text) ?? [];
    if (key === '')
      return `${JSON.stringify(text.slice(at))} is not key=value; a value with spaces or commas needs quotes`;
    const value = (double ?? single ?? bare ?? '').trim();
    if (key === 'name') continue; // CEP 29: it must be ignored
    const rule = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (!rule) return `"${key}" is not supported in brackets (only ${Object.keys(KEYS).join(', ')})`;
    if (!rule[0].test(value)) return `${key} must be ${rule[1]}, not ${JSON.stringify(value)}`;
    keywords[key] = /^(?:md5|sha256)$/.test(key) ? value.toLowerCase() : value;
  }
  return keywords;
}

/** conda/models/match_spec.py, _parse_version_plus_build and step 7 of _parse_spec_str. */
function parseVersionAndBuild(text: string): { version?: string; build?: string } {
  if (text === '') return {};
  const [, written = text, build] = /^(.+?[^><!,|]?)(?:(?<![=!|,<>~])[ =]([^=,|<>~]+?))?$/.exec(text) ?? [];
  const version = written.replaceAll(/\s/g, '');
  const trimmed = build?.trim() ?? '';
  if (trimmed === '') return { version };
  // With a build, one `=` before a version means that very version: numpy=1.8=py27_0.
  const isPlain = version.startsWith('=') && !/[=,|*<>]/.test(version.slice(1));
  return { version: isPlain ? `=${version}` : version, build: trimmed };
}
