// conda's environment.yml: text → EnvironmentSpec, or every problem at once. What conda accepts is accepted, but for
// what it silently drops: keys that it does not know, a second pip section.
// Format: docs.conda.io, "Managing environments"; conda's own reading of it: conda/env/env.py.
import path from 'node:path';
import * as z from 'zod';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { describeIssues, describePath, valueAt, type SchemaNode } from './describe-issues.ts';
import type { EnvironmentSpec, SpecLine } from './environment-spec.ts';
import { inOrder } from './parse-site-config.ts';
import { quoted } from './text-rules.ts';
import { parseYaml, type KeyPath, type YamlSource } from './yaml-source.ts';

// The shape only: what the lists and the variables hold is looked at below, where it can be said better.
const writtenSpec = z.strictObject({
  name: z.string().optional(),
  channels: z.array(z.string()).optional(),
  dependencies: z.array(z.unknown()).meta({ examples: [['python=3.11']] }),
  variables: z.record(z.string(), z.unknown()).optional(),
  prefix: z.unknown().optional(),
  // conda-lock's and conda-project's; conda ignores it.
  platforms: z.unknown().optional(),
});
type WrittenSpec = z.output<typeof writtenSpec>;
const writtenSchema = (): SchemaNode => z.toJSONSchema(writtenSpec, { io: 'input' }) as SchemaNode;

interface Findings {
  readonly problems: Problem[];
  readonly notes: SpecLine[];
  readonly source: YamlSource;
}

/**
 * Pure: looks at no file.
 * @throws AppError CONFIG_INVALID, exit 3, with every problem
 */
export function parseEnvironmentSpec(text: string, file: string): EnvironmentSpec {
  const source = parseYaml(text, file);
  if (!source.isReadable) throw new AppError(EXIT.configuration, source.problems);
  const result = writtenSpec.safeParse(source.value);
  const findings: Findings = {
    source,
    notes: [],
    problems: [
      ...source.problems,
      ...(result.success ? [] : describeIssues(result.error.issues, writtenSchema(), source)),
    ],
  };
  const { dependencies, pip } = readDependencies(findings);
  const written = (result.success ? result.data : {}) as Partial<WrittenSpec>;
  const spec: EnvironmentSpec = {
    file: path.resolve(file),
    name: checkName(written.name, findings),
    channels: readChannels(written.channels ?? [], findings),
    dependencies,
    pip,
    variables: readVariables(findings),
    notes: findings.notes,
  };
  for (const key of ['prefix', 'platforms']) {
    if (source.has([key])) {
      findings.notes.push({
        text: `${key} is ignored: the site's configuration decides that`,
        at: source.atKey([key]),
      });
    }
  }
  if (findings.problems.length > 0) throw new AppError(EXIT.configuration, inOrder(findings.problems));
  return spec;
}

function complain({ problems, source }: Findings, at: KeyPath, message: string, hint?: string): void {
  problems.push({ code: 'CONFIG_INVALID', message: `${describePath(at)} ${message}`, at: source.at(at), hint });
}

function readDependencies(findings: Findings): { dependencies: SpecLine[]; pip: SpecLine[] } {
  const { source } = findings;
  const dependencies: SpecLine[] = [];
  const pip: SpecLine[] = [];
  const items = valueAt(source.value, ['dependencies']);
  if (!Array.isArray(items)) return { dependencies, pip };
  if (items.length === 0) complain(findings, ['dependencies'], 'must not be an empty list', `write - python=3.11`);
  let pipAt: string | undefined;
  for (const [index, item] of (items as readonly unknown[]).entries()) {
    const at: KeyPath = ['dependencies', index];
    if (isMapping(item) && Object.keys(item).length === 1 && 'pip' in item) {
      if (pipAt !== undefined) {
        complain(findings, at, `is a second pip section; the first is at ${pipAt}`, 'put all of it in one');
      }
      pipAt ??= source.at(at);
      pip.push(...readPip(item['pip'], [...at, 'pip'], findings));
    } else {
      const text = lineText(item, at, findings, 'a package such as python=3.11');
      if (text !== undefined) dependencies.push({ text, at: source.at(at) });
    }
  }
  noteRepeated(dependencies, findings);
  // As conda does, which warns besides: without it the section would be installed by some other pip.
  if (pipAt !== undefined && pip.length > 0 && !dependencies.some((line) => packageName(line.text) === 'pip')) {
    dependencies.push({ text: 'pip', at: pipAt });
    findings.notes.push({ text: 'pip is added to the packages, for the pip section', at: pipAt });
  }
  return { dependencies, pip };
}

