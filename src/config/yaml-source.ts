// YAML text as plain values, each with its place in the file. Accepts what a configuration needs and no more:
// text keys, the core types, few aliases. Knows nothing about what the values mean.
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml';
import { errorMessage, type Problem } from '../system/app-error.ts';

export type Key = string | number;
export type KeyPath = readonly Key[];

export interface YamlSource {
  readonly file: string;
  /** Plain objects (without a prototype), arrays, text, numbers, booleans and null. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** False when the text is not YAML: the value is then not worth a look. */
  readonly isReadable: boolean;
  /** `file:line:column` of a value, or of the nearest thing around it that is in the file. */
  at: (path: KeyPath) => string;
  /** `file:line:column` of a mapping's key. */
  atKey: (path: KeyPath) => string;
  has: (path: KeyPath) => boolean;
  /** A scalar as it was typed: `22.10` where the value is the number 22.1. */
  written: (path: KeyPath) => string | undefined;
}

interface Place {
  readonly offset: number;
  readonly keyOffset?: number | undefined;
  readonly written?: string | undefined;
}

// A configuration is a page of text, the lock of 2,000 packages a megabyte. The limits only stop what was made to
// exhaust memory or the stack.
const MAX_CHARACTERS = 4 << 20;
const MAX_NODES = 200_000;
const MAX_ALIASES = 1000;
const MAX_DEPTH = 32;
const CORE_TAG = /^tag:yaml\.org,2002:(str|int|float|bool|null|map|seq)$/;

/** Reads YAML. Never throws for any text: what is wrong is in `problems`, each with code CONFIG_INVALID. */
export function parseYaml(text: string, file: string): YamlSource {
  const lines = new LineCounter();
  const places = new Map<string, Place>();
  const problems: Problem[] = [];
  const position = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const complain = (offset: number, message: string, hint?: string): void => {
    problems.push({ code: 'CONFIG_INVALID', message, at: position(offset), hint });
  };
  const place = (path: KeyPath): Place | undefined => places.get(JSON.stringify(path));
  const nearest = (path: KeyPath): Place => {
    for (let length = path.length; length > 0; length--) {
      const found = place(path.slice(0, length));
      if (found) return length < path.length ? { offset: found.keyOffset ?? found.offset } : found;
    }
    return place([]) ?? { offset: 0 };
  };

  const document = parseSafely(text, lines, complain);
  let isReadable = document !== undefined;
  const brokenLines = new Set<number>();
  for (const error of [...(document?.errors ?? []), ...(document?.warnings ?? [])]) {
    const { line } = lines.linePos(error.pos[0]);
    // One slip makes several errors of grammar; the first of a line is the one that helps.
    if (error.code !== 'DUPLICATE_KEY' && brokenLines.has(line)) continue;
    complain(error.pos[0], yamlMessage(error.code, error.message));
    if (error.code === 'DUPLICATE_KEY') continue;
    brokenLines.add(line);
    isReadable = false;
  }
  const converted = isReadable && document ? plainValue(document, places, complain) : undefined;
  if (converted?.isWhole === false) isReadable = false;
  return {
    file,
    value: converted?.value,
    problems,
    isReadable,
    at: (path) => position(nearest(path).offset),
    atKey: (path) => position(nearest(path).keyOffset ?? nearest(path).offset),
    has: (path) => place(path) !== undefined,
    written: (path) => place(path)?.written,
  };
}

type Complain = (offset: number, message: string, hint?: string) => void;

function parseSafely(text: string, lines: LineCounter, complain: Complain): Document | undefined {
  if (text.length > MAX_CHARACTERS) {
    complain(0, `the file has ${text.length} characters; at most ${MAX_CHARACTERS} are read`);
    return undefined;
  }
  try {
    // At log level 'silent' yaml would also be silent about a second document.
    return parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  } catch (error) {
    // yaml's composer is recursive: a long row of brackets ends its stack (RangeError).
    complain(0, `the YAML cannot be read: ${errorMessage(error)}`);
    return undefined;
  }
}

function yamlMessage(code: string, message: string): string {
  if (code === 'DUPLICATE_KEY') return 'the same key is given twice in one mapping';
  if (code === 'TAB_AS_INDENT') return 'YAML is indented with spaces, not with tabs';
  if (code === 'MULTIPLE_DOCS') return 'the file holds several YAML documents; one is expected';
  return `not valid YAML: ${message}`;
}

/** The document's value; fills in the place of every value. Not whole: what it would take to say what is at some place is missing. */
function plainValue(
  document: Document,
  places: Map<string, Place>,
  complain: Complain,
): { readonly value: unknown; readonly isWhole: boolean } {
  let nodes = 0;
  let aliases = 0;
  let tooMuch = false;
  let isWhole = true;
  const refuse = (offset: number, message: string, hint?: string): null => {
    isWhole = false;
    complain(offset, message, hint);
    return null;
  };

  function convert(node: Node | null | undefined, path: KeyPath, keyOffset?: number): unknown {
    if (tooMuch) return null;
    const offset = node?.range?.[0] ?? keyOffset ?? 0;
    if (++nodes > MAX_NODES || aliases > MAX_ALIASES || path.length > MAX_DEPTH) {
      tooMuch = true;
      return refuse(offset, 'the values are nested too deeply, or their aliases expand to too much');
    }
    if (isAlias(node)) {
      aliases++;
      const target = node.resolve(document);
      if (target) return convert(target, path, keyOffset ?? offset);
      return refuse(offset, `the alias *${node.source} has no anchor &${node.source} before it`);
    }
    const written = isScalar(node) ? node.source : undefined;
    places.set(JSON.stringify(path), { offset, keyOffset, written });
    if (node?.tag !== undefined && !CORE_TAG.test(node.tag)) {
      return refuse(offset, `the tag ${node.tag} is not known here`, 'remove the tag');
    }
    if (isMap(node)) return convertMap(node.items, path);
    if (isSeq(node)) return node.items.map((item, index) => convert(item as Node | null, [...path, index]));
    return isScalar(node) ? node.value : null;
  }

  function convertMap(items: readonly { key: unknown; value: unknown }[], path: KeyPath): Record<string, unknown> {
    // No prototype: a key such as `constructor` or `__proto__` is only a key.
    const result = Object.create(null) as Record<string, unknown>;
    for (const { key, value } of items) {
      const named = isAlias(key) ? key.resolve(document) : key;
      const offset = (key as Node | null)?.range?.[0] ?? 0;
      if (!isScalar(named) || typeof named.value !== 'string') {
        const written = isScalar(named) ? named.source : undefined;
        complain(offset, 'a key must be text', written ? `write '${written}':` : undefined);
      } else if (named.value === '__proto__') {
        // zod drops it silently; nothing here is called so.
        complain(offset, 'the key __proto__ is not known');
      } else {
        result[named.value] = convert(value as Node | null, [...path, named.value], offset);
      }
    }
    return result;
  }

  const value = convert(document.contents, []);
  return { value, isWhole };
}
