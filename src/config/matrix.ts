// install_config.yaml, `matrix`: one description of many environments, as if each were written below `environments`. What is
// wrong with one of them is found where the matrix says it.
import type { Problem } from '../system/app-error.ts';
import { describePath } from './describe-issues.ts';
import { quoted } from './text-rules.ts';
import type { KeyPath, YamlSource } from './yaml-source.ts';

export interface ExpandedSource {
  /** Without `matrix`. */
  readonly source: YamlSource;
  /** Of the matrix itself. */
  readonly problems: readonly Problem[];
  /** Name of an environment to the template of the matrix that it is of. */
  readonly templates: ReadonlyMap<string, string>;
}

type Mapping = Readonly<Record<string, unknown>>;
/** Axis to value. */
type Cell = Readonly<Record<string, string>>;

/** A person looks through as many; a slip would make thousands. */
const MOST_CELLS = 200;
/** `{prefix}` and its like stand for paths (`module.variables`). */
const RESERVED = ['prefix', 'farm', 'launcher'];

export function expandMatrix(source: YamlSource): ExpandedSource {
  const root = source.value;
  if (!isMapping(root) || !('matrix' in root)) return { source, problems: [], templates: new Map() };
  const { matrix, ...rest } = root;
  const problems: Problem[] = [];
  const complain = (at: KeyPath, message: string, hint?: string): void => {
    problems.push({ code: 'CONFIG_INVALID', message: `${describePath(at)} ${message}`, at: source.at(at), hint });
  };
  const written = isMapping(rest['environments']) ? rest['environments'] : {};
  const environments: Record<string, unknown> = { ...written };
  const templates = new Map<string, string>();
  if (!isMapping(matrix)) complain(['matrix'], 'must be a mapping of names such as py{python}-{set}');
  for (const [template, options] of Object.entries(isMapping(matrix) ? matrix : {})) {
    const at = ['matrix', template];
    if (!isMapping(options)) {
      complain(at, 'must be a mapping with axes');
      continue;
    }
    const { axes, ...environment } = options;
    const cells = planCells(axes, (path, message, hint) => {
      complain([...at, 'axes', ...path], message, hint);
    });
    for (const cell of cells) {
      const name = fill(template, cell);
      if (name in environments) {
        complain(
          at,
          `makes ${quoted(name)} twice, or where environments has it`,
          'let the name say every axis: py{python}-{set}',
        );
        break;
      }
      environments[name] = fillAll(environment, cell);
      templates.set(name, template);
    }
  }
  const place = (path: KeyPath): KeyPath => {
    const template = path[0] === 'environments' ? templates.get(String(path[1])) : undefined;
    return template === undefined ? path : ['matrix', template, ...path.slice(2)];
  };
  return {
    source: {
      ...source,
      value: { ...rest, environments },
      at: (path) => source.at(place(path)),
      atKey: (path) => source.atKey(place(path)),
      has: (path) => source.has(place(path)),
      written: (path) => source.written(place(path)),
    },
    problems,
    templates,
  };
}

/** Each problem of a matrix once, in the words of the matrix, however many of its environments have it. */
export function mergeProblems(problems: readonly Problem[], templates: ExpandedSource['templates']): Problem[] {
  const seen = new Set<string>();
  return problems
    .map((problem) => ({ ...problem, message: nameTemplate(problem.message, templates) }))
    .filter(({ at, message }) => {
      const key = `${at ?? ''}\0${message}`;
      return !seen.has(key) && seen.add(key);
    });
}

function nameTemplate(message: string, templates: ExpandedSource['templates']): string {
  for (const [name, template] of templates) {
    const path = describePath(['environments', name]);
    if (message.startsWith(path) && /^[.:[ ]/.test(message.slice(path.length)))
      return describePath(['matrix', template]) + message.slice(path.length);
  }
  return message;
}

/** Every combination, the last axis fastest. */
function planCells(axes: unknown, complain: (at: KeyPath, message: string, hint?: string) => void): Cell[] {
  if (!isMapping(axes) || Object.keys(axes).length === 0) {
    complain([], 'must say what varies', "axes: { python: ['3.11', '3.12'], set: [climate, ml] }");
    return [];
  }
  let cells: Cell[] = [{}];
  for (const [axis, values] of Object.entries(axes)) {
    if (!/^[a-z][a-z0-9_]*$/.test(axis) || RESERVED.includes(axis)) {
      complain([axis], `must be lower-case letters, digits and underscores, and none of ${RESERVED.join(', ')}`);
    }
    if (!Array.isArray(values) || values.length === 0) {
      complain([axis], 'must be a list of texts');
      return [];
    }
    const wrong = values.findIndex((value) => typeof value !== 'string' || value === '' || /[{}]/.test(value));
    if (wrong !== -1) {
      complain([axis, wrong], 'must be text', 'put it in quotes: YAML reads 3.10 as the number 3.1');
      return [];
    }
    cells = cells.flatMap((cell) => (values as string[]).map((value) => ({ ...cell, [axis]: value })));
    if (cells.length > MOST_CELLS) {
      complain([], `make ${cells.length} environments and more; at most ${MOST_CELLS} are made of one`);
      return [];
    }
  }
  return cells;
}

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const fill = (text: string, cell: Cell): string =>
  text.replaceAll(/\{(\w+)\}/g, (placeholder, axis: string) => cell[axis] ?? placeholder);

/** In every text below, keys left as they are. */
function fillAll(value: unknown, cell: Cell): unknown {
  if (typeof value === 'string') return fill(value, cell);
  if (Array.isArray(value)) return value.map((item) => fillAll(item, cell));
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillAll(item, cell)]));
}