function readPip(value: unknown, at: KeyPath, findings: Findings): SpecLine[] {
  // conda drops an empty section.
  if (value === null) return [];
  if (!Array.isArray(value)) {
    complain(findings, at, 'must be a list', 'write - pip: and below it, further in, - package');
    return [];
  }
  return (value as readonly unknown[]).flatMap((item, index) => {
    const text = lineText(item, [...at, index], findings, 'a line for pip');
    return text === undefined ? [] : [{ text, at: findings.source.at([...at, index]) }];
  });
}

/** One line of a list, or `undefined` and a problem. */
function lineText(item: unknown, at: KeyPath, findings: Findings, what: string): string | undefined {
  const text = typeof item === 'string' ? item.trim() : '';
  if (text !== '' && !/\p{Cc}/u.test(text)) return text;
  const [is, hint] = describeNoLine(item, at, findings.source);
  complain(findings, at, `must be ${what}, but it is ${is}`, hint);
  return undefined;
}

function describeNoLine(item: unknown, at: KeyPath, source: YamlSource): [is: string, hint?: string | undefined] {
  if (typeof item === 'string' && item.trim() !== '') {
    return [`text with a line break or control character: ${quoted(item.trim())}`];
  }
  if (item === null || typeof item === 'string') return ['empty', 'remove the line'];
  if (Array.isArray(item)) return ['a list', 'write one package on each line'];
  if (isMapping(item)) {
    const [key = ''] = Object.keys(item);
    const version = source.written([...at, key]);
    return [`a mapping with the key ${quoted(key)}`, version ? `write - ${key}=${version}` : undefined];
  }
  const written = source.written(at) ?? '';
  return [`the ${typeof item} ${written}`, `write the package's name, too: - name=${written}`];
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The package of a MatchSpec, in lower case as conda has them: `numpy` of `conda-forge::numpy>=2`. */
function packageName(spec: string): string {
  return (/^(?:[^\s[\]]*:)?([\w.-]+)/.exec(spec)?.[1] ?? spec).toLowerCase();
}

/** conda takes both lines of a package that is listed twice; mostly it is a slip. */
function noteRepeated(lines: readonly SpecLine[], { notes }: Findings): void {
  const first = new Map<string, SpecLine>();
  for (const line of lines) {
    const name = packageName(line.text);
    const other = first.get(name);
    if (other) notes.push({ text: `${name} is listed twice: '${other.text}' at ${other.at}`, at: line.at });
    else first.set(name, line);
  }
}

/** conda: no '/', ' ', ':' or '#' in a name. */
function checkName(name: string | undefined, findings: Findings): string | undefined {
  if (name !== undefined && (name === '' || /[/\s:#\p{C}]/u.test(name))) {
    complain(findings, ['name'], `must be a name without white space, '/', ':' and '#', not ${quoted(name)}`);
  }
  return name;
}

function readChannels(channels: readonly string[], findings: Findings): string[] {
  for (const [index, channel] of channels.entries()) {
    const at: KeyPath = ['channels', index];
    if (channel === '' || /[\s\p{C}]/u.test(channel)) {
      complain(findings, at, `must be a channel's name or URL, not ${quoted(channel)}`);
    } else if (channel.includes('$')) {
      // conda puts in the environment variables of whoever builds; one file must mean one thing.
      complain(findings, at, `is ${quoted(channel)}, but nothing expands '$'`, 'write the channel itself');
    }
  }
  // `nodefaults` only ever kept conda from adding its own default channels, which nothing here adds.
  return [...new Set(channels)].filter((channel) => channel !== 'nodefaults');
}

/**
 * conda makes text of numbers and booleans, by way of Python: 1.10 becomes 1.1 and true becomes True. Here the value is
 * what the file says: 1.10, true.
 */
function readVariables(findings: Findings): Record<string, string> {
  const { source } = findings;
  const value = valueAt(source.value, ['variables']);
  const variables: Record<string, string> = {};
  if (!isMapping(value)) return variables;
  for (const [name, written] of Object.entries(value)) {
    const at: KeyPath = ['variables', name];
    const text = typeof written === 'string' ? written : isScalar(written) ? source.written(at) : undefined;
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      complain(findings, at, 'is not the name of a variable: letters, digits and underscores, no digit first');
    } else if (text === undefined) {
      const is = written === null ? 'it is empty' : `it is ${Array.isArray(written) ? 'a list' : 'a mapping'}`;
      complain(findings, at, `must be text, but ${is}`, written === null ? `write ${name}: ''` : undefined);
    } else if (text.includes('\0')) {
      complain(findings, at, 'must not hold a NUL character');
    } else variables[name] = text;
  }
  return variables;
}

const isScalar = (value: unknown): boolean => typeof value === 'number' || typeof value === 'boolean';
