// What a schema has against a file, in words: key, place, what was written and what to write instead.
import { closest, distance } from 'fastest-levenshtein';
import type * as z from 'zod';
import type { Problem } from '../system/app-error.ts';
import { quoted } from './text-rules.ts';
import type { Key, KeyPath, YamlSource } from './yaml-source.ts';

/** The part of a JSON schema (z.toJSONSchema) that messages and documentation use. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | false;
  readonly items?: SchemaNode;
}

/** `environments.analysis3.version`, `binds.run[2]` */
export function describePath(path: KeyPath): string {
  return path
    .map((key, index) => {
      if (typeof key === 'number') return `[${key}]`;
      if (!/^[\w-]+$/.test(key)) return `[${quoted(key)}]`;
      return index === 0 ? key : `.${key}`;
    })
    .join('');
}

/** One problem for each thing that is wrong; unknown keys one by one. */
export function describeIssues(issues: readonly z.core.$ZodIssue[], schema: SchemaNode, source: YamlSource): Problem[] {
  return issues.flatMap((issue) => {
    const path = issue.path.filter((key): key is Key => typeof key !== 'symbol');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => describeUnknownKey([...path, key], schemaAt(schema, path), source));
    }
    const described = describeIssue(issue, path, schemaAt(schema, path), source);
    // An empty value has no place of its own.
    const at = valueAt(source.value, path) === null ? source.atKey(path) : source.at(path);
    return [{ code: 'CONFIG_INVALID', at, ...described }];
  });
}

type Description = Pick<Problem, 'message' | 'hint'>;

function describeIssue(
  issue: z.core.$ZodIssue,
  path: KeyPath,
  schema: SchemaNode | undefined,
  source: YamlSource,
): Description {
  const name = path.length === 0 ? 'the file' : describePath(path);
  if (issue.code === 'custom') {
    const hint: unknown = issue.params?.['hint'];
    return { message: `${name} ${issue.message}`, hint: typeof hint === 'string' ? hint : undefined };
  }
  if (!source.has(path)) return { message: `${name} is missing`, hint: exampleLine(path, schema) };
  const value = valueAt(source.value, path);
  if (value === null) {
    return path.length === 0
      ? { message: 'the file is empty', hint: undefined }
      : { message: `${name} is empty`, hint: 'remove the key or give it a value' };
  }
  const shown = describeValue(value, source.written(path));
  if (issue.code === 'invalid_type') return describeWrongType(issue.expected, value, name, path, source);
  if (issue.code === 'invalid_value') {
    const allowed = issue.values.map(String);
    const near = typeof value === 'string' ? suggestion(value, allowed) : undefined;
    return {
      message: `${name} must be one of ${allowed.join(', ')}, not ${shown}`,
      hint: near === undefined ? undefined : `did you mean ${near}?`,
    };
  }
  if (issue.code === 'too_small' || issue.code === 'too_big') {
    if (Array.isArray(value)) return { message: `${name} must not be an empty list` };
    return { message: `${name} must be from ${schema?.minimum ?? '?'} to ${schema?.maximum ?? '?'}, not ${shown}` };
  }
  return { message: `${name}: ${issue.message}` };
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a whole number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

function describeWrongType(
  expected: string,
  value: unknown,
  name: string,
  path: KeyPath,
  source: YamlSource,
): Description {
  const wanted = typeNames[expected] ?? expected;
  const written = source.written(path);
  if (expected === 'string' && written !== undefined) {
    const kind = typeof value === 'number' ? `the number ${value}` : String(value);
    return {
      message: `${name} must be text, but YAML read ${written} as ${kind}`,
      hint: `write ${keyPrefix(path)}'${written}'`,
    };
  }
  const isNumber = expected === 'number' || expected === 'int';
  return {
    message: `${name} must be ${wanted}, but it is ${describeValue(value, written)}`,
    hint:
      isNumber && typeof value === 'string' && /^\d+$/.test(value)
        ? `write ${keyPrefix(path)}${value}`
        : expected === 'array' && typeof value === 'string'
          ? `write ${keyPrefix(path)}[${value}]`
          : undefined,
  };
}

function describeValue(value: unknown, written: string | undefined): string {
  if (typeof value === 'string') return `the text ${quoted(value)}`;
  if (typeof value === 'number' || typeof value === 'boolean') return written ?? String(value);
  if (Array.isArray(value)) return 'a list';
  return 'a mapping';
}

function keyPrefix(path: KeyPath): string {
  const key = path.at(-1);
  return typeof key === 'string' ? `${key}: ` : '- ';
}

function exampleLine(path: KeyPath, schema: SchemaNode | undefined): string | undefined {
  const example = schema?.examples?.[0];
  // JSON is YAML; single quotes because that is how the documentation writes text.
  if (example === undefined) return undefined;
  return `${keyPrefix(path)}${typeof example === 'string' ? `'${example}'` : JSON.stringify(example)}`;
}

function describeUnknownKey(path: KeyPath, parent: SchemaNode | undefined, source: YamlSource): Problem {
  const known = Object.keys(parent?.properties ?? {});
  const near = suggestion(String(path.at(-1)), known);
  return {
    code: 'CONFIG_INVALID',
    at: source.atKey(path),
    message: `${describePath(path)} is not a known key`,
    hint: near === undefined ? `known keys: ${known.join(', ')}` : `did you mean ${near}?`,
  };
}

/** The known word that was probably meant. */
function suggestion(word: string, known: readonly string[]): string | undefined {
  // The comparison takes time by the product of the lengths: no long text gets near a known word anyway.
  if (known.length === 0 || word.length > 64) return undefined;
  const plain = word.toLowerCase().replaceAll('-', '_');
  const near = closest(plain, known);
  return distance(plain, near) <= Math.max(1, Math.floor(near.length / 3)) ? near : undefined;
}

function schemaAt(schema: SchemaNode, path: KeyPath): SchemaNode | undefined {
  let node: SchemaNode | undefined = schema;
  for (const key of path) {
    if (typeof key === 'number') node = node?.items;
    else
      node = node?.properties?.[key] ?? (node?.additionalProperties === false ? undefined : node?.additionalProperties);
  }
  return node;
}

/** The value at a path, `undefined` where there is none. */
export function valueAt(value: unknown, path: KeyPath): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<Key, unknown>)[key];
  }
  return at;
}
